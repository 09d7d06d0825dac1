"""What one agent does by itself for users when new fails: links at once, back gently, a latch where that does not end."""

import datetime
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
    assert (proxy.time_passes(0.5), proxy.report.suppression) == (10, 10)
    proxy.tried(3, 200)
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
    assert fresh.link == 1


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
        for _ in range(2):
            proxy.time_passes(11)
            proxy.probed(True)
            proxy.probed(True)
        assert (proxy.link, latches(proxy)) == (40, [])


def test_a_peer_whose_probe_is_answered_meanwhile_keeps_this_proxys_bad_line_its_own(proxy: Proxy) -> None:
    proxy.peers.others = 1
    proxy.probed(False)
    told = peers.Told("other", {}, seen_up={"api": 5.0}, heard=proxy.now + 60)
    proxy.peers.heard = {"10.0.0.2": told}
    assert (proxy.time_passes(60), latches(proxy)) == (0, [])
    assert ["other sees it" in sentence for sentence in proxy.protection.trouble] == [True]
    proxy.peers.heard = {"10.0.0.2": replace(told, seen_up={"api": 61.0})}
    assert (proxy.time_passes(1), latches(proxy)) == (0, []), "what it saw before the outage says nothing about it"
    assert ["no other proxy says so" in sentence for sentence in proxy.protection.trouble] == [True]
    proxy.peers.heard = {"10.0.0.2": replace(told, turned_away=frozenset({"api"}), heard=proxy.now - 5.1)}
    assert (proxy.time_passes(0), latches(proxy)) == (0, []), "that was some time ago"
    proxy.peers.heard = {"10.0.0.2": replace(told, turned_away=frozenset({"api"}), heard=proxy.now - 4.9)}
    proxy.time_passes(0)
    assert len(latches(proxy)) == 1
    assert proxy.protection.trouble == []


@pytest.mark.parametrize("others", [1, None])
def test_where_peers_are_silent_or_dns_does_not_say_who_they_are_it_suppresses_and_holds_nobody(
    proxy: Proxy, others: int | None
) -> None:
    proxy.peers.others = others
    proxy.probed(False)
    assert (proxy.time_passes(600), latches(proxy), proxy.report.suppression) == (0, [], 0)
    assert ["no other proxy says so" in sentence for sentence in proxy.protection.trouble] == [True]


def test_ten_openings_are_no_hold_either_before_a_peer_has_turned_away_too(proxy: Proxy) -> None:
    proxy.peers.others = 1
    flap(proxy, 10)
    assert (proxy.link, latches(proxy)) == (0, [])
    document = {"pod": "other", "memory": peers.document_of({}, [], {}, {}, proxy.protection.turned_away())}
    heard = replace(peers.told_from(orjson.loads(orjson.dumps(document))), heard=proxy.now)
    proxy.peers.heard = {"10.0.0.2": heard}
    proxy.time_passes(0.5)
    assert len(latches(proxy)) == 1


def test_where_the_old_cluster_is_dead_traffic_stays_at_new_whatever_becomes_of_it(proxy: Proxy) -> None:
    assert proxy.tried(4, 504, cluster="old", seconds=0.5) == 40
    assert proxy.tried(5, 503) == 0
    assert proxy.tried(1, 504, cluster="old", seconds=0.5) == 40, "there is nowhere to go"
    assert (proxy.tried(20, 503), proxy.probed(False), proxy.time_passes(30)) == (40, 40, 40)
    assert (proxy.report.suppression, proxy.protection.old_unusable(), latches(proxy)) == (None, ["api"], [])
    assert "the old cluster does not answer this proxy: traffic stays at new" in proxy.protection.trouble[-1]
    assert samples(proxy)["ferry_agent_old_unusable", "api"] == 1
    proxy.tried(1, 503, cluster="old")
    assert (proxy.time_passes(0.5), proxy.protection.old_unusable()) == (0, []), "it answers again, and new is down"
    assert samples(proxy)["ferry_agent_old_unusable", "api"] == 0


