"""What this proxy does by itself for users when the new cluster fails, with bot, Redis and API gone: a breaker a service.

Joins what the log counts, what the probe says, what peers say and what is served. It suppresses at once, lets through again
when the new cluster is well, and where that does not end, makes a hold of its own (a latch) that only people end.
"""

import asyncio
import datetime
import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from k8s import model, protocol
from k8s.agent import breaker, document_fault, serving, traffic

log = logging.getLogger("ferry.agent")

EVERY = 0.5  # seconds between two looks at what only time changes
LATCH = "latch-"  # how the ids of holds begin that an agent's breaker made
MADE_BY_AGENTS = (LATCH, document_fault.PREFIX)  # and of those that agents make for other reasons
UNPROVEN = "the new cluster has not answered this proxy's probe yet"
_NO_RULE = model.Breaker()


class Answer(Protocol):
    """The newest answer to a probe; `at_monotonic` on the monotonic clock."""

    @property
    def at_monotonic(self) -> float: ...
    @property
    def ok(self) -> bool: ...
    @property
    def outcome(self) -> str: ...
    @property
    def why(self) -> str: ...


class Probes(Protocol):
    """`up`: verdicts, `seen`: newest answers, by service; absent: none yet. `hurry`: ask these soon."""

    @property
    def up(self) -> Mapping[str, bool]: ...
    @property
    def seen(self) -> Mapping[str, Answer]: ...
    def hurry(self, services: Iterable[str]) -> None: ...


class Neighbours(Protocol):
    """What peers say of their own probes."""

    def sees_up(self, service: str, *, since: float) -> str:
        """The pod of a peer whose probe was answered well after that monotonic time; empty: none."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """`monotonic`: seconds that only grow. `wall`: what people call now, in UTC."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC)


