"""What this agent decided and how long it took: one JSON line each, on stdout and in `run/journal.log`.

    {"t": 1700000000.1, "kind": "audit", "what": "link moved", "service": "api", "from": 25, "to": 0, "because": …, "holds": [ID]}
    {"t": 1700000000.1, "kind": "timing", "what": "link moved", "service": "api", "ms": 0.4, "holds": [ID]}

Nothing waits for it: a line is put aside and written by threads, one for the file and one for stdout, so that no reader who has
stopped reading, and no disk, stands in the way of a hold, of the other one, or of the agent's end.
"""

import asyncio
import contextlib
import io
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import orjson

NAME = "journal.log"
LARGEST = 4 * 1024 * 1024  # bytes; then it is put aside as journal.log.1, and the one before is gone
MOST_WAITING = 20_000  # lines; a thousand services may be held and released several times meanwhile
MOST_UNREAD = 20_000  # lines that a slow reader of stdout may be behind
AT_ONCE = 100  # lines in one write to stdout
LAST = 1.0  # seconds that the agent's end waits for who reads stdout


class _Echo:
    """Lines on stdout, for as long as somebody reads them. `say` returns at once; `lost`: lines that were not read in time, until
    stdout has said so itself.
    """

    def __init__(self, out: IO[bytes] | io.RawIOBase) -> None:
        self._out = out
        self._unread: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="journal on stdout", daemon=True)  # it may wait for ever
        self.lost = 0

    def say(self, lines: Sequence[bytes]) -> None:
        with self._changed:
            self._unread.extend(lines)
            while len(self._unread) > MOST_UNREAD:
                self._unread.popleft()
                self.lost += 1
            self._changed.notify()
            if self._unread and not self._thread.is_alive() and not self._ending:
                self._thread.start()

    def end(self) -> None:
        """What is left has a moment to be read."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(LAST)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unread or self._ending)
                if not self._unread:
                    return
                lines = [self._unread.popleft() for _ in range(min(AT_ONCE, len(self._unread)))]
                lost = self.lost
            said = [_line("audit", "lost on stdout", {"lines": lost})] if lost else []
            written = self._write(b"".join([*said, *lines]))
            with self._changed:
                self.lost += -lost if written else len(lines)

    def _write(self, text: bytes) -> bool:
        """False: whoever read it is gone."""
        try:
            while text:
                done = self._out.write(text)
                if done is None:  # somebody has set it so that a write does not wait
                    return False
                text = text[done:]
            self._out.flush()
        except (OSError, ValueError):
            return False
        return True


class Journal:
    """`audit` and `timing` return at once. `follow` writes what they said, `close` what is left."""

    def __init__(self, run: Path, *, echo: IO[bytes] | None = None) -> None:
        self._path = run / NAME
        # Unbuffered: who waits in a buffer's write for ever would make the interpreter's end wait for that buffer, too.
        self._echo = _Echo(getattr(sys.stdout.buffer, "raw", sys.stdout.buffer) if echo is None else echo)
        self._waiting: deque[bytes] = deque()
        self._lost = 0
        self._more = asyncio.Event()
        self._unwritten = ""

    @property
    def trouble(self) -> str:
        """Why lines are missing in one of the two places; empty: none are."""
        lost = self._echo.lost
        unread = f"nobody reads this agent's stdout: {lost} lines of its journal are lost there, {NAME} has them" if lost else ""
        return "; ".join(filter(None, (self._unwritten, unread)))

    def audit(self, what: str, **about: object) -> None:
        """A decision. `about`: plain JSON values; `operation`, `hold` or `holds`, `generation` are what people look for."""
        self._say("audit", what, about)

    def timing(self, what: str, seconds: float, **about: object) -> None:
        self._say("timing", what, {"ms": round(seconds * 1000, 3), **about})

    def _say(self, kind: str, what: str, about: dict[str, object]) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(_line(kind, what, about))
        self._more.set()

    async def follow(self) -> None:
        """Endless."""
        while True:
            await self._more.wait()
            self._more.clear()
            lines = self._take()
            try:
                await asyncio.to_thread(self._write, lines)
            finally:
                self._echo.say(lines)

    def close(self) -> None:
        """Waits for the file, and for a reader of stdout no longer than a moment."""
        lines = self._take()
        self._write(lines)
        self._echo.say(lines)
        self._echo.end()

    def _take(self) -> list[bytes]:
        if self._lost:
            lost, self._lost = self._lost, 0
            self.audit("lost", lines=lost)
        lines = []
        with contextlib.suppress(IndexError):
            while True:
                lines.append(self._waiting.popleft())
        return lines

    def _write(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        try:
            self._rotate()
            with self._path.open("ab", buffering=0) as file:
                file.write(b"".join(lines))
            self._unwritten = ""
        except OSError as error:
            self._unwritten = f"the journal cannot be written ({error.strerror}); its lines are on stdout only, free some space"

    def _rotate(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_size >= LARGEST:
                self._path.replace(self._path.with_name(f"{NAME}.1"))


def _line(kind: str, what: str, about: Mapping[str, object]) -> bytes:
    line = {"t": round(time.time(), 3), "kind": kind, "what": what, **about}
    return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)
