"""A new cluster that lets users wait, and an old one that is dead: a real agent and a real nginx, while `/` answers any probe."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.playground.world import backends, wire
from tests.integration.one_proxy import OLD_HOST, PROBED, CountsOfUsers, OneProxy

QUICK = "    timeout: 6s\n    health: {interval: 1s, failures: 2}\n    breaker: {failures: 5, pause: 1s}\n"


class UsersWait(backends.Application):
    """`go_on`: while it is cleared, no user is answered. `delay`: seconds before each answer to one. `failing`: answers 503.

    `front`: the status of the answer to probes.
    """

    def __init__(self) -> None:
        super().__init__("new")
        self.counts = CountsOfUsers()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.delay = 0.0
        self.failing = False
        self.front = 200

    async def answer(self, head: wire.Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        probed = head.second in PROBED
        if not probed:
            await self.go_on.wait()
            await asyncio.sleep(self.delay)
        status = self.front if probed else 503 if self.failing else 200
        if status == 200:
            return await super().answer(head, reader, writer)
        await wire.body(reader, wire.request_framing(head), most=0)
        writer.write(wire.answer(status, b"not now\n", close=False))
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


class Clients:
    """Requests that come whether others were answered or not. `statuses`: what they got, by how many."""

    def __init__(self, proxy: OneProxy) -> None:
        self._url = f"http://{proxy.address}:{proxy.ports['proxy']}/y"
        self.statuses: Counter[int] = Counter()

    async def ask(self, session: aiohttp.ClientSession, method: str) -> None:
        async with session.request(method, self._url, headers={"Host": OLD_HOST}) as answer:
            await answer.read()
            self.statuses[answer.status] += 1

    async def send(self, method: str, count: int, *, at_once: int = 8) -> set[int]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:
            await asyncio.gather(*(self.ask(session, method) for _ in range(count)))
        return set(self.statuses)

    @contextlib.asynccontextmanager
    async def coming(self, *, every: float) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as asking:

            async def come() -> None:
                while True:
                    asking.create_task(self.ask(session, "GET"))
                    await asyncio.sleep(every)

            coming = asking.create_task(come())
            try:
                yield
            finally:
                coming.cancel()


def api(says: Callable[[dict[str, Any]], bool]) -> Callable[[dict[str, Any]], bool]:
    return lambda report: says(report["services"]["api"])


def suppressed_to(percent: int | None) -> Callable[[dict[str, Any]], bool]:
    return api(lambda one: one["suppression"] == percent)


def because(words: str) -> Callable[[dict[str, Any]], bool]:
    return api(lambda one: words in one["because"])


OPENINGS = ("ferry_agent_breaker_openings_total", "api")


async def test_an_application_that_hangs_opens_it_before_any_request_has_failed_and_does_not_make_it_flap(
    proxy: OneProxy,
) -> None:
    application = proxy.new.application = UsersWait()
    await proxy.raised(50, expected=0)
    clients = Clients(proxy)
    async with clients.coming(every=0.02):
        # Steady long enough to be known so: what is awaited is their number.
        await proxy.eventually(api(lambda one: one["traffic"]["attempts_new"] > 500), within=60)
        application.go_on.clear()
        await proxy.eventually(because("gone silent while the old one answers"))
        assert (await proxy.report())["services"]["api"]["traffic"]["failed_new"] == 0
        for _ in range(2):
            await proxy.eventually(because("half open: "))
            await proxy.eventually(because("failed at the new cluster while it was half open"))
        assert (await proxy.metrics())[OPENINGS] == 1
        assert (await proxy.metrics())["ferry_agent_new_cluster_up", "api"] == 1
        application.go_on.set()
        await proxy.eventually(suppressed_to(None), within=60)
    assert (await proxy.metrics())[OPENINGS] == 1
    assert (await proxy.report())["services"]["api"]["holds"] == []
    assert set(clients.statuses) == {200}, "old answered what had hung"


async def test_answers_that_take_seconds_where_olds_take_none_open_it_and_it_comes_back_in_steps(proxy: OneProxy) -> None:
    application = proxy.new.application = UsersWait()
    await proxy.raised(50, expected=0)
    clients = Clients(proxy)
    await clients.send("GET", 40)
    application.delay = 3.2
    await clients.send("POST", 40, at_once=40)
    await proxy.eventually(because("or took up to 3 s"))
    assert (await proxy.report())["services"]["api"]["traffic"]["failed_new"] == 0
    application.delay = 0.0
    for percent in (1, 10, None):
        await proxy.eventually(suppressed_to(percent))
    assert set(clients.statuses) == {200}
    assert (await proxy.metrics())[OPENINGS] == 1


async def test_where_the_old_cluster_is_dead_users_stay_at_new_and_once_it_is_back_they_can_be_taken_there(
    proxy: OneProxy,
) -> None:
    application = proxy.new.application = UsersWait()
    await proxy.raised(100, expected=0)
    await proxy.old.stop()
    application.failing = True
    async with asyncio.timeout(30):
        while (await proxy.metrics())["ferry_agent_old_unusable", "api"] == 0:
            await Clients(proxy).send("POST", 5)
    await proxy.eventually(api(lambda one: (one["served"], one["suppression"], one["holds"]) == (100, None, [])))
    assert await Clients(proxy).send("POST", 20) == {503}, "new's own answers, though each is an error"
    assert any("the old cluster does not answer this proxy" in one for one in (await proxy.report())["trouble"])
    application.failing = False
    assert await proxy.served(30) == 30
    await proxy.old.start()
    await proxy.new.stop()
    assert await Clients(proxy).send("GET", 40) == {200}
    await proxy.eventually(suppressed_to(0))
    await proxy.eventually_metric(("ferry_agent_old_unusable", "api"), 0)
    await proxy.new.start()
    await proxy.eventually(suppressed_to(None))


async def test_a_front_page_that_fails_while_users_are_well_is_trouble_and_takes_nobody_back(proxy: OneProxy) -> None:
    application = proxy.new.application = UsersWait()
    await proxy.raised(50, expected=0)
    async with Clients(proxy).coming(every=0.02):
        application.front = 503
        await proxy.eventually(lambda report: any("but it answers users" in one for one in report["trouble"]))
        await proxy.eventually_metric(("ferry_agent_new_cluster_up", "api"), 0)
        report = (await proxy.report())["services"]["api"]
        assert (report["served"], report["suppression"]) == (50, None)
        application.failing = True
        await proxy.eventually(suppressed_to(0))
        application.failing, application.front = False, 200
        await proxy.eventually(suppressed_to(None))
