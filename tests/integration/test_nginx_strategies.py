"""Every strategy in the real nginx, counted at the backends: which requests reach new, how many, and who never does."""

import hashlib
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from k8s import model
from tests.integration import nginx_backends, one_nginx

Proxy = one_nginx.Proxy[nginx_backends.CountingCluster]
MANY = 10_000
SECRET = "0123456789abcdef" * 4
HASH = hashlib.sha256(SECRET.encode()).hexdigest()
LISTED = model.HeaderRule("X-Canary.Group".replace(".", "-"), ("always",))
USERS = model.UserRule(model.sticky_from("cookie:user.id-1"), ("first", "Second"))
TRUSTED: dict[str, Any] = {"trusted_proxies": ("127.0.0.0/30",)}  # 127.0.0.1 to .3; .9 is somebody else
RULES: dict[str, dict[str, Any]] = {
    "weight": {},
    "header": {"strategy": model.Strategy.HEADER, "header": LISTED},
    "ip": {"strategy": model.Strategy.IP, "cidrs": ("10.2.0.0/16",), **TRUSTED},
    "user": {"strategy": model.Strategy.USER, "user": USERS},
}
MATCHING = {"X-Canary-Group": "always", "X-Forwarded-For": "10.2.3.4"}


@pytest_asyncio.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    old, new = nginx_backends.CountingCluster("old"), nginx_backends.CountingCluster("new")
    async with one_nginx.between(old, new, tmp_path) as running:
        yield running


CERTAIN, DRAWN = 3.2905, 5.5  # deviations: 99.9% where the same keys always give the same share; chance may not fail a test


def likely(count: int, percent: int, requests: int = MANY, *, deviations: float = CERTAIN) -> bool:
    """Within the interval of the binomial distribution; exact at 0 and 100."""
    share = percent / 100
    return abs(count - requests * share) <= deviations * math.sqrt(requests * share * (1 - share))


def users(count: int) -> list[dict[str, str]]:
    return [{"Cookie": f"other=1; user.id-1=u{number}; more=x"} for number in range(count)]


@pytest.mark.parametrize("rule", RULES)
async def test_the_share_of_what_matches_is_the_weight_and_exact_at_nothing_and_all(proxy: Proxy, rule: str) -> None:
    await proxy.start(proxy.ruled(**RULES[rule], sticky=model.sticky_from("cookie:user.id-1")))
    for weight in (0, 5, 50, 97, 100):
        proxy.weigh(weight)
        before = proxy.new.total
        requests = [{**MATCHING, "Cookie": f"user.id-1=u{number}"} for number in range(MANY)]
        sides = await proxy.sides(requests)
        assert proxy.new.total - before == sides.count("new")
        assert likely(sides.count("new"), weight), (weight, sides.count("new"))
    assert set(proxy.new.hosts) == {one_nginx.NEW_HOST}
    assert set(proxy.old.hosts) == {one_nginx.OLD_HOST}


@pytest.mark.parametrize("rule", ["header", "ip", "user"])
async def test_what_matches_no_rule_never_reaches_new(proxy: Proxy, rule: str) -> None:
    proxy.weigh(100)
    await proxy.start(proxy.ruled(**RULES[rule]))
    strangers = {
        "header": [{"X-Canary-Group": value} for value in ("ALWAYS", "always ever", "|always|", "never")] + [{}],
        "ip": [{"X-Forwarded-For": value} for value in ("10.3.0.1", "10.2.3.4, 10.3.0.1", "not an address")] + [{}],
        "user": [{"Cookie": value} for value in ("user_id-1=u1", "xuser.id-1=u1", "userXid-1=u1", "user.id-1=")] + [{}],
    }
    assert await proxy.sides(strangers[rule]) == ["old"] * len(strangers[rule])
    assert proxy.new.total == 0


@pytest.mark.parametrize("weight", [0, None])
@pytest.mark.parametrize("rule", RULES)
async def test_at_zero_or_without_a_link_no_rule_no_listed_user_no_override_reaches_new(
    proxy: Proxy, rule: str, weight: int | None
) -> None:
    proxy.weigh(weight)
    await proxy.start(one_nginx.with_secret(proxy.ruled(**RULES[rule], override_hash=HASH), SECRET))
    every = {**MATCHING, "Cookie": "user.id-1=first", "X-Migrate-To": "new", "X-Migrate-Token": SECRET}
    assert await proxy.sides([every] * 200) == ["old"] * 200
    assert proxy.new.total == 0


