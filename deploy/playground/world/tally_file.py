"""Numbers that one process writes and others read, without asking: a small file that both have in memory."""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_LAYOUT = struct.Struct("<QQQd")  # one writer, and each number lies within eight aligned bytes
_ENDING = ".tally"


@dataclass(frozen=True, slots=True)
class Seen:
    """What reached an application. `probes` are in no other number; `last`: monotonic seconds, 0: nothing came yet."""

    total: int = 0
    probes: int = 0
    failed: int = 0
    last: float = 0.0


class Writer:
    """Of one process, which names its file. `folder` must be there."""

    def __init__(self, folder: Path, name: str) -> None:
        path = folder / (name + _ENDING)
        path.write_bytes(bytes(_LAYOUT.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _LAYOUT.size)

    def write(self, seen: Seen) -> None:
        _LAYOUT.pack_into(self._memory, 0, seen.total, seen.probes, seen.failed, seen.last)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._memory.close()


def read(folder: Path, *, beginning: str = "") -> Seen:
    """All writers whose name begins so, added up: those that have ended, too."""
    found = [_LAYOUT.unpack(content) for path in folder.glob(f"{beginning}*{_ENDING}") if (content := path.read_bytes())]
    if not found:
        return Seen()
    totals, probes, failed, last = zip(*found, strict=True)
    return Seen(sum(totals), sum(probes), sum(failed), max(last))
