"""A world in which a service goes its whole way: short soaks, objects and numbers in memory, everything else as it is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from handlers import answers, journey_document, journey_messages, messages
from handlers.front import Front
from handlers.rules import journeys, migration
from k8s import entry_change, model
from tests.handlers import ports_in_memory
from tests.handlers.world import ANN, World, document

Mode = journey_messages.Mode
Stage = entry_change.Stage
SHORT = "    ladder: [5, 25, 100]\n    soak: 200ms\n    backup: 300ms\n"
LONG = "    ladder: [5, 25, 100]\n    soak: 1h\n    backup: 2h\n"
TRUST = migration.Trust(soak=True, lasts=timedelta(days=60))


class Way:
    """What people do on the way of `shop`, and what the cluster says of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        entries, measures = world.outside.entries, world.outside.measures
        assert isinstance(entries, ports_in_memory.Entries)
        assert isinstance(measures, ports_in_memory.Measures)
        self.entries, self.measures = entries, measures

    @property
    def front(self) -> Front:
        return self.world.front

    def told(self, kind: Callable[..., Any], *, who: messages.Person = ANN, **more: Any) -> Any:
        """The command, not handled yet."""
        return kind(id=self.world.message_id(), at=self.world.clock.now(), service="shop", actor=who, **more)

    async def objects(self, stage: Stage) -> answers.Answer:
        return await self.front.handle(self.told(journey_messages.ProposeObjects, stage=stage))

    async def run(self, mode: Mode, *, until: datetime | None = None) -> answers.Answer:
        return await self.front.handle(self.told(journey_messages.ProposeRun, mode=mode, until=until))

    async def pause(self) -> answers.Answer:
        return await self.front.handle(self.told(journey_messages.PauseRun, reason="lunch"))

    async def resume(self) -> answers.Answer:
        return await self.front.handle(self.told(journey_messages.ResumeRun))

    async def skip(self, reason: str = "no time") -> answers.Answer:
        return await self.front.handle(self.told(journey_messages.SkipSoak, reason=reason))

    async def finish(self) -> answers.Answer:
        return await self.front.handle(self.told(journey_messages.ProposeFinish))

    async def granted(self, asked: answers.Answer) -> migration.Operation:
        """Approved by another person, confirmed, and brought to its end."""
        assert asked.operation is not None, asked.sentence
        approved = await self.world.approve(asked.operation)
        assert approved.refusal is None, approved.sentence
        confirmed = await self.world.confirm(asked.operation)
        assert confirmed.refusal is None, confirmed.sentence
        return await self.world.closed(asked.operation)

    async def prepared(self) -> None:
        done = await self.granted(await self.objects(Stage.PREPARE))
        assert done.outcome is migration.Outcome.DONE, done.because

    async def proposed(self, weight: int) -> migration.Operation:
        """The step that the ladder asks for by itself."""

        def found() -> migration.Operation | None:
            waiting = self.world.pending.open.get("shop")
            return waiting if waiting is not None and waiting.plan.after.weight == weight else None

        operation = await self.world.until(found)
        assert isinstance(operation, migration.Operation)
        return operation

    async def step(self, weight: int) -> migration.Operation:
        """The next one, asked for by the ladder and granted by people."""
        operation = await self.proposed(weight)
        return await self.granted(answers.Answer("", None, operation))

    def journey(self) -> journeys.Journey | None:
        """As the cluster has it."""
        found = self.world.cluster.service("shop").journey
        return journey_document.from_document(found) if found is not None else None

    async def journeyed(self, met: Callable[[journeys.Journey], Any]) -> journeys.Journey:
        """Once the cluster's journey is so."""

        def found() -> journeys.Journey | None:
            journey = self.journey()
            return journey if journey is not None and met(journey) else None

        journey = await self.world.until(found)
        assert isinstance(journey, journeys.Journey)
        return journey


def equipped(world: World) -> None:
    """Objects and numbers beside everything else."""

    def weights() -> dict[str, int]:
        return {name: one.in_force.weight if one.in_force else 0 for name, one in world.cluster.view().services.items()}

    world.outside = replace(
        world.outside,
        entries=ports_in_memory.Entries(world.stir),
        measures=ports_in_memory.Measures(world.clock, weights),
    )
    world.trust = TRUST


def text(more: str = SHORT) -> str:
    return document(more)


def exposure(world: World, weight: int) -> model.Exposure:
    target = world.front.target("shop", weight)
    assert isinstance(target, model.Exposure)
    return target
