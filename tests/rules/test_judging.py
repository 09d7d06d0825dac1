"""Gates: what passes, what fails, what is too little to tell, and what nobody knows. Unknown never passes."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.rules import judging, ratios
from handlers.rules.gates import Gate, Judgement, Look, Measured, Name, Reading, Side, Verdict
from handlers.rules.journeys import Baseline
from k8s import model

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GATES = model.Gates(error_rate=1.0, latency_increase=50.0, minimum_requests=100)
LOOK = Look(at=NOW, cpu=Reading.of(0.3), memory=Reading.of(0.4))
NAN = Reading(None, "it is not a number")


def side(requests: float, failed: float = 0, average: float = 0.05, p99: float = 0.2) -> Side:
    return Side(Reading.of(requests), Reading.of(failed), Reading.of(average), Reading.of(p99))


GOOD = Measured(
    new=side(1000),
    old=side(1000),
    requests=Reading.of(2000),
    share=Reading.of(0.5),
    available=Reading.of(1.0),
    changes=Reading.of(0),
    served=Reading.of(50),
    window=600,
)


def judge(measured: Measured | None = GOOD, **changes: Any) -> Judgement:
    asked: dict[str, Any] = {
        "look": LOOK,
        "service": "shop",
        "gates": GATES,
        "weight": 50,
        "judge_share": True,
        "baseline": None,
        "firing": (),
        "blind": "",
        "configured": True,
    }
    asked.update(changes)
    return judging.judge(measured, asked.pop("look"), **asked)


def gate(name: Name, judgement: Judgement) -> Gate:
    return next(one for one in judgement.gates if one.name == name)


def test_good_numbers_pass_every_gate_each_with_what_was_measured() -> None:
    judgement = judge()
    assert judgement.verdict is Verdict.PASS
    assert [one.name for one in judgement.gates] == list(Name)
    assert judgement.against() == ()
    assert judgement.judged
    assert judgement.measured == GOOD
    assert [one.sentence for one in judgement.gates] == [
        "error rate: 0 of 1000 tries at the new cluster failed within 10 min (0.00%); at most 1%",
        "p99: the new cluster answers in 200 ms (of 1000 within 10 min), the old one in 200 ms; at most 50% more",
        "average: the new cluster answers in 50.0 ms (of 1000 within 10 min), the old one in 50.0 ms; at most 50% more",
        "availability: clients saw 2000 of 2000 requests answered below 500 within 10 min (100.00%); at least 99%",
        "share: 50.0% of 2000 requests were sent to the new cluster within 10 min, 50% was asked for; at most 4.7 points away",
        "proxy cpu: the busiest proxy uses 30% of its limit; below 80%",
        "proxy memory: the busiest proxy uses 40% of its limit; below 80%",
        "alerts: none fires for shop",
        "watchdog: somebody watches",
    ]


@pytest.mark.parametrize(
    ("failed", "tries", "verdict", "needed"),
    [
        (0, 100, Verdict.PASS, 0),
        (0, 99, Verdict.TOO_FEW, 1),
        (0, 0, Verdict.TOO_FEW, 100),
        (1, 100, Verdict.TOO_FEW, ratios.MOST_NEEDED),  # exactly the limit: no number of requests decides that
        (1, 500, Verdict.TOO_FEW, 340),
        (1, 5000, Verdict.PASS, 0),
        (2, 4, Verdict.TOO_FEW, 96),  # two failures prove nothing
        (4, 8, Verdict.FAIL, 0),
        (15, 1000, Verdict.TOO_FEW, 1150),  # above the limit, but chance may have made it
        (30, 1000, Verdict.FAIL, 0),
        (1000, 1000, Verdict.FAIL, 0),
    ],
)
def test_the_error_rate_is_decided_by_the_interval_not_by_the_ratio(
    failed: int, tries: int, verdict: Verdict, needed: int
) -> None:
    found = gate(Name.ERRORS, judge(replace(GOOD, new=side(tries, failed))))
    assert (found.verdict, found.needed) == (verdict, needed)
    assert f"{failed} of {tries} tries at the new cluster failed" in found.sentence
    if verdict is Verdict.TOO_FEW:
        assert f"{needed:,}" in found.sentence


@given(bad=st.integers(0, 400), more=st.integers(0, 20_000), limit=st.floats(0, 1), minimum=st.integers(0, 500))
def test_a_verdict_on_a_ratio_is_proven_and_the_needed_number_would_bring_one(
    bad: int, more: int, limit: float, minimum: int
) -> None:
    of = bad + more
    ratio = ratios.against(bad, of, limit=limit, minimum=minimum)
    if ratio.verdict is Verdict.FAIL:
        assert bad / of > limit
    elif ratio.verdict is Verdict.PASS:
        assert of >= minimum
        assert of > 0
        assert bad == 0 or bad / of < limit
    else:
        assert ratio.verdict is Verdict.TOO_FEW
        assert 0 < ratio.needed <= ratios.MOST_NEEDED


@given(bad=st.integers(1, 50), of=st.integers(1, 5000))
def test_with_the_needed_requests_at_the_present_rate_it_is_decided(bad: int, of: int) -> None:
    bad = min(bad, of)
    ratio = ratios.against(bad, of, limit=0.01, minimum=100)
    if ratio.verdict is not Verdict.TOO_FEW or ratio.needed == ratios.MOST_NEEDED:
        return
    later = of + ratio.needed
    share = bad / of
    outside = share > 0.01
    # One more or less for the rounding of failures to whole ones.
    failed = int(share * later) + 1 if outside else int(share * later)
    assert ratios.against(max(failed, 3) if outside else failed, later, limit=0.01, minimum=100).verdict is (
        Verdict.FAIL if outside else Verdict.PASS
    )


def test_when_old_fails_as_well_a_person_is_asked_instead_of_blaming_new() -> None:
    judgement = judge(replace(GOOD, new=side(1000, 80), old=side(1000, 90), available=Reading.of(0.91)))
    assert judgement.verdict is Verdict.ASK
    assert gate(Name.ERRORS, judgement).verdict is Verdict.ASK
    assert gate(Name.AVAILABILITY, judgement).verdict is Verdict.ASK
    assert gate(Name.ERRORS, judgement).sentence.endswith(
        "; but 90 of 1000 at the old cluster failed too (9.00%): look for a cause that both share"
    )


def test_a_few_failures_of_old_excuse_nothing() -> None:
    assert gate(Name.ERRORS, judge(replace(GOOD, new=side(1000, 80), old=side(1000, 2)))).verdict is Verdict.FAIL
    unknown = replace(GOOD, new=side(1000, 80), old=replace(side(1000), failed=NAN))
    assert gate(Name.ERRORS, judge(unknown)).verdict is Verdict.FAIL


@pytest.mark.parametrize("name", [Name.AVERAGE, Name.P99])
@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        (0.149, 0.1, Verdict.PASS),
        (0.151, 0.1, Verdict.FAIL),
        (0.019, 0.001, Verdict.PASS),  # nineteen times as long, but below what the distance costs
        (0.022, 0.001, Verdict.FAIL),
        (0.05, 0.5, Verdict.PASS),
    ],
)
def test_latency_of_new_against_old(name: Name, new: float, old: float, verdict: Verdict) -> None:
    measured = replace(GOOD, new=side(1000, 0, new, new), old=side(1000, 0, old, old))
    assert gate(name, judge(measured)).verdict is verdict


@pytest.mark.parametrize("name", [Name.AVERAGE, Name.P99])
def test_latency_where_old_carries_nothing_is_held_against_the_baseline(name: Name) -> None:
    hundred = replace(GOOD, old=side(0), share=Reading.of(1.0))
    none = gate(name, judge(hundred, weight=100))
    assert none.verdict is Verdict.TOO_FEW
    assert none.needed == 100
    assert "there is no baseline" in none.sentence
    usual = Baseline(average=0.04, p99=0.19, requests=5000, at=NOW)
    passed = gate(name, judge(hundred, weight=100, baseline=usual))
    assert passed.verdict is Verdict.PASS
    assert "the old one when it last carried traffic (of 5000)" in passed.sentence
    quick = replace(usual, average=0.02, p99=0.1)
    assert gate(name, judge(hundred, weight=100, baseline=quick)).verdict is Verdict.FAIL
    broken = replace(usual, average=float("nan"), p99=float("nan"))
    assert gate(name, judge(hundred, weight=100, baseline=broken)).verdict is Verdict.TOO_FEW


@pytest.mark.parametrize("name", [Name.AVERAGE, Name.P99])
def test_when_both_are_slower_than_old_used_to_be_a_person_is_asked(name: Name) -> None:
    usual = Baseline(average=0.05, p99=0.2, requests=5000, at=NOW)
    both = replace(GOOD, new=side(1000, 0, 0.5, 2.0), old=side(1000, 0, 0.6, 2.2))
    assert gate(name, judge(both, baseline=usual)).verdict is Verdict.ASK
    assert gate(name, judge(both)).verdict is Verdict.PASS
    worse = replace(both, new=side(1000, 0, 1.5, 5.0))
    assert gate(name, judge(worse, baseline=usual)).verdict is Verdict.FAIL


def test_a_slowest_hundredth_needs_a_hundred_answers_whatever_the_minimum() -> None:
    few = replace(GOOD, new=side(60))
    judgement = judge(few, gates=replace(GATES, minimum_requests=10))
    assert (gate(Name.P99, judgement).verdict, gate(Name.P99, judgement).needed) == (Verdict.TOO_FEW, 40)
    assert gate(Name.AVERAGE, judgement).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("available", "requests", "verdict"),
    [
        (1.0, 100, Verdict.PASS),
        (1.0, 99, Verdict.TOO_FEW),
        (0.995, 10_000, Verdict.PASS),
        (0.995, 200, Verdict.TOO_FEW),
        (0.9, 200, Verdict.FAIL),
        (None, 0, Verdict.TOO_FEW),
        (None, 200, Verdict.UNKNOWN),
    ],
)
def test_availability_is_what_clients_saw(available: float | None, requests: int, verdict: Verdict) -> None:
    reading = NAN if available is None else Reading.of(available)
    measured = replace(GOOD, requests=Reading.of(requests), available=reading)
    assert gate(Name.AVAILABILITY, judge(measured)).verdict is verdict


def test_the_achieved_share_may_be_off_by_chance_only() -> None:
    def verdict(share: float, requests: int = 2000, changes: float = 0) -> Verdict:
        measured = replace(GOOD, share=Reading.of(share), requests=Reading.of(requests), changes=Reading.of(changes))
        return gate(Name.SHARE, judge(measured)).verdict

    assert verdict(0.54) is Verdict.PASS
    assert verdict(0.55) is Verdict.FAIL
    assert verdict(0.0) is Verdict.FAIL
    assert verdict(0.6, requests=200) is Verdict.PASS
    assert verdict(0.6, requests=99) is Verdict.TOO_FEW
    assert verdict(0.25, changes=1) is Verdict.TOO_FEW  # half of the window was at another weight


def test_numbers_from_before_the_step_are_no_wrong_share() -> None:
    before = replace(GOOD, share=Reading.of(0.25), served=Reading.of(25))
    share = gate(Name.SHARE, judge(before))
    assert share.verdict is Verdict.TOO_FEW
    assert "at 25% so far, not at 50%" in share.sentence
    assert gate(Name.SHARE, judge(replace(before, served=Reading.of(37.5)))).verdict is Verdict.TOO_FEW  # one of two proxies
    assert gate(Name.SHARE, judge(replace(before, served=Reading.of(50)))).verdict is Verdict.FAIL
    assert gate(Name.SHARE, judge(replace(before, served=NAN))).verdict is Verdict.UNKNOWN


def test_a_share_that_chance_does_not_make_is_not_judged() -> None:
    judgement = judge(replace(GOOD, share=Reading.of(0.1)), judge_share=False)
    assert Name.SHARE not in {one.name for one in judgement.gates}
    assert judgement.verdict is Verdict.PASS


@pytest.mark.parametrize("name", [Name.CPU, Name.MEMORY])
def test_a_busy_proxy_fails_and_one_that_does_not_tell_is_unknown(name: Name) -> None:
    def verdict(reading: Reading) -> Verdict:
        look = replace(LOOK, cpu=reading) if name is Name.CPU else replace(LOOK, memory=reading)
        return gate(name, judge(look=look)).verdict

    assert verdict(Reading.of(0.799)) is Verdict.PASS
    assert verdict(Reading.of(0.8)) is Verdict.FAIL
    assert verdict(Reading()) is Verdict.UNKNOWN


def test_an_alert_fails_and_a_missing_watchdog_is_unknown() -> None:
    firing = judge(firing=("FerryShareOff", "FerryProxyBusy"))
    assert firing.against() == ("alerts: FerryShareOff, FerryProxyBusy fires for shop; mend its cause first",)
    assert firing.verdict is Verdict.FAIL
    blind = judge(blind="Nobody watches: no watchdog.")
    assert blind.verdict is Verdict.UNKNOWN
    assert blind.against() == ("watchdog is unknown: Nobody watches: no watchdog.",)


def test_what_all_services_share_forbids_and_is_no_matter_of_this_one() -> None:
    shared = judge(common=("FerryProxyUnseen",), look=replace(LOOK, cpu=Reading.of(0.9)))
    assert shared.verdict is Verdict.FAIL
    assert "alerts: FerryProxyUnseen fires for all; mend its cause first" in shared.against()
    assert shared.own.verdict is Verdict.PASS
    both = judge(firing=("FerryShareOff",), common=("FerryProxyUnseen",))
    assert both.own.verdict is Verdict.FAIL
    assert Name.ERRORS in {one.name for one in shared.own.gates}


def test_without_prometheus_in_the_settings_only_alerts_and_the_watchdog_are_judged() -> None:
    judgement = judge(None, configured=False, look=Look(at=NOW, trouble="there is none"))
    assert [one.name for one in judgement.gates] == [Name.ALERTS, Name.WATCHDOG]
    assert judgement.verdict is Verdict.PASS
    assert not judgement.judged
    assert judgement.measured is None
    assert judge(None, configured=False, firing=("FerryShareOff",)).verdict is Verdict.FAIL


def test_a_look_in_trouble_and_a_service_without_numbers_are_unknown() -> None:
    away = judge(look=Look(at=NOW, trouble="Prometheus does not answer."))
    assert away.verdict is Verdict.UNKNOWN
    assert away.judged
    assert away.measured is None
    assert gate(Name.ERRORS, away).sentence == "error rate is unknown: Prometheus does not answer."
    numbers = set(Name) - {Name.ALERTS, Name.WATCHDOG}
    assert {one.name for one in away.gates if one.verdict is Verdict.UNKNOWN} == numbers
    nothing = judge(None)
    assert nothing.verdict is Verdict.UNKNOWN
    of_service = numbers - {Name.CPU, Name.MEMORY}
    assert {one.name for one in nothing.gates if one.verdict is Verdict.UNKNOWN} == of_service


READINGS = [
    *itertools.product(["new", "old"], ["requests", "failed", "average", "p99"]),
    *((None, name) for name in ("requests", "share", "available", "changes", "served")),
]


@pytest.mark.parametrize(("which", "name"), READINGS)
def test_each_number_that_is_missing_keeps_the_verdict_from_passing_but_olds_failures(which: str | None, name: str) -> None:
    missing = {name: Reading(None, "three series answer")}
    changed = {which: replace(getattr(GOOD, which), **missing)} if which else missing
    judgement = judge(replace(GOOD, **changed))
    if (which, name) == ("old", "failed"):  # it only ever excuses new
        assert judgement.verdict is Verdict.PASS
        return
    assert judgement.verdict is Verdict.UNKNOWN
    assert any("three series answer" in sentence for sentence in judgement.against())


reading = st.one_of(st.just(Reading()), st.floats(0, 2, allow_nan=False).map(Reading.of), st.integers(0, 10**7).map(Reading.of))
a_side = st.builds(Side, reading, reading, reading, reading)
measurements = st.builds(
    Measured,
    new=a_side,
    old=a_side,
    requests=reading,
    share=reading,
    available=reading,
    changes=reading,
    served=reading,
    window=st.just(60.0),
)


@given(measured=measurements, cpu=reading, memory=reading, weight=st.integers(0, 100), judge_share=st.booleans())
def test_nothing_passes_on_what_nobody_knows(
    measured: Measured, cpu: Reading, memory: Reading, weight: int, judge_share: bool
) -> None:
    judgement = judge(measured, look=Look(NOW, cpu=cpu, memory=memory), weight=weight, judge_share=judge_share)
    if judgement.verdict is Verdict.PASS:
        needed = [measured.new.requests, measured.new.failed, measured.new.average, measured.new.p99, measured.requests]
        needed += [measured.available, cpu, memory, *([measured.share, measured.changes, measured.served] if judge_share else [])]
        assert all(one.value is not None for one in needed)
        assert (measured.new.requests.value or 0) >= GATES.minimum_requests - 0.5
    for one in judgement.gates:
        assert one.sentence
        assert (one.needed > 0) == (one.verdict is Verdict.TOO_FEW)


def test_two_hundred_services_are_judged_from_one_look() -> None:
    look = replace(LOOK, services={f"service-{number}": GOOD for number in range(200)})
    verdicts = {name: judge(measured, look=look, service=name).verdict for name, measured in look.services.items()}
    assert len(verdicts) == 200
    assert set(verdicts.values()) == {Verdict.PASS}
