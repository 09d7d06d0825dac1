"""A new cluster of several addresses, in the real nginx: a dead one is left out soon, and new as a whole never is."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration import nginx_backends, one_nginx

Proxy = one_nginx.Proxy[nginx_backends.Cluster]
DEAD = "127.0.0.2"
FEW = 40  # tries: five at each of an address's two servers, those under way meanwhile, and a look at each every ten seconds


@pytest_asyncio.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    async with one_nginx.between(nginx_backends.Cluster("old"), nginx_backends.Cluster("new"), tmp_path) as running:
        running.weigh(100)
        yield running


async def second_address(proxy: Proxy, behave: str) -> str:
    """It refuses connections, or takes them and stays mute."""
    if behave == "refuses":
        return f"{DEAD}:{one_nginx.free_address().rpartition(':')[2]}"
    mute = nginx_backends.Misbehaving("mute", host=DEAD)
    proxy.more.append(mute)
    await mute.start()
    return mute.address


async def tries_at(proxy: Proxy, address: str) -> int:
    """As the log has them, when nginx has written it to its end."""
    await proxy.quit()
    return (proxy.run / "access.log").read_text().count(address)


@pytest.mark.parametrize("behave", ["refuses", "mute"])
async def test_a_dead_address_is_left_out_after_a_few_tries_and_the_living_one_has_all_the_share(
    proxy: Proxy, behave: str
) -> None:
    dead = await second_address(proxy, behave)
    site = proxy.ruled(service={"connect_timeout": 0.2})
    await proxy.start(replace(site, new_addresses=(*site.new_addresses, dead)))
    assert await proxy.ask_many(400) == [(200, "new")] * 400
    assert [await proxy.ask("POST") for _ in range(40)] == [(200, "new")] * 40
    assert (len(proxy.new.seen), proxy.old.seen) == (440, [])
    assert 0 < await tries_at(proxy, dead) <= FEW


async def test_only_posts_find_a_dead_address_too_and_none_is_lost_meanwhile(proxy: Proxy) -> None:
    dead = await second_address(proxy, "refuses")
    await proxy.start(replace(proxy.site, new_addresses=(*proxy.site.new_addresses, dead)))
    replies = [await proxy.ask("POST") for _ in range(200)]
    assert {status for status, _ in replies} == {200}
    assert 0 < replies.count((200, "old")) <= FEW
    assert await tries_at(proxy, dead) == replies.count((200, "old"))


async def test_when_all_addresses_are_dead_old_answers_and_the_first_that_lives_again_is_asked_at_once(proxy: Proxy) -> None:
    dead = await second_address(proxy, "refuses")
    await proxy.start(replace(proxy.site, new_addresses=(*proxy.site.new_addresses, dead)))
    port = proxy.new.port
    await proxy.new.stop()
    assert await proxy.ask_many(200) == [(200, "old")] * 200
    assert [await proxy.ask("POST") for _ in range(20)] == [(200, "old")] * 20
    await proxy.new.start(proxy.tls, port=port)
    assert await proxy.ask() == (200, "new")


@pytest.mark.parametrize("finished", [False, True])
async def test_failures_of_the_application_at_every_address_leave_none_of_them_out(proxy: Proxy, finished: bool) -> None:
    other = nginx_backends.Cluster("new")
    proxy.more.append(other)
    await other.start(proxy.tls)
    addresses = (*proxy.site.new_addresses, f"127.0.0.1:{other.port}")
    await proxy.start(replace(proxy.site, new_addresses=addresses, finished=finished))
    proxy.new.status = other.status = 503
    assert await proxy.ask_many(100) == [(503, "new") if finished else (200, "old")] * 100
    proxy.new.status = other.status = 200
    assert await proxy.ask_many(100) == [(200, "new")] * 100
