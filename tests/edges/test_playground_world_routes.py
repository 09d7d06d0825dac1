"""Requests through the miniature ingress, over the stand-in API's objects: the app, the canary, the new cluster, traffic."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio
from aiohttp import web

from deploy.playground.kubernetes.server import KubernetesStandIn
from deploy.playground.world import backends, certificates, ingress, new_cluster, traffic

Json = dict[str, Any]
HOST = "shop.example"


@dataclass(slots=True)
class World:
    """An API, an ingress, an old app and a proxy's place (a second backend that calls itself new)."""

    api: KubernetesStandIn
    front: ingress.Ingress
    old: backends.CountingBackend
    proxy: backends.CountingBackend
    session: aiohttp.ClientSession
    opened: list[aiohttp.ClientSession] = field(default_factory=list)

    async def create(self, path: str, item: Json) -> None:
        """An object that must be accepted."""
        async with self.session.post(self.api.url + path, json=item) as response:
            assert response.status == 201, await response.text()

    async def place(self, namespace: str, name: str, backend: backends.CountingBackend | None) -> None:
        """A Service with one endpoint, or none."""
        await self.create(
            f"/api/v1/namespaces/{namespace}/services", {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}
        )
        if backend is not None:
            await self.endpoint(namespace, name, backend.address, backend.port)

    async def endpoint(self, namespace: str, name: str, address: str, port: int) -> None:
        """A slice with one ready endpoint."""
        item = {
            "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": [{"name": "", "port": port}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        }  # fmt: skip
        await self.create(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", item)

    async def expose(self, namespace: str, name: str, *, host: str = HOST, **annotations: str) -> None:
        """An Ingress for the Service of the same name."""
        marks = {f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
        backend = {"service": {"name": name, "port": {"number": 80}}}
        paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
        item = {"metadata": {"name": name, "annotations": marks}, "spec": {"rules": [{"host": host, "http": {"paths": paths}}]}}
        await self.create(f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses", item)

    async def ask(self, method: str = "GET", *, host: str = HOST, content: bytes | None = None) -> tuple[int, Json]:
        """Status and echo (empty when the ingress itself answered)."""
        headers = {"Host": host, "X-Forwarded-For": "6.6.6.6"}
        async with self.session.request(method, f"{self.front.url}/a?b=c", headers=headers, data=content) as response:
            return response.status, await response.json() if response.content_type == "application/json" else {}


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    api = KubernetesStandIn()
    old, proxy = backends.CountingBackend("old"), backends.CountingBackend("new")
    await asyncio.gather(api.start(), old.start(), proxy.start())
    front = ingress.Ingress(url=api.url, token=api.admin_token)
    await front.start()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {api.admin_token}"}) as session:
        made = World(api, front, old, proxy, session)
        for namespace in ("app", "ferry"):
            await made.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        async with asyncio.timeout(30):
            yield made
    for part in (front, proxy, old, api):
        await part.stop()


async def with_canary(world: World) -> None:
    await world.place("app", "shop", world.old)
    await world.expose("app", "shop")
    await world.place("ferry", "shop-entry", world.proxy)
    await world.expose("ferry", "shop-entry", canary="true", canary_weight="100", upstream_vhost="ignored.example")
    await world.front.until(lambda table: table.canary(HOST) is not None)


async def test_a_canary_of_another_namespace_takes_the_host_and_gives_it_back_without_endpoints(world: World) -> None:
    await with_canary(world)
    status, echo = await world.ask()
    assert (status, echo["side"], echo["host"], echo["path"]) == (200, "new", HOST, "/a?b=c")
    assert echo["headers"]["x-forwarded-for"] == "127.0.0.1"
    path = "/apis/discovery.k8s.io/v1/namespaces/ferry/endpointslices/shop-entry-1"
    async with world.session.delete(world.api.url + path) as response:
        assert response.status == 200
    await world.front.until(lambda table: table.canary(HOST) is None)
    assert (await world.ask())[1]["side"] == "old"
    assert (world.old.counts.total, world.proxy.counts.total) == (1, 1)


async def test_a_canary_without_an_ingress_for_its_host_is_dropped(world: World) -> None:
    await world.place("ferry", "shop-entry", world.proxy)
    await world.expose("ferry", "shop-entry", canary="true", canary_weight="100")
    table = await world.front.until(lambda table: bool(table.dropped))
    assert "must exist first" in table.dropped[0]
    assert (await world.ask())[0] == 404


async def test_a_service_without_endpoints_gets_503_and_a_closed_one_502(world: World) -> None:
    await world.place("app", "shop", None)
    await world.expose("app", "shop")
    await world.front.until(lambda table: table.location(HOST, "/") is not None)
    assert (await world.ask())[0] == 503
    await world.endpoint("app", "shop", world.old.address, world.old.port)
    await world.front.until(lambda table: table.hosts[HOST][0].upstream.usable)
    assert (await world.ask())[0] == 200
    await world.old.refuse(True)
    assert (await world.ask())[0] == 502
    await world.old.refuse(False)
    assert (await world.ask())[0] == 200


async def test_bodies_pass_whole_in_both_framings(world: World) -> None:
    await with_canary(world)
    content = b"x" * 900_000
    status, echo = await world.ask("POST", content=content)
    assert (status, echo["body_bytes"]) == (200, len(content))

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"y" * 1000

    async with world.session.post(world.front.url, headers={"Host": HOST}, data=chunks()) as response:
        assert (await response.json())["body"].count("y") > 3000


async def test_websockets_pass(world: World) -> None:
    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("back " + await socket.receive_str())
        await socket.close()
        return socket

    application = web.Application()
    application.router.add_get("/", echo)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await world.place("app", "shop", None)
    await world.endpoint("app", "shop", "127.0.0.1", runner.addresses[0][1])
    await world.expose("app", "shop")
    await world.front.until(lambda table: HOST in table.hosts and table.hosts[HOST][0].upstream.usable)
    async with world.session.ws_connect(world.front.url, headers={"Host": HOST}) as socket:
        await socket.send_str("there")
        assert await socket.receive_str() == "back there"
    await runner.cleanup()


async def test_a_burst_asks_exactly_as_often_as_told_and_counts_what_the_backends_count(world: World) -> None:
    await with_canary(world)
    await world.place("app", "till", world.old)
    await world.expose("app", "till", host="till.example")
    await world.front.until(lambda table: "till.example" in table.hosts and table.hosts["till.example"][0].upstream.usable)
    asking = traffic.Traffic(
        world.front.address, world.front.port, [traffic.Target(HOST), traffic.Target("till.example", method="POST")]
    )
    burst = await asking.burst(1001)
    assert (burst.new, burst.old, burst.failed) == (501, 500, 0)
    assert (world.proxy.counts.total, world.old.counts.total) == (501, 500)
    print(f"burst: {burst.rate:.0f} requests a second")  # noqa: T201 - a figure to read, not to assert
    world.proxy.knobs.error_share = 1.0
    world.old.knobs.reset = True
    assert (await asking.burst(20)).failed == 20


async def test_steady_traffic_counts_each_side_and_survives_an_app_that_comes_back(world: World) -> None:
    await with_canary(world)
    asking = traffic.Traffic(world.front.address, world.front.port, [traffic.Target(HOST)], rps=200)
    await asking.start()
    while asking.counts.new < 5:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0.01)
    await world.proxy.refuse(True)
    while not asking.counts.failed:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0.01)
    await world.proxy.refuse(False)
    seen = asking.counts.new
    while asking.counts.new < seen + 5:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0.01)
    await asking.stop()
    assert sum(tally.total for tally in asking.seconds.values()) == asking.counts.total


async def test_a_host_that_says_nothing_keeps_nobody_from_asking_another_one() -> None:
    served: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                if b"Host: quick" in head:
                    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"side":"old"}')

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        address, port = server.sockets[0].getsockname()[:2]
        asking = traffic.Traffic(address, port, [traffic.Target("quick"), traffic.Target("silent")], rps=400, connections=70)
        await asking.start()
        async with asyncio.timeout(10):
            while asking.counts.old < 50:  # noqa: ASYNC110 - a counter has no event
                await asyncio.sleep(0.01)
        assert 49 <= asking.waiting <= 70
        assert (asking.counts.new, asking.counts.failed) == (0, 0)
        await asking.stop()
        assert asking.waiting == 0
        for writer in served:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in served), return_exceptions=True)


