"""What one agent does by itself for users when new fails: links at once, back gently, a latch where that does not end."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
import pytest

from k8s import convergence, model, protocol, proxy_report, report_document, views
from k8s.agent import breaker, links, memory_file, peers, protection, safety_metrics, serving, silence, traffic

EXPOSURE = model.Exposure(weight=40, old_host="api.old.example", new_host="api.new.example")
BACKEND = model.Backend("app.team.svc.cluster.local", 8080)
Samples = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Answer:
    at_monotonic: float
    ok: bool
    outcome: str = "ok"
    why: str = ""


@dataclass
class Probes:
    up: dict[str, bool] = field(default_factory=dict)
    seen: dict[str, Answer] = field(default_factory=dict)
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
            clocks=protection.Clocks(monotonic=lambda: self.now),
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
        self.probes.seen["api"] = Answer(self.now, ok) if ok else Answer(self.now, ok, "connect", "it is refused")
        self.protection.review("api")
        return self.link

    def tried(self, count: int, status: int, *, method: str = "POST") -> int:
        """Tries at new, read from nginx's log as it writes it."""
        self.log += 1
        line = {
            "t": self.log, "service": "api", "cluster": "new", "method": method, "status": status, "upstream": "10.0.0.1:443",
            "upstream_status": str(status), "connect": "0.001", "header": "0.002", "upstream_time": "0.002",
            "request_time": 0.002, "in": 10, "out": 10,
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


@pytest.fixture
def proxy(tmp_path: Path) -> Proxy:
    one = Proxy(tmp_path)
    one.look(view(40))
    assert one.probed(True) == 40
    return one


def latches(proxy: Proxy) -> list[str]:
    return [hold for hold in proxy.serving.memories["api"].held if hold.startswith(protection.LATCH)]


def test_five_posts_answered_503_take_the_link_to_0_before_the_counting_returns_and_the_report_says_why(proxy: Proxy) -> None:
    assert proxy.tried(4, 503) == 40
    assert proxy.tried(1, 503) == 0
    report = proxy.report
    assert (report.served, report.suppression, report.applied, report.holds) == (0, 0, True, ())
    assert report.because == "suppressed by the breaker (5 tries at the new cluster failed in a row)"
    assert proxy.serving.converged("api"), "it serves what the protocol says"
    assert report_document.service_from(report_document.service_as_document(report)) == report
    assert proxy.probes.hurried == ["api"] * 2


def test_a_raise_onto_a_failing_cluster_does_not_converge(proxy: Proxy) -> None:
    proxy.tried(5, 503)
    proxy.look(view(60, generation=2))
    said = proxy_report.ProxyReport("me", ready=True, terminating=False, config="c", services={"api": proxy.report})
    verdict = convergence.of_raise(views.Fleet(reports=(said,), silent=(), expected=1), "api", generation=2, weight=60)
    assert isinstance(verdict, convergence.Waiting)
    assert "the breaker at me keeps traffic from new (" in verdict.sentence


def test_failures_with_a_success_among_them_move_nothing(proxy: Proxy) -> None:
    for _ in range(20):
        assert proxy.tried(4, 500) == 40
        assert proxy.tried(1, 200) == 40


def test_it_comes_back_by_one_percent_first(proxy: Proxy) -> None:
    proxy.tried(5, 503)
    assert (proxy.time_passes(10), proxy.probes.hurried[-1]) == (0, "api"), "the pause is over: the new cluster is asked"
    assert (proxy.probed(True), proxy.phase, proxy.report.suppression) == (1, breaker.Phase.HALF_OPEN, 1)
    assert "half open" in proxy.report.because
    assert proxy.tried(3, 200) == 1, "a good try is noticed with the next look"
    assert (proxy.time_passes(0.5), proxy.report.suppression) == (40, None)


def test_a_failure_while_half_open_takes_it_back_at_once(proxy: Proxy) -> None:
    proxy.tried(5, 503)
    proxy.time_passes(10)
    assert proxy.probed(True) == 1
    assert proxy.tried(1, 503) == 0
    proxy.time_passes(10)
    assert proxy.probed(True) == 0, "twice as long now"
    proxy.time_passes(10)
    assert proxy.probed(True) == 1


def test_no_raise_before_the_probe_has_found_new_well_and_no_drop_for_want_of_it(tmp_path: Path) -> None:
    first = Proxy(tmp_path)
    assert first.look(view(40)) == 0
    assert (first.report.suppression, protection.UNPROVEN in first.report.because) == (0, True)
    assert first.probed(True) == 40
    again = Proxy(tmp_path, may_raise=False)
    assert again.look(view(40)) == 40
    again.serving.raise_from_now()
    assert (again.link, again.report.suppression) == (40, None)
    assert again.look(view(60, generation=2)) == 40, "nothing is known of the new cluster yet"
    assert again.probed(True) == 60


def test_a_record_for_a_cluster_that_is_known_to_be_down_sends_nothing_there(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert proxy.look(view(0, generation=2)) == 0
    proxy.probed(False)
    assert (proxy.phase, proxy.report.suppression) == (breaker.Phase.CLOSED, None), "at 0 there is nothing to break"
    moved: list[int] = []
    monkeypatch.setattr(proxy.links, "serve", lambda _, weight: moved.append(weight))
    assert proxy.look(view(40, generation=3)) == 0
    assert set(moved) == {0}, "not even for a moment"
    proxy.time_passes(0.5)
    assert (proxy.phase, latches(proxy)) == (breaker.Phase.OPEN, [])
    assert "it is refused" in proxy.report.because


def test_an_end_of_suppression_raises_nothing_while_the_peers_were_not_heard(tmp_path: Path) -> None:
    Proxy(tmp_path).look(view(40))
    fresh = Proxy(tmp_path, may_raise=False)
    fresh.look(view(40))
    assert fresh.probed(True) == 0
    fresh.serving.raise_from_now()
    assert fresh.link == 40


def test_an_end_of_suppression_raises_nothing_while_the_memory_is_not_on_disk(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.tried(5, 503)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(memory_file.MemoryFolder, "save", full)
        proxy.look(view(30, generation=2))
        proxy.time_passes(10)
        assert proxy.probed(True) == 0
    proxy.look(view(30, generation=2))
    assert proxy.link == 1, "half open, as soon as it is written"


def test_a_minute_of_a_new_cluster_that_is_down_becomes_a_hold_that_only_a_record_ends(proxy: Proxy, tmp_path: Path) -> None:
    assert proxy.probed(False) == 0
    proxy.time_passes(59)
    assert latches(proxy) == []
    proxy.time_passes(1)
    [latch] = latches(proxy)
    [order] = proxy.serving.orders["api"]
    assert (order.id, order.service, order.by, order.reason) == (
        latch, "api", "me", "the new cluster has been down for 60 s: it is refused",
    )  # fmt: skip
    assert (proxy.phase, proxy.report.because) == (breaker.Phase.CLOSED, f"held by {latch}")
    assert (proxy.probed(True), proxy.time_passes(700)) == (0, 0), "the end of the outage does not end it"
    again = Proxy(tmp_path)
    again.look(view(40))
    assert (again.probed(True), latches(again)) == (0, [latch])
    assert again.look(view(40, generation=2, clears=(latch,))) == 40
    again.probed(False)
    again.time_passes(60)
    assert latches(again) != [latch], "another outage is another hold: ids are never used again"


def test_agents_of_one_outage_make_the_same_hold(tmp_path: Path) -> None:
    made = set()
    for name in ("one", "two"):
        proxy = Proxy(tmp_path / name)
        proxy.look(view(40))
        proxy.probed(False)
        proxy.time_passes(60)
        made |= set(latches(proxy))
    assert len(made) == 1


def test_an_outage_that_ends_in_time_and_comes_again_begins_anew(proxy: Proxy) -> None:
    for _ in range(3):
        proxy.probed(False)
        proxy.time_passes(50)
        proxy.probed(True)
        proxy.time_passes(11)
        proxy.time_passes(0.5)
        assert (proxy.link, latches(proxy)) == (40, [])


def test_a_peer_whose_probe_is_answered_meanwhile_keeps_this_proxys_bad_line_its_own(proxy: Proxy) -> None:
    proxy.probed(False)
    told = peers.Told("other", {}, seen_up={"api": 5.0}, heard=proxy.now + 30)
    proxy.peers.heard = {"10.0.0.2": told}
    assert (proxy.time_passes(60), latches(proxy)) == (0, [])
    assert ["other" in sentence for sentence in proxy.protection.trouble] == [True]
    proxy.peers.heard = {"10.0.0.2": replace(told, heard=proxy.now - 60)}
    proxy.time_passes(1)
    assert len(latches(proxy)) == 1, "what it saw before the outage says nothing about it"
    assert proxy.protection.trouble == []


def test_what_a_peer_saw_survives_the_journey_and_an_older_peer_says_nothing(proxy: Proxy) -> None:
    proxy.now += 3
    seen_up = proxy.protection.seen_up()
    assert seen_up == {"api": 3.0}
    document = {"pod": "other", "memory": peers.document_of(proxy.serving.memories, [], {}, seen_up)}
    assert peers.told_from(orjson.loads(orjson.dumps(document))).seen_up == seen_up
    for wrong in ({"api": -1}, {"api": "x"}, {"api": True}, [7]):
        with pytest.raises(ValueError, match=r"."):
            peers.told_from({**document, "memory": {**document["memory"], "seen_up": wrong}})  # type: ignore[dict-item]  # JSON
    del document["memory"]["seen_up"]  # type: ignore[attr-defined]  # JSON
    assert peers.told_from(document).seen_up == {}
    proxy.probed(False, up=True)
    assert proxy.protection.seen_up() == {}, "the newest answer was none"


def test_ten_openings_in_ten_minutes_become_a_hold(proxy: Proxy) -> None:
    for number in range(10):
        assert latches(proxy) == []
        assert proxy.tried(5, 503) == 0
        if number < 9:
            proxy.time_passes(10)
            assert proxy.probed(True) == 1
            proxy.tried(3, 200)
            assert proxy.time_passes(0.5) == 40
    assert len(latches(proxy)) == 1
    assert "10 times within 10 minutes" in proxy.serving.orders["api"][0].reason


def test_a_finished_service_is_neither_suppressed_nor_held(proxy: Proxy) -> None:
    proxy.look(view(100, generation=2, finished=True))
    assert proxy.link == 100
    proxy.tried(50, 503)
    proxy.probed(False)
    proxy.time_passes(600)
    assert (proxy.link, proxy.report.holds, proxy.report.suppression) == (100, (), None)


def test_where_old_has_no_address_nothing_is_taken_back_to_it(proxy: Proxy) -> None:
    proxy.serving.nginx_serves({"api": EXPOSURE}, without_old=frozenset({"api"}))
    assert proxy.tried(5, 503) == 40
    proxy.probed(False)
    assert proxy.time_passes(120) == 40
    assert latches(proxy) == []


def test_a_held_service_is_forgotten_and_what_failed_before_opens_nothing_after_its_release(proxy: Proxy) -> None:
    proxy.tried(5, 503)
    proxy.serving.hold(model.Hold("api", "oncall"))
    proxy.time_passes(0.5)
    assert (proxy.phase, proxy.report.suppression) == (breaker.Phase.CLOSED, None)
    assert proxy.look(view(40, generation=2, clears=("oncall",))) == 40
    proxy.time_passes(0.5)
    assert (proxy.link, proxy.phase) == (40, breaker.Phase.CLOSED)


def test_prometheus_reads_what_is_asked_for_and_what_stands_in_the_way(proxy: Proxy) -> None:
    def samples() -> Samples:
        families = safety_metrics.SafetyMetrics(served=proxy.serving, protection=proxy.protection).collect()
        return {(one.name, one.labels["service"]): one.value for family in families for one in family.samples}

    def now() -> list[float]:
        names = ("requested_weight", "suppression", "breaker_open", "breaker_openings_total", "held", "latched")
        return [samples()[f"ferry_agent_{name}", "api"] for name in names]

    assert now() == [40, 100, 0, 0, 0, 0]
    proxy.tried(5, 503)
    assert now() == [40, 0, 1, 1, 0, 0]
    proxy.serving.hold(model.Hold("api", "oncall"))
    proxy.time_passes(0.5)
    assert now() == [40, 100, 0, 1, 1, 0]
    proxy.serving.hold(model.Hold("api", protection.LATCH + "0a"))
    assert now() == [40, 100, 0, 1, 2, 1]


def test_a_cluster_that_answered_steadily_and_goes_silent_is_told_once() -> None:
    heard = silence.Silence()
    for second in range(12):
        young = {"young": 20 * second} if second > 8 else {}
        assert heard.look({"steady": 20 * second, "rare": second // 5, **young}, now=float(second)) == set()
    last = {"steady": 220, "rare": 2, "young": 220}
    assert heard.look(last, now=12.9) == set()
    assert heard.look(last, now=13.0) == {"steady"}
    assert heard.look(last, now=60.0) == set()
    assert heard.look({**last, "steady": 221}, now=61.0) == set()
