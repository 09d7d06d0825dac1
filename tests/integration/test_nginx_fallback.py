"""When new fails, in the real nginx: what is safe or was never sent is answered by old, and nothing else is sent twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from k8s import nginx
from tests.integration import nginx_backends, one_nginx

Proxy = one_nginx.Proxy[nginx_backends.Cluster]
SAFE = ["GET", "HEAD", "OPTIONS"]
UNSAFE = ["POST", "PUT", "PATCH", "DELETE"]


@pytest_asyncio.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    async with one_nginx.between(nginx_backends.Cluster("old"), nginx_backends.Cluster("new"), tmp_path) as running:
        running.weigh(100)
        yield running


def finished(proxy: Proxy, *, addresses: tuple[str, ...] | None = None) -> nginx.Site:
    return replace(proxy.site, new_addresses=proxy.site.new_addresses if addresses is None else addresses, finished=True)


async def test_a_safe_request_that_new_answers_with_a_failure_is_answered_by_old(proxy: Proxy) -> None:
    await proxy.start()
    for status in (500, 502, 503, 504):
        for method in SAFE:
            proxy.new.status, proxy.new.seen, proxy.old.seen = status, [], []
            assert (await proxy.ask(method))[0] == 200
            assert [one.method for one in proxy.old.seen] == [method]
            assert len(proxy.new.seen) == (1 if status == 500 else 3)  # what an application answered is not asked again


async def test_other_answers_of_new_are_the_clients(proxy: Proxy) -> None:
    await proxy.start()
    for status in (404, 409, 429, 501, 505):
        proxy.new.status = status
        assert await proxy.ask() == (status, "new")
    assert proxy.old.seen == []


async def test_an_unsafe_request_that_new_answered_is_sent_once_and_answered_so(proxy: Proxy) -> None:
    await proxy.start()
    for status in (500, 502, 503, 504):
        for method in UNSAFE:
            proxy.new.status, proxy.new.seen = status, []
            assert await proxy.ask(method) == (status, "new")
            assert (len(proxy.new.seen), proxy.old.seen) == (1, [])


async def test_when_new_is_gone_everything_is_answered_by_old(proxy: Proxy) -> None:
    await proxy.start()
    assert [await proxy.ask(method) for method in UNSAFE] == [(200, "new")] * len(UNSAFE)
    await proxy.new.stop()
    assert await proxy.ask_many(200) == [(200, "old")] * 200
    assert [await proxy.ask(method) for method in UNSAFE] == [(200, "old")] * len(UNSAFE)


async def test_an_attempt_that_is_cut_is_no_error_of_a_safe_request_and_one_of_an_unsafe_sent_once(proxy: Proxy) -> None:
    site = proxy.ruled()
    await proxy.start(site)
    async with proxy.client.get(f"http://{proxy.config.listen}/cut", headers={"Host": one_nginx.OLD_HOST}) as reply:
        assert reply.status == 502  # old cuts this path too: it was asked last, after three tries at new
    assert (len(proxy.new.seen), len(proxy.old.seen)) == (3, 1)
    assert (await proxy.ask("POST", "/cut"))[0] == 502
    assert (len(proxy.new.seen), len(proxy.old.seen)) == (4, 1)


async def start_with(proxy: Proxy, behave: str, *, awaited: int = 1, **service: float) -> nginx_backends.Misbehaving:
    """The proxy, before a new cluster that behaves so."""
    other = nginx_backends.Misbehaving(behave, awaited=awaited)
    proxy.more.append(other)
    await other.start(None if behave == "mute" else proxy.tls)
    await proxy.start(replace(proxy.ruled(service=service), new_addresses=(other.address,)))
    return other


async def test_connections_that_reset_before_an_answer_reach_old_without_a_client_error(proxy: Proxy) -> None:
    broken = await start_with(proxy, "reset")
    assert await proxy.ask_many(100) == [(200, "old")] * 100
    assert len(broken.asked) == 300
    assert (await proxy.ask("POST"))[0] == 502
    assert (len(broken.asked), [one.method for one in proxy.old.seen].count("POST")) == (301, 0)


async def test_a_new_cluster_that_hangs_costs_one_timeout_and_no_second_try(proxy: Proxy) -> None:
    hanging = await start_with(proxy, "hang", timeout=0.3)
    assert await proxy.ask("GET") == (200, "old")
    assert len(hanging.asked) == 1
    assert (await proxy.ask("POST"))[0] == 504
    assert (len(hanging.asked), len(proxy.old.seen)) == (2, 1)


async def test_who_accepts_and_never_shakes_hands_was_sent_nothing_so_everything_goes_to_old(proxy: Proxy) -> None:
    await start_with(proxy, "mute", connect_timeout=0.2)
    assert [await proxy.ask(method) for method in ("GET", *UNSAFE)] == [(200, "old")] * 5


async def test_what_new_has_no_room_for_goes_to_old(proxy: Proxy) -> None:
    """The bulkhead: while a hanging cluster holds all places, nobody else waits for it."""
    proxy.config = replace(proxy.config, new_max_conns=1)
    hanging = await start_with(proxy, "hang", awaited=3)
    waiting = [asyncio.create_task(proxy.ask()) for _ in range(3)]
    await hanging.arrived.wait()
    assert [await proxy.ask(method) for method in ("GET", "POST")] == [(200, "old")] * 2
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize("weight", [None, 0, 100])
async def test_a_finished_service_never_goes_back_to_old(proxy: Proxy, weight: int | None) -> None:
    proxy.weigh(weight)
    await proxy.start(finished(proxy))
    assert [await proxy.ask(method) for method in ("GET", "POST")] == [(200, "new")] * 2
    proxy.new.status = 503
    assert [await proxy.ask(method) for method in ("GET", "POST")] == [(503, "new")] * 2
    await proxy.new.stop()
    assert [(await proxy.ask(method))[0] for method in ("GET", "POST")] == [502, 502]
    headers = {"Connection": "upgrade", "Upgrade": "websocket"}
    assert [(await proxy.ask(method, **headers))[0] for method in ("GET", "POST")] == [502, 502]
    assert proxy.old.seen == []
    assert "old_cluster" not in (proxy.run / "nginx.conf").read_text()


async def test_a_finished_service_without_an_address_is_refused_and_never_goes_to_old(proxy: Proxy) -> None:
    await proxy.start(finished(proxy, addresses=()))
    assert [(await proxy.ask(method))[0] for method in ("GET", "POST")] == [502, 502]
    assert proxy.old.seen == []


async def test_while_old_has_no_address_the_answers_of_new_are_the_clients(proxy: Proxy) -> None:
    proxy.new.status = 500
    await proxy.start(replace(proxy.site, old_addresses=()))
    assert await proxy.ask() == (500, "new")
