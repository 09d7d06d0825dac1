"""Users, as many a second as are asked for, GET and POST, each request timed and judged: wrk does not say which one failed."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

LIMIT = 60.0  # seconds: whoever waits longer has given up


@dataclass(frozen=True, slots=True)
class Answer:
    """`began` in monotonic seconds; `status` 0: none came."""

    method: str
    began: float
    seconds: float
    status: int


@contextlib.asynccontextmanager
async def steady(
    address: str, port: int, host: str, *, users: int = 240, a_second: float = 480.0, posts: float = 0.25
) -> AsyncIterator[list[Answer]]:
    """Runs while the block runs; the list grows, and is whole (nobody waits for an answer any more) when the block is left."""
    answers: list[Answer] = []
    stop = asyncio.Event()
    everybody = [
        _User(address, port, host, method="POST" if number < users * posts else "GET", every=users / a_second)
        for number in range(users)
    ]
    tasks = [asyncio.create_task(one.use(answers, stop)) for one in everybody]
    try:
        yield answers
    finally:
        stop.set()
        await asyncio.gather(*tasks)


@dataclass(frozen=True, slots=True)
class _User:
    """Asks once in `every` seconds on one connection, which is opened anew when it was closed."""

    address: str
    port: int
    host: str
    method: str = field(kw_only=True)
    every: float = field(kw_only=True)

    def _request(self) -> bytes:
        body = b"a=1" if self.method == "POST" else b""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return f"{self.method} /x HTTP/1.1\r\nHost: {self.host}\r\n{length}\r\n".encode() + body

    async def use(self, answers: list[Answer], stop: asyncio.Event) -> None:
        request = self._request()
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        await _pause(random.uniform(0.0, self.every), stop)  # or they all come at once
        while not stop.is_set():
            began = time.monotonic()
            try:
                async with asyncio.timeout(LIMIT):
                    streams = streams or await asyncio.open_connection(self.address, self.port)
                    status, kept = await _exchange(*streams, request)
            except (OSError, EOFError, TimeoutError, ValueError):
                status, kept = 0, False
            took = time.monotonic() - began
            answers.append(Answer(self.method, began, took, status))
            if not kept and streams is not None:
                streams[1].close()
                streams = None
            await _pause(max(0.001, self.every - took), stop)
        if streams is not None:
            streams[1].close()


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bool]:
    """The status, and whether the connection may be used again. Raises EOFError, OSError, ValueError."""
    writer.write(request)
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
    except asyncio.LimitOverrunError as error:
        raise ValueError("an answer without an end of its head") from error
    _, _, rest = head.partition(b"\r\n")
    if b"transfer-encoding: chunked" in rest:
        while (size := int((await reader.readline()).split(b";")[0], 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        await reader.readexactly(int(rest.partition(b"content-length:")[2].partition(b"\r\n")[0]))
    return int(head.split(b" ", 2)[1]), b"connection: close" not in rest