async def test_the_new_cluster_serves_its_hosts_over_verified_https_and_nobody_else(tmp_path: Path) -> None:
    authority = certificates.Authority(tmp_path)
    new = new_cluster.NewCluster(authority, ["shop.new", "till.new"])
    await new.start()
    url = f"https://127.0.0.1:{new.port}/"
    connector = aiohttp.TCPConnector(ssl=authority.client_context(), force_close=True)
    timeout = aiohttp.ClientTimeout(total=1)

    async def ask(host: str, sni: str) -> int | str:
        try:
            async with session.get(url, headers={"Host": host}, server_hostname=sni) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__

    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        assert await ask("shop.new", "shop.new") == 200
        assert await ask("other.new", "shop.new") == 404
        assert await ask("till.new", "shop.new") == 404
        assert await ask("other.new", "other.new") == "ClientConnectorCertificateError"
        assert (new.counts.total, new.misdirected) == (1, 2)
        await new.turn(new_cluster.Reach.DOWN)
        assert await ask("shop.new", "shop.new") == "ClientConnectorError"
        await new.turn(new_cluster.Reach.UNREACHABLE)
        assert "Timeout" in str(await ask("shop.new", "shop.new"))
        await new.turn(new_cluster.Reach.UP)
        assert await ask("shop.new", "shop.new") == 200
    await new.stop()
