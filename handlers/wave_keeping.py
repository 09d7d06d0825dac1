"""The waves that are under way, read from the signed journeys of their members: no store is asked, and none need be there."""

import math
from collections.abc import Mapping
from dataclasses import replace

from handlers import journey_keeping, judged, loading, outside, remembered
from handlers.rules import gates, migration, waves, waving
from k8s import views

_OPEN = migration.Outcome.OPEN


class Waves:
    def __init__(
        self,
        world: outside.Outside,
        limits: outside.Limits,
        *,
        memory: remembered.Remembered,
        ways: journey_keeping.Journeys,
        trust: migration.Trust,
    ) -> None:
        self._world = world
        self._limits = limits
        self._memory = memory
        self._journeys = ways
        self._trust = trust
        self._read: dict[str, tuple[str, migration.Operation | None]] = {}  # by leader: what it carries, and as what it is read
        self._signed: dict[str, tuple[views.ServiceView, migration.Operation | None]] = {}  # by member: beside its record
        self._turns: tuple[float, dict[str, str]] = (-math.inf, {})  # since when they are as they are, monotonic

    def carried(self) -> dict[str, migration.Operation]:
        """By name; decided ones, too, until nothing of them is left."""
        found = {}
        for one in self._world.cluster.view().services.values():
            journey = self._journeys.newest(one)
            if journey is not None and journey.wave and (wave := self._parsed(one.name, journey.wave)) is not None:
                found[wave.plan.service] = self._newest(wave)
        return found

    def left(self, wave: migration.Operation) -> tuple[str, ...]:
        """Members in whose journey something of the wave still stands; the one that carries it last."""
        view = self._world.cluster.view()
        known = [view.services[one.service] for one in wave.plan.members if one.service in view.services]
        inside = [one.name for one in known if waves.takes_part(self._journeys.newest(one), wave)]
        carrying = [one.name for one in known if (journey := self._journeys.newest(one)) is not None and journey.wave]
        leaders = [name for name in carrying if self._carries(name, wave)]
        return (*(name for name in inside if name not in leaders), *leaders)

    def orphans(self) -> dict[str, str]:
        """Members of a wave that nobody carries, and its name: nothing of it counts."""
        known, found = self.carried(), {}
        for one in self._world.cluster.view().services.values():
            journey = self._journeys.newest(one)
            if journey is not None and journey.standing is not None and journey.standing.wave not in {"", *known}:
                found[one.name] = journey.standing.wave
        return found

    def read(self, wave: migration.Operation) -> waves.Wave:
        """How far it is, as this replica sees it; who waits, and what for."""
        return self._with_turns(self._plain(wave), self.turns() if wave.outcome is _OPEN else {})

    def turns(self) -> dict[str, str]:
        """See `waves.turns`, of all waves that are under way."""
        going = [self._plain(one) for one in self.carried().values() if one.outcome is _OPEN]
        return waves.turns(going, shares(judged.look(self._world)), self._trust.wave) if going else {}

    def placed(self, of: migration.Migration, *, glance: bool = False) -> migration.Migration:
        """With its wave and its turn, where it is a member. `glance`: as of the last look is enough, for it is decided anew."""
        standing = of.journey.standing if of.journey is not None else None
        if standing is None or not standing.wave:
            return of
        turns = self._glanced() if glance else self.turns()
        return replace(of, wave=self.carried().get(standing.wave), turn=turns.get(of.service))

    def _glanced(self) -> dict[str, str]:
        """Once a look: while many move the view is another one at every member, and each would look at all of them."""
        now = self._world.clock.monotonic()
        at, turns = self._turns
        if now - at >= self._limits.ladder:
            turns = self.turns()
            self._turns = (now, turns)
        return turns

    def _plain(self, wave: migration.Operation) -> waves.Wave:
        view = self._world.cluster.view()
        members = [view.services[one.service] for one in wave.plan.members if one.service in view.services]
        return waves.read(wave, {one.name: self._seen(one) for one in members})

    def _seen(self, one: views.ServiceView) -> waves.Seen:
        journey = self._journeys.newest(one)
        standing = journey.standing if journey is not None else None
        step = self._memory.open(one.name) or (self._beside(one) if standing is not None and standing.wave else None)
        mine = standing is not None and step is not None and step.outcome is _OPEN and step.standing == standing.id
        ended = one.record.clears if one.record is not None else ()
        ordered = {hold.id for hold in self._memory.ordered(one.name)} - set(ended)
        holds = {hold.id for hold in one.holds} | ordered
        weight = one.in_force.weight if one.in_force is not None else 0
        return waves.Seen(journey, weight, tuple(sorted(holds)), mine)

    @staticmethod
    def _with_turns(wave: waves.Wave, turns: Mapping[str, str]) -> waves.Wave:
        waiting = {one.service for one in wave.of(waves.State.WAITING)}
        named = (replace(one, why=turns.get(one.service, "")) if one.service in waiting else one for one in wave.members)
        return replace(wave, members=tuple(named))

    def _newest(self, wave: migration.Operation) -> migration.Operation:
        """What was decided counts, also where the journey could not be written any more."""
        known = self._memory.find(wave.id)
        return known if known is not None and known.outcome is not _OPEN and known.revision >= wave.revision else wave

    def _carries(self, leader: str, wave: migration.Operation) -> bool:
        journey = self._journeys.newest(self._world.cluster.service(leader))
        found = self._parsed(leader, journey.wave) if journey is not None and journey.wave else None
        return found is not None and found.id == wave.id

    def _beside(self, one: views.ServiceView) -> migration.Operation | None:
        """A document is read once: whoever asks for a turn looks at all members."""
        known = self._signed.get(one.name)
        if known is None or known[0] is not one:
            known = self._signed[one.name] = (one, loading.signed(one))
        return known[1]

    def _parsed(self, leader: str, text: str) -> migration.Operation | None:
        known = self._read.get(leader)
        if known is None or known[0] != text:
            known = self._read[leader] = (text, waving.operation_in(text))
        return known[1]


def shares(look: gates.Look | None) -> dict[str, float]:
    """Each service's part of all requests, 0 to 1, as the proxies counted lately; whose nobody knows is not in it."""
    if look is None or look.trouble:
        return {}
    rates = {}
    for name, one in look.services.items():
        if one.requests.value is not None and math.isfinite(one.requests.value):
            rates[name] = one.requests.value / one.window if one.window > 0 else one.requests.value
    whole = sum(rates.values())
    return {name: rate / whole for name, rate in rates.items()} if whole > 0 else {}
