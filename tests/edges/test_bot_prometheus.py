"""Asking Prometheus: in a thread, for all services at once, and whatever it answers becomes a sentence without secrets."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from structlog import testing

from bot import prometheus, prometheus_queries
from deploy.playground.world import addresses

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.woken = asyncio.Event()

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        await self.woken.wait()
        self.woken.clear()


class Prometheus:
    """Answers every query with a number for each of `services`; `asked`: what it was asked, in order."""

    def __init__(self, services: int = 1) -> None:
        self.services = services
        self.asked: list[str] = []
        self.authorizations: set[str | None] = set()
        self.at = NOW.timestamp()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = request.query["query"]
        self.asked.append(query)
        self.authorizations.add(request.headers.get("Authorization"))
        labels = [{"service": f"s{number}"} for number in range(self.services)]
        if "cluster" in query:
            labels = [one | {"cluster": side} for one in labels for side in ("new", "old")]
        if "by (service" not in query:
            labels = [{}]
        value = [self.at, "1"]
        result = [{"metric": one, "value": value} for one in labels]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """`host:port`."""
    site = web.Application()
    site.router.add_get("/api/v1/query", handler)
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port := addresses.free_port()).start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def looking(where: str, clock: Clock | None = None, **queries: str) -> AsyncIterator[prometheus.PrometheusLook]:
    eyes = prometheus.PrometheusLook(url=where, window=60, every=15, clock=clock or Clock(), queries=queries)
    try:
        yield eyes
    finally:
        await eyes.stop()


async def test_a_round_asks_every_query_once_however_many_services_there_are() -> None:
    server = Prometheus(services=1000)
    async with serving(server.answer) as where, looking(f"http://{where}") as eyes:
        await eyes.ask()
        assert server.asked == list(prometheus_queries.queries({}, window=60).values())
        seen = eyes.look()
        assert seen.trouble == ""
        assert len(seen.services) == 1000
        assert seen.services["s999"].new.failed.value == 1
        assert len(server.asked) == len(prometheus_queries.NAMES)  # looking asks nobody


async def test_a_user_and_password_go_to_prometheus_and_nowhere_else() -> None:
    server = Prometheus()
    async with serving(server.answer) as where:
        with testing.capture_logs() as logs:
            async with looking(f"http://ferry:p%40ss-word@{where}/") as eyes:
                await eyes.ask()
                assert eyes.look().trouble == ""
            async with looking(f"http://ferry:p%40ss-word@127.0.0.1:{addresses.free_port()}") as eyes:
                await eyes.ask()
                trouble = eyes.look().trouble
    assert server.authorizations == {"Basic ZmVycnk6cEBzcy13b3Jk"}
    assert "cannot be asked (there is no connection); see that it runs" in trouble
    assert not [secret for secret in ("ferry:", "p%40ss", "p@ss") if secret in trouble + json.dumps(logs, default=str)]


def always(code: int, text: str = "no") -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text=text)

    return answer


async def elsewhere(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:1/")


async def endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await answer.write(b" " * 1_000_000)
    return answer


ODD: list[tuple[Handler, str]] = [
    (always(401), "it answers 401"),
    (always(503), "it answers 503"),
    (always(200, "<html>"), "its answer is no JSON"),
    (always(200, "[]"), "its answer is none of Prometheus"),
    (always(200, '{"status": "success"}'), "its answer is none of Prometheus"),
    (elsewhere, "it redirects"),
    (endless, "an answer is larger than 8000000 bytes"),
]


@pytest.mark.parametrize(("handler", "why"), ODD)
async def test_whatever_answers_badly_is_away_with_a_reason(handler: Handler, why: str) -> None:
    async with serving(handler) as where, looking(f"http://{where}/") as eyes:
        await eyes.ask()
        trouble = eyes.look().trouble
    assert trouble.startswith(f"Prometheus at http://{where} cannot be asked ({why}")
    assert trouble.endswith("see that it runs and that the address is right.")


async def test_one_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_READ_SECONDS", 0.2)
    go = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        await go.wait()
        return web.Response()

    async with serving(answer) as where, looking(f"http://{where}") as eyes:
        await eyes.ask()
        assert "(it did not answer within 0.2 s)" in eyes.look().trouble
        go.set()


@pytest.mark.parametrize("url", ["127.0.0.1:9090", "ftp://example.org", "http://", "http://127.0.0.1:port", "http://[::1"])
async def test_an_address_that_is_none_is_said(url: str) -> None:
    async with looking(url) as eyes:
        await eyes.ask()
        assert "cannot be asked (" in eyes.look().trouble


async def test_a_query_that_prometheus_refuses_leaves_the_others() -> None:
    server = Prometheus()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query["query"] == "sum((":
            return web.json_response({"status": "error", "error": "1:5: parse error:\n unclosed"}, status=400)
        return await server.answer(request)

    async with serving(answer) as where, looking(f"http://{where}", share="sum((") as eyes:
        await eyes.ask()
        seen = eyes.look()
    assert seen.trouble == ""
    assert seen.services["s0"].share.trouble == "query share: Prometheus refuses it: 1:5: parse error: unclosed"
    assert seen.services["s0"].available.value == 1


async def test_the_last_good_answer_counts_for_two_rounds_and_then_no_more() -> None:
    server, clock, broken = Prometheus(), Clock(), False

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (always(500)(request) if broken else server.answer(request))

    async with serving(answer) as where, looking(f"http://{where}", clock) as eyes:
        assert "it has not been asked yet" in eyes.look().trouble
        await eyes.ask()
        broken = True
        clock.seconds = 15
        await eyes.ask()
        assert eyes.look().trouble == ""
        clock.seconds = 40
        assert eyes.look().trouble == ""
        clock.seconds = 41
        assert "(it answers 500; its last answer is 41 s old)" in eyes.look().trouble
        assert not eyes.look().services
        broken, server.at = False, clock.now().timestamp()
        await eyes.ask()
        assert eyes.look().trouble == ""


async def test_without_an_address_nobody_is_asked() -> None:
    threads = threading.active_count()
    async with looking("") as eyes:
        eyes.start()
        assert not eyes.configured
        assert eyes.look().trouble == prometheus.NOT_SET_UP
        assert threading.active_count() == threads


async def test_it_asks_again_and_again_in_one_thread_that_ends_with_it() -> None:
    server, clock = Prometheus(), Clock()
    async with serving(server.answer) as where, looking(f"http://{where}", clock) as eyes:
        eyes.start()
        eyes.start()
        for rounds in (1, 2, 3):
            async with asyncio.timeout(10):
                while len(server.asked) < rounds * len(prometheus_queries.NAMES):  # noqa: ASYNC110 another thread asks
                    await asyncio.sleep(0.01)
            clock.woken.set()
        assert [one.name for one in threading.enumerate() if one.name.startswith("prometheus")] == ["prometheus_0"]
        await eyes.stop()
    async with asyncio.timeout(10):
        while any(one.name.startswith("prometheus") for one in threading.enumerate()):  # noqa: ASYNC110 a thread ends
            await asyncio.sleep(0.01)


async def test_stopping_amid_a_round_waits_for_one_answer_only() -> None:
    server, waits, go = Prometheus(), asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        waits.set()
        await go.wait()
        return await server.answer(request)

    async with serving(answer) as where, looking(f"http://{where}") as eyes:
        eyes.start()
        await waits.wait()
        ending = asyncio.create_task(eyes.stop())
        await asyncio.sleep(0)
        go.set()
        await ending
    assert len(server.asked) == 1
