"""An upgrade that new never answers waits as long as an upgraded connection may be silent: old answers the next one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from deploy.playground.world import backends, wire
from tests.integration.one_proxy import OLD_HOST, CountsOfUsers, OneProxy

QUICK = "    health: {interval: 1s, failures: 2}\n    breaker: {failures: 5, pause: 60s}\n"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x" * 22 + "=="}


class NoUpgrades(backends.Application):
    """Whoever asks for an upgrade is never answered; everything else is well."""

    def __init__(self) -> None:
        super().__init__("new")
        self.counts = CountsOfUsers()

    async def answer(self, head: wire.Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if not head.field("upgrade"):
            return await super().answer(head, reader, writer)
        self.counts.add(backends.Arrival(0.0, head.host, head.path, head.first))
        await reader.read()  # until the client is gone
        return False


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[OneProxy]:
    """All of it goes to new."""
    one = OneProxy(tmp_path)
    one.health = QUICK
    try:
        await one.start()
        await one.raised(100, expected=0)
        yield one
    finally:
        await one.stop()


async def asked_in_vain(proxy: OneProxy, *, patience: float) -> None:
    """A client asks for an upgrade and leaves without an answer."""
    url = f"http://{proxy.address}:{proxy.ports['proxy']}/socket"
    limit = aiohttp.ClientTimeout(total=patience)
    async with aiohttp.ClientSession(timeout=limit, headers={"Host": OLD_HOST, **UPGRADE}) as session:
        with pytest.raises(TimeoutError):
            await session.get(url)


async def side(proxy: OneProxy) -> str:
    """Who answers one that asks for an upgrade."""
    status, body = await proxy.answer(path="/socket", **UPGRADE)
    assert status == 200
    return "old" if '"side":"old"' in body else "new"


async def test_clients_that_left_without_an_answer_find_old_when_they_come_again(proxy: OneProxy) -> None:
    proxy.new.application = NoUpgrades()
    await asyncio.gather(*(asked_in_vain(proxy, patience=5) for _ in range(5)))
    assert proxy.new.counts.total == 5
    await proxy.eventually(lambda report: report["services"]["api"]["suppression"] == 0)
    assert await side(proxy) == "old"
    assert proxy.new.counts.total == 5


async def test_where_new_answers_nobody_the_probe_is_faster_than_any_client(proxy: OneProxy) -> None:
    proxy.new.knobs.hang = True
    waiting = asyncio.create_task(asked_in_vain(proxy, patience=60))
    await proxy.eventually(lambda report: report["services"]["api"]["suppression"] == 0)
    assert not waiting.done()
    assert await side(proxy) == "old"
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
