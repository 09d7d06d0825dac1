"""HTTP/1.1 on the wire, as little of it as a backend and an ingress need: heads, and bodies passed on as they come.

Written on bare asyncio streams because several of these hops share one core with everything else of the playground.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

LONGEST_HEAD = 64 * 1024
_PIECE = 64 * 1024
_BODILESS = {204, 304}
REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error",
    502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out",
}  # fmt: skip


class BrokenMessage(Exception):
    """What came is no HTTP/1.1, or ended in the middle."""


@dataclass(frozen=True, slots=True)
class Head:
    """A start line in its three parts, and the fields as they were written."""

    first: str
    second: str
    third: str
    fields: list[tuple[str, str]]

    def field(self, name: str) -> str:
        """The first value of a field (`name` in lower case), or nothing."""
        for written, value in self.fields:
            if written.lower() == name:
                return value
        return ""

    def lists(self, name: str, token: str) -> bool:
        """Whether a comma-separated field names this token."""
        return any(
            token in {part.strip().lower() for part in value.split(",")} for key, value in self.fields if key.lower() == name
        )

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.second)

    @property
    def host(self) -> str:
        """Of a request: the Host in lower case, without its port."""
        return self.field("host").rpartition("]")[2].partition(":")[0].lower()

    @property
    def path(self) -> str:
        """Of a request: without the query."""
        return self.second.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Framing:
    """How a body ends: after `length` bytes, with its last chunk, or (`open_ended`) when the sender closes."""

    length: int = 0
    chunked: bool = False
    open_ended: bool = False

    @property
    def empty(self) -> bool:
        """No body at all."""
        return not (self.length or self.chunked or self.open_ended)


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next head; None when the other side closed between messages. Raises BrokenMessage."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise BrokenMessage("The connection ended within a head") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise BrokenMessage(f"A head is longer than {LONGEST_HEAD} bytes") from error
    first_line, *lines = raw[:-4].decode("latin-1").split("\r\n")
    parts = first_line.split(" ", 2)
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BrokenMessage("A line of the head is no field")
        fields.append((name, value.strip()))
    if len(parts) < 2:
        raise BrokenMessage("The first line is neither a request nor an answer")
    return Head(parts[0], parts[1], parts[2] if len(parts) > 2 else "", fields)


def request_framing(head: Head) -> Framing:
    """How the body of a request ends. Raises BrokenMessage."""
    length, coding = head.field("content-length"), head.field("transfer-encoding")
    if not length and not coding:
        return Framing()
    if coding:
        if length or coding.lower() != "chunked":
            raise BrokenMessage("The length of the body is stated in two ways, or in an unknown one")
        return Framing(chunked=True)
    return Framing(length=_number(length))


def answer_framing(head: Head, method: str) -> Framing:
    """How the body of the answer to such a request ends. Raises BrokenMessage."""
    if method == "HEAD" or head.status in _BODILESS or head.status < 200:
        return Framing()
    if head.lists("transfer-encoding", "chunked"):
        return Framing(chunked=True)
    length = head.field("content-length")
    return Framing(length=_number(length)) if length else Framing(open_ended=True)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise BrokenMessage("Content-Length is no number")
    return int(text)


async def pieces(reader: asyncio.StreamReader, framing: Framing) -> AsyncIterator[bytes]:
    """The body as it stands on the wire, chunk marks included, piece by piece as it arrives. Raises BrokenMessage."""
    if framing.chunked:
        async for piece in _chunks(reader):
            yield piece
        return
    left = framing.length
    while framing.open_ended or left:
        piece = await reader.read(_PIECE if framing.open_ended else min(left, _PIECE))
        if not piece:
            if framing.open_ended:
                return
            raise BrokenMessage("The connection ended within a body")
        left -= len(piece)
        yield piece


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    try:
        while True:
            mark = await reader.readuntil(b"\r\n")
            yield mark
            size = int(mark.partition(b";")[0], 16)
            if not size:
                break
            left = size + 2
            while left:
                piece = await reader.read(min(left, _PIECE))
                if not piece:
                    raise BrokenMessage("The connection ended within a chunk")
                left -= len(piece)
                yield piece
        line = b""
        while line != b"\r\n":  # trailers, then an empty line
            line = await reader.readuntil(b"\r\n")
            yield line
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise BrokenMessage("A chunked body is broken") from error


async def body(reader: asyncio.StreamReader, framing: Framing, *, most: int) -> tuple[int, bytes]:
    """Reads a body to its end: its size on the wire, and its first `most` bytes. Raises BrokenMessage."""
    size, kept = 0, b""
    if framing.empty:
        return size, kept
    async for piece in pieces(reader, framing):
        size += len(piece)
        if len(kept) < most:
            kept += piece[: most - len(kept)]
    return size, kept


def answer(
    status: int, content: bytes, *, media: str = "text/plain", side: str = "", bodiless: bool = False, close: bool = False
) -> bytes:
    """A whole answer. `side`: who answers; `bodiless`: the length is stated, the content left out (HEAD)."""
    head = f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}\r\nContent-Type: {media}\r\nContent-Length: {len(content)}\r\n"
    head += f"X-Side: {side}\r\n" if side else ""
    return (head + ("Connection: close\r\n\r\n" if close else "\r\n")).encode() + (b"" if bodiless else content)


def keeps_alive(head: Head) -> bool:
    """Whether the sender of this request wants the connection kept."""
    return head.third == "HTTP/1.1" and not head.lists("connection", "close")
