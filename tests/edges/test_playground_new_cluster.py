"""The new cluster of the playground: probes are nobody's request, and dropped packets are silence, not an end."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.playground.world import affliction, certificates, new_cluster

HOST = "shop.new"


class Line:
    """One TLS connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def ask(self, agent: str = "somebody") -> None:
        self._writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {agent}\r\n\r\n".encode())

    async def answered(self) -> int:
        """Raises ConnectionError when the connection ends instead."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await self._reader.readexactly(length)
        return int(head.split()[1])

    def close(self) -> None:
        self._writer.transport.abort()


class World:
    def __init__(self, folder: Path) -> None:
        authority = certificates.Authority(folder)
        self.new = new_cluster.NewCluster(authority, [HOST])
        self._tls: ssl.SSLContext = authority.client_context()
        self._lines: list[Line] = []

    async def line(self) -> Line:
        opened = await asyncio.open_connection(self.new.address, self.new.port, ssl=self._tls, server_hostname=HOST)
        self._lines.append(Line(*opened))
        return self._lines[-1]

    async def stop(self) -> None:
        for one in self._lines:
            one.close()
        await self.new.stop()


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.new.start()
    yield made
    await made.stop()


async def test_what_the_agents_ask_is_answered_and_is_nobodys_request(world: World) -> None:
    line, counts = await world.line(), world.new.counts
    world.new.knobs.status = 503
    line.ask("ferry-agent")
    assert await line.answered() == 503
    assert (counts.total, counts.probes, counts.failed, counts.first_failure) == (0, 1, 0, None)
    assert not counts.per_host
    assert not counts.buckets
    line.ask()
    assert await line.answered() == 503
    assert (counts.total, counts.probes, counts.failed) == (1, 1, 1)


async def test_dropped_packets_end_nothing_and_begin_nothing_until_they_arrive_again(world: World) -> None:
    known, counts = await world.line(), world.new.counts
    known.ask()
    assert await known.answered() == 200
    await world.new.turn(new_cluster.Reach.DROPPED)
    known.ask()
    waiting = [asyncio.create_task(known.answered()), asyncio.create_task(world.line())]
    done, _ = await asyncio.wait(waiting, timeout=0.3)
    assert not done, "no answer, no end of the connection, no new connection, and no refusal"
    assert counts.total == 1, "it never arrived"
    await world.new.turn(new_cluster.Reach.UP)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await waiting[0]
    waiting[1].cancel()  # the kernel would dial again only after a second
    await asyncio.gather(*waiting, return_exceptions=True)
    fresh = await world.line()
    fresh.ask()
    assert await fresh.answered() == 200
    assert counts.total == 2


async def test_an_answer_that_was_on_its_way_when_packets_were_dropped_does_not_arrive(world: World) -> None:
    known, counts = await world.line(), world.new.counts
    world.new.knobs.hang = True
    known.ask()
    async with asyncio.timeout(10):
        while counts.total == 0:  # noqa: ASYNC110 backends only count
            await asyncio.sleep(0.01)
    await world.new.turn(new_cluster.Reach.DROPPED)
    world.new.knobs.hang = False
    waiting = asyncio.create_task(known.answered())
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    await world.new.turn(new_cluster.Reach.DOWN)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await waiting
    with pytest.raises(ConnectionRefusedError):
        await world.line()


@pytest.mark.parametrize(
    ("what", "status"),
    [(affliction.Affliction.UP, 200), (affliction.Affliction.UNAVAILABLE, 503), (affliction.Affliction.RESETTING, None)],
)
async def test_what_befalls_it_is_answered_so_and_ends_with_the_next(
    world: World, what: affliction.Affliction, status: int | None
) -> None:
    await affliction.befall(world.new, affliction.Affliction.DROPPED)
    await affliction.befall(world.new, what)
    line = await world.line()
    line.ask()
    if status is None:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await line.answered()
    else:
        assert await line.answered() == status
    assert affliction.of(world.new) is what


async def test_everything_that_can_befall_it_is_told_apart_and_mended(world: World) -> None:
    for what in affliction.Affliction:
        await affliction.befall(world.new, what)
        assert affliction.of(world.new) is what
    await affliction.befall(world.new, affliction.Affliction.UP)
    line = await world.line()
    line.ask()
    assert await line.answered() == 200


async def test_what_befalls_one_host_leaves_the_others_alone(world: World) -> None:
    line = await world.line()
    await affliction.befall(world.new, affliction.Affliction.UNAVAILABLE, host="till.new")
    line.ask()
    assert await line.answered() == 200
    await affliction.befall(world.new, affliction.Affliction.UNAVAILABLE, host=HOST)
    line.ask()
    assert await line.answered() == 503
