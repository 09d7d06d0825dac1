"""One container as a process: started, probed, started again with back-off when it ends, told to stop like in a cluster."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.playground.nodes import probes
from deploy.playground.nodes.cluster_objects import NotYet, Ticker
from deploy.playground.world import processes

Json = dict[str, Any]
_FIRST_PAUSE, _LONGEST_PAUSE, _FORGIVEN_AFTER = 0.25, 5.0, 20.0  # seconds; a cluster's: 10, 300, 600


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    stop_signal: signal.Signals


@dataclass(slots=True)
class Seen:
    """What the pod's status says of a container. `state` and `last`: as the API spells ContainerState."""

    state: Json = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: Json = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False


def now() -> str:
    """As the API writes times."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Container:
    """`compose` says what to start, anew for every start (NotYet: wait until `objects` ticks). `changed` is called when `seen`
    changes. `probe_every`: at most so many seconds between two readiness questions."""

    def __init__(
        self,
        spec: Json,
        *,
        compose: Callable[[], Awaitable[Launch]],
        logs: Path,
        log_name: str,
        prober: probes.Prober,
        objects: Ticker,
        changed: Callable[[], None],
        probe_every: float,
    ) -> None:
        self.name = str(spec["name"])
        self.spec = spec
        self.seen = Seen()
        self.child: processes.Child | None = None
        self._compose = compose
        self._logs = logs
        self._log_name = log_name
        self._prober = prober
        self._objects = objects
        self._changed = changed
        self._probe_every = probe_every
        self._stop_signal = signal.SIGTERM
        self._group = 0  # of the last process, until nothing of it is left
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Keeps it running until `end`; cancelling leaves the process to `kill`."""
        pause = _FIRST_PAUSE
        while not self._ending.is_set():
            ticket = self._objects.ticket()
            try:
                child = await self._start(await self._compose())
            except NotYet as why:
                self._wait("CreateContainerConfigError", str(why))
                await ticket.wait()
                continue
            except (OSError, processes.NotReady) as why:
                self._wait("RunContainerError", str(why))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            began = time.monotonic()
            await self._watched(child)
            if self._ending.is_set():
                return
            pause = _FIRST_PAUSE if time.monotonic() - began > _FORGIVEN_AFTER else pause
            self.seen.restarts += 1
            self._wait("CrashLoopBackOff", f"it ended; started again in {pause:g} s; its log is {child.log}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def end(self, *, share: float, limit: float) -> None:
        """As a kubelet ends it: preStop, the image's stop signal, after `limit` seconds KILL. `share`: how much of a preStop
        sleep is slept, so that the order of a pod's containers stays."""
        self._ending.set()
        child = self.child
        if child is None or not child.running:
            return
        began = time.monotonic()
        child.proceed()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._before_stop(child, share)
                child.send(self._stop_signal)
                await child.wait()
        await child.stop(limit=max(0.1, limit - (time.monotonic() - began)))

    async def kill(self) -> None:
        """At once."""
        self._ending.set()
        if self.child is not None:
            self.child.proceed()
            await self.child.kill()
        self._sweep()

    async def _start(self, launch: Launch) -> processes.Child:
        self._stop_signal = launch.stop_signal
        child = processes.Child(self._log_name, launch.argv, folder=self._logs, environment=launch.environment)
        await child.start()
        self.child, self._group = child, child.pid
        self.seen.state = {"running": {"startedAt": now()}}
        self.seen.ready = "readinessProbe" not in self.spec and "startupProbe" not in self.spec
        self._changed()
        return child

    async def _watched(self, child: processes.Child) -> None:
        """Until it has ended, with its probes beside it."""
        began = self.seen.state["running"]["startedAt"]
        probing = asyncio.create_task(self._probe(child))
        try:
            code = await child.wait()
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
            self._sweep()
        ended: Json = {"exitCode": code if code >= 0 else 128 - code, "startedAt": began, "finishedAt": now()}
        ended["reason"] = "Completed" if code == 0 else "Error"
        if code < 0:
            ended["signal"] = -code
        self.seen.state = self.seen.last = {"terminated": ended}
        self.seen.ready = False
        self._changed()

    async def _probe(self, child: processes.Child) -> None:
        if "startupProbe" in self.spec:
            async for good in self._prober.verdicts(self.spec["startupProbe"], every=self._probe_every):
                if good:
                    break
                await child.stop()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._readiness())
            both.create_task(self._liveness(child))

    async def _readiness(self) -> None:
        if "readinessProbe" not in self.spec:
            self._say_ready(True)
            return
        async for good in self._prober.verdicts(self.spec["readinessProbe"], every=self._probe_every):
            self._say_ready(good)

    async def _liveness(self, child: processes.Child) -> None:
        if "livenessProbe" in self.spec:
            async for good in self._prober.verdicts(self.spec["livenessProbe"]):
                if not good:
                    await child.stop()

    def _sweep(self) -> None:
        """What a dead process leaves in its group dies too, as everything in a container does."""
        group, self._group = self._group, 0
        if group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)

    def _say_ready(self, good: bool) -> None:
        if self.seen.ready is not good:
            self.seen.ready = good
            self._changed()

    def _wait(self, reason: str, message: str) -> None:
        self.seen.state = {"waiting": {"reason": reason, "message": message}}
        self._changed()

    async def _before_stop(self, child: processes.Child, share: float) -> None:
        """Only the hook that everybody uses: a sleep, written either way. Others are left out."""
        hook = (self.spec.get("lifecycle") or {}).get("preStop") or {}
        command: list[str] = (hook.get("exec") or {}).get("command") or []
        seconds = (hook.get("sleep") or {}).get("seconds") or (command[1] if len(command) == 2 and command[0] == "sleep" else 0)
        ended = asyncio.create_task(child.wait())
        await asyncio.wait({ended}, timeout=float(seconds) * share)
        ended.cancel()
