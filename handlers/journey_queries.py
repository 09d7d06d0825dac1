"""What people may know of a service's way: how far it is, what it waits for, its gates, an earlier exposure. Reads only."""

import asyncio
from dataclasses import replace

from handlers import answers, arranging, errors, journey_keeping, judged, laddering, outside
from handlers.rules import gates, journeys, migration, refusals, soaking
from handlers.rules import laddering as rules
from k8s import entry_change, model, views


class JourneyQueries:
    def __init__(
        self,
        world: outside.Outside,
        *,
        ways: journey_keeping.Journeys,
        ladder: laddering.Laddering,
        arranges: arranging.Arranging,
    ) -> None:
        self._world = world
        self._journeys = ways
        self._ladder = ladder
        self._arranging = arranges

    async def status(self, of: migration.Migration) -> answers.JourneyStatus:
        """`of`: as it was loaded for no message in particular."""
        one = self._world.cluster.service(of.service)
        judgement = await self.judgement(of.service)
        journey = self._ladder.journey(one)
        ready = rules.due(replace(of, journey=journey, judgement=judgement), self._world.clock.now())
        left = None
        if one.wished is not None and of.weight == 100 and not of.finished:
            left = soaking.remaining(journey, one.wished, of.weight, one.generation)
        return answers.JourneyStatus(
            service=of.service,
            stage=_stage(of, journey, left),
            weight=of.weight,
            soak=journey.soak if journey else None,
            soak_needed=soaking.needed(one.wished, of.weight) if one.wished is not None else 0.0,
            next_step=None if of.finished else rules.next_step(one.wished, of.weight),
            waits_for=(*self._unread(one), *(ready if isinstance(ready, tuple) else ())),
            run=journey.run if journey else None,
            standing=journey.standing if journey else None,
            entry=of.entry,
            judgement=judgement,
            backup_left=left,
            journey=journey,
        )

    async def judgement(self, service: str) -> gates.Judgement:
        """As of the last look at the numbers; alerts are asked for."""
        one = self._world.cluster.service(service)
        firing, blind = await asyncio.gather(self._firing(service), self._world.alerts.blind())
        names, unsure = firing
        seen = judged.look(self._world)
        return judged.judgement(seen, one, self._journeys.newest(one), firing=names, blind=blind or unsure)

    async def past_exposure(self, service: str, generation: int) -> model.Exposure | refusals.Refusal:
        """What a record of this service once said; the newest record of its generation. Raises k8s.errors.ClusterError."""
        history = await self._world.records.history(service)
        found = next((one.record.exposure for one in history if one.generation == generation), None)
        if found is not None:
            return found
        known = ", ".join(str(one.generation) for one in history) or "none"
        why = f"No revision {generation} of it is kept (there are: {known})."
        return refusals.refuse(refusals.Reason.INVALID, service=service, why=why)

    async def _firing(self, service: str) -> tuple[judged.Loud, str]:
        try:
            return judged.loud(await self._world.alerts.firing(service)), ""
        except errors.Away as error:
            return judged.Loud(), str(error)

    def _unread(self, one: views.ServiceView) -> tuple[str, ...]:
        trouble = self._journeys.trouble(one).strip().rstrip(".")
        return (trouble,) if trouble else ()


def _stage(of: migration.Migration, journey: journeys.Journey | None, left: float | None) -> answers.Stage:
    if journey is not None and journey.removed is not None:
        return answers.Stage.REMOVED
    if of.finished:
        return answers.Stage.FINISHED
    if left is not None:
        return answers.Stage.BACKUP if left > 0 else answers.Stage.FINISHABLE
    if of.weight > 0:
        return answers.Stage.MOVING
    return answers.Stage.PREPARED if of.entry.state is entry_change.EntryState.ENTERED else answers.Stage.NEW
