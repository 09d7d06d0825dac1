"""What old used to take is learned while old is well and asked enough, and kept when it is not."""

from dataclasses import replace

import pytest

from handlers import baselines
from handlers.rules import gates, journeys, soaking
from tests.rules.builders import NOON

_of = gates.Reading.of
Verdict = gates.Verdict
JOURNEY = journeys.Journey("shop")
SIGHT = soaking.Sight(generation=2, weight=75, converged=True)


def judged(verdict: gates.Verdict, *, average: float = 0.05, requests: int = 500) -> gates.Judgement:
    old = gates.Side(_of(requests), _of(0), _of(average), _of(4 * average))
    return gates.Judgement((gates.Gate("p99", verdict, "so"),), gates.Measured(old=old))


@pytest.mark.parametrize("verdict", Verdict)
def test_only_a_healthy_look_says_what_is_usual(verdict: gates.Verdict) -> None:
    known = baselines.Baselines()
    first = known.noted(JOURNEY, SIGHT, judged(Verdict.PASS), NOON).baseline
    assert first == journeys.Baseline(0.05, 0.2, 500, NOON)
    later = known.noted(JOURNEY, SIGHT, judged(verdict, average=0.5), NOON).baseline
    assert (later != first) is (verdict in {Verdict.PASS, Verdict.TOO_FEW})


@pytest.mark.parametrize(
    ("sight", "judgement"),
    [
        (SIGHT, judged(Verdict.PASS, requests=99)),
        (replace(SIGHT, weight=100), judged(Verdict.PASS)),
        (replace(SIGHT, weight=0), judged(Verdict.PASS)),
        (replace(SIGHT, quiet="the alert NewDown fires"), judged(Verdict.PASS)),
        (SIGHT, gates.Judgement()),
    ],
)
def test_a_handful_of_requests_or_none_at_old_says_nothing(sight: soaking.Sight, judgement: gates.Judgement) -> None:
    assert baselines.Baselines().noted(JOURNEY, sight, judgement, NOON).baseline is None
    kept = replace(JOURNEY, baseline=journeys.Baseline(0.05, 0.2, 500, NOON))
    assert baselines.Baselines().noted(kept, sight, judgement, NOON) == kept
