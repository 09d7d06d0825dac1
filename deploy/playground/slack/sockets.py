"""Socket Mode: websockets opened by the app with single-use tickets; each envelope goes to one of them."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from deploy.playground.slack import couriers, people

MOST_CONNECTIONS = 10
# How long a connection that was told to go may linger before it is cut.
FAREWELL = 10.0

Json = dict[str, Any]


class Socket:
    def __init__(self, name: str, channel: web.WebSocketResponse, wire: asyncio.Transport | None) -> None:
        self.name = name
        self.channel = channel
        self.wire = wire
        self.leaving = False


class SocketCourier:
    """Every connection gets its turn: two replicas of an app see alternate envelopes."""

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._sockets: list[Socket] = []
        self._waiting: dict[str, asyncio.Future[couriers.Answer]] = {}
        self._names = itertools.count(1)
        self._turn = itertools.count()
        self._farewells: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        return sum(not socket.leaving for socket in self._sockets)

    async def deliver(self, envelope: couriers.Envelope) -> tuple[str, couriers.Answer]:
        usable = [socket for socket in self._sockets if not socket.leaving and not socket.channel.closed]
        if not usable:
            raise couriers.NotDelivered("dispatch_failed")
        socket = usable[next(self._turn) % len(usable)]
        sent: Json = {
            "envelope_id": envelope.id,
            "type": envelope.kind,
            "payload": envelope.payload,
            "accepts_response_payload": envelope.kind != "events_api",
        }
        if envelope.kind == "events_api":
            sent |= {"retry_attempt": envelope.attempt, "retry_reason": envelope.reason}
        answer = self._waiting[envelope.id] = asyncio.get_running_loop().create_future()
        try:
            await socket.channel.send_str(json.dumps(sent))
            return socket.name, await answer
        except ConnectionError as broken:
            raise couriers.NotDelivered("dispatch_failed") from broken
        finally:
            self._waiting.pop(envelope.id, None)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One connection, from hello until it ends. The caller has checked the ticket."""
        channel = web.WebSocketResponse()
        await channel.prepare(request)
        socket = Socket(f"socket {next(self._names)}", channel, request.transport)
        if self.connections >= MOST_CONNECTIONS:
            await channel.send_json({"type": "disconnect", "reason": "too_many_websockets", "debug_info": {"host": "playground"}})
            await channel.close()
            return channel
        self._sockets.append(socket)
        await channel.send_json(
            {
                "type": "hello",
                "num_connections": self.connections,
                "connection_info": {"app_id": people.APP_ID},
                "debug_info": {"host": "playground", "approximate_connection_time": 18060},
            },
        )
        self._notify()
        try:
            async for frame in channel:
                if frame.type is WSMsgType.TEXT:
                    self._acknowledged(frame.data)
        finally:
            self._sockets.remove(socket)
            self._notify()
        return channel

    def _acknowledged(self, text: str) -> None:
        reply = json.loads(text)
        answer = self._waiting.get(reply.get("envelope_id", ""))
        if answer is not None and not answer.done():
            answer.set_result(couriers.Answer(reply.get("payload") or None))

    def hang_up(self, reason: str) -> int:
        going = [socket for socket in self._sockets if not socket.leaving]
        for socket in going:
            socket.leaving = True
            self._in_background(self._say_farewell(socket, reason))
        self._notify()
        return len(going)

    async def _say_farewell(self, socket: Socket, reason: str) -> None:
        with contextlib.suppress(ConnectionError):
            await socket.channel.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "playground"}})
        await asyncio.sleep(FAREWELL)
        await socket.channel.close()

    def drop(self) -> int:
        """Cuts the wires below the websocket protocol: no close frame reaches the app."""
        for socket in self._sockets:
            socket.leaving = True
            if socket.wire is not None:
                socket.wire.abort()
        self._notify()
        return len(self._sockets)

    async def close(self) -> None:
        for farewell in self._farewells:
            farewell.cancel()
        await asyncio.gather(*(socket.channel.close() for socket in list(self._sockets)), return_exceptions=True)

    def _in_background(self, coroutine: Any) -> None:
        farewell = asyncio.get_running_loop().create_task(coroutine)
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)
