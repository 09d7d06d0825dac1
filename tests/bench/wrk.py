"""Load from `wrk`: one run, and what it counted."""

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """Seconds; `failed`: answers of 400 and above, and connections refused, cut or silent."""

    requests: int
    seconds: float
    p50: float
    p99: float
    longest: float
    failed: int
    kinds: str

    @property
    def a_second(self) -> float:
        return self.requests / self.seconds


async def load(
    url: str,
    *,
    host: str,
    seconds: float,
    connections: int = 32,
    threads: int = 1,
    method: str = "GET",
    body: str = "",
    pinned: tuple[str, ...] = (),
) -> Load:
    """As many requests as `connections` keep-alive connections get answered. Raises RuntimeError when wrk cannot run."""
    program = shutil.which("wrk")
    if program is None:
        raise RuntimeError("wrk is not here: run deploy/bootstrap.sh, which installs it")
    process = await asyncio.create_subprocess_exec(
        *pinned, program, f"-t{threads}", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "60s",
        "-H", f"Host: {host}", "-s", str(_SCRIPT), url, "--", method, *([body] if body else []),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        output, complaint = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    lines = [line for line in output.decode().splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        raise RuntimeError(f"wrk could not load {url}: {complaint.decode().strip() or output.decode().strip()[-300:]}")
    found = json.loads(lines[-1])
    kinds = {name: found[name] for name in ("status", "connect", "read", "write", "timeout")}
    return Load(
        requests=found["requests"],
        seconds=found["duration"] / 1e6,
        p50=found["p50"] / 1e6,
        p99=found["p99"] / 1e6,
        longest=found["longest"] / 1e6,
        failed=sum(kinds.values()),
        kinds=", ".join(f"{count} {name}" for name, count in kinds.items() if count),
    )
