"""One proxy whole obeys wish, record and hold, and nothing else. Requests are counted at the backends."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from k8s import client, holds, model
from tests.integration.one_proxy import NAMESPACE, OLD_HOST, OneProxy, document, entry


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


async def test_an_agent_that_restarts_without_dns_goes_on_with_the_addresses_it_knew_and_says_so(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    proxy.dns.failing = True
    await proxy.agent_restarted()
    await proxy.eventually(lambda report: any("does not resolve now" in sentence for sentence in report["trouble"]))
    assert await proxy.served(50) == 50
    assert await proxy.push("api", "direct") == 200
    assert await proxy.served(50) == 0, "the way to the old cluster is known too"
    before = (await proxy.report())["config"]
    await proxy.wish(100, extra="    timeout: 7s\n")
    await proxy.eventually(lambda report: report["config"] not in {before, ""})
    assert await proxy.served(50) == 0, "the structure changes meanwhile, by the known addresses"
    proxy.dns.failing = False
    await proxy.eventually(lambda report: report["trouble"] == [])


async def test_a_fresh_proxy_without_dns_is_unready_and_takes_up_service_when_dns_is_back(tmp_path: Path) -> None:
    proxy = OneProxy(tmp_path)
    try:
        await proxy.start_world()
        shop = entry(0, proxy.new.port, proxy.old.port, name="shop", old_host="shop.old.example")
        await proxy.apply(document(0, proxy.new.port, proxy.old.port, extra=shop))
        proxy.dns.failing = True
        await proxy.start_agent()
        await proxy.eventually(lambda report: any("no service's old cluster" in sentence for sentence in report["trouble"]))
        assert (await proxy.report())["ready"] is False
        assert not proxy.config_written()
        proxy.dns.failing = False
        await proxy.begin()
        assert await proxy.served(20) == 0
    finally:
        await proxy.stop()


async def test_a_name_that_does_not_resolve_keeps_no_other_service_back_and_takes_no_known_backend_away(proxy: OneProxy) -> None:
    wrong = entry(0, proxy.new.port, proxy.old.port, name="shop", old_host="shop.old.example", backend="typo.team.svc")
    await proxy.wish(0, extra=wrong)
    await proxy.eventually(lambda report: any("shop: typo.team.svc has no known address" in one for one in report["trouble"]))
    await proxy.record(100, expected=0, ca="ca.pem")
    await proxy.wish(100, extra=wrong)
    await proxy.eventually(lambda report: report["services"]["api"]["served"] == 100)
    report = await proxy.report()
    assert (report["ready"], await proxy.served(20), await proxy.asked("shop.old.example")) == (True, 20, 502)
    await proxy.apply("services:\n" + entry(0, proxy.new.port, proxy.old.port, backend="typo.team.svc"))
    await proxy.eventually(lambda report: any("go to app.team.svc" in sentence for sentence in report["trouble"]))
    await proxy.eventually(lambda report: report["services"]["api"]["served"] == 0)
    assert await proxy.served(20) == 0


async def test_a_service_taken_out_of_the_document_is_still_answered_by_old_and_the_agent_says_so(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    shop = "services:\n" + entry(0, proxy.new.port, proxy.old.port, name="shop", old_host="shop.old.example")
    before = (await proxy.report())["config"]
    await proxy.apply(shop)
    await proxy.eventually(lambda report: report["config"] not in {before, ""})
    await proxy.eventually(lambda report: any("does not name api any more" in sentence for sentence in report["trouble"]))
    await proxy.eventually(lambda report: report["services"]["api"]["served"] == 0)
    assert (await proxy.served(50), await proxy.asked("shop.old.example")) == (0, 200)
    await proxy.agent_restarted()
    await proxy.apply(shop + "    timeout: 7s\n")
    await proxy.eventually(lambda report: any("does not name api any more" in sentence for sentence in report["trouble"]))
    assert await proxy.served(50) == 0, "also by an agent that never read the entry itself"
    renamed = entry(0, proxy.new.port, proxy.old.port, name="interface")
    await proxy.apply(shop + renamed)
    await proxy.eventually(lambda report: "interface" in report["services"] and report["trouble"] == [])
    assert await proxy.served(50) == 0
    await proxy.api.delete(client.CONFIG_MAPS, NAMESPACE, "migration-config")
    await proxy.eventually(lambda report: any("does not name interface" in sentence for sentence in report["trouble"]))
    assert (await proxy.served(50), (await proxy.report())["ready"]) == (0, True)


async def test_a_proxy_is_ready_before_there_is_a_document_and_serves_it_when_it_comes(tmp_path: Path) -> None:
    proxy = OneProxy(tmp_path)
    try:
        await proxy.start_world()
        await proxy.start_agent()
        await proxy.begin()
        assert await proxy.asked(OLD_HOST) == 421
        await proxy.wish(0)
        await proxy.eventually(lambda report: "api" in report["services"] and report["trouble"] == [])
        await proxy.raised(100, expected=0)
        assert await proxy.served(20) == 20
    finally:
        await proxy.stop()


async def test_a_fresh_proxy_waits_for_a_document_that_can_be_read(tmp_path: Path) -> None:
    proxy = OneProxy(tmp_path)
    try:
        await proxy.start_world()
        await proxy.apply("services: [oh no\n")
        await proxy.start_agent()
        await proxy.eventually(lambda report: any("is refused" in sentence for sentence in report["trouble"]))
        assert (await proxy.report())["ready"] is False
        await proxy.wish(0)
        await proxy.begin()
        assert await proxy.served(20) == 0
    finally:
        await proxy.stop()
