"""All agents asked, again and again: what the page shows of the services, and the samples that stories are judged by."""

import asyncio
import itertools
import time
from collections import deque
from typing import Protocol

from deploy.playground.stories import history
from k8s import views

_KEPT = 20_000
_RECENT = 125.0  # seconds


class Asks(Protocol):
    """`k8s.proxies.Proxies`, or whoever else knows all agents."""

    async def fleet(self) -> views.Fleet: ...


class FleetWatch:
    """`every`: seconds between two looks. `samples`: oldest first; `latest`: the newest answer, nobody before the first."""

    def __init__(self, ask: Asks, *, every: float = 0.25) -> None:
        self._ask = ask
        self._every = every
        self._task: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()  # an answer that was overtaken by a later one would say something that is over
        self.samples: deque[history.Sample] = deque(maxlen=_KEPT)
        self.latest = views.Fleet(expected=0, reports=())

    async def start(self) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Looks no more; the samples stay."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def recent(self) -> list[history.Sample]:
        """The samples of the last two minutes and a little."""
        return list(itertools.islice(reversed(self.samples), round(_RECENT / self._every)))[::-1]

    def steady(self, now: float) -> float:
        """For how many seconds up to `now` (monotonic) every look has seen the weights of the newest one; two minutes at most."""
        weights, since = _weights(self.latest), now
        for sample in reversed(self.recent()):
            if _weights(sample.fleet) != weights:
                break
            since = sample.at
        return now - since

    def weight(self, service: str) -> int:
        """The most that any proxy serves of new."""
        return max((report.services[service].served for report in self.latest.reports if service in report.services), default=0)

    def held(self, service: str) -> bool:
        """Whether any proxy knows a hold that stands."""
        return any(report.services[service].holds for report in self.latest.reports if service in report.services)

    async def look(self) -> None:
        """One more look, after whoever looks now."""
        async with self._looking:
            began = time.monotonic()
            self.latest = await self._ask.fleet()
            # The answers are of some moment in between: the first one is what an answer cannot be older than.
            self.samples.append(history.Sample(began, self.latest))

    async def _look(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._every)


def _weights(fleet: views.Fleet) -> set[tuple[str, int]]:
    """Every weight that any proxy serves of a service."""
    return {(name, one.served) for report in fleet.reports for name, one in report.services.items()}
