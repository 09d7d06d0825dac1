"""Clients of the playground have a deadline: what is not answered by then has failed, and who waited long is counted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from deploy.playground.world import backends, ingress_forward, traffic

DEADLINE = 0.3


@pytest.fixture
async def old() -> AsyncIterator[backends.CountingBackend]:
    backend = backends.CountingBackend()
    await backend.start()
    yield backend
    await backend.stop()


@contextlib.asynccontextmanager
async def asking(backend: backends.CountingBackend, method: str) -> AsyncIterator[traffic.Traffic]:
    target = traffic.Target("shop", method=method)
    clients = traffic.Traffic(backend.address, backend.port, [target], rps=100, deadline=DEADLINE)
    await clients.start()
    try:
        yield clients
    finally:
        await clients.stop()


async def ended(clients: traffic.Traffic, number: int) -> None:
    async with asyncio.timeout(10):
        while clients.counts.total < number:  # noqa: ASYNC110 a counter has no event
            await asyncio.sleep(0.01)


async def test_a_client_is_as_patient_as_the_ingress_that_it_asks() -> None:
    assert traffic.DEADLINE == ingress_forward.READ_SECONDS == 60.0


async def test_who_is_not_answered_within_the_deadline_has_failed(old: backends.CountingBackend) -> None:
    old.knobs.hang = True
    async with asking(old, "GET") as clients:
        await ended(clients, 5)
        assert (clients.counts.failed, clients.counts.old) == (clients.counts.total, 0)
        assert clients.counts.longest >= DEADLINE
        assert clients.waiting_since < asyncio.get_running_loop().time()


async def test_an_answer_that_comes_after_the_deadline_is_none(old: backends.CountingBackend) -> None:
    old.knobs.delay = DEADLINE + 0.02  # before anybody looks whose time is over
    async with asking(old, "GET") as clients:
        await ended(clients, 5)
        assert clients.counts.old == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
async def test_the_side_of_every_answer_is_known(old: backends.CountingBackend, method: str) -> None:
    async with asking(old, method) as clients:
        await ended(clients, 10)
        assert (clients.counts.failed, clients.counts.new) == (0, 0)
        assert clients.counts.late == 0
