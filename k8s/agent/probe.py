"""Whether the new cluster is there for each service with a record: asked in rounds, sooner while something fails.

Down after as many failures in a row as the service says, up again after two good answers in a row: a cluster that comes and
goes is down. Rounds are spread, and only so many questions are open at a time, whatever a thousand services do at once.
"""

import asyncio
import contextlib
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from k8s.agent import probe_answer, probe_trouble, resolving

log = logging.getLogger("ferry.agent")

Target = probe_answer.Target

SOONEST = 1.0  # seconds between two questions while something fails, or requests do
PATIENT_AFTER = 60.0  # seconds of being down, after which
PATIENT = 5.0  # seconds lie between two questions
GOOD_AGAIN = 2  # good answers in a row that make up again what was down
AT_ONCE = 20  # questions open at a time
TIMES_USUAL = 3.0  # a hurried question may take as many times what the last good one took
APART = 0.02  # seconds between the first questions of two services, on average
_LOTS = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Probed:
    """The last answer for one service. `at_monotonic`: the event loop's clock; `outcome`: one of probe_answer.OUTCOMES;
    `why`: half a sentence about one that is not ok; `seconds`: how long it took; `certificate_expires`: Unix seconds;
    `failing_since`: the loop's clock at the first failure since it was up, None: there was none.
    """

    at_monotonic: float
    ok: bool
    outcome: str
    seconds: float
    certificate_expires: float | None
    failures_in_a_row: int
    why: str = ""
    failing_since: float | None = None


@dataclass(slots=True, eq=False)
class _Watched:
    target: Target
    sooner: asyncio.Event = field(default_factory=asyncio.Event)
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)  # one question of a service at a time
    failures: int = 0  # in a row
    good: int = 0  # in a row
    down_since: float = 0.0
    failing_since: float | None = None
    took: float = 0.0  # seconds, the last good answer
    unasked: str = ""  # why the agent itself could not ask last
    hurried: bool = False  # requests fail, too: short questions without a pause, until it is decided
    task: asyncio.Task[None] | None = None


