"""A websocket that is open at the new cluster when a hold comes does not stay there: it ends, and begins again at old."""

import asyncio
import ssl
from pathlib import Path

import aiohttp
from aiohttp import web

from deploy.playground.world import certificates
from tests.faults.faulty_proxy import FaultyProxy
from tests.integration.one_proxy import NEW_HOST, OLD_HOST


class TalkingCluster:
    """Says which side it is, once at the beginning and once for every word it hears."""

    def __init__(self, side: str, *, tls: ssl.SSLContext | None = None) -> None:
        self.side, self.tls = side, tls
        self.address, self.port = "127.0.0.1", 0

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/{path:.*}", self.talk)
        self.runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, self.address, 0, ssl_context=self.tls)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        await self.runner.cleanup()

    async def talk(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade") != "websocket":
            return web.Response(text=self.side)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(self.side)
        async for _ in socket:
            await socket.send_str(self.side)
        return socket


class TalkingProxy(FaultyProxy):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        authority = certificates.Authority(folder / "talking-ca")
        new = TalkingCluster("new", tls=authority.server("talking", [NEW_HOST]).server_context())
        old = TalkingCluster("old")
        self.stack = [self.cluster, new, old, self.dns]
        self.new, self.old = new, old  # type: ignore[assignment] # they have the same ports and addresses, and count nothing

    def websocket(self, session: aiohttp.ClientSession) -> "aiohttp.client._WSRequestContextManager":
        url = f"ws://{self.address}:{self.ports['proxy']}/talk"
        return session.ws_connect(url, headers={"Host": OLD_HOST})


async def test_a_websocket_that_outlives_a_hold_is_ended_and_begins_again_at_old(tmp_path: Path) -> None:
    proxy = TalkingProxy(tmp_path)
    try:
        await proxy.start_world()
        await proxy.apply(proxy.two(0))
        await proxy.start_agent(FERRY_LONG_LIVED_GRACE="1", FERRY_DEFAULT_CA=str(tmp_path / "talking-ca" / "ca.pem"))
        await proxy.begin()
        await proxy.raised(100, expected=0)
        async with aiohttp.ClientSession() as session, proxy.websocket(session) as socket:
            assert await socket.receive_str() == "new"
            assert await proxy.push("api", "direct") == 200
            await socket.send_str("still there?")
            assert await socket.receive_str() == "new", "a hold alone cuts nobody's sentence"
            async with asyncio.timeout(60):
                assert (await socket.receive()).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
            async with proxy.websocket(session) as again:
                assert await again.receive_str() == "old"
                reloads = (await proxy.metrics())["ferry_agent_reloads_total",]
                await proxy.apply(proxy.two(0, shop_more="    timeout: 7s\n"))
                await proxy.eventually_reloaded_with("7000ms")
                assert (await proxy.metrics())["ferry_agent_reloads_total",] == reloads + 1, "it is ended once"
    finally:
        await proxy.stop()
