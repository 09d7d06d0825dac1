"""Clusters behind the nginx under test. They remember what reached them: what is asserted is counted here, not asked of nginx."""

import asyncio
import hashlib
import ssl
from collections import Counter
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

NEW_HOST = "api.new.example"


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived: `path` as on the wire, `headers` in their order with their spelling, `digest` of the body."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    length: int
    digest: str

    def values(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name.lower()]


@dataclass(slots=True)
class Cluster:
    """Answers with its name; paths such as /status/503 or /ws behave as they are called. `status`: of every other answer."""

    name: str
    status: int = 200
    seen: list[Seen] = field(default_factory=list)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    runner: web.AppRunner | None = None
    port: int = 0

    async def start(self, context: ssl.SSLContext | None = None, *, port: int = 0) -> None:
        app = web.Application(client_max_size=300_000_000)
        app.router.add_route("*", "/ws", self._echo)
        app.router.add_route("*", "/events", self._events)
        app.router.add_route("*", "/cut", self._cut)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, max_field_size=65536, max_line_size=65536)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", port, ssl_context=context).start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        self.may_end.set()
        if self.runner is not None:
            await self.runner.cleanup()

    @property
    def hosts(self) -> list[str]:
        return [f"{one.method} {one.values('Host')[0]}" for one in self.seen]

    async def _note(self, request: web.Request) -> Seen:
        length, digest = 0, hashlib.sha256()
        async for part in request.content.iter_any():
            length += len(part)
            digest.update(part)
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers)
        seen = Seen(request.method, request.raw_path, headers, length, digest.hexdigest())
        self.seen.append(seen)
        return seen

    async def _answer(self, request: web.Request) -> web.Response:
        seen = await self._note(request)
        match request.path:
            case "/redirect":
                return web.Response(status=302, headers={"Location": f"https://{NEW_HOST}/there"})
            case "/cookies":
                cookies = [("Set-Cookie", f"a=1; Domain={NEW_HOST}; Path=/"), ("Set-Cookie", "b=2; Path=/; HttpOnly")]
                return web.Response(text=self.name, headers=cookies)
            case "/twice":
                return web.Response(text=self.name, headers=[("X-Part", "one"), ("X-Part", "two"), ("X-Large", "x" * 12_000)])
            case "/length":
                return web.Response(text=str(seen.length))
            case "/grpc":
                trailer = b"\x80\x00\x00\x00\x0fgrpc-status: 0\n"
                return web.Response(body=b"\x00\x00\x00\x00\x03\x00\xff\n" + trailer, content_type="application/grpc-web+proto")
        return web.Response(text=self.name, status=self.status)

    async def _echo(self, request: web.Request) -> web.WebSocketResponse:
        await self._note(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(f"{self.name} {message.data}")
        return socket

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """The second event is sent when the test says so: it must have seen the first one."""
        await self._note(request)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: first\n\n")
        await self.may_end.wait()
        await answer.write(b"data: last\n\n")
        return answer

    async def _cut(self, request: web.Request) -> web.Response:
        """The connection ends where an answer should be."""
        await self._note(request)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


class _Counting(asyncio.Protocol):
    def __init__(self, cluster: "CountingCluster") -> None:
        self._cluster = cluster
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._cluster.connections += 1
        self._cluster.transports.append(transport)

    def data_received(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for head in whole:
            host = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"host:"))
            self._cluster.hosts[host[5:].strip().decode()] += 1
        self._transport.write(self._cluster.answer * len(whole))


@dataclass(slots=True)
class CountingCluster:
    """Counts requests without a body, by Host, and connections: fast enough for ten thousand in a test."""

    name: str
    hosts: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    answer: bytes = b""
    transports: list[asyncio.Transport] = field(default_factory=list)
    port: int = 0
    server: asyncio.Server | None = None

    def close_connections(self) -> None:
        for transport in self.transports:
            transport.close()
        self.transports.clear()

    @property
    def total(self) -> int:
        return self.hosts.total()

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        self.answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.name)}\r\n\r\n{self.name}".encode()
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: _Counting(self), "127.0.0.1", 0, ssl=context)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
        self.close_connections()


@dataclass(slots=True)
class Misbehaving:
    """`behave`: `reset` the connection when a request is there, `hang` with it, or stay `mute` from the start. `asked`: the heads
    it read; `arrived`: there are `awaited` of them.
    """

    behave: str
    asked: list[bytes] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    awaited: int = 1
    host: str = "127.0.0.1"
    port: int = 0
    server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        self.server = await asyncio.start_server(self._serve, self.host, 0, ssl=context)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self.behave != "mute":
                self.asked.append(await reader.readuntil(b"\r\n\r\n"))
                if len(self.asked) >= self.awaited:
                    self.arrived.set()
            if self.behave != "reset":
                await reader.read()
        finally:
            self._tasks.discard(task)
            writer.transport.abort()
