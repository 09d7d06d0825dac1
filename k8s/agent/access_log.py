"""nginx's access log, read as it grows and rotated before it fills the memory it lies in. No line is lost or read twice.

nginx keeps writing to a renamed file until each of its workers has reopened the log: the old file is read on until nobody
has it open for writing any more.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

CHUNK = 128 * 1024  # about two milliseconds of counting: a pushed hold must not wait for longer
LARGEST_ERRORS = 4 * 1024 * 1024
EVERY = 0.1  # seconds; nginx itself writes every 0.2
UNTOLD = 5.0  # seconds until nginx is looked for again, where there was none to be told of another file
QUIET = 5.0  # seconds without a new line, where the system cannot say who has a file open


class _Reading:
    """One file and how far it was read; `rest` is the beginning of a line that is not whole yet."""

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        self.path = path
        self.file = path.open("rb", buffering=0)
        self.offset = os.fstat(self.file.fileno()).st_size if from_end else 0
        self._rest = b""
        self._grown = time.monotonic()

    @property
    def size(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    def take(self) -> bytes:
        """The next whole lines, at most a chunk; empty: none yet. A file that was cut short is read from its start."""
        if self.size < self.offset:
            self.offset, self._rest = 0, b""
        found = os.pread(self.file.fileno(), CHUNK, self.offset)
        if not found:
            return b""
        self.offset += len(found)
        self._grown = time.monotonic()
        lines, end, rest = (self._rest + found).rpartition(b"\n")
        self._rest = rest
        return lines + end

    def read_whole(self) -> bool:
        return self.offset >= self.size

    def let_go(self) -> bool:
        """Whether nobody can write to it any more: a read lease is granted only then."""
        try:
            fcntl.fcntl(self.file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(self.file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except (OSError, AttributeError) as error:
            if isinstance(error, OSError) and error.errno == errno.EAGAIN:
                return False
            return time.monotonic() - self._grown > QUIET
        return True


class AccessLog:
    """`count` takes whole lines. `reopen` tells nginx to open its logs anew; False: no nginx is there to be told.

    Begins at the end of what lies there: what an earlier agent saw is not counted again.
    """

    def __init__(self, run: Path, *, count: Callable[[bytes], None], reopen: Callable[[], bool], largest: int) -> None:
        self._run = run
        self._path = run / "access.log"
        self._count = count
        self._reopen = reopen
        self._largest = largest
        self._left = [path for path in run.glob("access.log.*") if re.fullmatch(r"access\.log\.[0-9]+", path.name)]
        self._number = max((int(path.suffix[1:]) for path in self._left), default=0)
        self._draining: list[_Reading] = []
        self._current: _Reading | None = None
        self._nobody_told = -UNTOLD  # monotonic: when there was no nginx last
        self.trouble = ""
        with contextlib.suppress(FileNotFoundError):
            self._current = _Reading(self._path, from_end=True)

    async def follow(self) -> None:
        """Endless."""
        while True:
            try:
                more = self.read()
                self.trouble = ""
            except OSError as error:
                self.trouble = f"the access log cannot be read ({error.strerror}); requests are not counted meanwhile"
                more = False
            await asyncio.sleep(0 if more else EVERY)

    def close(self) -> None:
        for reading in [*self._draining, *([self._current] if self._current else [])]:
            reading.file.close()

    def read(self) -> bool:
        """A chunk of each file; whether there was any. Raises OSError."""
        self._follow_path()
        found = False
        for reading in [*self._draining, *([self._current] if self._current else [])]:
            lines = reading.take()
            if lines:
                self._count(lines)
            found |= not reading.read_whole()
        self._draining = [reading for reading in self._draining if not self._finished(reading)]
        if time.monotonic() - self._nobody_told >= UNTOLD:
            if self._current is not None and self._current.size >= self._largest:
                self._rotate(self._current)
            self._rotate_errors()
        return found

    def _follow_path(self) -> None:
        """Another file under the name: the one before is read to its end."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return
        if self._current is not None:
            mine = os.fstat(self._current.file.fileno())
            if (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino):
                return
            self._draining.append(self._current)
        self._current = _Reading(self._path)

    def _finished(self, reading: _Reading) -> bool:
        if not reading.read_whole() or not reading.let_go() or not reading.read_whole():
            return False  # the last look is after nobody could write any more
        reading.file.close()
        if reading.path != self._path:
            for path in self._left:  # the last one stays, for people who look for a request
                path.unlink(missing_ok=True)
            self._left = [reading.path]
        return True

    def _rotate(self, current: _Reading) -> None:
        aside = self._run / f"access.log.{self._number + 1}"
        self._path.rename(aside)
        if not self._told():
            aside.rename(self._path)
            return
        self._number += 1
        current.path = aside
        self._draining.append(current)
        self._current = None

    def _rotate_errors(self) -> None:
        """nginx's other log is counted by nobody: one older file stays, whoever still writes to it."""
        errors, aside = self._run / "error.log", self._run / "error.log.aside"
        with contextlib.suppress(FileNotFoundError):
            if errors.stat().st_size >= LARGEST_ERRORS:
                errors.replace(aside)
                aside.replace(self._run / "error.log.1" if self._told() else errors)

    def _told(self) -> bool:
        """Whether nginx was told to open its logs anew."""
        told = self._reopen()
        if not told:
            self._nobody_told = time.monotonic()
        return told
