"""The agent has no file descriptors left: nginx goes on without it, and it is whole again when there are some."""

import resource
from pathlib import Path

from tests.faults.faulty_proxy import faulty, until


async def test_without_descriptors_nginx_goes_on_and_the_agent_catches_up_afterwards(tmp_path: Path) -> None:
    async with faulty(tmp_path) as proxy:
        await proxy.raised(100, expected=0)
        before = await proxy.generation()
        log = tmp_path / "agent.log"
        enough = resource.prlimit(proxy.agent.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(proxy.agent.pid, resource.RLIMIT_NOFILE, (3, enough[1]))
        await proxy.wish(100, extra="    timeout: 7s\n")
        for _ in range(20):
            await proxy.served(50)  # every one is answered; an agent that can ask nobody may take new for down
        assert (await proxy.generation(), await proxy.nginx_accepts()) == (before, True)
        await until(lambda: "Too many open files" in log.read_text() or proxy.agent.returncode is not None)
        if proxy.agent.returncode is None:
            resource.prlimit(proxy.agent.pid, resource.RLIMIT_NOFILE, enough)
        else:
            await proxy.start_agent()  # as its container would
        await proxy.eventually_reloaded_with("7000ms")
        await proxy.eventually(lambda report: report["services"]["api"]["served"] == 100)
        assert await proxy.served(50) == 50
        await proxy.wish(0)
        await proxy.eventually(lambda report: report["services"]["api"]["served"] == 0)
        assert await proxy.served(50) == 0
