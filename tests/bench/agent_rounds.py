"""What one agent with a thousand busy services does on its event loop again and again, where a pushed hold has to wait for it.

    make bench BENCH=agent

nginx and DNS are not asked: they are waited for, and cost the agent nothing. CPU time, the best of some rounds.
"""

import asyncio
import logging
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import orjson

from k8s import model, nginx, protocol, proxy_report, report_document, views
from k8s.agent import last_good, nginx_process, overrides, resolving, structure, trust_files
from tests.bench import agent_log, rows
from tests.edges import protected_proxy

SERVICES, WEIGHT = 1_000, 50
NEW_HOST = "api.new.example"
LOG_ENDS = [("new", 200), ("old", 200), ("new", 404), ("old", 404), ("old", 302)]


class WillingNginx(nginx_process.NginxProcess):
    """Takes every configuration and goes on with it."""

    now = nginx.Rendered("", "")

    async def complaint(self, text: str) -> str:
        return ""

    async def served(self) -> str:
        return self.now.generation

    def has(self, text: str) -> bool:
        return self.now.text == text

    async def apply(self, rendered: nginx.Rendered, *, limit: float = nginx_process.TAKES) -> nginx_process.Outcome:
        self.now = rendered
        return nginx_process.Outcome(rendered.generation, reloaded=True)


class KnownNames(resolving.Resolver):
    async def look_up(self, hosts: Iterable[str]) -> None:
        self.remember(dict.fromkeys(hosts, ("127.0.0.1",)))


def _service(number: int) -> model.Service:
    exposure = model.Exposure(weight=WEIGHT, old_host=f"svc-{number}.old.example", new_host=NEW_HOST)
    return model.Service(f"service-{number}", exposure, model.Backend(f"old-{number}.team.svc", 80))


def _view(services: Iterable[model.Service]) -> views.ClusterView:
    return views.ClusterView(
        {one.name: views.ServiceView(one.name, one, protocol.Record("u", one.name, 1, one.exposure, "op")) for one in services},
        synced=True,
    )


class Agent:
    def __init__(self, folder: Path) -> None:
        self.services = {one.name: one for one in map(_service, range(SERVICES))}
        self.proxy = protected_proxy.Proxy(folder)
        self._answer(ok=True)
        self.proxy.serving.look(_view(self.services.values()))
        trust = trust_files.TrustFiles(folder, given=folder / "given", default_given=folder / "default.pem")
        self.structure = structure.Structure(
            config=nginx.ProxyConfig(
                str(folder), "127.0.0.1:8080", "127.0.0.1:8081", (1, 27, 4), str(trust.named), str(trust.default)
            ),
            process=WillingNginx(binary=Path("nginx"), run=folder, status_url=""),
            resolver=KnownNames("127.0.0.1:53"),
            served=self.proxy.serving,
            kept=last_good.LastGood(folder),
            testers=overrides.Overrides(folder / "overrides"),
            trust=trust,
        )

    def _answer(self, *, ok: bool) -> None:
        for name in self.services:
            self.proxy.probes.up[name] = ok
            self.proxy.probes.seen[name] = protected_proxy.Answer(self.proxy.now, ok, "ok" if ok else "connect")

    async def follow(self) -> None:
        if not await self.structure.follow(self.services):
            raise RuntimeError(f"nothing was measured: {self.structure.trouble[:3]}")

    def count_requests(self) -> None:
        for name in self.services:
            lines = [agent_log.line(1, name, side, status=end, upstream_status=str(end)) for side, end in LOG_ENDS]
            self.proxy.tallies.count(b"".join(lines))

    def status(self) -> bytes:
        said = self.proxy.serving.reports(self.proxy.tallies.traffic)
        report = proxy_report.ProxyReport("me", ready=True, terminating=False, config="c", services=said)
        return orjson.dumps(report_document.as_document(report))

    def tick(self) -> None:
        for name in self.proxy.protection.tick():
            self.proxy.protection.review(name)

    def new_dies(self) -> None:
        self._answer(ok=False)
        self.tick()
        left = [name for name in self.services if self.proxy.links.served(name)]
        if left:
            raise RuntimeError(f"nothing was measured: {len(left)} links are not at 0")


async def _longest_stop(work: asyncio.Task[None]) -> float:
    """Seconds for which nothing else could be done while this was."""
    longest = 0.0
    while not work.done():
        before = time.perf_counter()
        await asyncio.sleep(0)
        longest = max(longest, time.perf_counter() - before)
    await work
    return longest


async def _measure(folder: Path) -> None:
    agent = Agent(folder)
    first = await _longest_stop(asyncio.create_task(agent.follow()))
    note = "with every link moved to its weight"
    rows.told(f"{SERVICES} services: a new structure, longest stop of the loop", first * 1e3, "ms", n=SERVICES, note=note)
    if agent.proxy.links.served("service-7") != WEIGHT:
        raise RuntimeError("nothing was measured: the links were not raised")
    again = [await _longest_stop(asyncio.create_task(agent.follow())) for _ in range(agent_log.ROUNDS)]
    rows.at_most(f"{SERVICES} services: the same structure, longest stop of the loop", min(again) * 1e3, "ms", 120, n=SERVICES)
    name = "service-7"
    agent.services[name] = replace(agent.services[name], timeout=61.0)
    changed = await _longest_stop(asyncio.create_task(agent.follow()))
    rows.at_most(f"{SERVICES} services: one of them changed, longest stop of the loop", changed * 1e3, "ms", 120, n=SERVICES)
    agent.count_requests()
    rows.at_most(f"{SERVICES} services: /status", agent_log.fastest(agent.status) * 1e3, "ms of CPU", 80, n=len(agent.status()))
    agent.new_dies()
    rows.at_most(f"{SERVICES} services: new is down for all, one look", agent_log.fastest(agent.tick) * 1e3, "ms of CPU", 60)


async def measure() -> None:
    """Raises RuntimeError when what is to be measured did not happen."""
    logging.disable(logging.ERROR)  # a thousand breakers open
    try:
        with tempfile.TemporaryDirectory() as folder:
            await _measure(Path(folder))
    finally:
        logging.disable(logging.NOTSET)
