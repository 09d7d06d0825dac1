"""One agent's parts without a network: what protects users, driven by lines of nginx's log, answers to probes, and time."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from k8s import model, protocol, proxy_report, views
from k8s.agent import breaker, links, memory_file, peers, protection, serving, traffic

EXPOSURE = model.Exposure(weight=40, old_host="api.old.example", new_host="api.new.example")
BACKEND = model.Backend("app.team.svc.cluster.local", 8080)


@dataclass(frozen=True)
class Answer:
    at_monotonic: float
    ok: bool
    outcome: str = "ok"
    why: str = ""
    failing_since: float | None = None


@dataclass
class Probes:
    up: dict[str, bool] = field(default_factory=dict)
    seen: dict[str, protection.Answer] = field(default_factory=dict)
    asked: dict[str, dict[str, int]] = field(default_factory=lambda: {"api": {"ok": 0}})
    hurried: list[str] = field(default_factory=list)

    def hurry(self, services: Iterable[str]) -> None:
        self.hurried += services


def view(weight: int, *, generation: int = 1, clears: tuple[str, ...] = (), finished: bool = False) -> views.ClusterView:
    record = protocol.Record("u", "api", generation, EXPOSURE.at(weight), "op", clears=clears, finished=finished)
    wished = model.Service("api", EXPOSURE.at(weight), BACKEND, breaker=model.Breaker(failures=5, pause=10))
    return views.ClusterView({"api": views.ServiceView("api", wished=wished, record=record)}, synced=True)


class Proxy:
    """One agent's parts without a network: `now` is its clock, `log` that of nginx."""

    def __init__(self, folder: Path, *, may_raise: bool = True) -> None:
        self.now = self.log = 1000.0
        self.links = links.Links(folder / "run")
        self.links.prepare()
        self.folder = memory_file.MemoryFolder(folder / "memory")
        self.tallies, self.probes = traffic.Tallies(), Probes()
        self.peers = peers.Peers("", port=1, own_address="", pod="me", resolver=None)  # type: ignore[arg-type]  # without a name nobody is asked
        self.serving = serving.Serving(memory=self.folder, links=self.links, may_raise=may_raise)
        self.protection = protection.Protection(
            served=self.serving,
            tallies=self.tallies,
            probes=self.probes,
            neighbours=self.peers,
            pod="me",
            latch_after=60,
            clocks=protection.Clocks(lambda: self.now, lambda: datetime.datetime.fromtimestamp(self.log, datetime.UTC)),
        )

    @property
    def link(self) -> int:
        return self.links.served("api")

    @property
    def phase(self) -> breaker.Phase:
        return self.protection.breakers["api"].phase

    @property
    def report(self) -> proxy_report.ServiceReport:
        return self.serving.reports(self.tallies.traffic)["api"]

    def look(self, seen: views.ClusterView) -> int:
        self.serving.look(seen)
        self.serving.nginx_serves({"api": EXPOSURE})
        self.protection.follow({name: one.wished for name, one in seen.services.items() if one.wished is not None})
        return self.link

    def probed(self, ok: bool, *, up: bool | None = None) -> int:
        """An answer now; the verdict is its own unless said otherwise."""
        self.probes.up["api"] = ok if up is None else up
        before = self.probes.seen.get("api")
        since = self.now if before is None or before.failing_since is None else before.failing_since
        good = Answer(self.now, ok, failing_since=None if self.probes.up["api"] else since)
        self.probes.seen["api"] = good if ok else Answer(self.now, ok, "connect", "it is refused", since)
        self.probes.asked["api"]["ok"] += ok
        self.protection.review("api")
        return self.link

    def tried(self, count: int, status: int, *, cluster: str = "new", seconds: float = 0.002) -> int:
        """Requests of one try, read from nginx's log as it writes it; 504: it hung for so long."""
        self.log += 1
        took = f"{seconds:.3f}"
        line = {
            "t": self.log, "service": "api", "cluster": cluster, "method": "POST", "status": status, "upstream": "10.0.0.1:443",
            "upstream_status": str(status), "connect": "0.001", "header": "-" if status == 504 else took, "upstream_time": took,
            "time": seconds, "in": 10, "out": 10,
        }  # fmt: skip
        self.tallies.count((orjson.dumps(line) + b"\n") * count)
        touched, self.tallies.touched = self.tallies.touched, set()
        self.protection.notice(touched)
        return self.link

    def time_passes(self, seconds: float) -> int:
        self.now += seconds
        self.log += seconds
        for name in self.protection.tick():
            self.protection.review(name)
        return self.link


def latches(proxy: Proxy) -> list[str]:
    return [hold for hold in proxy.serving.memories["api"].held if hold.startswith(protection.LATCH)]
