"""What this agent decided and how long it took: one JSON line each, on stdout and in `run/journal.log`.

    {"t": 1700000000.1, "kind": "audit", "what": "link", "service": "api", "from": 25, "to": 0, "because": …, "holds": [ID], …}
    {"t": 1700000000.1, "kind": "timing", "what": "link", "service": "api", "ms": 0.4, "holds": [ID], …}

Nothing waits for it: a line is put aside and written by a thread, so that no reader of stdout who has stopped reading, and no
disk, stands in the way of a hold.
"""

import asyncio
import contextlib
import sys
import time
from collections import deque
from pathlib import Path
from typing import IO

import orjson

NAME = "journal.log"
LARGEST = 4 * 1024 * 1024  # bytes; then it is put aside as journal.log.1, and the one before is gone
MOST_WAITING = 20_000  # lines; a thousand services may be held and released several times meanwhile


class Journal:
    """`audit` and `timing` return at once. `follow` writes what they said, `close` what is left."""

    def __init__(self, run: Path, *, echo: IO[bytes] | None = None) -> None:
        self._path = run / NAME
        self._echo = sys.stdout.buffer if echo is None else echo
        self._waiting: deque[bytes] = deque()
        self._lost = 0
        self._more = asyncio.Event()
        self.trouble = ""

    def audit(self, what: str, **about: object) -> None:
        """A decision. `about`: plain JSON values; `operation`, `hold` or `holds`, `generation` are what people look for."""
        self._say("audit", what, about)

    def timing(self, what: str, seconds: float, **about: object) -> None:
        self._say("timing", what, {"ms": round(seconds * 1000, 3), **about})

    def _say(self, kind: str, what: str, about: dict[str, object]) -> None:
        line = {"t": round(time.time(), 3), "kind": kind, "what": what, **about}
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE))
        self._more.set()

    async def follow(self) -> None:
        """Endless."""
        while True:
            await self._more.wait()
            self._more.clear()
            await asyncio.to_thread(self._write, self._take())

    def close(self) -> None:
        self._write(self._take())

    def _take(self) -> bytes:
        if self._lost:
            lost, self._lost = self._lost, 0
            self.audit("lost", lines=lost)
        lines = []
        with contextlib.suppress(IndexError):
            while True:
                lines.append(self._waiting.popleft())
        return b"".join(lines)

    def _write(self, lines: bytes) -> None:
        if not lines:
            return
        try:
            self._rotate()
            with self._path.open("ab", buffering=0) as file:
                file.write(lines)
            self.trouble = ""
        except OSError as error:
            self.trouble = f"the journal cannot be written ({error.strerror}); its lines are on stdout only, free some space"
        with contextlib.suppress(OSError, ValueError):  # whoever read it is gone: the file has it
            self._echo.write(lines)
            self._echo.flush()

    def _rotate(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_size >= LARGEST:
                self._path.replace(self._path.with_name(f"{NAME}.1"))
