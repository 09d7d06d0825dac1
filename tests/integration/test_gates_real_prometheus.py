"""Every verdict against a real Prometheus that reads made series, told by the very code of the agents."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from aiohttp import web

from bot import prometheus, prometheus_queries
from bot.clock import SystemClock
from deploy.playground.world import addresses
from deploy.playground.world import prometheus as real
from handlers.rules import judging
from handlers.rules.gates import Judgement, Look, Name, Verdict
from handlers.rules.journeys import Baseline
from k8s import model
from k8s.agent import exposition, traffic, traffic_metrics

WINDOW = 3.0
QUICK, SLOW = 0.05, 0.5  # seconds, a bound of the histogram between them
Kinds = tuple[tuple[str, int, int, float], ...]  # cluster, status, requests a scrape, seconds

TRAFFIC: dict[str, Kinds] = {
    "good": (("new", 200, 50, QUICK), ("old", 200, 50, QUICK)),
    "failing": (("new", 200, 40, QUICK), ("new", 502, 10, QUICK), ("old", 200, 50, QUICK)),
    "saved": (("new", 200, 45, QUICK), ("fallback", 200, 5, QUICK), ("old", 200, 50, QUICK)),
    "shared": (("new", 200, 40, QUICK), ("new", 502, 10, QUICK), ("old", 200, 40, QUICK), ("old", 500, 10, QUICK)),
    "slow": (("new", 200, 50, SLOW), ("old", 200, 50, QUICK)),
    "skewed": (("new", 200, 80, QUICK), ("old", 200, 20, QUICK)),
    "quiet": (("new", 200, 1, QUICK), ("old", 200, 1, QUICK)),
    "silent": (),
    "moved": (("new", 200, 50, QUICK), ("old", 200, 50, QUICK)),
    "hundred": (("new", 200, 100, QUICK),),
}


class Jumping(SystemClock):
    """Time that a test can let pass."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@dataclass
class Agent:
    """One proxy's /metrics: each scrape finds as many requests more. `more`: lines besides. `scrapes`: how often it was read."""

    tallies: dict[str, traffic.Tally] = field(default_factory=lambda: {name: traffic.Tally() for name in TRAFFIC})
    cpu: str = "0.25"
    more: str = ""
    scrapes: int = 0

    async def metrics(self, request: web.Request) -> web.Response:
        self.scrapes += 1
        for name, kinds in TRAFFIC.items():
            for cluster, code, count, seconds in kinds:
                self._count(self.tallies[name], cluster, code, count=count, seconds=seconds)
        told = exposition.text_of(traffic_metrics.collect(self.tallies)).decode()
        weights = "".join(f'ferry_agent_weight{{service="{name}"}} {self._weight(name)}\n' for name in TRAFFIC)
        proxy = f"ferry_proxy_cpu_limit_ratio {self.cpu}\nferry_proxy_memory_limit_ratio 0.9\nferry_agent_ready 1\n"
        return web.Response(text=told + weights + proxy + self.more, headers={"Content-Type": "text/plain; version=0.0.4"})

    def _count(self, tally: traffic.Tally, cluster: str, code: int, *, count: int, seconds: float) -> None:
        one = tally.requests_like(cluster, code, "" if cluster == "fallback" else str(code))
        one.requests += count
        if cluster == "fallback":  # its only try at new failed, its try at old did not
            tally.tries["new", "502"] += count
            tally.tries["old", str(code)] += count
            return
        for _ in range(count):
            one.timing.add(seconds)

    def _weight(self, name: str) -> int:
        return {"moved": self.scrapes % 100, "hundred": 100}.get(name, 50)


