"""A sticky cookie in the real nginx: what an agent tells from the log of the keys, against what is counted at the backends."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from handlers.rules import health, key_outlook
from k8s import key_spread, model, proxy_report, views
from k8s.agent import traffic
from tests.integration import nginx_backends, one_nginx

Proxy = one_nginx.Proxy[nginx_backends.CountingCluster]
REQUESTS, USERS, WEIGHT = 6_000, 120, 25
COOKIE = "session"


@pytest_asyncio.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    old, new = nginx_backends.CountingCluster("old"), nginx_backends.CountingCluster("new")
    async with one_nginx.between(old, new, tmp_path) as running:
        yield running


def requests(lots: random.Random, users: int) -> list[dict[str, str]]:
    """By a law of Zipf: the first user asks as often as the second and third together, and so on."""
    busy = [1 / (rank + 1) for rank in range(users)]
    return [{"Cookie": f"{COOKIE}=secret-{user}"} for user in lots.choices(range(users), busy, k=REQUESTS)]


class Agent:
    """Counts what nginx logged since it counted last, as the sidecar does."""

    def __init__(self, proxy: Proxy, exposure: model.Exposure) -> None:
        self._log, self._read = proxy.run / "access.log", 0
        self.tallies = traffic.Tallies()
        self.tallies.follow({"api": exposure}, now=0.0)

    def fleet(self) -> views.Fleet:
        whole = self._log.read_bytes()
        self.tallies.count(whole[self._read :])
        self._read = len(whole)
        said = proxy_report.ServiceReport(
            "api", generation=1, served=WEIGHT, traffic=self.tallies.traffic("api"), spread=self.tallies.spread("api")
        )
        return views.Fleet(1, (proxy_report.ProxyReport("pod", True, False, "c", {"api": said}),))


async def test_the_share_that_is_foretold_of_a_share_of_the_keys_is_the_one_that_comes(proxy: Proxy) -> None:
    lots = random.Random(3)
    site = proxy.ruled(sticky=model.sticky_from(f"cookie:{COOKIE}"))
    exposure = site.exposure.at(WEIGHT)
    agent = Agent(proxy, exposure)

    proxy.weigh(0)
    await proxy.start(site)
    assert set(await proxy.sides(requests(lots, USERS))) == {"old"}
    await proxy.quit()  # its log is written to the end
    before = agent.fleet()
    seen = key_outlook.outlook(before, "api", exposure)
    assert isinstance(seen, key_outlook.Outlook)
    assert (seen.requests, seen.more) == (REQUESTS, False)
    assert abs(seen.keys - USERS) <= USERS * 0.2
    assert seen.low <= WEIGHT / 100 <= seen.high  # how far such users may be off is told rightly
    assert seen.high - seen.low > 0.2

    proxy.weigh(WEIGHT)
    await proxy.start(site)
    await proxy.sides(requests(lots, USERS))
    await proxy.quit()
    after = agent.fleet()
    assert abs(proxy.new.total / REQUESTS - seen.share) < 0.025  # the same users again; the rest is which of them asked how often
    assert key_outlook.due(before, after, "api", exposure) == (REQUESTS, proxy.new.total, proxy.new.total)
    verdict = health.verdict(before, after, service="api", weight=WEIGHT, gates=model.Gates(), judge_share=False, keyed=exposure)
    assert isinstance(verdict, health.Healthy)
    assert f"{proxy.new.total / REQUESTS:.1%} of {REQUESTS} requests that a key decided" in verdict.sentence
    assert agent.tallies.unreadable == 0
    assert b"secret-" not in (proxy.run / "access.log").read_bytes()


async def test_a_link_that_serves_another_weight_is_found_by_the_keys(proxy: Proxy) -> None:
    site = proxy.ruled(sticky=model.sticky_from(f"cookie:{COOKIE}"))
    exposure = site.exposure.at(WEIGHT)
    agent = Agent(proxy, exposure)
    proxy.weigh(1)
    await proxy.start(site)
    await proxy.sides(requests(random.Random(4), 1_000))
    await proxy.quit()
    start = views.Fleet(1, ())
    verdict = health.verdict(
        start, agent.fleet(), service="api", weight=WEIGHT, gates=model.Gates(), judge_share=False, keyed=exposure
    )
    assert isinstance(verdict, health.Unhealthy), verdict
    assert "had to: those of 25% of the keys" in verdict.sentence


async def test_addresses_are_counted_and_who_has_no_cookie_is_a_key_at_each_request(proxy: Proxy) -> None:
    by_address = proxy.ruled(sticky=model.sticky_from("client_ip"))
    by_cookie = proxy.ruled("cookies", sticky=model.sticky_from(f"cookie:{COOKIE}"))
    proxy.weigh(0, "api", "cookies")
    await proxy.start(by_address, by_cookie)
    for last in range(1, 31):
        await proxy.sides([{}] * 5, source=f"127.0.1.{last}")
    await proxy.sides([{}] * 1_000, host="cookies.old.example")
    await proxy.quit()
    tallies = traffic.Tallies()
    tallies.follow({"api": by_address.exposure, "cookies": by_cookie.exposure}, now=0.0)
    tallies.count((proxy.run / "access.log").read_bytes())
    addresses, cookies = tallies.spread("api"), tallies.spread("cookies")
    assert addresses is not None
    assert cookies is not None
    assert abs(key_spread.distinct(addresses.addresses.bit_count(), key_spread.ADDRESS_PLACES).number - 30) <= 1
    assert sum(addresses.recent) == 150
    assert key_spread.distinct(sum(1 for one in cookies.recent if one), 100).more
