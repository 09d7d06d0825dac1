"""One proxy whole obeys wish, record and hold, and nothing else. Requests are counted at the backends."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from k8s import client, holds, model
from tests.integration.one_proxy import NAMESPACE, OneProxy


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[OneProxy]:
    one = OneProxy(tmp_path)
    try:
        await one.start()
        yield one
    finally:
        await one.stop()


async def test_a_wish_alone_moves_nothing_and_a_signed_record_moves_its_share(proxy: OneProxy) -> None:
    await proxy.wish(100)
    await proxy.eventually(lambda report: "no signed record" in report["services"]["api"]["because"])
    assert await proxy.served(200) == 0
    await proxy.wish(0)
    await proxy.raised(25, expected=0)  # an edit down just before a record may be seen after it, and is no later edit
    assert 320 < await proxy.served(2000) < 690, "25% of 2,000: far outside chance otherwise"
    await proxy.raised(100, expected=1)
    assert await proxy.served(300) == 300


async def test_one_patch_of_the_holds_stops_it_and_deleting_the_key_brings_nothing_back(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await holds.HoldBook(proxy.api, NAMESPACE).place(model.Hold("api", "oncall", reason="it burns"))
    await proxy.eventually(lambda report: report["services"]["api"]["served"] == 0)
    assert await proxy.served(100) == 0
    await proxy.api.delete(client.CONFIG_MAPS, NAMESPACE, "migration-holds")
    await proxy.wish(0)
    await proxy.wish(100)
    await proxy.record(100, expected=1)
    await proxy.eventually(lambda report: report["services"]["api"]["generation"] == 2)
    assert await proxy.served(100) == 0
    await proxy.raised(100, expected=2, clears=("oncall",))
    assert await proxy.served(50) == 50


async def test_a_hand_edit_lowers_even_when_it_breaks_another_line_and_never_raises(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await proxy.wish(0, extra="    no_such_field: 1\n")
    await proxy.eventually(lambda report: report["services"]["api"]["served"] == 0)
    assert await proxy.served(100) == 0
    await proxy.wish(100)
    await proxy.eventually(lambda report: not any("refused" in sentence for sentence in report["trouble"]))
    assert await proxy.served(100) == 0


async def test_a_pushed_hold_needs_the_token_and_survives_the_agents_death(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    assert await proxy.push("api", "direct", token="wrong") == 401
    assert await proxy.served(20) == 20
    assert await proxy.push("all", "direct", reason="5xx", cause="fp-1") == 200
    assert await proxy.served(100) == 0, "the answer came after the link had moved"
    proxy.agent.kill()
    await proxy.agent.wait()
    await proxy.start_agent()
    await proxy.eventually(lambda report: report["ready"] and report["services"]["api"]["holds"] == ["direct"])
    words = {"service": "all", "id": "direct", "reason": "5xx", "by": "", "since": "", "cause": "fp-1"}
    report = await proxy.report()
    assert report["services"]["api"]["pushed"] == [words]
    assert report["memory"]["orders"] == {"all": [words], "api": [words]}
    assert await proxy.served(100) == 0


async def test_with_the_api_gone_the_last_approved_weight_stays_and_a_push_still_lowers(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await proxy.cluster.stop()
    assert await proxy.served(50) == 50
    assert await proxy.push("api", "direct") == 200
    assert await proxy.served(100) == 0
    await proxy.cluster.start()
    await proxy.record(100, expected=1)
    await proxy.eventually(lambda report: report["services"]["api"]["generation"] == 2)
    assert await proxy.served(50) == 0, "a record that does not name the hold clears nothing"
