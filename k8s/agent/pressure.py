"""How close nginx's container is to its CPU and memory limits, read from its cgroup (version 2 or 1) through its own view of it.

Nothing is said where nginx has no container of its own, no limit, or cannot be looked at.
"""

import time
from pathlib import Path

NO_LIMIT = 2**60  # bytes; version 1 says so by a number that no machine has


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
        cpus, used = _cpus(group), _cpu_seconds(group)
        if not cpus or used is None:
            self._before = None
            return None
        before, self._before = self._before, (moment, used)
        if before is None or moment <= before[0]:
            return None
        return max(0.0, (used - before[1]) / (moment - before[0]) / cpus)

    def memory(self) -> float | None:
        """Without pages of files that the kernel takes back when it needs them: large bodies of requests fill many."""
        group = self._group()
        limit = _number(group, "memory.max") or _number(group, "memory/memory.limit_in_bytes")
        used = _number(group, "memory.current") or _number(group, "memory/memory.usage_in_bytes")
        if not limit or used is None or limit >= NO_LIMIT:
            return None
        idle = _field(group, "memory.stat", "inactive_file") or _field(group, "memory/memory.stat", "total_inactive_file") or 0
        return max(0, used - idle) / limit

    def _group(self) -> Path | None:
        """Where nginx's container sees its cgroup; None when it is the agent's own."""
        try:
            process = self._processes / str(int(self._pid_file.read_text()))
            own, its = (one.joinpath("ns/cgroup").readlink() for one in (self._processes / "self", process))
        except (OSError, ValueError):
            return None
        # Version 1 is mostly used without namespaces of its own: there the groups' names differ.
        if own == its and _text(self._processes, "self/cgroup") == _text(process, "cgroup"):
            return None
        return process / "root/sys/fs/cgroup"


def _cpus(group: Path | None) -> float | None:
    """How many it may use."""
    quota, _, period = _text(group, "cpu.max").partition(" ")
    if not quota:
        quota, period = _text(group, "cpu/cpu.cfs_quota_us"), _text(group, "cpu/cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else None


def _cpu_seconds(group: Path | None) -> float | None:
    """How much it has used since it began."""
    micro, nano = _field(group, "cpu.stat", "usage_usec"), _number(group, "cpuacct/cpuacct.usage")
    if micro is not None:
        return micro / 1e6
    return nano / 1e9 if nano is not None else None


def _field(group: Path | None, name: str, field: str) -> int | None:
    """Of a file of names and numbers."""
    found = [line.split()[1] for line in _text(group, name).splitlines() if line.startswith(field + " ")]
    return int(found[0]) if found and found[0].isdecimal() else None


def _number(group: Path | None, name: str) -> int | None:
    text = _text(group, name)
    return int(text) if text.isdecimal() else None


def _text(group: Path | None, name: str) -> str:
    try:
        return (group / name).read_text().strip() if group is not None else ""
    except OSError:
        return ""