def test_an_old_cluster_that_was_dead_a_minute_ago_is_asked_again_if_it_must_be(proxy: Proxy) -> None:
    proxy.tried(5, 504, cluster="old", seconds=0.5)
    assert proxy.tried(5, 503) == 40
    proxy.time_passes(61)
    assert proxy.tried(5, 503) == 0


def test_answers_that_take_seconds_open_it_and_at_a_slow_cluster_it_stays_open(proxy: Proxy) -> None:
    proxy.tried(20, 200, cluster="old", seconds=0.1)
    assert (proxy.tried(4, 200, seconds=4.0), proxy.tried(1, 200), proxy.log) == (40, 40, 1003)
    proxy.log += 10
    assert (proxy.tried(5, 200, seconds=4.0), "or took up to 4 s" in proxy.report.because) == (0, True)
    proxy.time_passes(10)
    assert proxy.probed(True) == 1
    proxy.log += 4
    assert proxy.tried(1, 200, seconds=4.0) == 0
    assert proxy.protection.breakers["api"].opened == 1


def test_a_hang_opens_it_by_itself_and_neither_late_timeouts_nor_a_quiet_moment_let_it_flap(proxy: Proxy) -> None:
    proxy.protection.hang({"api"})
    assert (proxy.link, "gone silent" in proxy.report.because, proxy.protection.breakers["api"].openings) == (0, True, ())
    proxy.time_passes(10)
    assert proxy.probed(True) == 1
    proxy.time_passes(17)
    assert proxy.tried(20, 504, seconds=30.0) == 1, "they began before it opened"
    proxy.probed(True)
    assert proxy.probed(True) == 1, "what is tried now can hang as long"
    proxy.time_passes(13)
    assert proxy.tried(1, 504, seconds=30.0) == 0
    assert proxy.protection.breakers["api"].opened == 1


def test_a_probe_that_users_contradict_is_trouble_and_no_reason(proxy: Proxy) -> None:
    proxy.probed(False, up=True)
    proxy.time_passes(1)
    proxy.tried(1, 200)
    proxy.time_passes(1)
    assert proxy.probed(False) == 40
    assert (proxy.time_passes(600), proxy.protection.turned_away(), latches(proxy)) == (40, [], [])
    assert ["but it answers users" in sentence for sentence in proxy.protection.trouble] == [True]
    assert proxy.tried(5, 503) == 0


def test_a_new_record_lets_the_openings_and_the_minute_begin_anew(proxy: Proxy) -> None:
    flap(proxy, 9)
    assert proxy.look(view(40, generation=2)) == 40
    flap(proxy, 1)
    assert (proxy.link, latches(proxy)) == (40, [])
    proxy.probed(False)
    proxy.time_passes(59)
    proxy.look(view(41, generation=3))
    proxy.time_passes(0.5)
    assert (proxy.time_passes(59), latches(proxy)) == (0, [])
    proxy.time_passes(2)
    assert len(latches(proxy)) == 1


def test_an_agent_that_starts_below_what_is_approved_goes_up_in_steps(tmp_path: Path) -> None:
    before = Proxy(tmp_path)
    before.look(view(40))
    before.probed(True)
    assert before.tried(5, 503) == 0
    again = Proxy(tmp_path)
    assert again.look(view(40)) == 0
    assert (again.probed(True), again.protection.turned_away()) == (1, [])
    again.tried(3, 200)
    assert again.time_passes(0.5) == 10
    again.tried(3, 200)
    assert again.time_passes(0.5) == 40
    assert again.protection.breakers["api"].opened == 0


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


def flap(proxy: Proxy, openings: int) -> None:
    """The last time it stays open."""
    for number in range(openings):
        assert (latches(proxy), proxy.tried(5, 503)) == ([], 0)
        if number < openings - 1 or openings < 10:
            proxy.time_passes(10)
            assert proxy.probed(True) == 1
            for link in (10, 40):
                proxy.tried(3, 200)
                assert proxy.time_passes(0.5) == link


