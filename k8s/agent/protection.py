"""What this proxy does by itself for users when the new cluster fails, with bot, Redis and API gone: a breaker a service.

Joins what requests and the probe say, what peers say and what is served. It suppresses at once, lets through again when the new
cluster is well, and where that does not end, makes a hold of its own (a latch) that only people end. Where the old cluster
does not answer either, it leaves everything as it is.
"""

import asyncio
import datetime
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from k8s import model, protocol
from k8s.agent import breaker, evidence, latches, own_hold, peers, serving, traffic

log = logging.getLogger("ferry.agent")

EVERY = 0.5  # seconds between two looks at what only time changes
LATCH = latches.PREFIX
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
    @property
    def failing_since(self) -> float | None: ...


class Probes(Protocol):
    """By service: `up`: verdicts, `seen`: newest answers, `asked`: how many by outcome; absent: none yet. `hurry`: ask soon."""

    @property
    def up(self) -> Mapping[str, bool]: ...
    @property
    def seen(self) -> Mapping[str, Answer]: ...
    @property
    def asked(self) -> Mapping[str, Mapping[str, int]]: ...
    def hurry(self, services: Iterable[str]) -> None: ...


class Neighbours(Protocol):
    """What peers say of the new cluster, as they see it themselves."""

    def opinion(self, service: str, *, since: float, now: float) -> peers.Opinion: ...