class Probes:
    """`up` and `seen` by service; absent: not known yet, or not asked. `follow` starts, changes and ends what is asked.

    `on_change` is called with the service's name after every answer, when `up` and `seen` already say it.
    """

    def __init__(self, resolver: resolving.Resolver, *, ca_folder: Path, default_ca: Path) -> None:
        self._questions = probe_answer.Questions(resolver, ca_folder=ca_folder, default_ca=default_ca)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._watched: dict[str, _Watched] = {}
        self._ended: set[asyncio.Task[None]] = set()
        self._seen: dict[str, Probed] = {}
        self.up: dict[str, bool] = {}
        self.asked: dict[str, Counter[str]] = {}  # questions by service and outcome: only growing
        self.on_change: Callable[[str], None] = lambda _: None

    @property
    def seen(self) -> Mapping[str, Probed]:
        return self._seen

    @property
    def trouble(self) -> list[str]:
        """Sentences for whoever is on call: who is down and why, whose certificate ends soon."""
        faults = [
            probe_trouble.Fault(
                name,
                one.target.host,
                why=seen.why if self._told(name, seen) else "",
                expires=math.inf if seen.certificate_expires is None else seen.certificate_expires,
            )
            for name, one in self._watched.items()
            if (seen := self._seen.get(name)) is not None
        ]
        unasked = sorted({one.unasked for one in self._watched.values() if one.unasked})
        own = [
            f"this agent cannot ask the new cluster ({why}); it goes on with what it knew: see its limits" for why in unasked[:1]
        ]
        return own + probe_trouble.sentences(faults, now=time.time())

    def _told(self, name: str, seen: Probed) -> bool:
        """One failure of who is up may be chance."""
        return not seen.ok and not self.up.get(name, False)

    def follow(self, targets: Mapping[str, Target]) -> None:
        """These services are asked from now on, and no others; one that is asked in another way begins anew."""
        for name, one in list(self._watched.items()):
            if targets.get(name) != one.target or one.task is None or one.task.done():
                self._end(name)
        for name in self.asked.keys() - targets.keys():
            del self.asked[name]
        fresh = targets.keys() - self._watched.keys()
        for name in fresh:
            self.asked.setdefault(name, Counter(dict.fromkeys(probe_answer.OUTCOMES, 0)))
            one = self._watched[name] = _Watched(targets[name])
            spread = min(one.target.health.interval, APART * len(fresh))
            one.task = asyncio.create_task(self._watch(name, one, first=_LOTS.uniform(0, spread)), name=f"probe {name}")

    def _end(self, name: str) -> None:
        self.up.pop(name, None)
        self._seen.pop(name, None)
        task = self._watched.pop(name).task
        if task is None:
            return
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            log.error("probing %s ended by itself and begins anew", name, exc_info=error)
        task.cancel()
        self._ended.add(task)
        task.add_done_callback(self._ended.discard)

    def hurry(self, services: Iterable[str]) -> None:
        """Requests of these services failed at the new cluster, or ceased: do not wait for the next round."""
        for name in services:
            if name in self._watched:
                self._watched[name].sooner.set()
                self._watched[name].hurried = self.up.get(name) is not False

    async def ask(self, name: str) -> bool:
        """Whether it answers well now: one fresh question, that counts like any other. False for a service that is not asked."""
        one = self._watched.get(name)
        if one is None:
            return False
        good = await self._ask(name, one)
        if not good:
            one.sooner.set()  # its round goes on at the pace of a failure
        return good

    async def stop(self) -> None:
        tasks = {one.task for one in self._watched.values() if one.task is not None} | self._ended
        self._watched.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, name: str, one: _Watched, *, first: float) -> None:
        await self._pause(one, first, least=0.0)
        while True:
            one.sooner.clear()
            await self._ask(name, one)
            wait = self._wait(name, one)
            if one.hurried and one.failures and name in self._seen:
                wait = max(0.0, wait - self._seen[name].seconds)  # dropped packets have cost a second already
            await self._pause(one, wait, least=min(SOONEST, wait, one.target.health.interval))

    async def _pause(self, one: _Watched, seconds: float, *, least: float) -> None:
        """So long, or shorter when hurried, but never shorter than `least`."""
        await asyncio.sleep(min(seconds, least))
        if seconds > least:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds - least):
                    await one.sooner.wait()

    def _wait(self, name: str, one: _Watched) -> float:
        """Seconds until the next question; never quite the interval, so that services that fell together do not stay together."""
        interval = one.target.health.interval
        if self.up.get(name) and not one.failures and not one.unasked:
            return interval * _LOTS.uniform(0.8, 1.0)
        long_down = self.up.get(name) is False and not one.good and _now() - one.down_since > PATIENT_AFTER
        return min(interval, PATIENT * _LOTS.uniform(0.8, 1.0) if long_down else SOONEST)

    async def _ask(self, name: str, one: _Watched) -> bool:
        async with one.alone:
            wanted = _now()
            async with self._turns:
                answer = await self._questions.ask(one.target, wanted=wanted, limit=_limit(one))
            if self._watched.get(name) is one:  # else nobody wants to know any more
                self._take(name, one, answer)
        return answer.outcome == probe_answer.OK

    def _take(self, name: str, one: _Watched, answer: probe_answer.Answer) -> None:
        self.asked[name][answer.outcome] += 1
        before_this, one.unasked = one.unasked, answer.why if answer.outcome == probe_answer.UNASKED else ""
        if one.unasked:
            if not before_this:
                log.warning("%s: the new cluster cannot be asked (%s); what was known of it goes on", name, one.unasked)
            return  # what was known stays known: the new cluster has said nothing
        good = answer.outcome == probe_answer.OK
        one.failures = 0 if good else one.failures + 1
        one.good = one.good + 1 if good else 0
        one.took = answer.seconds if good else one.took
        before = self._seen.get(name)
        if good and (self.up.get(name) is not False or one.good >= GOOD_AGAIN):
            self.up[name] = True
        elif one.failures >= one.target.health.failures and self.up.get(name) is not False:
            self.up[name], one.down_since = False, _now()
        if good and self.up[name]:
            one.failing_since = None
        elif not good and one.failing_since is None:
            one.failing_since = _now()
        one.hurried = one.hurried and not good and self.up.get(name) is not False
        expires = answer.certificate_expires
        if expires is None and before is not None:
            expires = before.certificate_expires
        self._seen[name] = Probed(
            _now(), good, answer.outcome, answer.seconds, expires, one.failures, answer.why, one.failing_since
        )
        self.on_change(name)


def _limit(one: _Watched) -> float:
    """Seconds for the next question. Whoever takes its time when it is well is given that also in a hurry."""
    full = probe_answer.LIMIT
    return min(full, max(probe_answer.HURRIED, TIMES_USUAL * one.took)) if one.hurried else full


def _now() -> float:
    return asyncio.get_running_loop().time()
