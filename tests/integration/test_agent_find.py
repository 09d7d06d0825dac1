"""`ferry-agent find ID` beside a running agent and a real nginx: one id leads to everything about it, and to no secret."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.one_proxy import OLD_HOST, OneProxy


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[OneProxy]:
    one = OneProxy(tmp_path)
    try:
        await one.start()
        yield one
    finally:
        await one.stop()


async def found(proxy: OneProxy, wanted: str) -> tuple[int, list[dict[str, Any]]]:
    """Its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "k8s.agent", "find", wanted),
        env={**os.environ, "FERRY_RUN_FOLDER": str(proxy.folder / "run")},
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in output.splitlines()]


async def eventually_found(proxy: OneProxy, wanted: str, *kinds: str) -> dict[str, list[dict[str, Any]]]:
    """By kind, once each of these is there: nginx and the journal write a moment later."""
    async with asyncio.timeout(25):
        while True:
            _, lines = await found(proxy, wanted)
            by_kind = {kind: [one for one in lines if one["kind"] == kind] for kind in kinds}
            if all(by_kind.values()):
                return by_kind


async def asked(proxy: OneProxy, wanted: str, path: str) -> int:
    url = f"http://{proxy.address}:{proxy.ports['proxy']}{path}"
    headers = {"Host": OLD_HOST, "X-Request-Id": wanted, "Authorization": "Bearer of-hunter2"}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status


async def test_a_request_that_old_saved_is_found_with_the_error_at_new_and_without_its_query(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await proxy.new.stop()
    assert await asked(proxy, "req-1", "/orders/17?token=hunter2") == 200
    lines = await eventually_found(proxy, "req-1", "access", "error")
    [access] = lines["access"]
    assert (access["service"], access["cluster"], access["uri"]) == ("api", "fallback", "/orders/17")
    assert {one["conn"] for one in lines["error"]} == {access["conn"]}
    assert all("connect() failed" in one["message"] for one in lines["error"])
    assert "hunter2" not in json.dumps(lines)
    assert (await found(proxy, "req-2"))[0] == 1
    await proxy.new.start()


async def test_a_hold_is_found_with_the_link_it_moved_and_how_long_that_took_and_so_is_its_operation(proxy: OneProxy) -> None:
    await proxy.raised(30, expected=0)
    await proxy.raised(60, expected=1)
    accepted = await eventually_found(proxy, "op-2", "audit", "timing")
    assert [one["generation"] for one in accepted["audit"] if one["what"] == "record accepted"] == [2]
    assert [(one["from"], one["to"]) for one in accepted["audit"] if one["what"] == "link moved"] == [(30, 60)]
    assert await proxy.push("api", "oncall-7", reason="it burns", by="ada") == 200
    held = await eventually_found(proxy, "oncall-7", "audit", "timing")
    moved = next(one for one in held["audit"] if one["what"] == "link moved")
    assert (moved["from"], moved["to"], moved["because"], moved["operation"]) == (60, 0, "held by oncall-7", "op-2")
    begun = next(one for one in held["audit"] if one["what"] == "hold begins")
    assert (begun["reason"], begun["by"], begun["source"]) == ("it burns", "ada", "told to the agent")
    assert [one["what"] for one in held["timing"]] == ["link moved"]
    assert held["timing"][0]["ms"] >= 0
    assert "oncall-7" in (proxy.folder / "agent.log").read_text(), "the same lines are on stdout"


async def test_a_breaker_that_opens_and_a_reload_are_told(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    generation = (await proxy.report())["config"]
    reload = await eventually_found(proxy, generation, "audit", "timing")
    assert reload["timing"][0]["what"] == reload["audit"][0]["what"] == "reload"
    await proxy.new.stop()
    for number in range(6):
        await asked(proxy, f"req-{number}", "/x")
    await proxy.eventually_metric(("ferry_agent_breaker_open", "api"), 1)
    told = (await eventually_found(proxy, "open", "audit"))["audit"]
    assert [(one["what"], one["service"], one["phase"]) for one in told] == [("breaker", "api", "open")]
    cut = next(one for one in (await eventually_found(proxy, "op-1", "audit"))["audit"] if one.get("suppression") == 0)
    assert (cut["from"], cut["to"]) == (100, 0)
    await proxy.new.start()
