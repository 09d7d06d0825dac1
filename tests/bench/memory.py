"""What a process occupies, read from /proc."""

from pathlib import Path


def resident(pid: int) -> int:
    """Bytes of RAM, shared pages counted whole."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmRSS:") * 1024


def proportional(pid: int) -> int:
    """Bytes of RAM, shared pages divided by those who share them."""
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") * 1024


def descriptors(pid: int) -> int:
    """How many files and sockets it has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _kilobytes(path: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(name))