class Protection:
    """`review` after every sign, `tick` now and then. `latch_after`: seconds of a new cluster that is down; `pod`: this one."""

    def __init__(
        self,
        *,
        served: serving.Serving,
        tallies: traffic.Tallies,
        probes: Probes,
        neighbours: Neighbours,
        pod: str,
        latch_after: float,
        clocks: Clocks | None = None,
    ) -> None:
        self._serving = served
        self._tallies = tallies
        self._probes = probes
        self._neighbours = neighbours
        self._pod = pod
        self._latch_after = latch_after
        self._clocks = clocks or Clocks()
        self._rules: Mapping[str, model.Breaker] = {}
        self._breakers: dict[str, breaker.Breaker] = {}
        self._alone: dict[str, str] = {}  # suppressed here while this peer sees new: no latch
        served.suppressed_by(self.suppression)

    @property
    def breakers(self) -> Mapping[str, breaker.Breaker]:
        return MappingProxyType(self._breakers)

    @property
    def trouble(self) -> list[str]:
        """Sentences: where this proxy alone keeps away from a new cluster that another one sees."""
        return [
            f"{name}: the new cluster does not answer this proxy, while {peer} sees it: only this proxy keeps users at the old"
            " one; look at this pod's node and network, or delete the pod"
            for name, peer in sorted(self._alone.items())
        ]

    def follow(self, services: Mapping[str, model.Service]) -> None:
        """How patient each service's breaker is; one that is no longer named keeps the usual patience."""
        self._rules = {name: one.breaker for name, one in services.items()}

    def suppression(self, name: str) -> serving.Suppression | None:
        """What may reach new whatever was approved. No raise before the probe has found new well, and no drop for want of it."""
        known = self._breakers.get(name)
        if known is not None and known.suppression is not None:
            half = "half open: " if known.phase is breaker.Phase.HALF_OPEN else ""
            return serving.Suppression(known.suppression, half + known.reason)
        up = self._probes.up.get(name)
        if up is None:
            return serving.Suppression(self._serving.link(name), UNPROVEN)
        return None if up else serving.Suppression(0, f"the new cluster does not answer the probe: {self._why(name)}")

    def notice(self, names: Iterable[str]) -> None:
        """Tries of these services failed or were slow: links have moved, if they must, when this returns."""
        touched = list(names)
        for name in touched:
            self.review(name)
        self._probes.hurry(touched)

    def review(self, name: str) -> None:
        """Whatever has changed about this service: its breaker, its link and, if it must be, its latch follow."""
        memory = self._serving.memories.get(name)
        if memory is None:
            self._breakers.pop(name, None)
            return
        before, seen, now = self._breakers.get(name, breaker.Breaker()), self._seen(name), self._clocks.monotonic()
        if name in self._serving.without_old or _needs_none(memory):
            after = breaker.forget(before, seen)
        else:
            after = breaker.step(before, seen, self._rules.get(name, _NO_RULE), now=now)
        self._breakers[name] = after
        self._serving.reconsider([name])
        if after.phase is not before.phase:
            log.warning("the breaker of %s is %s now%s", name, after.phase, f": {after.reason}" if after.reason else "")
        if after.wants_a_probe(seen, now):
            self._probes.hurry([name])
        self._latch_if_due(name, after, now)

    async def watch(self) -> None:
        """Endless."""
        while True:
            await asyncio.sleep(EVERY)
            for name in self.tick():
                self.review(name)
                await asyncio.sleep(0)  # a pushed hold must not wait for a thousand of them

    def tick(self) -> list[str]:
        """Who is to be reviewed because of the time alone."""
        not_closed = {name for name, one in self._breakers.items() if one.phase is not breaker.Phase.CLOSED}
        return sorted(not_closed | {name for name, up in self._probes.up.items() if not up})

    def seen_up(self) -> dict[str, float]:
        """For peers: how many seconds ago the probe of each service was answered well, of those that are up."""
        now = self._clocks.monotonic()
        seen = self._probes.seen
        return {name: max(0.0, now - seen[name].at_monotonic) for name, up in self._probes.up.items() if up and seen[name].ok}

    def _seen(self, name: str) -> breaker.Seen:
        tally, answer = self._tallies.tallies.get(name) or traffic.Tally(), self._probes.seen.get(name)
        return breaker.Seen(
            last_ok=tally.last_ok,
            failures=tally.failures,
            ok_tries=tally.ok_tries,
            up=self._probes.up.get(name),
            answered=answer.at_monotonic if answer else None,
            well=answer.ok if answer else False,
            outcome=self._why(name),
        )

    def _why(self, name: str) -> str:
        answer = self._probes.seen.get(name)
        return "" if answer is None or answer.ok else answer.why or answer.outcome

    def _latch_if_due(self, name: str, now_is: breaker.Breaker, now: float) -> None:
        self._alone.pop(name, None)
        if now_is.too_often(now):
            minutes = round(breaker.WITHIN / 60)
            self._latch(name, f"the breaker opened {breaker.MOST_OPENINGS} times within {minutes} minutes; last {now_is.reason}")
        elif now_is.down_since is not None and now - now_is.down_since >= self._latch_after:
            if peer := self._neighbours.sees_up(name, since=now_is.down_since):
                self._alone[name] = peer  # one proxy's bad line must not take everybody back
                return
            self._latch(name, f"the new cluster has been down for {self._latch_after:g} s: {self._why(name) or now_is.reason}")

    def _latch(self, name: str, reason: str) -> None:
        order = model.Hold(
            name,
            self._latch_id(name),
            reason=reason,
            by=self._pod,
            since=self._clocks.wall().isoformat(timespec="seconds"),
            cause="breaker",
        )
        log.error("%s is held by this proxy itself (%s): %s", name, order.id, reason)
        try:
            self._serving.hold(order)
        except OSError as error:
            log.warning("the hold %s is not complete: %s", order.id, error)  # it is tried again with everything that failed
        self.review(name)

    def _latch_id(self, name: str) -> str:
        """The same on every agent, so that one outage makes one hold; another for each record, as ids are never used again."""
        memory = self._serving.memories[name]
        return LATCH + hashlib.sha256(f"{name}/{memory.generation}".encode()).hexdigest()[:8]


def _needs_none(memory: protocol.Memory) -> bool:
    """Nothing may reach new as it is, or there is no old to go to."""
    return protocol.effective(memory).weight == 0 or (memory.record is not None and memory.record.finished)