@dataclass(frozen=True, slots=True)
class Clocks:
    """`monotonic`: seconds that only grow. `wall`: what people call now, in UTC; nginx's log has the same clock."""

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
        self._services: Mapping[str, model.Service] = {}
        self._breakers: dict[str, breaker.Breaker] = {}
        self._generations: dict[str, int] = {}  # of the records by which the breakers' openings count
        self._cut_since: dict[str, str] = {}  # of breakers that are not closed: since when, for people
        self._silent: set[str] = set()
        self._started: set[str] = set()  # of these the probe has said so much that something was concluded from it
        self._unconfirmed: dict[str, str] = {}  # why these are suppressed here and not held
        self._resumed = frozenset(  # what an earlier agent had suppressed, until new was found well once
            name for name, one in served.memories.items() if served.link(name) < protocol.effective(one).weight
        )
        served.suppressed_by(self.suppression)

    @property
    def breakers(self) -> Mapping[str, breaker.Breaker]:
        return MappingProxyType(self._breakers)

    @property
    def trouble(self) -> list[str]:
        """Sentences: where this proxy alone keeps away from a new cluster, where probe and users differ, where old is dead."""
        said = [f"{name}: {why}" for name, why in sorted(self._unconfirmed.items())]
        said += [
            f"{name}: the new cluster does not answer this proxy's probe ({self._why(name) or 'no answer'}), but it"
            " answers users: traffic stays as it is; correct health.path, or look at the new cluster"
            for name, up in sorted(self._probes.up.items())
            if not up and name in self._serving.memories and self._seen(name).disputed and self._may_break(name)
        ]
        said += [
            f"{name}: the old cluster does not answer this proxy: traffic stays at new, whatever becomes of it; mend the old"
            " cluster, there is no way back meanwhile"
            for name in self.old_unusable()
        ]
        return said

    def old_unusable(self) -> list[str]:
        """Services whose old cluster has answered none of the last requests that were sent there."""
        return [name for name in sorted(self._serving.memories) if self._old_is_dead(name)]

    def follow(self, services: Mapping[str, model.Service]) -> None:
        """How patient each service's breaker is; one that is no longer named keeps the usual patience."""
        self._services = dict(services)

    def suppression(self, name: str) -> serving.Suppression | None:
        """What may reach new whatever was approved. No raise before the probe has found new well, and no drop for want of it."""
        if self._old_is_dead(name):
            return None
        known = self._breakers.get(name)
        if known is not None and known.suppression is not None:
            half = "half open: " if known.phase is breaker.Phase.HALF_OPEN else ""
            return serving.Suppression(known.suppression, half + known.reason, self._cut_since.get(name, ""))
        up = self._probes.up.get(name)
        if up is None or (up and self._starts_gently(name)):
            return serving.Suppression(self._serving.link(name), UNPROVEN)
        seen = self._seen(name)
        return serving.Suppression(0, seen.unanswered) if seen.down else None

    def notice(self, names: Iterable[str]) -> None:
        """Tries of these services failed or were slow: links have moved, if they must, when this returns."""
        touched = list(names)
        for name in touched:
            self.review(name)
        self._probes.hurry(touched)

    def hang(self, names: Iterable[str]) -> None:
        """New has gone silent for these, while their clients are there."""
        self._silent = set(names)
        for name in sorted(self._silent):
            self.review(name)
        self._silent = set()

    def review(self, name: str) -> None:
        """Whatever has changed about this service: its breaker, its link and, if it must be, its latch follow."""
        memory = self._serving.memories.get(name)
        if memory is None:
            self._breakers.pop(name, None)
            self._unconfirmed.pop(name, None)
            return
        before, seen, now = self._breakers.get(name, breaker.Breaker()), self._seen(name), self._clocks.monotonic()
        after = self._after(name, memory, before, seen, now)
        self._breakers[name] = after
        self._date(name, after)
        if seen.up is not None:
            self._started.add(name)
        self._serving.reconsider([name])
        if after.phase is not before.phase:
            log.warning("the breaker of %s is %s now%s", name, after.phase, f": {after.reason}" if after.reason else "")
        if after.wants_a_probe(seen, now):
            self._probes.hurry([name])
        self._latch_if_due(name, after, now)

    def _starts_gently(self, name: str) -> bool:
        """Less than what was approved is served as the agent starts: an earlier one had suppressed it, or it is new here, and a
        peer, whose users know more than one good probe, keeps them away.
        """
        if name in self._resumed or name in self._started or self._serving.link(name) > 0:
            return name in self._resumed
        return bool(self._neighbours.opinion(name, since=math.inf, now=self._clocks.monotonic()).confirmed_by)

    def _date(self, name: str, after: breaker.Breaker) -> None:
        if after.suppression is None:
            self._cut_since.pop(name, None)
        else:
            self._cut_since.setdefault(name, self._clocks.wall().isoformat(timespec="seconds"))

    def _after(
        self, name: str, memory: protocol.Memory, before: breaker.Breaker, seen: breaker.Seen, now: float
    ) -> breaker.Breaker:
        if not self._may_break(name) or self._old_is_dead(name):
            self._resumed -= {name}
            return breaker.forget(before, seen)
        if self._generations.get(name, memory.generation) != memory.generation:
            before = breaker.renewed(before, now)
        self._generations[name] = memory.generation
        rule = self._rule(name)
        if seen.up is not None:
            gently = seen.up and self._starts_gently(name)
            self._resumed -= {name}
            if gently:
                return breaker.gently(before, seen, rule, now=now)
        return breaker.step(before, seen, rule, now=now)

    def _may_break(self, name: str) -> bool:
        """Something is meant for new, and there is an old to go to."""
        memory = self._serving.memories[name]
        finished = memory.record is not None and memory.record.finished
        return name not in self._serving.without_old and not finished and protocol.effective(memory).weight > 0

    def _old_is_dead(self, name: str) -> bool:
        tally = self._tallies.tallies.get(name)
        return tally is not None and tally.said.old_is_dead(self._clocks.wall().timestamp())

    def _rule(self, name: str) -> model.Breaker:
        return self._services[name].breaker if name in self._services else _NO_RULE

    async def watch(self) -> None:
        """Endless."""
        while True:
            await asyncio.sleep(EVERY)
            for name in self.tick():
                self.review(name)
                await asyncio.sleep(0)  # a pushed hold must not wait for a thousand of them

    def tick(self) -> list[str]:
        """Who is to be reviewed because of the time alone: not who is forgotten already, as what is held or at 0 is."""
        not_closed = {name for name, one in self._breakers.items() if one.phase is not breaker.Phase.CLOSED}
        known = self._serving.memories
        down = {name for name, up in self._probes.up.items() if not up and name in known and name not in not_closed}
        return sorted(not_closed | {name for name in down if self._may_break(name)})

    def seen_up(self) -> dict[str, float]:
        """For peers: how many seconds ago the probe of each service was answered well, of those that are up."""
        now = self._clocks.monotonic()
        seen = self._probes.seen
        return {name: max(0.0, now - seen[name].at_monotonic) for name, up in self._probes.up.items() if up and seen[name].ok}

    def turned_away(self) -> list[str]:
        """For peers: services whose new cluster fails here, by breaker or probe."""
        failing = {name for name, one in self._breakers.items() if one.opened and one.phase is not breaker.Phase.CLOSED}
        return sorted(failing | {name for name, up in self._probes.up.items() if not up and self._seen(name).down})

    def _seen(self, name: str) -> breaker.Seen:
        tally, answer = self._tallies.tallies.get(name), self._probes.seen.get(name)
        said, asked = tally.said if tally else evidence.Evidence(), self._probes.asked.get(name)
        now, at = self._clocks.monotonic(), self._clocks.wall().timestamp()
        said.clock_is(at)
        since = answer.failing_since if answer else None
        return breaker.Seen(
            at=at,
            last_ok=said.last_ok,
            good=said.good,
            failures=said.failures,
            silent=name in self._silent,
            patience=_patience(self._services.get(name)),
            up=self._probes.up.get(name),
            failing_since=None if since is None else at - (now - since),
            answered=answer.at_monotonic if answer else None,
            well=answer.ok if answer else False,
            outcome=self._why(name),
            good_probes=asked["ok"] if asked else 0,
        )

    def _why(self, name: str) -> str:
        answer = self._probes.seen.get(name)
        return "" if answer is None or answer.ok else answer.why or answer.outcome

    def _latch_if_due(self, name: str, one: breaker.Breaker, now: float) -> None:
        self._unconfirmed.pop(name, None)
        cause = latches.due(one, now, latch_after=self._latch_after, why_down=self._why(name))
        if cause is None:
            return
        others = self._neighbours.opinion(name, since=cause.since, now=now)
        if others.alone or others.confirmed_by:
            self._latch(name, cause)
        elif others.denied_by and cause.deniable:  # one proxy's bad line must not take everybody back
            self._unconfirmed[name] = (
                f"{cause.reason}; {others.denied_by} sees it well: only this proxy keeps users at the old one, and nobody is"
                " held; look at this pod's node and network, or delete the pod"
            )
        else:
            self._unconfirmed[name] = (
                f"{cause.reason}; no other proxy says so, too: only this proxy keeps users at the old one, and nobody is held;"
                " look at the new cluster, and at this pod's node and network"
            )

    def _latch(self, name: str, cause: latches.Cause) -> None:
        memory = self._serving.memories[name]
        order = model.Hold(
            name,
            latches.hold_id(name, memory.generation, cause.kind),
            reason=cause.reason,
            by=self._pod,
            since=self._clocks.wall().isoformat(timespec="seconds"),
            cause="breaker",
        )
        own_hold.place(self._serving, order)
        if not self._may_break(name):
            self.review(name)


def _patience(service: model.Service | None) -> float:
    """Seconds after which nginx gives up a try that hangs, and says so in its log."""
    return breaker.Seen().patience if service is None else service.connect_timeout + service.timeout