def test_ten_openings_in_ten_minutes_become_a_hold(proxy: Proxy) -> None:
    flap(proxy, 10)
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


def samples(proxy: Proxy) -> Samples:
    families = safety_metrics.SafetyMetrics(served=proxy.serving, protection=proxy.protection).collect()
    return {(one.name, one.labels["service"]): one.value for family in families for one in family.samples}


def test_prometheus_reads_what_is_asked_for_and_what_stands_in_the_way(proxy: Proxy) -> None:
    def now() -> list[float]:
        names = ("requested_weight", "suppression", "breaker_open", "breaker_openings_total", "held", "latched")
        return [samples(proxy)[f"ferry_agent_{name}", "api"] for name in names]

    assert now() == [40, 100, 0, 0, 0, 0]
    proxy.tried(5, 503)
    assert now() == [40, 0, 1, 1, 0, 0]
    proxy.serving.hold(model.Hold("api", "oncall"))
    proxy.time_passes(0.5)
    assert now() == [40, 100, 0, 1, 1, 0]
    proxy.serving.hold(model.Hold("api", protection.LATCH + "0a"))
    assert now() == [40, 100, 0, 1, 2, 1]


Rates = dict[str, tuple[float, float]]


def heard_for(rates: Rates, seconds: int, *, heard: silence.Silence) -> dict[str, silence.Heard]:
    """Answers a second of new and old, by service, for so long; nothing is found meanwhile."""
    last: dict[str, silence.Heard] = {}
    for second in range(seconds + 1):
        for name, (new, old) in rates.items():
            last[name] = silence.Heard(float(int(new * second)), int(new * second), int(old * second))
        assert heard.look(last, now=float(second)) == (set(), set())
    return last


def test_a_cluster_that_answered_steadily_and_goes_silent_is_told_once() -> None:
    heard = silence.Silence()
    last = heard_for({"steady": (20, 0), "rare": (0.2, 20)}, 12, heard=heard)
    heard.look({**last, "young": silence.Heard(5.0, 500, 0)}, now=12.5)
    assert heard.look(last, now=13.9) == (set(), set())
    assert heard.look(last, now=14.0) == ({"steady"}, set())
    assert heard.look(last, now=60.0) == (set(), set())
    assert heard.look({**last, "steady": last["steady"]._replace(head=61.0)}, now=61.0) == (set(), set())


@pytest.mark.parametrize(
    ("rate", "still", "hangs_at"),
    [(20.0, 20.0, 3), (20.0, 11.0, 3), (20.0, 9.0, None), (20.0, 0.0, None), (2.0, 20.0, 10), (0.9, 20.0, None)],
)
def test_it_hangs_only_where_old_goes_on_answering(rate: float, still: float, hangs_at: int | None) -> None:
    heard = silence.Silence()
    last = heard_for({"api": (rate, 20)}, 20, heard=heard)["api"]
    found = []
    for second in range(1, 16):
        drained = last.new + second  # connections of long ago end now: those are no answers
        now = silence.Heard(last.head, drained, int(last.old + still * second))
        if heard.look({"api": now}, now=20.0 + second).hanging:
            found.append(second)
    assert found == ([] if hangs_at is None else [hangs_at])


def test_where_the_clients_of_old_stop_a_little_later_nothing_hangs() -> None:
    heard = silence.Silence()
    last = heard_for({"api": (20, 20)}, 20, heard=heard)["api"]
    for second, old in enumerate((20, 40, 40, 40), start=1):
        assert heard.look({"api": last._replace(old=last.old + old)}, now=20.0 + second).hanging == set()


def test_at_a_weight_of_100_what_old_answers_for_a_new_cluster_that_is_full_tells_a_hang() -> None:
    heard = silence.Silence()
    last = heard_for({"api": (20, 0)}, 20, heard=heard)["api"]
    assert heard.look({"api": last}, now=23.0).hanging == set()
    assert heard.look({"api": last._replace(old=2)}, now=24.0).hanging == set()
    assert heard.look({"api": last._replace(old=5)}, now=25.0).hanging == {"api"}
