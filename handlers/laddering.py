"""What soaks and climbs, looked at again and again: seconds are counted here, kept in the cluster, and steps become due.

No network for a single service: the proxies are heard by those who listen to them anyway, alerts and numbers stand in memory.
Two replicas count side by side; what one has kept begins the other's count anew, so that no second counts twice.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from handlers import (
    arranging,
    baselines,
    climbing,
    errors,
    fleets,
    hold,
    journey_keeping,
    judged,
    loading,
    old_applications,
    outside,
    remembered,
    sighting,
    tasks,
    wave_keeping,
)
from handlers.rules import gates, journeys, migration, soaking
from k8s import errors as cluster_errors
from k8s import views

_log = structlog.get_logger("ferry.laddering")
_PARTS = 50  # of a soak: how finely it is looked at
_RARELY = 1.0  # seconds between two writes that only add seconds
_HEARD = 15.0  # seconds, or three questions to the proxies: what they said before that is too old


@dataclass(slots=True)
class _Count:
    """`kept`: as the cluster has it. `journey`: with what was counted since; `at`: monotonic, of the look that counted last."""

    kept: journeys.Journey
    journey: journeys.Journey
    at: float
    sight: soaking.Sight


class Laddering:
    """`feed`: hands a message to the dispatcher and returns at once; `busy`: whether it works on a service in this replica."""

    def __init__(
        self,
        world: outside.Outside,
        limits: outside.Limits,
        *,
        trust: migration.Trust,
        loader: loading.Loader,
        memory: remembered.Remembered,
        asked: fleets.Fleets,
        ways: journey_keeping.Journeys,
        arranges: arranging.Arranging,
        keeps: wave_keeping.Waves,
        work: tasks.Tasks,
        feed: hold.Feed,
        busy: Callable[[str], bool],
    ) -> None:
        self._world = world
        self._limits = limits
        self._trust = trust
        self._memory = memory
        self._fleets = asked
        self._journeys = ways
        self._arranging = arranges
        self._waves = keeps
        self._tasks = work
        self._climbing = climbing.Climbing(world, limits, loader=loader, memory=memory, work=work, feed=feed, busy=busy)
        self._counts: dict[str, _Count] = {}
        self._old = old_applications.OldApplications(world, limits, arranges=arranges, work=work)
        self._written: dict[str, float] = {}  # monotonic: when the journey was kept last
        self._baselines = baselines.Baselines()
        self._fleet: views.Fleet | None = None
        self._heard = 0.0  # monotonic: when the proxies said it

    async def run(self) -> None:
        """Until it is cancelled."""
        if self._world.journeys is None:
            return
        while True:
            try:
                await self.look()
            except Exception:  # noqa: BLE001  the ladder outlives every fault; what it misses does not count
                _log.exception("a look at what soaks failed; the next one looks again")
            await self._world.clock.sleep(self._limits.ladder)

    async def look(self) -> None:
        """One round over all services that carry traffic at new or climb."""
        view = self._world.cluster.view()
        if not view.synced:
            self._counts.clear()  # nobody watches: what passes meanwhile counts for nothing
            return
        now = self._world.clock.monotonic()
        self._hear(now)
        due = [one for one in view.services.values() if self._concerned(one) and self._is_time(one, now)]
        gone = self._counts.keys() - {one.name for one in view.services.values() if self._concerned(one)}
        for name in gone:
            del self._counts[name]
        if not due:
            return
        blind = await self._world.alerts.blind()
        seen = judged.look(self._world)
        for one, firing in zip(due, await asyncio.gather(*(self._firing(one.name) for one in due)), strict=True):
            self._one(one, firing, seen, blind)
            await asyncio.sleep(0)  # what is more urgent comes first

    def journey(self, view: views.ServiceView) -> journeys.Journey | None:
        """With what was counted since it was kept; it says so at the moment, and proves nothing."""
        newest, count = self._journeys.newest(view), self._counts.get(view.name)
        return count.journey if newest is not None and count is not None and count.kept == newest else newest

    def sight(self, service: str) -> soaking.Sight | None:
        """Of the last look; None: nobody looks at it."""
        count = self._counts.get(service)
        return count.sight if count else None

    def _hear(self, now: float) -> None:
        newest = self._fleets.newest
        if newest is not self._fleet:
            self._fleet, self._heard = newest, now

    def _concerned(self, one: views.ServiceView) -> bool:
        if one.wished is None or (one.record is not None and one.record.finished):
            return False
        if one.in_force is not None and one.in_force.weight > 0:
            return True
        journey = self._journeys.newest(one)
        return journey is not None and (journey.run is not None or journey.soak is not None)

    def _is_time(self, one: views.ServiceView, now: float) -> bool:
        """A soak of a day is looked at every few seconds, one of some seconds at every tick."""
        if self._tasks.runs(_key(one.name)) or self._journeys.trouble(one):
            return False
        count = self._counts.get(one.name)
        soak = one.wished.soak if one.wished is not None else 0.0
        return count is None or now - count.at >= min(self._limits.seldom, soak / _PARTS)

    def _interval(self, one: views.ServiceView) -> float:
        """Seconds between two looks; who stood still for much longer has watched nothing meanwhile."""
        soak = one.wished.soak if one.wished is not None else 0.0
        return max(self._limits.ladder, min(self._limits.seldom, soak / _PARTS))

    async def _firing(self, service: str) -> tuple[judged.Loud, str]:
        try:
            return judged.loud(await self._world.alerts.firing(service)), ""
        except errors.Away as error:
            return judged.Loud(), str(error).rstrip(".")

    def _one(self, one: views.ServiceView, firing: tuple[judged.Loud, str], seen: gates.Look | None, blind: str) -> None:
        """Nothing is waited for: the time of the look is the time that is counted to."""
        if one.wished is None:
            return
        now = self._world.clock.monotonic()
        kept = self._journeys.newest(one) or journeys.Journey(one.name)
        judgement = judged.judgement(seen, one, kept, firing=firing[0], blind=blind)
        sight = sighting.sight(one, self._around(one, judgement, firing, now))
        count = self._counts.get(one.name)
        begun = count.journey if count is not None and count.kept == kept else kept
        seconds = min(now - count.at, 3 * self._interval(one)) if count is not None and count.kept == kept else 0.0
        counted = soaking.counted(begun, sight, seconds, self._memory.saw(self._world.clock.now()), one.wished)
        counted = self._baselines.noted(counted, sight, judgement, self._memory.saw(self._world.clock.now()))
        self._counts[one.name] = _Count(kept, counted, now, sight)
        self._old.look(one, now)
        of = self._glance(one, kept, judgement)
        if self._climbing.interrupted(of, kept, sight, firing[0]):
            return
        if self._worth_keeping(one, counted, now):
            self._tasks.start(self._keep(one.name), key=_key(one.name))
        else:
            self._climbing.step(of, kept)

    def _worth_keeping(self, one: views.ServiceView, counted: journeys.Journey, now: float) -> bool:
        """Seconds alone not more often than once in a while, however short the soak: each is a write for the watches of all."""
        kept, soak = self._counts[one.name].kept, counted.soak
        if kept.baseline is None and counted.baseline is not None and counted.hundred is not None:
            return True
        if soaking.worth_keeping(kept, counted, math.inf):
            return True  # not only seconds
        wants = soaking.needed(one.wished, soak.weight) if one.wished is not None and soak is not None else 0.0
        known = kept.soak.seconds if kept.soak is not None else 0.0
        if soak is None or known >= wants:
            return False  # it is full already: no second more is asked for
        rarely = now - self._written.get(one.name, -math.inf) >= _RARELY
        return soak.seconds >= wants or (rarely and soaking.worth_keeping(kept, counted, wants))

    def _glance(self, one: views.ServiceView, kept: journeys.Journey, judgement: gates.Judgement) -> migration.Migration:
        """What this replica knows, without asking anybody: whether a step is due is decided again with everything."""
        operation = self._memory.open(one.name) or self._signed(one)
        rest = migration.Phase.HELD if one.holds else migration.Phase.STEADY
        of = migration.Migration(
            service=one.name,
            phase=operation.phase if operation else rest,
            exposure=one.in_force,
            generation=one.generation,
            wish=one.wish,
            holds=tuple(hold.id for hold in one.holds),
            operation=operation,
            trust=self._trust,
            journey=kept,
            entry=self._arranging.view(one.name),
            judgement=judgement,
            record_finished=one.record is not None and one.record.finished,
            wrote=one.record.operation if one.record is not None else "",
            wished=one.wished,
            certain=not (one.record_trouble or one.stale),
        )
        return self._waves.placed(of, glance=True)

    def _around(
        self, one: views.ServiceView, judgement: gates.Judgement, firing: tuple[judged.Loud, str], now: float
    ) -> sighting.Around:
        heard = now - self._heard <= max(_HEARD, 3 * self._limits.listen)
        return sighting.Around(
            fleet=self._fleet if heard else None,
            judgement=judgement,
            entry=self._arranging.view(one.name),
            firing=firing[0],
            unsure=firing[1],
            operation=self._memory.open(one.name) or self._signed(one),
        )

    @staticmethod
    def _signed(one: views.ServiceView) -> migration.Operation | None:
        operation = loading.signed(one)
        return operation if operation is not None and operation.outcome is migration.Outcome.OPEN else None

    async def _keep(self, name: str) -> None:
        """As it is counted now. Meanwhile nothing more is counted; the interval goes on from the last look."""
        count = self._counts[name]
        written = replace(count.journey, revision=count.kept.revision + 1)
        try:
            kept = await self._journeys.keep(written, count.kept.revision)
        except cluster_errors.ClusterError as error:
            _log.warning("what was soaked was not kept; it is tried again", service=name, because=str(error))
            return
        self._written[name] = self._world.clock.monotonic()
        if kept and self._counts.get(name) is count:
            self._counts[name] = replace(count, kept=written, journey=written)


def _key(service: str) -> str:
    return f"journey of {service}"
