"""Child processes of the playground: started, watched until ready, paused, restarted, stopped; none outlives its parent."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import aiohttp

Ready = Callable[[], Awaitable[bool]]
_POLL_SECONDS = 0.05
_LAST_OF_LOG = 2000
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class NotReady(RuntimeError):
    """A process ended or did not become ready in time; the text has the end of its log."""


class Child:
    """One program with its own process group, its output in `folder`/NAME.log (appended over restarts).

    Linux tells it to end (`TERM`) when its parent dies, however that dies; elsewhere only an orderly stop ends it.
    `environment`: all of the child's variables; None inherits.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        folder: Path,
        ready: Ready | None = None,
        ready_within: float = 20.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.argv = [str(part) for part in argv]
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._ready = ready
        self._ready_within = ready_within
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self.paused = False

    @property
    def pid(self) -> int:
        """Of the running process. Raises RuntimeError when it does not run."""
        if self._process is None or self._process.returncode is not None:
            raise RuntimeError(f"{self.name} does not run: start it first")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Started and not ended (a paused process runs)."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Starts it and waits until it is ready. Raises NotReady (and leaves nothing running); does nothing when it runs."""
        if self.running:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self.argv, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment,
                    process_group=0, preexec_fn=_end_with(os.getpid()),
                )  # fmt: skip
            except FileNotFoundError as error:
                raise NotReady(f"{self.name} cannot start: {self.argv[0]} is not installed; run `make setup` first") from error
        self.paused = False
        try:
            async with asyncio.timeout(self._ready_within):
                await self._until_ready(self._process)
        except TimeoutError as error:
            await self.stop(limit=0.5)
            raise NotReady(
                f"{self.name} was not ready within {self._ready_within:g} s; its log ends with: {self._tail()}"
            ) from error
        except BaseException:
            await self.stop(limit=0.5)
            raise

    async def stop(self, *, limit: float = 5.0) -> None:
        """TERM, then after `limit` seconds KILL for it and its group. Waits until it is gone."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self.proceed()
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(limit):
                await process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """KILL for it and everything in its group, at once: a crash. Waits until it is gone."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def restart(self) -> None:
        """Orderly stop, then start."""
        await self.stop()
        await self.start()

    def pause(self) -> None:
        """Freezes it (connections stay open, nothing answers) until `proceed`."""
        self.send(signal.SIGSTOP)
        self.paused = True

    def proceed(self) -> None:
        """Ends a pause; without one it does nothing."""
        if self.paused:
            self.send(signal.SIGCONT)
            self.paused = False

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process; one that has just ended gets none."""
        if self.running and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def wait(self) -> int:
        """Waits until it ends by itself: its return code, negative for a signal."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started: start it first")
        return await self._process.wait()

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        if self._ready is None:
            return
        while not await self._ready():
            if process.returncode is not None:
                raise NotReady(
                    f"{self.name} ended with code {process.returncode} at its start; its log ends with: {self._tail()}"
                )
            await asyncio.sleep(_POLL_SECONDS)

    def _tail(self) -> str:
        return self.log.read_bytes()[-_LAST_OF_LOG:].decode("utf-8", "replace").strip() or "(nothing)"


def _end_with(parent: int) -> Callable[[], None] | None:
    """What the child does between fork and exec, where Linux can do it: ask to be ended with its parent."""
    libc = _LIBC
    if libc is None:
        return None

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before the request was made
            os._exit(1)

    return ask


async def answers(url: str) -> bool:
    """Whether a GET of this address gets 200: a readiness check."""
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session, session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
