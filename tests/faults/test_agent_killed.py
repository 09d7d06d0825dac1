"""The agent is killed at every moment of a change of structure: nginx always has a configuration that it can start with, and the
agent that comes next brings it to what is asked.
"""

from pathlib import Path

import pytest

from tests.faults.faulty_proxy import faulty, until

POINTS = [
    "candidate written, before its test",
    "swapped in, before the reload",
    "reloaded, before it is verified",
    "verified, before it is remembered",
    "remembered",
]


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_any_moment_of_a_change_it_is_finished_by_the_next_agent(tmp_path: Path, point: str) -> None:
    async with faulty(tmp_path) as proxy:
        await proxy.raised(100, expected=0)
        before = await proxy.generation()
        proxy.agent.kill()
        await proxy.agent.wait()
        await proxy.wish(100, extra="    timeout: 7s\n")
        await proxy.start_dying_agent(point)
        assert await proxy.agent.wait() == -9, "it came to that moment"
        assert await proxy.nginx_accepts()
        assert await proxy.served(20) == 20, "nginx goes on by itself"
        await proxy.start_agent()
        await proxy.eventually(lambda report: report["ready"] and report["config"] not in {before, ""})
        assert await proxy.generation() != before
        assert "7000ms" in (proxy.run / "nginx.conf").read_text()
        await proxy.eventually(lambda report: report["trouble"] == [] and report["services"]["api"]["applied"])
        assert await proxy.served(20) == 20
        await until(lambda: not [*proxy.run.glob("*.candidate"), *proxy.run.glob("*.new")])
