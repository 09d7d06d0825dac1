"""Clients of the old address: steady traffic for the chart, and bursts of exactly n requests for measuring a share.

On a bare protocol without a task per request: the client must cost far less than what it measures.
"""

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from deploy.playground.world import ingress_forward

_SECONDS_KEPT = 900
_TICK = 0.01
_LOOKS_A_DEADLINE = 10
DEADLINE = (
    ingress_forward.READ_SECONDS
)  # a client has the patience of the ingress that it asks: the later one of both would wait in vain
LONG = 1.0  # seconds: who waits longer has noticed
_CAUGHT_UP = 0.5  # seconds' worth of requests, at most, that are made up for when this process itself was late
MOST_CONNECTIONS = 1000  # more are never open, whoever waits


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for."""

    host: str
    path: str = "/"
    method: str = "GET"

    def request(self) -> bytes:
        """On the wire. Methods with a body send a small one."""
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: {self.host}\r\nUser-Agent: playground\r\n"
        content = "" if self.method in {"GET", "HEAD", "DELETE", "OPTIONS"} else '{"from":"playground"}'
        return (head + (f"Content-Length: {len(content)}\r\n" if content else "") + "\r\n" + content).encode()


@dataclass(slots=True)
class Tally:
    """Answers by the side that they name. `failed`: no answer in time, a status of 400 or above, or no side.

    `late`: ended after more than LONG seconds, well or not; `longest`: seconds.
    """

    old: int = 0
    new: int = 0
    failed: int = 0
    late: int = 0
    longest: float = 0.0

    @property
    def total(self) -> int:
        """All that ended."""
        return self.old + self.new + self.failed

    def add(self, side: str, seconds: float = 0.0) -> None:
        """One more: `old`, `new` or anything else for failed."""
        self.late += seconds > LONG
        self.longest = max(self.longest, seconds)
        if side == "new":
            self.new += 1
        elif side == "old":
            self.old += 1
        else:
            self.failed += 1


@dataclass(frozen=True, slots=True)
class Burst:
    """What became of exactly `old + new + failed` requests in `seconds`."""

    old: int
    new: int
    failed: int
    seconds: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return (self.old + self.new + self.failed) / self.seconds


Ended = Callable[["_Connection", str, float], None]


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way.

    `ended` gets the side, or nothing for a failure, and the seconds it took. What is answered after `deadline` has failed.
    """

    def __init__(self, address: tuple[str, int], ended: "Ended", deadline: float) -> None:
        self._address = address
        self._ended = ended
        self._deadline = deadline
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._head = False  # the request on its way is a HEAD: its answer has no body
        self._dialling: asyncio.Task[None] | None = None
        self.asked_at = 0.0  # monotonic; 0: nothing on its way

    def ask(self, request: bytes) -> None:
        """Sends a request, over a new connection when there is none."""
        self.asked_at = time.monotonic()
        self._head = request.startswith(b"HEAD ")
        self._received = b""
        if self._transport is None or self._transport.is_closing():
            self._dialling = asyncio.create_task(self._dial(request))
        else:
            self._transport.write(request)

    async def close(self) -> None:
        """Ends it; a request on its way is not counted."""
        self.asked_at = 0.0
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.gather(self._dialling, return_exceptions=True)
        self.drop()

    def drop(self) -> None:
        """Cuts the connection; a request on its way has failed."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._end("")

    async def _dial(self, request: bytes) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, *self._address)
        except OSError:
            # Not in this task's own round: the next request may well dial again.
            asyncio.get_running_loop().call_later(_TICK, self._end, "")
            return
        self._transport = transport
        transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found or not self.asked_at:
            return
        lower = head.lower()
        if not self._head and not _complete(lower, rest):
            return
        side = _side(head, lower, rest)
        if b"\r\nconnection: close" in lower and self._transport is not None:
            self._transport.abort()
            self._transport = None
        self._end(side)

    def connection_lost(self, exc: Exception | None) -> None:
        # A connection that was replaced meanwhile says so late; the new one's request is not its business.
        if self._transport is not None and self._transport.is_closing():
            self._transport = None
            self._end("")

    def _end(self, side: str) -> None:
        if self.asked_at:
            seconds = time.monotonic() - self.asked_at
            self.asked_at = 0.0
            self._ended(self, side if seconds <= self._deadline else "", seconds)


def _complete(lower_head: bytes, body: bytes) -> bool:
    _, found, rest = lower_head.partition(b"\r\ncontent-length:")
    if found:
        return len(body) >= int(rest.partition(b"\r\n")[0])
    return b"\r\ntransfer-encoding: chunked" not in lower_head or body.endswith(b"0\r\n\r\n")


def _side(head: bytes, lower: bytes, body: bytes) -> str:
    if head[9:10] not in {b"2", b"3"}:
        return ""
    if b'"side":"new"' in body or b"\r\nx-side: new" in lower:
        return "new"
    return "old" if b'"side":"old"' in body or b"\r\nx-side: old" in lower else ""


class Traffic:
    """Asks `targets` in turn at `address`:`port`, as people do: whoever waits for an answer does not keep others from asking.

    `rps` may be changed while it runs. `connections`: never more at a time; each is opened when no other one is free.
    `deadline`: seconds after which a client leaves.
    """

    def __init__(
        self,
        address: str,
        port: int,
        targets: Sequence[Target],
        *,
        rps: float = 50.0,
        connections: int = MOST_CONNECTIONS,
        deadline: float = DEADLINE,
    ) -> None:
        if not targets or connections < 1:
            raise ValueError("Traffic needs at least one target and one connection: give it both")
        self._address = (address, port)
        self._connections = connections
        self._deadline = deadline
        self._requests = [target.request() for target in targets]
        self.rps = rps
        self.counts = Tally()
        self.seconds: dict[int, Tally] = {}  # whole monotonic second -> what ended in it, the last quarter of an hour
        self._task: asyncio.Task[None] | None = None
        self._open: list[_Connection] = []
        self._free: list[_Connection] = []

    @property
    def running(self) -> bool:
        """Between start and stop."""
        return self._task is not None

    @property
    def waiting(self) -> int:
        """Steady requests that were asked and have no answer yet."""
        return len(self._open) - len(self._free)

    @property
    def waiting_since(self) -> float:
        """When the oldest request that has no answer yet was asked (monotonic); infinity: nobody waits."""
        return min((one.asked_at for one in self._open if one.asked_at), default=math.inf)

    async def start(self) -> None:
        """Begins to ask; does nothing when it runs."""
        if self._task is None:
            self._task = asyncio.create_task(self._pace())

    async def stop(self) -> None:
        """Stops asking; requests on their way are not counted."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for connection in self._open:
            await connection.close()
        self._open, self._free = [], []

    async def burst(self, number: int, *, connections: int = 16) -> Burst:
        """Asks exactly `number` times, as fast as it goes, beside the steady traffic and not counted in it."""
        tally, done = Tally(), asyncio.get_running_loop().create_future()
        turns = itertools.islice(itertools.cycle(self._requests), number)

        def ended(connection: _Connection, side: str, seconds: float) -> None:
            tally.add(side, seconds)
            if (request := next(turns, None)) is not None:
                connection.ask(request)
            elif tally.total == number and not done.done():
                done.set_result(None)

        opened = [_Connection(self._address, ended, self._deadline) for _ in range(min(connections, number))]
        watch = asyncio.create_task(_drop_late(opened, self._deadline))
        begun = time.monotonic()
        try:
            for connection in opened:
                connection.ask(next(turns))
            if opened:
                await done
            seconds = time.monotonic() - begun
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            for connection in opened:
                await connection.close()
        return Burst(tally.old, tally.new, tally.failed, seconds)

    @contextlib.asynccontextmanager
    async def crowd(self, clients: int) -> AsyncIterator[Tally]:
        """So many clients, each asking again as soon as it was answered, until the block ends. Not counted in `counts`."""
        tally, turns = Tally(), itertools.cycle(self._requests)
        leaving = False

        def ended(connection: _Connection, side: str, seconds: float) -> None:
            if not leaving:  # a request that is cut off by the end has not failed
                tally.add(side, seconds)
                connection.ask(next(turns))

        opened = [_Connection(self._address, ended, self._deadline) for _ in range(clients)]
        watch = asyncio.create_task(_drop_late(opened, self._deadline))
        try:
            for connection in opened:
                connection.ask(next(turns))
            yield tally
        finally:
            leaving = True
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            for connection in opened:
                await connection.close()

    def _ended(self, connection: _Connection, side: str, seconds: float) -> None:
        self.counts.add(side, seconds)
        second = int(time.monotonic())
        if second not in self.seconds:
            while len(self.seconds) >= _SECONDS_KEPT:
                del self.seconds[next(iter(self.seconds))]
            self.seconds[second] = Tally()
        self.seconds[second].add(side, seconds)
        self._free.append(connection)

    def _idle(self) -> _Connection | None:
        """One that waits for nothing; None when all that may be open wait."""
        if self._free:
            return self._free.pop()
        if len(self._open) >= self._connections:
            return None
        self._open.append(_Connection(self._address, self._ended, self._deadline))
        return self._open[-1]

    async def _pace(self) -> None:
        watch = asyncio.create_task(_drop_late(self._open, self._deadline))
        turns = itertools.cycle(self._requests)
        due, last = 0.0, time.monotonic()
        try:
            while True:
                now = time.monotonic()
                due, last = min(due + (now - last) * self.rps, max(1.0, _CAUGHT_UP * self.rps)), now
                while due >= 1 and (connection := self._idle()) is not None:
                    due -= 1
                    connection.ask(next(turns))
                await asyncio.sleep(_TICK)
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


async def _drop_late(connections: list[_Connection], deadline: float) -> None:
    while True:
        await asyncio.sleep(deadline / _LOOKS_A_DEADLINE)
        oldest = time.monotonic() - deadline
        for connection in connections:
            if 0 < connection.asked_at < oldest:
                connection.drop()
