"""However fast people edit, nginx is reloaded at a measured pace: every old worker that still ends costs memory."""

import asyncio
from pathlib import Path

from tests.faults.faulty_proxy import FaultyProxy

SPACING = 1.0


async def reloads_of(proxy: FaultyProxy) -> float:
    return (await proxy.metrics())["ferry_agent_reloads_total",]


async def test_a_storm_of_edits_is_a_handful_of_reloads_and_ends_at_the_last_one(tmp_path: Path) -> None:
    proxy = FaultyProxy(tmp_path)
    try:
        await proxy.start()
        await proxy.agent_restarted(FERRY_RELOAD_SPACING=str(SPACING))
        await proxy.raised(100, expected=0)
        clock = asyncio.get_running_loop()
        before, began, edits, reloads = await reloads_of(proxy), clock.time(), 0, 0.0
        while reloads < 4:
            edits += 1
            await proxy.wish(100, extra=f"    timeout: {edits}s\n")
            assert await proxy.served(4) == 4
            reloads = await reloads_of(proxy) - before
        assert reloads <= (clock.time() - began) / SPACING + 1
        assert edits > 2 * reloads, "this was no storm"
        await proxy.eventually_reloaded_with(f"proxy_read_timeout {edits}000ms")
        await proxy.wish(0)
        await proxy.eventually(lambda report: report["services"]["api"]["served"] == 0)
        assert await proxy.served(50) == 0
    finally:
        await proxy.stop()
