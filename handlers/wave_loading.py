"""What a decision about a wave, or about one of its members, looks at: every member as for a raise of its own."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from handlers import (
    arranging,
    blockers,
    journey_keeping,
    journey_messages,
    loading,
    messages,
    outside,
    planned,
    remembered,
    wave_keeping,
)
from handlers.rules import migration, waves
from k8s import views

_AT_ONCE = 8  # members that are looked at side by side: what is more urgent comes between


class Loader(loading.Loader):
    """Services as `loading.Loader` has them, and waves."""

    def __init__(
        self,
        world: outside.Outside,
        memory: remembered.Remembered,
        *,
        gather: blockers.Blockers,
        trust: migration.Trust,
        ways: journey_keeping.Journeys,
        arranges: arranging.Arranging,
        keeps: wave_keeping.Waves,
    ) -> None:
        super().__init__(world, memory, gather=gather, trust=trust, ways=ways, arranges=arranges)
        self._waves = keeps

    async def load(self, service: str, message: messages.Message | None = None) -> loading.Loaded:
        if waves.is_wave(service):
            return await self._wave(service, message)
        loaded = await super().load(service, message)
        of = self._waves.placed(loaded.of)
        if isinstance(message, journey_messages.JoinWave):
            of = replace(of, wave=self._waves.carried().get(message.wave))
        return replace(loaded, of=of)

    async def known(self, operation_id: str) -> migration.Operation | None:
        found = await super().known(operation_id)
        if found is not None:
            return found
        return next((one for one in self._waves.carried().values() if one.id == operation_id), None)

    def _noted(self, view: views.ServiceView) -> migration.Operation | None:
        """Not decided from memory: memory is asked beside it."""
        return self._waves.carried().get(view.name) if waves.is_wave(view.name) else super()._noted(view)

    async def _wave(self, name: str, message: messages.Message | None) -> loading.Loaded:
        found = await self.find(name)
        last = await self._last(name, message, found)
        now = self._memory.saw(self._world.clock.now())
        wave, plan = found.operation, None
        members: tuple[migration.Migration, ...] = ()
        if isinstance(message, journey_messages.ProposeWave) and len(message.services) <= waves.MOST:
            members = await self._members(message.services, message.weight)
            plan = self._planned(name, members, now + self._trust.standing)
        elif wave is not None and isinstance(message, messages.Approve | messages.Confirm):
            members = await self._members(tuple(one.service for one in wave.plan.members), wave.plan.after.weight)
            plan = self._planned(name, members, datetime.fromisoformat(wave.plan.until))
        elif wave is not None and isinstance(message, journey_messages.WaveEnded):
            members = (await self._member(wave.plan.members[0].service),)
        return loading.Loaded(
            migration.Migration(
                service=name,
                phase=wave.phase if wave is not None else migration.Phase.STEADY,
                operation=wave,
                latest=now,
                plan_now=plan,
                trust=self._trust,
                last=last,
                members=members,
            ),
            found.void,
            found.why,
        )

    async def _members(self, names: Sequence[str], weight: int) -> tuple[migration.Migration, ...]:
        found: list[migration.Migration] = []
        for first in range(0, len(names), _AT_ONCE):
            some = names[first : first + _AT_ONCE]
            found += await asyncio.gather(*(self._member(name, weight) for name in some))
            await asyncio.sleep(0)
        return tuple(found)

    async def _member(self, name: str, weight: int | None = None) -> migration.Migration:
        """`weight`: with everything that is asked of a raise to it; None: only as it stands."""
        now = self._world.clock.now()
        asked = journey_messages.StepDue(id=f"wave/{name}", at=now, service=name, weight=weight) if weight is not None else None
        return (await super().load(name, asked)).of

    def _planned(self, name: str, members: Sequence[migration.Migration], until: datetime) -> migration.Plan | None:
        if not self._world.cluster.view().synced:
            return None
        seen = [(self._world.cluster.service(one.service), one.plan_now) for one in members]
        return planned.wave(name, seen, until)
