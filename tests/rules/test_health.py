"""The verdict over what the proxies counted: few requests, silence, a wrong share, failures, slowness."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.rules import health
from k8s import model, proxy_report, views

GATES = model.Gates()


def fleet(*traffic: proxy_report.Traffic | None, silent: tuple[str, ...] = ()) -> views.Fleet:
    reports = tuple(
        proxy_report.ProxyReport(
            pod=f"pod-{place}",
            ready=True,
            terminating=False,
            config="c",
            services={"shop": proxy_report.ServiceReport("shop", generation=2, served=25, traffic=one)},
        )
        for place, one in enumerate(traffic)
    )
    return views.Fleet(expected=len(reports), reports=reports, silent=silent)


def counted(new: int, old: int, *, failed: int = 0, slow: float = 0.01) -> proxy_report.Traffic:
    return proxy_report.Traffic(
        new=new, old=old, attempts_new=new, failed_new=failed, answered_new=new, answered_old=old,
        seconds_new=new * slow, seconds_old=old * 0.01,
    )  # fmt: skip


def judged(start: views.Fleet, now: views.Fleet, *, weight: int = 25, judge_share: bool = True) -> health.Verdict:
    return health.verdict(start, now, service="shop", weight=weight, gates=GATES, judge_share=judge_share)


ZERO = fleet(counted(0, 0), counted(0, 0))


def test_the_share_that_was_asked_for_is_healthy_and_the_sentence_says_the_figures() -> None:
    verdict = judged(ZERO, fleet(counted(250, 750), counted(252, 748)))
    assert isinstance(verdict, health.Healthy)
    assert "25.1% of 2000 requests" in verdict.sentence
    assert "0 of 502 attempts" in verdict.sentence


def test_a_share_far_off_is_not_healthy() -> None:
    verdict = judged(ZERO, fleet(counted(100, 900), counted(100, 900)))
    assert isinstance(verdict, health.Unhealthy)
    assert "25% was asked for" in verdict.sentence


def test_a_handful_that_began_before_the_change_is_no_wrong_share() -> None:
    assert isinstance(judged(ZERO, fleet(counted(75, 2), counted(80, 1)), weight=100), health.Healthy)
    assert isinstance(judged(ZERO, fleet(counted(75, 20), counted(80, 20)), weight=100), health.Unhealthy)


def test_a_share_is_not_judged_where_the_rules_choose_the_requests() -> None:
    assert isinstance(judged(ZERO, fleet(counted(100, 900), counted(100, 900)), judge_share=False), health.Healthy)


@pytest.mark.parametrize(("new", "kind"), [(0, health.TooFew), (99, health.TooFew), (100, health.Healthy)])
def test_a_rule_that_few_requests_match_is_not_judged_by_all_the_others(new: int, kind: type[health.Verdict]) -> None:
    ruled = model.Exposure(
        weight=25, old_host="a.example", new_host="b.example", strategy=model.Strategy.IP, cidrs=("10.2.0.0/16",)
    )
    now = fleet(counted(new, 1000 - new), counted(0, 0))
    verdict = health.verdict(ZERO, now, service="shop", weight=25, gates=GATES, judge_share=False, keyed=ruled)
    assert isinstance(verdict, kind)
    assert kind is health.Healthy or f"only {new} of 1000 requests were such as go to the new cluster" in verdict.sentence


def test_few_requests_are_neither_good_nor_bad_news() -> None:
    verdict = judged(ZERO, fleet(counted(2, 7), counted(0, 0)))
    assert isinstance(verdict, health.TooFew)
    assert "only 9 requests" in verdict.sentence


def test_failures_count_although_few_requests_came() -> None:
    assert isinstance(judged(ZERO, fleet(counted(5, 15, failed=5), counted(0, 0))), health.Unhealthy)


def test_one_failure_among_few_attempts_proves_nothing() -> None:
    assert isinstance(judged(ZERO, fleet(counted(10, 30, failed=1), counted(10, 30))), health.TooFew)


def test_failures_above_the_gate_are_not_healthy() -> None:
    verdict = judged(ZERO, fleet(counted(2500, 7500, failed=90), counted(0, 0)))
    assert isinstance(verdict, health.Unhealthy)
    assert "90 of 2500 attempts" in verdict.sentence


def test_slower_by_half_is_not_healthy_and_a_few_milliseconds_are_the_distance() -> None:
    assert isinstance(judged(ZERO, fleet(counted(250, 750, slow=0.08), counted(250, 750, slow=0.08))), health.Unhealthy)
    assert isinstance(judged(ZERO, fleet(counted(250, 750, slow=0.025), counted(250, 750, slow=0.025))), health.Healthy)


@pytest.mark.parametrize("now", [fleet(counted(250, 750), silent=("pod-1",)), fleet(), fleet(counted(250, 750), None)])
def test_silence_is_unknown(now: views.Fleet) -> None:
    assert isinstance(judged(ZERO, now), health.Unknown)


def test_an_agent_that_started_anew_counts_from_its_own_start() -> None:
    start = fleet(counted(5000, 5000), counted(0, 0))
    seen = health.since(start, fleet(counted(30, 90), counted(20, 60)), "shop")
    assert seen is not None
    assert (seen.new, seen.old) == (50, 150)


@given(st.integers(0, 100), st.integers(0, 2**32))
def test_fair_draws_are_hardly_ever_called_unfair(weight: int, seed: int) -> None:
    draw = random.Random(seed)
    new = sum(draw.random() * 100 < weight for _ in range(2000))
    assert isinstance(judged(ZERO, fleet(counted(new, 2000 - new), counted(0, 0)), weight=weight), health.Healthy)


@given(st.integers(1, 5000), st.data())
def test_wilsons_lower_end_is_below_the_naked_ratio(attempts: int, data: st.DataObject) -> None:
    failed = data.draw(st.integers(0, attempts))
    assert -1e-9 <= health.at_least(failed, attempts) <= failed / attempts + 1e-9