@dataclass
class World:
    agent: Agent
    runner: web.AppRunner
    server: real.Prometheus
    clock: Jumping

    @contextlib.asynccontextmanager
    async def looking(self, **queries: str) -> AsyncIterator[prometheus.PrometheusLook]:
        eyes = prometheus.PrometheusLook(url=self.server.url, window=WINDOW, every=0.2, clock=self.clock, queries=queries)
        try:
            yield eyes
        finally:
            await eyes.stop()

    async def seen(self, eyes: prometheus.PrometheusLook, wanted: Callable[[Look], bool]) -> Look:
        async with asyncio.timeout(30):
            while True:
                await eyes.ask()
                if wanted(found := eyes.look()):
                    return found
                await asyncio.sleep(0.1)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    agent, port = Agent(), addresses.free_port()
    site = web.Application()
    site.router.add_get("/metrics", agent.metrics)
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    job = {"job_name": "ferry-agents", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    server = real.Prometheus(tmp_path, scrapes=[job], interval="250ms")
    try:
        await server.start()
        yield World(agent, runner, server, Jumping())
    finally:
        await server.stop()
        await runner.cleanup()


def enough(look: Look) -> bool:
    """The window has filled: the quickest services had more than enough requests."""
    return not look.trouble and "good" in look.services and (look.services["good"].new.requests.value or 0) >= 300


def judge(look: Look, service: str, *, weight: int = 50, baseline: Baseline | None = None) -> Judgement:
    return judging.judge(
        look.services.get(service),
        look,
        service=service,
        gates=model.Gates(),
        weight=weight,
        judge_share=True,
        baseline=baseline,
        firing=(),
        blind="",
        configured=True,
    )


def verdicts(judgement: Judgement) -> dict[str, Verdict]:
    """Without those that passed, and without the proxies'."""
    proxies = {Name.CPU, Name.MEMORY}
    return {gate.name: gate.verdict for gate in judgement.gates if gate.verdict is not Verdict.PASS and gate.name not in proxies}


async def test_every_verdict_on_services_that_prometheus_counted(world: World) -> None:
    async with world.looking() as eyes:
        look = await world.seen(eyes, enough)
    usual = Baseline(average=QUICK, p99=0.1, requests=5000, at=datetime.now().astimezone())
    fail, few, unknown, ask = Verdict.FAIL, Verdict.TOO_FEW, Verdict.UNKNOWN, Verdict.ASK
    assert verdicts(judge(look, "good")) == {}
    assert verdicts(judge(look, "failing")) == {Name.ERRORS: fail, Name.AVAILABILITY: fail}
    assert verdicts(judge(look, "saved")) == {Name.ERRORS: fail}  # clients saw nothing of it
    assert verdicts(judge(look, "shared")) == {Name.ERRORS: ask, Name.AVAILABILITY: ask}
    assert verdicts(judge(look, "slow")) == {Name.P99: fail, Name.AVERAGE: fail}
    assert verdicts(judge(look, "skewed")) == {Name.SHARE: fail}
    assert verdicts(judge(look, "moved")) == {Name.SHARE: few}
    of_requests = {Name.ERRORS, Name.P99, Name.AVERAGE, Name.AVAILABILITY, Name.SHARE}
    assert verdicts(judge(look, "quiet")) == dict.fromkeys(of_requests, few)
    assert verdicts(judge(look, "silent")) == dict.fromkeys(of_requests, few)
    assert verdicts(judge(look, "nowhere")) == dict.fromkeys(of_requests, unknown)
    assert verdicts(judge(look, "hundred", weight=100)) == {Name.P99: few, Name.AVERAGE: few}
    assert verdicts(judge(look, "hundred", weight=100, baseline=usual)) == {}
    good = look.services["good"]
    assert good.new.average.value == pytest.approx(QUICK, rel=0.05)
    assert good.share.value == pytest.approx(0.5, rel=0.05)
    assert look.services["failing"].available.value == pytest.approx(0.9, rel=0.02)
    # The share of tries that failed, whatever increase() makes of the ends of the window.
    saved = look.services["saved"].new
    assert (saved.failed.value or 0) / (saved.requests.value or 1) == pytest.approx(0.1, rel=0.1)
    proxies = {gate.name: gate.verdict for gate in judge(look, "good").gates if gate.name in {Name.CPU, Name.MEMORY}}
    assert proxies == {Name.CPU: Verdict.PASS, Name.MEMORY: fail}
    needed = next(gate.needed for gate in judge(look, "silent").gates if gate.name == Name.ERRORS)
    assert needed == model.Gates().minimum_requests


async def test_series_that_are_no_plain_number_pass_nothing_and_say_why(world: World) -> None:
    world.agent.cpu = "NaN"
    world.agent.more = (
        'made_share{service="good",of="a"} 0.5\nmade_share{service="good",of="b"} 0.5\n'
        'made_seconds{service="good",cluster="new"} +Inf\nmade_seconds{service="good",cluster="old"} NaN\n'
    )
    asked = {"share": "made_share", "average": "made_seconds", "p99": "sum((", "available": "no_such_series", "changes": "time()"}
    async with world.looking(**asked) as eyes:
        look = await world.seen(eyes, enough)
    good = look.services["good"]
    assert good.share.trouble == "query share: 2 series answer where one is expected"
    assert good.new.average.trouble == "query average: it is infinite"
    assert good.old.average.trouble == "query average: it is not a number: nothing was counted"
    assert good.new.p99.trouble.startswith("query p99: Prometheus refuses it: ")
    assert "parse error" in good.new.p99.trouble
    assert good.available.trouble == "query available: no series answers"
    assert good.changes.trouble.startswith("query changes does not answer with plain numbers")
    assert look.cpu.trouble.startswith("query cpu: it is not a number")
    unknown = {gate.name for gate in judge(look, "good").gates if gate.verdict is Verdict.UNKNOWN}
    assert unknown == {Name.P99, Name.AVERAGE, Name.AVAILABILITY, Name.SHARE, Name.CPU}
    assert judge(look, "good").verdict is not Verdict.PASS


async def test_proxies_that_are_read_no_more_and_a_prometheus_that_is_gone_leave_everything_unknown(world: World) -> None:
    # What ships bridges half a minute.
    async with world.looking(scraped='min(max_over_time(up{job="ferry-agents"}[1s]))') as eyes:
        before = await world.seen(eyes, enough)
        assert judge(before, "good").measured is not None
        await world.runner.cleanup()
        dead = await world.seen(eyes, lambda look: bool(look.trouble))
        assert dead.trouble.startswith("Prometheus cannot read a proxy")
        assert judge(dead, "good").verdict is Verdict.UNKNOWN
        await world.server.child.kill()
        await eyes.ask()
        world.clock.ahead += 60
        gone = eyes.look()
        assert gone.trouble.startswith(
            f"Prometheus at {world.server.url} cannot be asked (there is no connection; its last answer"
        )
        assert judge(gone, "good").verdict is Verdict.UNKNOWN


def test_what_is_asked_for_is_what_agents_tell() -> None:
    told = "".join(path.read_text() for path in (Path(__file__).resolve().parents[2] / "k8s" / "agent").glob("*metrics.py"))
    asked = " ".join(prometheus_queries.queries({}, window=WINDOW).values())
    names = {re.sub(r"_(total|sum|count|bucket)$", "", name) for name in re.findall(r"\bferry_\w+", asked)}
    assert len(names) > 5
    assert {name for name in names if f'"{name}"' not in told} == set()