async def test_listed_users_go_first_and_others_follow_by_hash_as_the_weight_grows(proxy: Proxy) -> None:
    await proxy.start(proxy.ruled(**RULES["user"]))
    reached: set[int] = set()
    for weight in (1, 5, 25, 50, 100):
        proxy.weigh(weight)
        assert await proxy.sides([{"Cookie": f"user.id-1={one}"} for one in ("first", "Second")]) == ["new", "new"]
        now = one_nginx.chosen(await proxy.sides(users(2000)))
        assert reached <= now
        assert one_nginx.chosen(await proxy.sides(users(2000))) == now
        reached = now
    proxy.weigh(1)
    spelled = [{"Cookie": f"user.id-1={one}"} for one in ("FIRST", "second", "First")]
    assert (await proxy.sides(spelled * 1)).count("old") >= 2  # other people, drawn like everybody


@pytest.mark.parametrize("sticky", ["cookie:my-session.id", "header:X-User-Id", "client_ip"])
async def test_a_sticky_client_stays_where_it_is_and_only_moves_to_new_as_the_weight_grows(proxy: Proxy, sticky: str) -> None:
    await proxy.start(proxy.ruled(sticky=model.sticky_from(sticky), **TRUSTED))
    named = {
        "cookie:my-session.id": [{"Cookie": f"my=0; my-session.id=c{number}"} for number in range(3000)],
        "header:X-User-Id": [{"X-User-Id": f"c{number}", "X-User": "same"} for number in range(3000)],
        "client_ip": [{"X-Forwarded-For": f"10.{number % 250}.{number // 250}.7"} for number in range(3000)],
    }[sticky]
    reached: set[int] = set()
    for weight in (5, 25, 50, 75):
        proxy.weigh(weight)
        now = one_nginx.chosen(await proxy.sides(named))
        assert reached <= now
        assert likely(len(now), weight, 3000), (weight, len(now))
        assert one_nginx.chosen(await proxy.sides(named)) == now
        reached = now


@pytest.mark.parametrize("named", [{}, {"X-Request-Id": "the same"}])
@pytest.mark.parametrize("sticky", ["none", "cookie:my-session"])
async def test_each_request_that_nothing_keeps_on_a_side_is_drawn_by_itself(
    proxy: Proxy, sticky: str, named: dict[str, str]
) -> None:
    await proxy.start(proxy.ruled(sticky=model.sticky_from(sticky)))
    for weight in (0, 25, 100):
        proxy.weigh(weight)
        assert likely((await proxy.sides([named] * 4000)).count("new"), weight, 4000, deviations=DRAWN)


async def test_clients_that_ask_once_are_drawn_each_by_themselves_too(proxy: Proxy) -> None:
    proxy.weigh(25)
    await proxy.start()
    sides = [side for _ in range(1000) for side in await proxy.sides([{}])]
    assert likely(sides.count("new"), 25, 1000, deviations=DRAWN)


async def test_two_services_draw_the_same_users_independently(proxy: Proxy) -> None:
    proxy.weigh(50, "api", "shop")
    sites = [proxy.ruled(name, sticky=model.sticky_from("cookie:user.id-1")) for name in ("api", "shop")]
    await proxy.start(*sites)
    first, second = [one_nginx.chosen(await proxy.sides(users(4000), host=f"{name}.old.example")) for name in ("api", "shop")]
    assert likely(len(first & second), 25, 4000), (len(first), len(second), len(first & second))


@pytest.mark.parametrize("rule", ["ip", "sticky"])
async def test_an_address_counts_only_when_a_trusted_proxy_names_it(proxy: Proxy, rule: str) -> None:
    proxy.weigh(50)
    await proxy.start(proxy.ruled(**(RULES["ip"] if rule == "ip" else {"sticky": model.sticky_from("client_ip"), **TRUSTED})))
    spoofed = [{"X-Forwarded-For": f"10.2.{number // 250}.{number % 250}"} for number in range(500)]
    assert {*await proxy.sides(spoofed)} == {"old", "new"}
    sides = await proxy.sides(spoofed, source="127.0.0.9")
    assert len({*sides}) == 1  # one address, its own, whatever it writes
    assert rule != "ip" or {*sides} == {"old"}
    through = [{"X-Forwarded-For": f"{one['X-Forwarded-For']}, 192.0.2.1"} for one in spoofed]
    assert len({*await proxy.sides(through)}) == 1  # what stands before the last one that nobody vouches for


async def test_networks_that_contain_each_other_belong_each_to_its_own_service(proxy: Proxy) -> None:
    proxy.weigh(100, "wide", "narrow")
    wide = proxy.ruled("wide", strategy=model.Strategy.IP, cidrs=("10.2.0.0/16", "2001:db8::/32"), **TRUSTED)
    narrow = proxy.ruled("narrow", strategy=model.Strategy.IP, cidrs=("10.2.3.0/24",), **TRUSTED)
    await proxy.start(wide, narrow)
    clients = [{"X-Forwarded-For": one} for one in ("10.2.3.4", "10.2.4.4", "2001:db8::1", "2001:db9::1")]
    assert await proxy.sides(clients, host="wide.old.example") == ["new", "new", "new", "old"]
    assert await proxy.sides(clients, host="narrow.old.example") == ["new", "old", "old", "old"]
