"""nginx as the agent sees it: test a config, swap it in, reload, and then ask nginx itself what it serves.

Exit codes prove nothing: `nginx -t` and `nginx -s reload` both succeed while the old config keeps serving (a taken port
is enough). Only an answer over a fresh connection counts.
"""

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from k8s import nginx
from k8s.agent import nginx_watch

ASK_EVERY = 0.05  # seconds
TEST_LIMIT = 30.0  # seconds; 1,000 services take about half a second
TAKES = 60.0  # seconds until a reload counts as failed; 1,000 services have taken 14 on a busy machine
EMERGENCY = "[emerg] "  # how nginx marks, in its error log, why it does not take a configuration
STILL_TRYING = "bind() to"  # it tries five times before it gives up
LONGEST = 300  # characters of what nginx says, in one of our sentences
SECRET = re.compile(
    r"[0-9a-fA-F]{32,}"
)  # every secret that a configuration may hold (model.OVERRIDE_SECRET) lies within such a run


@dataclass(frozen=True, slots=True)
class Outcome:
    """`served`: the generation nginx itself names ('' if it does not answer). `trouble`: a sentence, empty if applied.

    `refused`: nginx was asked to take the config and did not; False also when no nginx is there to take it. `reloaded`: it was
    swapped in and nginx was told, whatever came of it.
    """

    served: str
    trouble: str = ""
    refused: bool = False
    reloaded: bool = False


class NginxProcess:
    """`binary` tests configs; the running nginx is found by its pid file in `run`. It is started by its own container."""

    def __init__(self, *, binary: Path, run: Path, status_url: str) -> None:
        self._binary = binary
        self._run = run
        self._config = run / "nginx.conf"
        self._errors = (run / "error.log.1", run / "error.log")  # what was put aside was said first
        self._status_url = status_url

    async def complaint(self, text: str) -> str:
        """What nginx says against this configuration, tested and not swapped in; empty when it has nothing to say.

        Raises OSError when it cannot be written.
        """
        candidate = self._config.with_suffix(".candidate")
        try:
            _write_private(candidate, text)
            return await self._test(candidate)
        finally:
            with contextlib.suppress(OSError):  # a folder that is full has no room for what is of no use
                candidate.unlink(missing_ok=True)

    def has(self, text: str) -> bool:
        """Whether this is the configuration that nginx would start with now."""
        try:
            return self._config.read_text() == text
        except (OSError, ValueError):
            return False

    async def apply(self, rendered: nginx.Rendered, *, limit: float = TAKES) -> Outcome:
        """Swap in a configuration that was tested, reload, verify. On any failure the last good one is back on disk."""
        fresh, last_good = self._config.with_suffix(".new"), self._config.with_suffix(".last")
        try:
            _write_private(fresh, rendered.text)
            last_good.unlink(missing_ok=True)
            if self._config.exists():
                last_good.hardlink_to(self._config)
            fresh.replace(self._config)
        except OSError as error:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            return Outcome(await self.served(), not_written(error))
        said = self._said()
        self.reload()
        served, why = await self._wait_for(rendered.generation, limit=limit, said=said)
        if served == rendered.generation:
            return Outcome(served, reloaded=True)
        with contextlib.suppress(OSError):
            if last_good.exists():
                last_good.replace(self._config)
        because = f" ({why})" if why else ""
        return Outcome(
            served,
            f"nginx was reloaded but serves {served or 'nothing'} instead of {rendered.generation}{because}; the last good"
            " configuration is back on disk, and it is tried again every few seconds",
            refused=bool(served),
            reloaded=True,
        )

    def reload(self) -> bool:
        """HUP to the master; False if none runs (its container starts it with the config that lies there)."""
        return self._signal(signal.SIGHUP)

    def reopen_logs(self) -> bool:
        """USR1 to the master; False if none runs."""
        return self._signal(signal.SIGUSR1)

    def _signal(self, number: signal.Signals) -> bool:
        with contextlib.suppress(OSError):
            if (master := nginx_watch.master_of(self._run)) is not None:
                os.kill(master.pid, number)
                return True
        return False

    async def served(self) -> str:
        """The generation nginx names over a fresh connection; empty when it does not answer."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0)) as session,
                session.get(self._status_url, headers={"Connection": "close"}) as answer,
            ):
                return (await answer.text()).strip() if answer.status == 200 else ""
        except (aiohttp.ClientError, TimeoutError):
            return ""

    async def _wait_for(self, generation: str, *, limit: float, said: Mapping[int, int]) -> tuple[str, str]:
        """What nginx serves then, and why it is not this generation, if nginx has said so."""
        reasons, end = list[str](), time.monotonic() + limit
        while True:  # nginx announces nothing: asking is the only way
            given_up = any(not one.startswith(STILL_TRYING) for one in reasons)
            served = await self.served()
            if served == generation or given_up or time.monotonic() >= end:
                return served, reasons[0] if reasons else ""
            await asyncio.sleep(ASK_EVERY)
            more, said = self._reasons(said)
            reasons += more

    def _said(self) -> dict[int, int]:
        """How much stands in nginx's error logs by now, in bytes, by inode: a log may get another name meanwhile."""
        said = {}
        for path in self._errors:
            with contextlib.suppress(OSError):
                found = path.stat()
                said[found.st_ino] = found.st_size
        return said

    def _reasons(self, said: Mapping[int, int]) -> tuple[list[str], dict[int, int]]:
        """Why nginx did not take a configuration, as it has said since then, and how much it has said by now; none of it is
        about a request. Of every line once: while a cluster fails there are many.
        """
        lines, now = list[str](), dict(said)
        for path in self._errors:
            with contextlib.suppress(OSError), path.open("rb") as log:
                found = os.fstat(log.fileno())
                before = said.get(found.st_ino, 0)
                begin = before if before <= found.st_size else 0  # it is another file, or was cut short
                log.seek(begin)
                whole, end, _ = log.read().rpartition(b"\n")
                lines += whole.decode(errors="replace").splitlines()
                now[found.st_ino] = begin + len(whole) + len(end)
        return [_reason(line) for line in lines if EMERGENCY in line], now

    async def _test(self, config: Path) -> str:
        """Empty when nginx accepts the file, else its complaint in one line."""
        process = await asyncio.create_subprocess_exec(
            str(self._binary), "-t", "-q", "-c", str(config), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            async with asyncio.timeout(TEST_LIMIT):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return f"nginx -t took longer than {TEST_LIMIT:.0f} s"
        if process.returncode == 0:
            return ""
        lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
        serious = [line for line in lines if EMERGENCY in line] or lines  # warnings may stand before it
        return _reason(serious[0]) if serious else f"nginx -t ended with {process.returncode}"


def _reason(line: str) -> str:
    """What nginx says, without its clock, numbers of processes, and testers' secrets."""
    said = SECRET.sub("(a secret)", line.partition(EMERGENCY)[2].partition(": ")[2] or line)
    return "".join(character for character in said if character.isprintable())[:LONGEST]


def _write_private(path: Path, text: str) -> None:
    """Testers' secrets stand in it. Who may signal nginx is the user of nginx's master, or root, and so is who may read this."""
    path.touch(mode=0o600)
    path.chmod(0o600)  # it may be there already
    path.write_text(text)


def not_written(error: OSError) -> str:
    """The sentence for a configuration that could not be put on disk."""
    return (
        f"the new nginx config could not be written ({error.strerror}); the last good one stays, holds and weights work on: make"
        " room in the run folder that the agent shares with nginx, it is tried again every few seconds"
    )
