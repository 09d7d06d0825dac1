"""Soak counts only what was watched and was well; it outlives a kept document, and nothing but watched seconds fills it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.rules import gates, journeys, soaking
from k8s import model
from tests.rules import builders
from tests.rules.builders import NOON

WISHED = model.Service("shop", builders.exposure(25), model.Backend("shop.team.svc", 80), soak=100.0, backup=1000.0)
WELL = soaking.Sight(generation=2, weight=25, converged=True)
START = journeys.Journey("shop")
NOT_WELL: list[tuple[dict[str, Any], str]] = [
    ({"converged": False}, "not every proxy serves it"),
    ({"quiet": "a shift is under way."}, "a shift is under way"),
    ({"verdict": gates.Verdict.TOO_FEW, "sentence": "40 more requests are needed."}, "40 more requests are needed"),
    ({"verdict": gates.Verdict.UNKNOWN}, "its gates say: unknown"),
    ({"verdict": gates.Verdict.FAIL, "sentence": "2% errors"}, "2% errors"),
    ({"verdict": gates.Verdict.ASK, "sentence": "both are bad"}, "both are bad"),
]


def ticked(journey: journeys.Journey, sight: soaking.Sight = WELL, *, times: int = 1, seconds: float = 10.0) -> journeys.Journey:
    for _ in range(times):
        journey = soaking.counted(journey, sight, seconds, NOON, WISHED)
    return journey


def of(journey: journeys.Journey) -> journeys.Soak:
    assert journey.soak is not None
    return journey.soak


def test_the_first_look_at_a_record_counts_nothing_and_the_next_ones_do() -> None:
    assert of(ticked(START)) == journeys.Soak(25, 2, 0.0, NOON)
    assert of(ticked(START, times=4)).seconds == 30.0


@pytest.mark.parametrize(("changes", "why"), NOT_WELL)
def test_nothing_counts_while_it_is_not_well_and_what_was_counted_stays(changes: dict[str, Any], why: str) -> None:
    before = ticked(START, times=4)
    after = ticked(before, replace(WELL, **changes), times=5)
    assert (of(after).seconds, of(after).missing, of(after).resets) == (30.0, why, 0)
    assert of(ticked(after)).seconds == 40.0
    assert of(ticked(after)).missing == ""


def test_an_alert_or_drift_sends_it_back_to_nothing_once() -> None:
    before = ticked(START, times=4)
    after = ticked(before, replace(WELL, quiet="the alert NewDown fires", alert_or_drift=True), times=3)
    assert (of(after).seconds, of(after).missing, of(after).resets) == (0.0, "the alert NewDown fires", 1)
    assert of(ticked(after, times=2)).seconds == 20.0


def test_another_record_begins_anew_and_at_0_there_is_nothing_to_soak() -> None:
    before = ticked(START, times=20)
    assert of(ticked(before, replace(WELL, generation=3))).seconds == 0.0
    assert of(ticked(before, replace(WELL, weight=50))).seconds == 0.0
    assert ticked(before, replace(WELL, weight=0)).soak is None


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), soaking.LONGEST_TICK + 1, 86400.0])
def test_time_that_nobody_watched_counts_for_nothing(seconds: float) -> None:
    assert of(ticked(ticked(START), seconds=seconds)).seconds == 0.0


def test_a_clock_that_jumps_changes_nothing() -> None:
    journey = ticked(START)
    for day in (400, -400, 0):
        journey = soaking.counted(journey, WELL, 1.0, NOON + timedelta(days=day), WISHED)
    assert of(journey).seconds == 3.0


def test_full_is_noted_and_at_100_the_same_counter_goes_on_to_the_backup() -> None:
    assert ticked(START, times=10).served == ()
    full = ticked(START, times=11)
    assert full.served == (25,)
    assert soaking.served(full, WISHED)
    hundred = ticked(full, replace(WELL, weight=100, generation=3), times=11)
    assert hundred.hundred == NOON
    assert not soaking.served(hundred, WISHED)
    assert soaking.remaining(hundred, WISHED, 100, 3) == 900.0
    assert ticked(hundred, replace(WELL, weight=100, generation=3), times=100).served == (25, 100)


def test_at_100_a_quiet_service_counts_what_was_watched_and_not_bad() -> None:
    hundred = replace(WELL, weight=100, verdict=gates.Verdict.TOO_FEW, sentence="40 more requests are needed")
    assert of(ticked(START, hundred, times=4)).seconds == 30.0
    for verdict in (gates.Verdict.FAIL, gates.Verdict.UNKNOWN, gates.Verdict.ASK):
        assert of(ticked(START, replace(hundred, verdict=verdict), times=4)).seconds == 0.0
    assert of(ticked(START, replace(hundred, converged=False), times=4)).seconds == 0.0


def test_what_was_served_is_of_its_rules_and_its_target() -> None:
    here = replace(WELL, base=builders.exposure(0))
    full = ticked(START, here, times=11)
    assert (full.served, full.base) == ((25,), builders.exposure(0))
    other = ticked(full, replace(here, base=builders.exposure(0, new_port=8443), generation=3))
    assert (other.served, other.base) == ((), builders.exposure(0, new_port=8443))
    assert soaking.worth_keeping(full, other, 1e9)
    assert soaking.unserved(full, replace(WISHED, ladder=(5, 25, 50)), builders.exposure(75), besides=0) == (5, 50)


def test_what_is_left_is_told_in_wall_time_with_why_nothing_counts() -> None:
    day = replace(WISHED, soak=86400.0)
    assert soaking.left(None, day, 0, 1) == ""
    assert soaking.left(None, day, 25, 2) == "1 d of the soak of 1 d at 25% are missing; it has not begun to count"
    now = replace(START, soak=journeys.Soak(25, 2, 86400.0 - 3 * 3600 - 12 * 60, NOON, "the alert NewDown fires", 2))
    assert soaking.left(now, day, 25, 2) == (
        "3 h 12 min of the soak of 1 d at 25% are missing; it went back to 0 2 times; nothing counts now because "
        "the alert NewDown fires"
    )
    assert "has not begun" in soaking.left(now, day, 25, 3)
    assert soaking.left(replace(now, soak=replace(of(now), seconds=86400.0)), day, 25, 2) == ""
    assert soaking.left(None, replace(day, backup=604800.0), 100, 2).startswith("7 d of the backup time of 7 d at 100%")
    assert soaking.needed(replace(day, backup=60.0), 100) == 86400.0
    assert soaking.left(None, replace(day, backup=0.0), 100, 2).startswith("1 d of the soak of 1 d at 100%")


def test_spans_are_short_and_never_say_that_nothing_is_missing() -> None:
    spans = {0: "0 s", 0.2: "1 s", 45: "45 s", 61: "1 min 1 s", 3599.5: "1 h", 3601: "1 h 1 min", 90000: "1 d 1 h"}
    assert {seconds: soaking.span(seconds) for seconds in spans} == spans


def test_it_is_kept_every_fiftieth_when_full_and_when_it_is_not_only_more() -> None:
    kept = ticked(START, times=2)
    assert soaking.worth_keeping(None, kept, 100.0)
    assert not soaking.worth_keeping(kept, kept, 100.0)
    assert not soaking.worth_keeping(kept, soaking.counted(kept, WELL, 1.9, NOON), 100.0)
    assert soaking.worth_keeping(kept, soaking.counted(kept, WELL, 2.0, NOON), 100.0)
    assert not soaking.worth_keeping(kept, replace(kept, soak=replace(of(kept), seconds=309.9)), 86400.0)
    assert soaking.worth_keeping(kept, replace(kept, soak=replace(of(kept), seconds=310.0)), 86400.0)
    nearly = replace(kept, soak=replace(of(kept), seconds=99.9))
    assert soaking.worth_keeping(nearly, soaking.counted(nearly, WELL, 0.1, NOON), 100.0)
    assert soaking.worth_keeping(kept, ticked(kept, replace(WELL, alert_or_drift=True)), 86400.0)
    assert soaking.worth_keeping(kept, ticked(kept, replace(WELL, weight=0)), 86400.0)
    assert not soaking.worth_keeping(kept, ticked(kept, replace(WELL, converged=False)), 86400.0)


SIGHTS = st.builds(
    soaking.Sight,
    generation=st.integers(1, 2),
    weight=st.sampled_from([0, 5, 25, 100]),
    converged=st.booleans(),
    quiet=st.sampled_from(["", "", "held"]),
    verdict=st.sampled_from(gates.Verdict),
    alert_or_drift=st.booleans(),
)


@given(st.lists(st.tuples(SIGHTS, st.floats(-10, 100)), max_size=40))
def test_no_weight_is_served_without_as_many_healthy_seconds_in_a_row_of_one_record(
    looks: list[tuple[soaking.Sight, float]],
) -> None:
    journey, healthy, at = START, 0.0, (0, 0)
    for sight, seconds in looks:
        journey = soaking.counted(journey, sight, seconds, NOON, WISHED)
        same = (sight.generation, sight.weight) == at
        if not same or sight.alert_or_drift:
            healthy = 0.0
        elif not sight.missing:
            healthy += max(0.0, seconds)
        at = (sight.generation, sight.weight) if sight.weight else (0, 0)
        if soaking.served(journey, WISHED):
            assert healthy >= soaking.needed(WISHED, sight.weight)
