"""Waves of many: 200 are planned, approved and kept as one; dozens move to the end.

Why not 200 to the end: each member is a whole raise with its signed record, and each look is over all of them: it takes minutes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from deploy.playground.kubernetes.server import KubernetesStandIn
from handlers.rules import migration, waves, waving
from k8s import client, record_document
from tests.handlers import wave_world
from tests.handlers.wave_world import Fleetful
from tests.handlers.world import NAMESPACE, World, world_of

MOST_BYTES = 1_048_576  # of a ConfigMap


@asynccontextmanager
async def fleet_of(server: KubernetesStandIn, names: tuple[str, ...], together: int) -> AsyncIterator[Fleetful]:
    def equipped(world: World) -> None:
        wave_world.equipped(world)
        world.trust = replace(world.trust, wave=migration.Together(members=together, traffic=100))
        world.limits = replace(world.limits, ladder=0.1, seldom=0.2, tick=0.2, listen=0.2, ask=0.05, keep=1.0, converge=20.0)

    text = wave_world.text(names).replace("soak: 200ms", "soak: 1h")  # nothing is to be counted afterwards
    async with world_of(server, text=text, equipped=equipped) as world:
        yield Fleetful(world)


def many(count: int) -> tuple[str, ...]:
    return ("shop", "cart", *(f"api-name{number:03d}" for number in range(count - 2)))


async def test_forty_services_move_to_the_end_each_once(server: KubernetesStandIn) -> None:
    names = many(40)
    async with fleet_of(server, names, 10) as fleet:
        world = fleet.world
        operation = await fleet.begun(*names)
        done = await world.closed(operation)
        assert done.outcome is migration.Outcome.DONE, done.because
        assert fleet.weights(*names) == [25] * 40
        assert [len(await world.book.history(one)) for one in names] == [1] * 40
        assert not any(world.standing(one) for one in names)
        await world.until(lambda: fleet.nothing_is_left(*names))
        assert world.chat.pages == []


async def test_two_hundred_are_planned_approved_and_kept_beside_one_record(server: KubernetesStandIn) -> None:
    names = many(waves.MOST)
    async with fleet_of(server, names, 1) as fleet:
        world = fleet.world
        operation = await fleet.begun(*names)
        assert [one.service for one in operation.plan.members] == list(names)
        await world.until(lambda: fleet.journey(names[0]) is not None)
        kept = fleet.journey(names[0])
        assert kept is not None
        carried = waving.operation_in(kept.wave)
        assert carried is not None
        assert (carried.id, carried.plan.hash) == (operation.id, operation.plan.hash)
        config_map = await world.api.get(client.CONFIG_MAPS, NAMESPACE, record_document.config_map_name(names[0]))
        assert sum(len(value.encode()) for value in config_map["data"].values()) < MOST_BYTES / 4
        wave = await world.front.wave(operation.id)
        assert wave is not None
        assert len(wave.members) == waves.MOST
        card = world.chat.cards[operation.id]
        assert card.plan.hash == operation.plan.hash
