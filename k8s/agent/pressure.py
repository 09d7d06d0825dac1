"""How close nginx's container is to its CPU and memory limits, read from its cgroup (version 2) through its own view of it.

Nothing is said where nginx has no container of its own, no limit, or cannot be looked at.
"""

import time
from pathlib import Path


class Pressure:
    """Shares of the limits, 0 to 1; None: not known. The CPU's is of the time since it was asked before."""

    def __init__(self, run: Path, *, processes: Path = Path("/proc")) -> None:
        self._pid_file = run / "nginx.pid"
        self._processes = processes
        self._before: tuple[float, float] | None = None  # when, seconds of CPU time used until then

    def cpu(self, *, now: float | None = None) -> float | None:
        """`now`: monotonic seconds."""
        group = self._group()
        moment = time.monotonic() if now is None else now
        quota, _, period = _text(group, "cpu.max").partition(" ")
        used = [line.split()[1] for line in _text(group, "cpu.stat").splitlines() if line.startswith("usage_usec ")]
        if not quota.isdecimal() or not period.isdecimal() or not used:
            self._before = None
            return None
        before, self._before = self._before, (moment, int(used[0]) / 1e6)
        if before is None or moment <= before[0]:
            return None
        return max(0.0, (self._before[1] - before[1]) / (moment - before[0]) / (int(quota) / int(period)))

    def memory(self) -> float | None:
        group = self._group()
        limit, used = _text(group, "memory.max"), _text(group, "memory.current")
        return int(used) / int(limit) if limit.isdecimal() and used.isdecimal() and int(limit) else None

    def _group(self) -> Path | None:
        try:
            process = self._processes / str(int(self._pid_file.read_text()))
            own, its = (one.joinpath("ns/cgroup").readlink() for one in (self._processes / "self", process))
        except (OSError, ValueError):
            return None
        return process / "root/sys/fs/cgroup" if own != its else None


def _text(group: Path | None, name: str) -> str:
    try:
        return (group / name).read_text().strip() if group is not None else ""
    except OSError:
        return ""
