"""One API server and one world for every test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from deploy.playground.kubernetes.server import KubernetesStandIn
from tests.handlers.world import World, world_of


@pytest_asyncio.fixture
async def server() -> AsyncIterator[KubernetesStandIn]:
    stand_in = KubernetesStandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest_asyncio.fixture
async def world(server: KubernetesStandIn) -> AsyncIterator[World]:
    async with world_of(server) as made:
        yield made
