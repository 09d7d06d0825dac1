"""Where the breaker does not end, an agent makes a hold of its own, the same as its peers, and only with their agreement."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from k8s.agent import breaker, peers
from tests.edges.protected_proxy import Proxy, latches, view


@pytest.fixture
def proxy(tmp_path: Path) -> Proxy:
    one = Proxy(tmp_path)
    one.look(view(40))
    assert one.probed(True) == 40
    return one


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
    assert ["down for 60 s: it is refused; other sees it well: only" in sentence for sentence in proxy.protection.trouble] == [
        True
    ]
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
    assert proxy.serving.orders["api"][0].reason == (
        "the breaker opened 10 times within 10 minutes; the last time: 5 tries at the new cluster failed in a row"
    )


def comes_back(proxy: Proxy) -> None:
    """From open to closed, by requests that are answered well."""
    proxy.time_passes(60)
    proxy.probed(True)
    for link in (10, 40):
        proxy.tried(3, 200)
        assert proxy.time_passes(0.5) == link


def turned_away_at_a_peer(proxy: Proxy) -> None:
    proxy.peers.others = 1
    proxy.peers.heard = {"10.0.0.2": peers.Told("other", {}, turned_away=frozenset({"api"}), heard=proxy.now)}


def test_a_breaker_that_has_closed_again_becomes_no_hold_for_what_was_before_and_troubles_nobody(proxy: Proxy) -> None:
    proxy.peers.others = 1
    flap(proxy, 10)
    assert ["no other proxy says so" in sentence for sentence in proxy.protection.trouble] == [True]
    comes_back(proxy)
    assert proxy.protection.trouble == []
    turned_away_at_a_peer(proxy)
    assert (proxy.probed(True), proxy.phase, latches(proxy)) == (40, breaker.Phase.CLOSED, [])
    assert proxy.protection.breakers["api"].too_often(proxy.now), "they are remembered, for the next one"


def test_what_a_half_opening_ended_for_is_not_called_the_reason_of_the_last_opening(proxy: Proxy) -> None:
    proxy.peers.others = 1
    flap(proxy, 10)
    proxy.time_passes(10)
    assert proxy.probed(True) == 1
    assert (proxy.tried(1, 503), "while it was half open" in proxy.report.because) == (0, True)
    turned_away_at_a_peer(proxy)
    proxy.time_passes(0.5)
    assert proxy.serving.orders["api"][0].reason.endswith("the last time: 5 tries at the new cluster failed in a row")


def test_a_peers_good_probe_denies_no_requests_that_failed_here(proxy: Proxy) -> None:
    proxy.peers.others = 1
    flap(proxy, 10)
    proxy.peers.heard = {"10.0.0.2": peers.Told("other", {}, seen_up={"api": 1.0}, heard=proxy.now)}
    proxy.time_passes(0.5)
    [sentence] = proxy.protection.trouble
    assert "api: the breaker opened 10 times within 10 minutes; " in sentence
    assert "look at the new cluster" in sentence
    assert ("delete the pod" in sentence, latches(proxy)) == (False, [])
