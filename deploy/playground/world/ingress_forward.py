"""One request on its way through the ingress: an upstream connection, the request there, the answer back, both as they come."""

import asyncio
import secrets
import select
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deploy.playground.world import wire
from deploy.playground.world.ingress_routes import Endpoint, Location

Resolve = Callable[[str], Awaitable[list[str]]]
Wires = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0  # ingress-nginx's own proxy-read-timeout
_MOST_TRIES = 3
_MOST_IDLE = 320
_REPEATABLE = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}
_OF_THIS_HOP = {"connection", "keep-alive", "proxy-connection", "upgrade", "te", "host", "expect"}
_SET_HERE = {
    "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-scheme", "x-scheme", "x-real-ip",
    "x-request-id",
}  # fmt: skip
_LEFT_OUT = _OF_THIS_HOP | _SET_HERE


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request whose head was read, with the client's connection. `peer`: the client's IP."""

    head: wire.Head
    framing: wire.Framing
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: str

    @property
    def upgrade(self) -> str:
        """What the client wants to switch to (`websocket`), or nothing."""
        return self.head.field("upgrade") if self.head.lists("connection", "upgrade") else ""


class _Failed(Exception):
    """No answer from this endpoint. `status`: what the client gets when there is no other."""

    def __init__(self, status: int, *, sent: bool) -> None:
        super().__init__(status)
        self.status = status
        self.sent = sent


class Forwarder:
    """Keeps upstream connections alive between requests, as nginx's `keepalive` does."""

    def __init__(self, *, scheme: str, upstream_tls: ssl.SSLContext | None, resolve: Resolve | None) -> None:
        self.scheme = scheme
        self._tls = upstream_tls
        self._resolve = resolve
        self._idle: dict[tuple[Endpoint, str], deque[Wires]] = {}

    def close(self) -> None:
        """Closes idle upstream connections."""
        for wires in self._idle.values():
            for _, writer in wires:
                writer.transport.abort()
        self._idle.clear()

    async def serve(self, exchange: Exchange, location: Location | None) -> bool:
        """Answers one request. False: the client's connection must end."""
        upstream = location.upstream.chosen() if location else None
        if location is None or upstream is None:
            return await self._refuse(exchange, 404)
        targets = upstream.targets()
        if not targets:
            return await self._refuse(exchange, 503)
        status = 502
        for attempt in range(_MOST_TRIES):
            target = targets[attempt % len(targets)]
            try:
                return await self._try(exchange, location, target)
            except _Failed as failure:
                status = failure.status
                if failure.sent and (exchange.head.first not in _REPEATABLE or not exchange.framing.empty):
                    break
        return await self._refuse(exchange, status)

    async def _refuse(self, exchange: Exchange, status: int) -> bool:
        alive = wire.keeps_alive(exchange.head) and exchange.framing.empty
        text = f"{status} {wire.REASONS[status]}\n".encode()
        exchange.writer.write(wire.answer(status, text, bodiless=exchange.head.first == "HEAD", close=not alive))
        await exchange.writer.drain()
        return alive

    async def _try(self, exchange: Exchange, location: Location, target: Endpoint) -> bool:
        tls_name = location.tls_name if location.https else ""
        reader, writer = await self._connection(target, tls_name)
        kept = False
        pouring: asyncio.Task[None] | None = None
        try:
            writer.write(self._request(exchange, location))
            if not exchange.framing.empty:
                pouring = asyncio.create_task(_pour_request(exchange, writer))
            head = await self._answer_head(reader)
            if head.status == 101:
                await _tunnel(exchange, head, reader, writer)
                return False
            framing = wire.answer_framing(head, exchange.head.first)
            alive = wire.keeps_alive(exchange.head) and not framing.open_ended
            exchange.writer.write(_answer(head, alive=alive))
            if not framing.empty:
                async for piece in wire.pieces(reader, framing):
                    exchange.writer.write(piece)
                    await exchange.writer.drain()
            await exchange.writer.drain()
            if pouring is not None and not pouring.done():
                return False  # answered before the body had arrived: what follows on this connection is not a request
            kept = not framing.open_ended and not head.lists("connection", "close") and head.first == "HTTP/1.1"
            return alive
        finally:
            if pouring is not None:
                pouring.cancel()
                await asyncio.gather(pouring, return_exceptions=True)
            if kept:
                self._keep((target, tls_name), (reader, writer))
            else:
                writer.transport.abort()

    async def _connection(self, target: Endpoint, tls_name: str) -> Wires:
        idle = self._idle.get((target, tls_name))
        while idle:
            reader, writer = idle.pop()
            if not (reader.at_eof() or writer.transport.is_closing() or _hung_up(writer)):
                return reader, writer
            writer.transport.abort()
        context = (self._tls or ssl.create_default_context()) if tls_name else None
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                host = (await self._resolve(target[0]))[0] if self._resolve and not target[0][-1].isdigit() else target[0]
                return await asyncio.open_connection(
                    host, target[1], ssl=context, server_hostname=tls_name or None, limit=wire.LONGEST_HEAD
                )
        except TimeoutError as error:
            raise _Failed(504, sent=False) from error
        except (OSError, LookupError) as error:
            raise _Failed(502, sent=False) from error

    def _keep(self, key: tuple[Endpoint, str], wires: Wires) -> None:
        idle = self._idle.setdefault(key, deque())
        if len(idle) >= _MOST_IDLE:
            idle.popleft()[1].transport.abort()
        idle.append(wires)

    async def _answer_head(self, reader: asyncio.StreamReader) -> wire.Head:
        try:
            async with asyncio.timeout(READ_SECONDS):
                head = await wire.read_head(reader)
                while head is not None and 100 <= head.status < 200 and head.status != 101:
                    head = await wire.read_head(reader)
        except TimeoutError as error:
            raise _Failed(504, sent=True) from error
        except (OSError, ValueError, wire.BrokenMessage) as error:
            raise _Failed(502, sent=True) from error
        if head is None:
            raise _Failed(502, sent=True)
        return head

    def _request(self, exchange: Exchange, location: Location) -> bytes:
        """The head as the app sees it. What clients say about themselves in X-Forwarded-For is not believed."""
        head = exchange.head
        port = exchange.writer.get_extra_info("sockname")[1]
        lines = [f"{head.first} {head.second} HTTP/1.1", f"Host: {location.vhost or head.field('host')}"]
        lines += [f"{name}: {value}" for name, value in head.fields if name.lower() not in _LEFT_OUT]
        lines += [
            f"X-Request-ID: {head.field('x-request-id') or secrets.token_hex(16)}",
            f"X-Real-IP: {exchange.peer}",
            f"X-Forwarded-For: {exchange.peer}",
            f"X-Forwarded-Host: {head.field('host')}",
            f"X-Forwarded-Port: {port}",
            f"X-Forwarded-Proto: {self.scheme}",
        ]
        if exchange.upgrade:
            lines += ["Connection: upgrade", f"Upgrade: {exchange.upgrade}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _hung_up(writer: asyncio.StreamWriter) -> bool:
    """Nothing is due on an idle connection but its end. nginx hears of that at once; a late loop would still send into it."""
    poll = select.poll()
    poll.register(writer.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))


async def _pour_request(exchange: Exchange, writer: asyncio.StreamWriter) -> None:
    if exchange.head.lists("expect", "100-continue"):
        exchange.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    async for piece in wire.pieces(exchange.reader, exchange.framing):
        writer.write(piece)
        await writer.drain()


def _answer(head: wire.Head, *, alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {head.second} {head.third}"]
    lines += [f"{name}: {value}" for name, value in head.fields if name.lower() not in {"connection", "keep-alive"}]
    if not alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _tunnel(exchange: Exchange, head: wire.Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """After 101 the bytes belong to the two ends; it lasts until either leaves."""
    lines = [f"HTTP/1.1 {head.second} {head.third}", *(f"{name}: {value}" for name, value in head.fields)]
    exchange.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    ways = {asyncio.create_task(_copy(exchange.reader, writer)), asyncio.create_task(_copy(reader, exchange.writer))}
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        await exchange.writer.drain()
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
