"""A real agent and a real nginx keep users whole by themselves while new fails. Requests are counted at the backends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.playground.world import addresses, backends, names, wire
from tests.integration.one_proxy import NEW_HOST, OLD_HOST, CountsOfUsers, OneProxy

QUICK = "    health: {interval: 1s, failures: 2}\n    breaker: {failures: 5, pause: 1s}\n"
PEERS = "ferry-agents.migration-system.svc"


class PostsFail(backends.Application):
    """Everything but POST is answered well: no probe, and nothing of nginx itself, can see that it fails."""

    def __init__(self) -> None:
        super().__init__("new")
        self.counts = CountsOfUsers()
        self.failing = False

    async def answer(self, head: wire.Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if head.first != "POST" or not self.failing:
            return await super().answer(head, reader, writer)
        await wire.body(reader, wire.request_framing(head), most=0)
        writer.write(wire.answer(503, b"not now\n", close=False))
        await writer.drain()
        return True


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[OneProxy]:
    one = OneProxy(tmp_path)
    one.health = QUICK
    try:
        await one.start()
        yield one
    finally:
        await one.stop()


async def statuses(proxy: OneProxy, method: str, count: int, *, at_once: int = 8) -> list[int]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:

        async def one() -> int:
            url = f"http://{proxy.address}:{proxy.ports['proxy']}/y"
            async with session.request(method, url, headers={"Host": OLD_HOST}) as answer:
                await answer.read()
                return answer.status

        return await asyncio.gather(*(one() for _ in range(count)))


def api(says: Callable[[dict[str, Any]], bool]) -> Callable[[dict[str, Any]], bool]:
    return lambda report: says(report["services"]["api"])


def suppressed_to(percent: int | None) -> Callable[[dict[str, Any]], bool]:
    return api(lambda one: one["suppression"] == percent)


def latched(one: dict[str, Any]) -> list[str]:
    return [hold for hold in one["holds"] if hold.startswith("latch-")]


async def test_posts_answered_503_open_it_though_probes_are_well_and_when_they_are_well_it_ends_by_itself(
    proxy: OneProxy,
) -> None:
    application = proxy.new.application = PostsFail()
    await proxy.raised(100, expected=0)
    assert await statuses(proxy, "POST", 20) == [200] * 20
    application.failing = True
    assert set(await statuses(proxy, "POST", 10)) == {503}, "each was sent: nobody may send it again"
    await proxy.eventually(api(lambda one: one["served"] == 0))
    await proxy.eventually(lambda report: "tries at the new cluster failed" in report["services"]["api"]["because"])
    await proxy.eventually_metric(("ferry_agent_breaker_openings_total", "api"), 1)
    assert (await proxy.metrics())["ferry_agent_new_cluster_up", "api"] == 1
    application.failing = False
    await proxy.eventually(suppressed_to(1))
    await proxy.eventually(suppressed_to(None))
    assert await proxy.served(30) == 30
    assert (await proxy.report())["services"]["api"]["holds"] == []


async def test_one_percent_of_failures_at_random_open_nothing(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    proxy.new.knobs.error_share = 0.01
    answered = await statuses(proxy, "POST", 3000, at_once=16)
    await proxy.eventually(api(lambda one: one["traffic"]["attempts_new"] == 3000))
    report = (await proxy.report())["services"]["api"]
    assert report["traffic"]["failed_new"] == answered.count(500) > 0
    assert (report["served"], report["suppression"]) == (100, None)
    assert (await proxy.metrics())["ferry_agent_breaker_openings_total", "api"] == 0


async def test_a_new_cluster_that_is_killed_is_left_alone_and_gets_its_share_back_when_it_returns(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await proxy.new.stop()
    assert set(await statuses(proxy, "GET", 40)) == {200}
    await proxy.eventually(suppressed_to(0))
    assert set(await statuses(proxy, "POST", 40)) == {200}, "no request even tries it now"
    await proxy.eventually_metric(("ferry_agent_new_cluster_up", "api"), 0)
    await proxy.new.start()
    await proxy.eventually(suppressed_to(None))
    report = (await proxy.report())["services"]["api"]
    assert (report["served"], report["holds"]) == (100, [])
    assert await proxy.served(30) == 30


async def test_without_any_traffic_the_probe_alone_suppresses_it(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    proxy.new.knobs.status = 503
    await proxy.eventually(suppressed_to(0))
    assert await proxy.served(30) == 0
    proxy.new.knobs.status = 200
    await proxy.eventually(suppressed_to(None))


async def test_a_long_outage_with_the_api_away_is_held_by_the_agent_itself_until_a_record_ends_it(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await proxy.agent_restarted(FERRY_LATCH_AFTER="2")
    await proxy.eventually_metric(("ferry_agent_new_cluster_up", "api"), 1)
    await proxy.cluster.stop()
    await proxy.new.stop()
    await proxy.eventually(api(lambda one: len(latched(one)) == 1))
    [words] = (await proxy.report())["services"]["api"]["pushed"]
    assert "the new cluster has been down for 2 s" in words["reason"]
    assert words["by"] == "proxy-127-0-0-1"
    latch = words["id"]
    await proxy.cluster.start()
    await proxy.new.start()
    await proxy.eventually_metric(("ferry_agent_new_cluster_up", "api"), 1)
    await proxy.record(100, expected=1)
    await proxy.eventually(api(lambda one: one["generation"] == 2))
    await proxy.agent_restarted()
    await proxy.eventually_metric(("ferry_agent_new_cluster_up", "api"), 1)
    assert latched((await proxy.report())["services"]["api"]) == [latch]
    assert await proxy.served(50) == 0
    assert (await proxy.metrics())["ferry_agent_latched", "api"] == 1
    await proxy.raised(100, expected=2, clears=(latch,))
    assert await proxy.served(50) == 50


async def test_an_agent_that_restarts_while_new_is_down_raises_nothing_before_it_is_well(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await proxy.new.stop()
    await proxy.eventually(api(lambda one: one["served"] == 0))
    await proxy.cluster.stop()
    proxy.agent.kill()
    await proxy.agent.wait()
    await proxy.start_agent()
    await proxy.eventually(lambda report: report["ready"])
    await proxy.eventually_metric(("ferry_agent_new_cluster_up", "api"), 0)
    assert (await proxy.report())["services"]["api"]["served"] == 0
    await proxy.new.start()
    await proxy.eventually(suppressed_to(None))
    assert await proxy.served(30) == 30, "the API is not needed for that"
    await proxy.cluster.start()


async def test_a_proxy_that_alone_cannot_reach_new_keeps_away_from_it_and_holds_nobody(tmp_path: Path) -> None:
    network = addresses.PodNetwork()
    network.start()
    proxy = OneProxy(tmp_path / "first", address=network.next_pod_ip())
    cut_off = OneProxy(tmp_path / "second", address=network.next_pod_ip())
    for one in (proxy, cut_off):
        one.folder.mkdir(exist_ok=True)
        one.health = QUICK
    other_dns = names.NameServer()
    try:
        await proxy.start()
        await proxy.raised(100, expected=0)
        await other_dns.start()
        for known in (proxy.dns, other_dns):
            known.put(PEERS, [proxy.address, cut_off.address])
            known.put("app.team.svc.cluster.local", [proxy.old.address])
        other_dns.put(NEW_HOST, [network.next_pod_ip()])
        more = {"FERRY_PEERS": PEERS, "FERRY_LATCH_AFTER": "2"}
        await proxy.agent_restarted(**more)
        await cut_off.start_beside(proxy, **more, FERRY_RESOLVER=f"127.0.0.1:{other_dns.port}")
        await cut_off.eventually(lambda report: any("only this proxy keeps users at the old" in one for one in report["trouble"]))
        report = (await cut_off.report())["services"]["api"]
        assert (report["served"], report["holds"]) == (0, [])
        assert await proxy.served(30) == 30
        await proxy.new.stop()
        await cut_off.eventually(api(lambda one: len(latched(one)) == 1))
        await proxy.eventually(api(lambda one: len(latched(one)) == 1))
        made = [latched((await one.report())["services"]["api"]) for one in (proxy, cut_off)]
        assert made[0] == made[1], "one outage, one hold"
    finally:
        await cut_off.stop_processes()
        await other_dns.stop()
        await proxy.stop()
        network.stop()
