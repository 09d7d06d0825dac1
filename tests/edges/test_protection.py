"""What one agent does by itself for users when new fails: links at once, back gently."""

import datetime
from pathlib import Path

import orjson
import pytest

from k8s import convergence, model, proxy_report, report_document, views
from k8s.agent import breaker, memory_file, peers, protection, safety_metrics
from tests.edges.protected_proxy import EXPOSURE, Proxy, latches, view

Samples = dict[tuple[str, str], float]


@pytest.fixture
def proxy(tmp_path: Path) -> Proxy:
    one = Proxy(tmp_path)
    one.look(view(40))
    assert one.probed(True) == 40
    return one


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
    assert set(moved) <= {0}, "not even for a moment"
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


def test_clients_that_only_stopped_cost_less_than_a_minute_though_nobody_asks_for_anything_meanwhile(proxy: Proxy) -> None:
    proxy.protection.hang({"api"})
    links = []
    for _ in range(58):
        proxy.time_passes(1)
        links.append(proxy.probed(True))
    assert list(dict.fromkeys(links)) == [0, 1, 10, 40]
    assert (proxy.phase, proxy.protection.breakers["api"].opened) == (breaker.Phase.CLOSED, 1)


def test_a_probe_that_users_contradict_is_trouble_and_no_reason(proxy: Proxy) -> None:
    proxy.probed(False, up=True)
    proxy.time_passes(1)
    proxy.tried(1, 200)
    proxy.time_passes(1)
    assert proxy.probed(False) == 40
    assert (proxy.time_passes(600), proxy.protection.turned_away(), latches(proxy)) == (40, [], [])
    assert ["but it answers users" in sentence for sentence in proxy.protection.trouble] == [True]
    assert proxy.tried(5, 503) == 0


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


def told_by_a_peer(proxy: Proxy, *turned_away: str) -> None:
    proxy.peers.others = 1
    proxy.peers.heard = {"10.0.0.2": peers.Told("other", {}, turned_away=frozenset(turned_away), heard=proxy.now)}


def test_a_new_proxy_whose_peer_keeps_users_away_starts_with_one_percent_and_is_no_reason_for_its_peers(tmp_path: Path) -> None:
    fresh = Proxy(tmp_path)
    told_by_a_peer(fresh, "api")
    assert fresh.look(view(40)) == 0
    fresh.probes.up["api"] = True
    assert fresh.look(view(40)) == 0, "not even for a moment"
    assert (fresh.probed(True), fresh.phase, fresh.protection.turned_away()) == (1, breaker.Phase.HALF_OPEN, [])
    assert "this proxy starts with less than was approved" in fresh.report.because
    for link in (10, 40):
        fresh.tried(3, 200)
        assert fresh.time_passes(0.5) == link


def test_what_a_peer_says_takes_nothing_from_a_proxy_that_serves_users_well(proxy: Proxy, tmp_path: Path) -> None:
    told_by_a_peer(proxy, "api")
    assert (proxy.probed(True), proxy.time_passes(1), proxy.look(view(60, generation=2))) == (40, 40, 60)
    again = Proxy(tmp_path)
    told_by_a_peer(again, "api")
    assert (again.look(view(60, generation=2)), again.probed(True)) == (60, 60), "it was restarted, and served as much before"
    assert again.look(view(0, generation=3)) == again.probed(True) == 0
    assert again.look(view(40, generation=4)) == 40, "it has seen itself that the new cluster is well"
    other = Proxy(tmp_path / "other")
    told_by_a_peer(other, "shop")
    assert (other.look(view(40)), other.probed(True)) == (0, 40)
    told_late = Proxy(tmp_path / "late")
    told_by_a_peer(told_late, "api")
    told_late.now += peers.FRESH + 0.1
    assert (told_late.look(view(40)), told_late.probed(True)) == (0, 40)


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


def test_time_alone_is_no_reason_to_look_at_what_is_held_or_at_0_and_is_one_once_it_is_released(proxy: Proxy) -> None:
    proxy.probed(False)
    assert proxy.protection.tick() == ["api"]
    proxy.serving.hold(model.Hold("api", "oncall"))
    assert proxy.protection.tick() == ["api"], "its breaker is to be forgotten"
    proxy.time_passes(0.5)
    assert (proxy.phase, proxy.protection.tick()) == (breaker.Phase.CLOSED, [])
    assert proxy.look(view(0, generation=2, clears=("oncall",))) == 0
    assert proxy.protection.tick() == []
    assert proxy.look(view(40, generation=3)) == 0
    assert proxy.protection.tick() == ["api"]
    proxy.time_passes(0.5)
    assert (proxy.link, proxy.phase) == (0, breaker.Phase.OPEN)


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


def test_a_limit_that_cuts_nothing_is_reported_too_so_that_a_raise_to_1_percent_does_not_pass_for_served(proxy: Proxy) -> None:
    proxy.tried(5, 503)
    proxy.time_passes(10)
    assert (proxy.probed(True), proxy.phase) == (1, breaker.Phase.HALF_OPEN)
    assert proxy.look(view(1, generation=2)) == 1
    report = proxy.report
    assert (report.served, report.suppression) == (1, 1)
    assert report.because.startswith("record 2; the breaker lets at most 1% through (half open: ")
    assert datetime.datetime.fromisoformat(report.suppressed_since).timestamp() == 1000.0 + 1
