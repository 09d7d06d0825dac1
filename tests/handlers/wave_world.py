"""A world of several services that may move in a wave: prepared, well, with traffic as it is said here."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from handlers import answers, journey_document, journey_messages, messages
from handlers.rules import gates, journeys, migration, waves
from k8s import entry_change
from tests.handlers import journey_world, ports_in_memory
from tests.handlers.world import ANN, World

FIVE = ("shop", "cart", "mail", "news", "pay")
TRUST = migration.Trust(lasts=journey_world.TRUST.lasts, wave=migration.Together(members=2, traffic=100))


class Measures(ports_in_memory.Measures):
    """`rates`: requests of a service where it differs from all others; None: nobody knows."""

    def __init__(self, clock: ports_in_memory.Clock, weights: Callable[[], dict[str, int]]) -> None:
        super().__init__(clock, weights)
        self.rates: dict[str, float | None] = {}

    def look(self) -> Any:
        seen = super().look()
        of, services = gates.Reading, dict(seen.services)
        for name, rate in self.rates.items():
            if name in services:
                services[name] = replace(services[name], requests=of() if rate is None else of.of(rate))
        return replace(seen, services=services)


def text(names: tuple[str, ...] = FIVE) -> str:
    entries = [
        f"""  - name: "{name}"
    old_host: "{name}.old.example"
    new_host: "{name}.new.example"
    old_backend: "{name}.team.svc.cluster.local:8080"
    migration_percentage: 0
    strategy: "weight"
    ladder: [5, 25, 100]
    soak: 200ms
    backup: 1h
    enabled: true"""
        for name in names
    ]
    return "services:\n" + "\n".join(entries) + "\n"


def equipped(world: World) -> None:
    def weights() -> dict[str, int]:
        return {name: one.in_force.weight if one.in_force else 0 for name, one in world.cluster.view().services.items()}

    entries = ports_in_memory.Entries(world.stir)
    entries.states = _Entered()
    world.outside = replace(world.outside, entries=entries, measures=Measures(world.clock, weights))
    world.trust = TRUST


class _Entered(dict[str, entry_change.EntryState]):
    def get(self, _name: str, _default: Any = None) -> Any:
        return entry_change.EntryState.ENTERED


class Fleetful:
    """What people do with waves, and what is to be seen of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        assert isinstance(world.outside.measures, Measures)
        self.measures = world.outside.measures

    async def ask(self, *services: str, weight: int = 25, who: messages.Person = ANN) -> answers.Answer:
        name = self.world.message_id()
        return await self.world.front.handle(
            journey_messages.ProposeWave(
                id=name,
                at=self.world.clock.now(),
                service=waves.name(name),
                actor=who,
                services=services,
                weight=weight,
                reason="together",
            )
        )

    async def approved(self, *services: str, weight: int = 25) -> migration.Operation:
        asked = await self.ask(*services, weight=weight)
        assert asked.operation is not None, asked.sentence
        answer = await self.world.approve(asked.operation)
        assert answer.refusal is None, answer.sentence
        assert answer.operation is not None
        return answer.operation

    async def begun(self, *services: str, weight: int = 25) -> migration.Operation:
        operation = await self.approved(*services, weight=weight)
        answer = await self.world.confirm(operation)
        assert answer.refusal is None, answer.sentence
        assert answer.operation is not None
        return answer.operation

    def weights(self, *services: str) -> list[int]:
        return [self.world.weight(one) for one in services]

    def journey(self, service: str) -> journeys.Journey | None:
        found = self.world.cluster.service(service).journey
        return journey_document.from_document(found) if found is not None else None

    def nothing_is_left(self, *services: str) -> bool:
        found = [self.journey(one) for one in services]
        return all(one is None or (one.standing, one.run, one.wave) == (None, None, "") for one in found)
