"""A whole agent beside a real nginx: before anything is approved, it tells how the keys of a sticky service spread."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.one_proxy import OneProxy

COOKIE = '    sticky: "cookie:session"\n'


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[OneProxy]:
    one = OneProxy(tmp_path)
    try:
        await one.start()
        yield one
    finally:
        await one.stop()


def spread(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = report["services"]["api"]["spread"] or {}
    return found


async def test_an_agent_reports_the_spread_of_the_key_that_nginx_decides_by(proxy: OneProxy) -> None:
    await proxy.eventually(lambda report: "api" in report["services"])
    assert spread(await proxy.report()) == {}
    await proxy.wish(0, extra=COOKIE)
    await proxy.eventually(lambda report: spread(report).get("key") == "cookie:session")
    for user in (1, 1, 1, 2, 3):
        assert (await proxy.answer(Cookie=f"session=user-{user}"))[0] == 200
    await proxy.eventually(lambda report: sum(spread(report)["recent"]) == 5)
    said = spread(await proxy.report())
    assert 2 <= sum(1 for count in said["recent"] if count) <= 3
    assert max(said["recent"]) >= 3
    assert (said["quick"], said["quick_new"]) == (said["recent"], 0)
    await proxy.wish(0)
    await proxy.eventually(lambda report: spread(report) == {})
