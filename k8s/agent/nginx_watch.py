"""Is nginx's master alive, and is it the generation we know? What its master leaves behind when it is killed is let go.

Workers that outlive their master go on: they serve what they served, obey links and `allow` files, and hold the ports. That is
better than nobody, so they may, until a new nginx waits for the ports: then they are asked to leave (they close their listeners
at once and finish what they have begun), and made to leave when they do not.
"""

import contextlib
import logging
import os
import signal
from collections import Counter
from pathlib import Path

from k8s.agent import processes

log = logging.getLogger("ferry.agent.nginx")

EVERY = 0.5  # seconds; a new nginx tries to bind for 2.5 s before it gives up
ASK_EVERY = 1.0  # seconds
PATIENCE = 35.0  # seconds for what an orphan has begun: nginx's own worker_shutdown_timeout is 30 s
INSIST = 5.0  # seconds between TERM and KILL
PROGRAM = "nginx"
ORPHANS = "orphans"  # what letting them go is counted as among the repairs


class NginxWatch:
    """`look` often. `run`: the folder shared with nginx. `repairs` is counted up by what was mended."""

    def __init__(self, run: Path, *, repairs: Counter[str]) -> None:
        self._run = run
        self._repairs = repairs
        self._workers: frozenset[processes.Process] = frozenset()
        self._asked: dict[processes.Process, tuple[float, signal.Signals]] = {}
        self.master: processes.Process | None = None
        self.orphans: frozenset[processes.Process] = frozenset()

    @property
    def trouble(self) -> str:
        """Empty while every worker has its master."""
        if not self.orphans:
            return ""
        waited = ""
        if self.master is None:
            waited = "; nothing but holds and weights can be changed before its container starts it again"
        return f"nginx's master process was killed; {len(self.orphans)} of its workers go on serving what they served{waited}"

    @property
    def pids(self) -> frozenset[int]:
        """Of every process of this nginx: master, workers (also those that finish what they have begun), orphans."""
        own = {self.master} if self.master is not None else set()
        return frozenset(one.pid for one in (*own, *self._workers, *self.orphans))

    def look(self, now: float) -> None:
        """`now`: monotonic seconds. Never waits. Raises OSError when nothing can be seen; what was known is known still."""
        all_of_them = processes.find_all(PROGRAM)
        by_pid = {one.pid: one for one in all_of_them}
        master = master_of(self._run)
        self.master = master if master is not None and master.pid in by_pid else None
        alive = set(all_of_them)
        before = (self._workers | self.orphans) & alive
        self._workers = frozenset(one for one in all_of_them if self.master is not None and one.parent == self.master.pid)
        strays = {one for one in alive - before - self._workers if self._left_behind(one, by_pid)}
        orphans = frozenset((before | strays) - self._workers - {self.master})
        if orphans and not self.orphans:
            log.warning("nginx's master process is gone; its workers %s go on", sorted(one.pid for one in orphans))
        self.orphans = orphans
        self._asked = {one: asked for one, asked in self._asked.items() if one in orphans}
        if orphans and (self._asked or self.master is not None or self._successor(all_of_them)):
            self._let_go(now)

    def _left_behind(self, one: processes.Process, by_pid: dict[int, processes.Process]) -> bool:
        """A worker without a master that writes our logs: it was one before this agent began."""
        if one.parent in by_pid or processes.command_line(one.pid)[:1] != ["nginx: worker process"]:
            return False
        return processes.has_open(one.pid, [self._run / "access.log", self._run / "error.log"])

    def _successor(self, all_of_them: list[processes.Process]) -> bool:
        """Whether a new nginx was started with our configuration and is not master yet: it waits for the ports."""
        config = str(self._run / "nginx.conf")
        lines = [processes.command_line(one.pid) for one in all_of_them if one not in self.orphans]
        return any(config in line and "-t" not in line for line in lines)

    def _let_go(self, now: float) -> None:
        for one in self.orphans:
            since, asked = self._asked.get(one, (now, None))
            if asked is None:
                self._send(one, signal.SIGQUIT, now)
            elif asked is signal.SIGQUIT and now - since >= PATIENCE:
                self._send(one, signal.SIGTERM, now)
            elif asked is signal.SIGTERM and now - since >= INSIST:
                self._send(one, signal.SIGKILL, now)

    def _send(self, one: processes.Process, number: signal.Signals, now: float) -> None:
        if number is signal.SIGQUIT and not self._asked:
            self._repairs[ORPHANS] += 1
            log.warning("a new nginx waits for the ports: the orphans are asked to leave")
        self._asked[one] = (now, number)
        with contextlib.suppress(OSError):
            if processes.find(one.pid) == one:
                os.kill(one.pid, number)


def master_of(run: Path) -> processes.Process | None:
    """Whom the pid file names, if that is an nginx that lives: the file outlives a master that was killed. Raises OSError when
    nothing can be read.
    """
    try:
        pid = int((run / "nginx.pid").read_text())
    except (FileNotFoundError, ValueError):
        return None
    found = processes.find(pid)
    return found if found is not None and found.program.startswith(PROGRAM) else None
