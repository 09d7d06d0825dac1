"""The handover report: what happened, by whom, approved by whom, with which numbers; foreign text formats nothing."""

from dataclasses import replace
from datetime import timedelta

from handlers import answers, handover
from handlers.rules import gates, journeys
from k8s import entry_change
from tests.rules import builders

NOON = builders.NOON
PAST = (
    answers.Past(2, NOON + timedelta(days=8), "Ann", "written", 25, 100, ("Bob", "Cyd"), "op-2", "h2", "all of it", "p" * 64),
    answers.Past(1, NOON, "Ann", "written", None, 25, ("Bob",), "op-1", "h1", "a | canary\n`x`", "q" * 64),
)
JOURNEY = journeys.Journey(
    "shop",
    7,
    journeys.Soak(100, 2, 604_800.0, NOON, resets=1),
    served=(25, 100),
    baseline=journeys.Baseline(0.045, 0.21, 12_000, NOON),
    hundred=NOON + timedelta(days=8),
    finished=NOON + timedelta(days=16),
)
STATUS = answers.JourneyStatus(
    service="shop",
    stage=answers.Stage.FINISHED,
    weight=100,
    soak=JOURNEY.soak,
    soak_needed=0.0,
    next_step=None,
    waits_for=(),
    run=None,
    standing=None,
    entry=entry_change.EntryView(entry_change.EntryState.FORWARD, "a forward for good", (), 0),
    judgement=gates.Judgement(
        (gates.Gate("p99", gates.Verdict.PASS, "220 ms, the limit is 315 ms"),),
        gates.Measured(
            new=gates.Side(gates.Reading.of(4_000), gates.Reading.of(3), gates.Reading.of(0.05), gates.Reading.of(0.22))
        ),
    ),
    backup_left=None,
    journey=JOURNEY,
)


def test_the_report_tells_the_way_in_order_with_approvals_and_numbers() -> None:
    said = handover.report(STATUS, PAST, None)
    assert said.startswith("# Handover of shop\n")
    assert said.index("| 2026-01-02 12:00 UTC | 0% → 25% | Ann | Bob |") < said.index(
        "| 25% → 100% | Ann | Bob, Cyd | all of it |"
    )
    assert "- At 100% since: 2026-01-10 12:00 UTC" in said
    assert "- Finished: 2026-01-18 12:00 UTC" in said
    assert "- Old application removed: not yet" in said
    assert "Weights whose soak was served: 25%, 100%" in said
    assert "average 45 ms, p99 210 ms, 12,000 requests" in said
    assert "| p99 | not known (it was not measured) | 220 ms |" in said
    assert f"- Generation 2: Bob, Cyd; plan `{'p' * 16}`, operation `op-2`" in said


def test_what_people_wrote_formats_nothing_and_breaks_no_table() -> None:
    said = handover.report(STATUS, PAST, None)
    (row,) = [line for line in said.splitlines() if "canary" in line]
    assert "a \\| canary \\`x\\`" in row
    assert row.replace("\\|", "").count("|") == 6


def test_what_is_not_known_is_said_so() -> None:
    nothing = replace(STATUS, journey=None, judgement=gates.Judgement(), entry=entry_change.EntryView())
    said = handover.report(nothing, (), None)
    assert "- First change: not known" in said
    assert "Nothing was ever changed." in said
    assert "Nothing was measured." in said
    assert "- Entry: unknown." in said
