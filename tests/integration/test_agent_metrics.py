"""What the agent counts is what the backends counted; what it says to Prometheus is what the shipped rules ask for."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from deploy.playground.world import addresses
from k8s import client, holds, model, signing
from tests.integration.one_proxy import NAMESPACE, OLD_HOST, OneProxy

RULES = Path(__file__).parents[2] / "deploy" / "monitoring" / "rules.yaml"
OF_THE_BOT = {"ferry_baseline_response_seconds"}
ONLY_WITH_A_CGROUP_OF_ITS_OWN = {"ferry_proxy_cpu_limit_ratio", "ferry_proxy_memory_limit_ratio"}


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[OneProxy]:
    one = OneProxy(tmp_path)
    one.health = "    health: {interval: 1s, failures: 2}\n"
    try:
        await one.start()
        yield one
    finally:
        await one.stop()


def traffic_is(**wanted: int) -> object:
    def seen(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> bool:
        traffic = report["services"]["api"]["traffic"]
        return {name: traffic[name] for name in wanted} == wanted

    return seen


async def answers(proxy: OneProxy, method: str, count: int) -> list[int]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16)) as session:

        async def one() -> int:
            url = f"http://{proxy.address}:{proxy.ports['proxy']}/y"
            async with session.request(method, url, headers={"Host": OLD_HOST}) as answer:
                await answer.read()
                return answer.status

        return await asyncio.gather(*(one() for _ in range(count)))


async def test_the_agent_counts_what_the_backends_counted(proxy: OneProxy) -> None:
    await proxy.raised(30, expected=0)
    await proxy.eventually_metric(("ferry_agent_new_cluster_up", "api"), 1)
    old_before = proxy.old.counts.total
    new = await proxy.served(2000)
    assert 450 < new < 750
    assert new + proxy.old.counts.total - old_before == 2000
    await proxy.eventually(traffic_is(new=new, old=2000 - new, attempts_new=new, failed_new=0, answered_new=new))
    metrics = await proxy.metrics()
    assert metrics["ferry_proxy_requests_total", "api", "new", "2xx"] == new
    assert metrics["ferry_proxy_requests_total", "api", "old", "2xx"] == 2000 - new
    assert metrics["ferry_proxy_attempts_total", "api", "new", "ok"] == new
    assert metrics["ferry_proxy_request_seconds_count", "api", "new"] == new
    assert metrics["ferry_proxy_answers_total", "api", "new", "200"] == new
    assert [metrics["ferry_proxy_chosen_total", "api", side] for side in ("new", "old")] == [new, 2000 - new]
    assert all(metrics["ferry_proxy_bytes_total", "api", "new", way] > 50 * new for way in ("in", "out"))
    assert (metrics["ferry_proxy_retries_total", "api"], metrics["ferry_agent_document_trouble",]) == (0, 0)
    assert metrics["ferry_agent_draws_each_request", "api"] == 1
    assert metrics["ferry_agent_weight", "api"] == 30
    assert metrics["ferry_agent_converged", "api"] == 1
    traffic = (await proxy.report())["services"]["api"]["traffic"]
    assert 0 < traffic["seconds_new"] < 60


async def test_a_get_that_old_saved_is_a_failed_try_at_new_and_a_cut_post_is_told_to_its_client(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    proxy.new.knobs.status = 503
    assert await answers(proxy, "GET", 1) == [200]
    await proxy.eventually(traffic_is(new=1, old=0, attempts_new=3, failed_new=3, answered_new=0, answered_old=1))
    metrics = await proxy.metrics()
    assert metrics["ferry_proxy_attempts_total", "api", "new", "http_5xx"] == 3
    assert metrics["ferry_proxy_attempts_total", "api", "old", "ok"] == 1
    assert metrics["ferry_proxy_fallbacks_total", "api"] == 1
    assert metrics["ferry_proxy_requests_total", "api", "old", "2xx"] == 1
    proxy.new.knobs.status, proxy.new.knobs.reset = 200, True
    assert await answers(proxy, "POST", 1) == [502]
    await proxy.eventually(traffic_is(new=2, attempts_new=4, failed_new=4))
    assert (await proxy.metrics())["ferry_proxy_attempts_total", "api", "new", "broken"] == 1


async def test_a_500_of_new_that_old_answered_is_one_failed_try_and_no_retry(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    proxy.new.knobs.status = 500
    assert await answers(proxy, "GET", 1) == [200]
    await proxy.eventually(traffic_is(new=1, old=0, attempts_new=1, failed_new=1, answered_new=0, answered_old=1))
    metrics = await proxy.metrics()
    assert metrics["ferry_proxy_answers_total", "api", "new", "500"] == 1
    assert metrics["ferry_proxy_answers_total", "api", "old", "200"] == 1
    assert (metrics["ferry_proxy_retries_total", "api"], metrics["ferry_proxy_fallbacks_total", "api"]) == (0, 1)
    assert metrics["ferry_proxy_chosen_total", "api", "new"] == 1


async def test_while_nothing_listens_tries_fail_to_connect_until_the_breaker_opens_and_nobody_notices(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await proxy.new.stop()
    assert set(await answers(proxy, "GET", 60)) == {200}
    await proxy.eventually_metric(("ferry_agent_breaker_open", "api"), 1)
    await proxy.eventually(lambda report: sum(report["services"]["api"]["traffic"][side] for side in ("new", "old")) == 60)
    metrics = await proxy.metrics()
    tried, chosen = (
        metrics["ferry_proxy_attempts_total", "api", "new", "connect"],
        metrics["ferry_proxy_chosen_total", "api", "new"],
    )
    assert tried >= 5
    assert metrics["ferry_proxy_fallbacks_total", "api"] == chosen > 0
    assert metrics["ferry_proxy_retries_total", "api"] == tried - chosen
    assert (await proxy.report())["services"]["api"]["traffic"]["failed_new"] == tried
    await proxy.eventually_metric(("ferry_agent_new_cluster_up", "api"), 0)
    await proxy.new.start()
    await proxy.eventually_metric(("ferry_agent_new_cluster_up", "api"), 1)


async def test_a_client_that_leaves_is_no_failure_of_new(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    proxy.new.knobs.hang = True
    before = proxy.new.counts.total
    _, writer = await asyncio.open_connection(proxy.address, proxy.ports["proxy"])
    writer.write(f"POST /leaves HTTP/1.1\r\nHost: {OLD_HOST}\r\nContent-Length: 0\r\n\r\n".encode())
    await writer.drain()
    await proxy.eventually(lambda _: proxy.new.counts.total > before)
    writer.close()
    await proxy.eventually(traffic_is(new=1, attempts_new=0, failed_new=0, answered_new=0))
    proxy.new.knobs.hang = False
    assert (await proxy.metrics())["ferry_proxy_requests_total", "api", "new", "4xx"] == 1


async def test_a_service_with_a_health_path_is_down_while_that_answers_5xx(proxy: OneProxy) -> None:
    proxy.health = "    health: {path: /healthz, interval: 1s, failures: 2}\n"
    await proxy.raised(10, expected=0)
    await proxy.eventually_metric(("ferry_agent_new_cluster_up", "api"), 1)
    proxy.new.knobs.status = 503
    await proxy.eventually_metric(("ferry_agent_new_cluster_up", "api"), 0)


async def test_the_shipped_rules_find_every_metric_of_the_agent(proxy: OneProxy) -> None:
    await proxy.raised(50, expected=0)
    await proxy.served(50)
    await proxy.eventually(lambda report: report["services"]["api"]["traffic"]["answered_new"] > 0)
    await proxy.eventually_metric(("ferry_agent_new_cluster_up", "api"), 1)
    names = {name for name, *_ in await proxy.metrics()}
    wanted = set(re.findall(r"\b(ferry_(?:proxy|agent)_[a-z_]+)\b", RULES.read_text())) | OF_THE_BOT
    assert len(wanted) > 8
    assert wanted - names <= OF_THE_BOT | ONLY_WITH_A_CGROUP_OF_ITS_OWN


async def test_the_log_is_rotated_under_load_and_no_request_is_lost(proxy: OneProxy) -> None:
    await proxy.agent_restarted(FERRY_LARGEST_LOG="40000")
    await proxy.raised(50, expected=0)
    new = sum([await proxy.served(400) for _ in range(5)])
    await proxy.eventually(traffic_is(new=new, old=2000 - new))
    folder = proxy.folder / "run"
    kept = list(folder.glob("access.log.*"))
    assert kept
    assert sum(path.stat().st_size for path in folder.glob("access.log*")) < 2000 * 400, "old ones are gone"


async def test_what_nginx_refuses_is_counted_and_the_last_good_configuration_stays(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await proxy.record(100, expected=1, ca="no-such-file.pem")
    await proxy.eventually(lambda report: any("nginx refuses" in sentence for sentence in report["trouble"]))
    metrics = await proxy.metrics()
    assert metrics["ferry_agent_config_failures_total", "api"] >= 1
    assert metrics["ferry_agent_converged", "api"] == 0
    assert await proxy.served(20) == 20
    assert (await proxy.report())["ready"] is True


async def test_an_agent_that_starts_without_the_api_goes_on_with_the_last_good(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await proxy.cluster.stop()
    await proxy.agent_restarted()
    await proxy.eventually(lambda report: report["ready"] and report["services"]["api"]["applied"])
    assert await proxy.served(30) == 30


async def test_a_rotated_key_is_trusted_without_a_restart_and_a_broken_file_changes_nothing(proxy: OneProxy) -> None:
    await proxy.raised(10, expected=0)
    other = signing.Signer.generate()
    (proxy.folder / "keys" / "next.pem").write_text("no key at all")
    await proxy.eventually(lambda report: any("public keys" in sentence for sentence in report["trouble"]))
    proxy.sign_with(other)
    await proxy.record(40, expected=1)
    await proxy.wish(40)
    await proxy.eventually(lambda report: any("no trusted key" in sentence for sentence in report["trouble"]))
    assert (await proxy.report())["services"]["api"]["served"] == 10
    (proxy.folder / "keys" / "next.pem").write_bytes(other.public_pem())
    await proxy.eventually(lambda report: report["services"]["api"]["served"] == 40)
    assert (await proxy.report())["trouble"] == []


async def test_a_fresh_agent_learns_a_hold_from_its_peer_though_the_holds_were_emptied(tmp_path: Path) -> None:
    network = addresses.PodNetwork()
    network.start()
    proxy = OneProxy(tmp_path / "first", address=network.next_pod_ip())
    fresh = OneProxy(tmp_path / "fresh", address=network.next_pod_ip())
    for folder in (proxy.folder, fresh.folder):
        folder.mkdir(exist_ok=True)
    try:
        await proxy.start()
        await proxy.raised(100, expected=0)
        await holds.HoldBook(proxy.api, NAMESPACE).place(model.Hold("api", "oncall", reason="it burns"))
        await proxy.eventually(lambda report: report["services"]["api"]["served"] == 0)
        await proxy.api.delete(client.CONFIG_MAPS, NAMESPACE, "migration-holds")
        proxy.dns.put("ferry-agents.migration-system.svc", [proxy.address, fresh.address])
        await fresh.start_beside(proxy, FERRY_PEERS="ferry-agents.migration-system.svc")
        assert (await fresh.report())["services"]["api"]["holds"] == ["oncall"]
        await fresh.eventually(lambda report: report["services"]["api"]["generation"] == 1)
        assert await proxy.served(50) == 0
        assert await fresh.served(50) == 0
    finally:
        await fresh.stop_processes()
        await proxy.stop()
        network.stop()
