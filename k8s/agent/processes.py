"""What /proc says of the processes of this pod (the containers share one process namespace) and of their connections."""

import ipaddress
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
_ESTABLISHED = "01"


@dataclass(frozen=True, slots=True)
class Process:
    """A process for ever: `started` (clock ticks since boot) tells it from a later one with the same `pid`."""

    pid: int
    started: int
    parent: int = field(compare=False)
    program: str = field(compare=False)


def find(pid: int) -> Process | None:
    """None when it is gone, or dead and only not buried yet. Raises OSError when nothing can be read (no descriptors left)."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    head, _, tail = text.rpartition(")")  # a program's name may have blanks and parentheses in it
    fields = tail.split()
    if fields[0] in "ZX":
        return None
    return Process(pid=pid, started=int(fields[19]), parent=int(fields[1]), program=head.partition("(")[2])


def find_all(program: str) -> list[Process]:
    """Those whose program's name begins so. Raises OSError when nothing can be read."""
    pids = [int(name) for name in os.listdir(PROC) if name.isdecimal()]  # noqa: PTH208 names only: called every second
    return [one for pid in pids if (one := find(pid)) is not None and one.program.startswith(program)]


def command_line(pid: int) -> list[str]:
    """Empty when it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def has_open(pid: int, files: Iterable[Path]) -> bool:
    """Whether it has one of these files open, whatever it is called where that process lives; False where that is not shown."""
    wanted = {(found.st_dev, found.st_ino) for path in files if (found := _stat(path)) is not None}
    return any((found.st_dev, found.st_ino) in wanted for one in _descriptors(pid) if (found := _stat(one)) is not None)


def connections(pids: Iterable[int]) -> set[tuple[str, int]]:
    """The other ends (IP address, port) of every established TCP connection that one of these processes has open."""
    inodes = {inode for pid in pids for inode in _sockets(pid)}
    ends: set[str] = set()  # as the kernel prints them: thousands of connections have few ends at a cluster
    for table in ("tcp", "tcp6") if inodes else ():
        try:
            lines = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _ESTABLISHED and fields[9] in inodes:
                ends.add(fields[2])
    return {_end(one) for one in ends}


def _end(text: str) -> tuple[str, int]:
    """An address as the kernel prints it: words of 32 bits in the machine's own order of bytes."""
    address, _, port = text.partition(":")
    words = [int(address[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(address), 8)]
    return str(ipaddress.ip_address(b"".join(words))), int(port, 16)


def _sockets(pid: int) -> list[str]:
    folder, names = str(PROC / str(pid) / "fd"), []
    for one in _listed(folder):
        try:
            names.append(os.readlink(f"{folder}/{one}"))  # noqa: PTH115 a Path each costs more than the link itself
        except OSError:
            continue  # closed meanwhile
    return [name[len("socket:[") : -1] for name in names if name.startswith("socket:[")]


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 names only
    except OSError:
        return []


def _descriptors(pid: int) -> list[Path]:
    try:
        return list((PROC / str(pid) / "fd").iterdir())
    except OSError:
        return []


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
