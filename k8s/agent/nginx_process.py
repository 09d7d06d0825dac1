"""nginx as the agent sees it: test a config, swap it in, reload, and then ask nginx itself what it serves.

Exit codes prove nothing: `nginx -t` and `nginx -s reload` both succeed while the old config keeps serving (a taken port
is enough). Only an answer over a fresh connection counts.
"""

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from k8s import nginx

ASK_EVERY = 0.05  # seconds
TEST_LIMIT = 30.0  # seconds; 1,000 services take about half a second


@dataclass(frozen=True, slots=True)
class Outcome:
    """`served`: the generation nginx itself names ('' if it does not answer). `trouble`: a sentence, empty if applied.

    `refused`: nginx was asked to take the config and did not; False also when no nginx is there to take it.
    """

    served: str
    trouble: str = ""
    refused: bool = False


class NginxProcess:
    """`binary` tests configs; the running nginx is found by its pid file in `run`. It is started by its own container."""

    def __init__(self, *, binary: Path, run: Path, status_url: str) -> None:
        self._binary = binary
        self._run = run
        self._config = run / "nginx.conf"
        self._status_url = status_url

    async def apply(self, rendered: nginx.Rendered, *, limit: float = 10.0) -> Outcome:
        """Test, swap, reload, verify. On any failure the last good config is back on disk and keeps serving."""
        fresh, last_good = self._config.with_suffix(".candidate"), self._config.with_suffix(".last")
        try:
            fresh.write_text(rendered.text)
            last_good.unlink(missing_ok=True)
            if self._config.exists():
                last_good.hardlink_to(self._config)
        except OSError as error:
            return Outcome(
                await self.served(), f"the new nginx config could not be written ({error.strerror}); the last good one stays"
            )
        if complaint := await self._test(fresh):
            sentence = f"nginx refuses the new config ({complaint}); the last good one stays"
            return Outcome(await self.served(), sentence, refused=True)
        fresh.replace(self._config)
        self.reload()
        served = await self._wait_for(rendered.generation, limit=limit)
        if served == rendered.generation:
            return Outcome(served)
        if last_good.exists():
            last_good.replace(self._config)
        return Outcome(
            served,
            f"nginx was reloaded but serves {served or 'nothing'} instead of {rendered.generation}; last good config restored",
            refused=bool(served),
        )

    def reload(self) -> bool:
        """HUP to the master; False if none runs (its container starts it with the config that lies there)."""
        return self._signal(signal.SIGHUP)

    def reopen_logs(self) -> bool:
        """USR1 to the master; False if none runs."""
        return self._signal(signal.SIGUSR1)

    def _signal(self, number: signal.Signals) -> bool:
        try:
            os.kill(int((self._run / "nginx.pid").read_text()), number)
        except (OSError, ValueError):
            return False
        return True

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

    async def _wait_for(self, generation: str, *, limit: float) -> str:
        served = ""
        for _ in range(max(1, int(limit / ASK_EVERY))):  # nginx announces nothing: asking is the only way
            if (served := await self.served()) == generation:
                break
            await asyncio.sleep(ASK_EVERY)
        return served

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
        return lines[0] if lines else f"nginx -t ended with {process.returncode}"
