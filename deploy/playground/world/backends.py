"""The demo application: it answers with its side, and counts what reaches it. Measured figures come from here.

What the agents ask to see whether it is well is answered like any request, and counted apart: it is nobody's request.
"""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import orjson

from deploy.playground.world import listening, wire

BUCKETS_A_SECOND = 10
_BUCKETS_KEPT = 6000  # ten minutes
_ECHOED = 4096
_PROBER = "ferry-agent"  # what a probe calls itself


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that reached a backend. `at`: monotonic seconds when its head had been read."""

    at: float
    host: str
    path: str
    method: str


@dataclass(slots=True)
class Counts:
    """What a backend has seen: every request whose head arrived, whatever became of it. Read it directly; never asked by HTTP.

    `probes` are in no other number.
    """

    total: int = 0
    probes: int = 0
    failed: int = 0  # answered with 500 or above, reset, or left hanging, by a knob
    first_failure: float | None = None  # monotonic seconds
    per_host: Counter[str] = field(default_factory=Counter)
    last: Arrival | None = None
    last_of: dict[str, Arrival] = field(default_factory=dict)  # the newest of each host
    buckets: dict[int, int] = field(default_factory=dict)  # int(monotonic * BUCKETS_A_SECOND) -> requests

    def add(self, arrival: Arrival) -> None:
        """Counts one request."""
        self.total += 1
        self.per_host[arrival.host] += 1
        self.last = self.last_of[arrival.host] = arrival
        bucket = int(arrival.at * BUCKETS_A_SECOND)
        if bucket not in self.buckets:
            while len(self.buckets) >= _BUCKETS_KEPT:
                del self.buckets[next(iter(self.buckets))]
            self.buckets[bucket] = 0
        self.buckets[bucket] += 1

    def fail(self) -> None:
        """One more that a knob made fail."""
        self.failed += 1
        if self.first_failure is None:
            self.first_failure = time.monotonic()

    def reset(self) -> None:
        """Forgets everything."""
        self.total = self.probes = self.failed = 0
        self.first_failure = None
        self.per_host.clear()
        self.last = None
        self.last_of.clear()
        self.buckets.clear()


@dataclass(slots=True)
class Knobs:
    """How the application misbehaves; all may be turned while it runs, effective on the next request."""

    status: int = 200  # of ordinary answers
    error_share: float = 0.0  # 0..1 of the requests get `error_status`
    error_status: int = 500
    delay: float = 0.0  # seconds before the answer
    hang: bool = False  # never answers; ends when the client leaves, or the knob is turned back
    reset: bool = False  # cuts the connection instead of answering
    only: frozenset[str] = frozenset()  # hosts that all of this is about; none: every one

    def of(self, host: str) -> "Knobs":
        """As they are for this host."""
        return self if not self.only or host in self.only else _WELL

    def choose(self) -> int:
        """The status of the next answer."""
        return self.error_status if self.error_share and random.random() < self.error_share else self.status


_WELL = Knobs()


class Application:
    """The demo application without a listener: serves keep-alive connections, as `side` ("old" or "new")."""

    def __init__(self, side: str) -> None:
        self.side = side
        self.counts = Counts()
        self.knobs = Knobs()
        self.audible = asyncio.Event()  # clear: nothing arrives here any more, and nothing leaves
        self.audible.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        while (head := await wire.read_head(reader)) is not None:
            if not await self.answer(head, reader, writer):
                return

    async def answer(self, head: wire.Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request whose head was read. False: the connection must end. Raises BrokenMessage."""
        await self.audible.wait()
        probe = head.field("user-agent") == _PROBER
        if probe:
            self.counts.probes += 1
        else:
            self.counts.add(Arrival(time.monotonic(), head.host, head.path, head.first))
        knobs = self.knobs.of(head.host)
        if not probe and (knobs.reset or knobs.hang):
            self.counts.fail()
        if knobs.reset:
            writer.transport.abort()
            return False
        if knobs.hang and not await self._hung(reader, head.host):
            return False
        if head.lists("expect", "100-continue"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        size, start = await wire.body(reader, wire.request_framing(head), most=_ECHOED)
        if knobs.delay:
            await asyncio.sleep(knobs.delay)
        status = knobs.choose()
        if status >= 500 and not probe:
            self.counts.fail()
        await self.audible.wait()
        echo = {
            "side": self.side, "host": head.host, "method": head.first, "path": head.second,
            "headers": {name.lower(): value for name, value in head.fields},
            "body_bytes": size, "body": start.decode("utf-8", "replace"),
        }  # fmt: skip
        alive = wire.keeps_alive(head)
        content = orjson.dumps(echo)
        bodiless = head.first == "HEAD"
        writer.write(wire.answer(status, content, media="application/json", side=self.side, bodiless=bodiless, close=not alive))
        await writer.drain()
        return alive

    async def _hung(self, reader: asyncio.StreamReader, host: str) -> bool:
        """Waits until the knob is turned back (True) or the client leaves (False)."""
        while self.knobs.of(host).hang:
            if reader.at_eof() or reader.exception() is not None:
                return False
            await asyncio.sleep(0.02)
        return True


class CountingBackend(listening.AtListener):
    """The old application (or any other) behind plain HTTP on loopback. Its endpoint is `address`:`port`."""

    def __init__(self, side: str = "old", *, address: str = "127.0.0.1", port: int = 0) -> None:
        self.application = Application(side)
        self._listener = listening.Listener(self.application.serve, address=address, port=port)

    @property
    def counts(self) -> Counts:
        """What has reached it."""
        return self.application.counts

    @property
    def knobs(self) -> Knobs:
        """Turn these to break it."""
        return self.application.knobs

    @property
    def refusing(self) -> bool:
        """Whether its port is closed."""
        return not self._listener.listening

    async def start(self) -> None:
        """Listens. Raises OSError when the port is taken."""
        await self._listener.start()

    async def stop(self) -> None:
        """Ends every connection; may be started again on the same port."""
        await self._listener.stop()

    async def refuse(self, refusing: bool) -> None:
        """Closes its port (connections are refused, open ones reset), or opens it again."""
        await (self.stop() if refusing else self.start())
