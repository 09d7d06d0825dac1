"""Holds beat raises in every phase; what fails goes back to the lower side; a release leaves the weight at 0."""

from dataclasses import replace

import pytest

from handlers import messages
from handlers.rules import decide, effects, migration, planning, refusals, running
from k8s import model
from tests.rules import builders
from tests.rules.builders import HOLD, NOON, Phase

Outcome = migration.Outcome
OTHER = model.Hold("all", "h2", reason="storm")


@pytest.mark.parametrize("phase", Phase)
def test_a_hold_beats_whatever_is_under_way(phase: migration.Phase) -> None:
    answer = decide.decide(builders.in_phase(phase), builders.stands(OTHER), NOON)
    assert answer.refusal is None
    assert answer.next.phase is Phase.HELD
    assert answer.next.operation is None
    assert "h2" in answer.next.holds
    assert not builders.written(answer)
    if phase is not Phase.HELD:
        [settle] = builders.taken_back(answer)
        assert settle.exposure.weight == 0
        assert answer.effects[0] == settle
    if phase not in {Phase.STEADY, Phase.HELD}:
        assert answer.next.last is not None
        assert answer.next.last.outcome is (Outcome.REVERTED if phase in migration.RUNNING else Outcome.VOID)


def test_a_click_after_the_hold_is_told_what_happened() -> None:
    approved = builders.in_phase(Phase.APPROVED)
    held = decide.decide(approved, builders.stands(HOLD), NOON).next
    click = messages.Confirm(id="c", at=NOON, service="shop", actor=builders.ANN, operation=builders.the(approved).id)
    answer = decide.decide(held, click, NOON)
    assert answer.refusal is not None
    assert answer.refusal.reason is refusals.Reason.DECIDED
    assert not builders.written(answer)


@pytest.mark.parametrize("kind", [messages.NotConverged, messages.NotVerified])
def test_a_raise_that_fails_goes_back_to_the_lower_side(kind: type[messages.Message]) -> None:
    phase = Phase.CONVERGING if kind is messages.NotConverged else Phase.VERIFYING
    failing = builders.report(kind, builders.in_phase(phase), why="1 of 2")
    assert failing.next.phase is Phase.REVERTING
    [back] = builders.taken_back(failing)
    assert back.exposure == builders.exposure(25)
    assert back.id != builders.the(failing.next).id
    noted = builders.report(messages.RecordWritten, failing.next, generation=3).next
    done = builders.report(messages.Converged, noted, because="2 of 2").next
    assert done.last is not None
    assert (done.phase, done.last.outcome) == (Phase.STEADY, Outcome.REVERTED)


def test_a_late_report_of_the_raise_does_not_end_its_revert() -> None:
    reverting = builders.in_phase(Phase.REVERTING)
    late = messages.Converged(id="r", at=NOON, service="shop", operation=builders.the(reverting).id, because="late")
    answer = decide.decide(reverting, late, NOON)
    assert answer.refusal is not None
    assert answer.next.phase is Phase.REVERTING


@pytest.mark.parametrize("kind", [messages.RecordNotWritten, messages.NotConverged])
def test_what_cannot_be_lowered_is_held(kind: type[messages.Message]) -> None:
    phase = Phase.APPLYING if kind is messages.RecordNotWritten else Phase.CONVERGING
    lowering = builders.in_phase(phase, kind=migration.Kind.LOWER)
    for stuck in (lowering, builders.in_phase(Phase.REVERTING)):
        answer = builders.report(kind, stuck, why="conflict")
        assert isinstance(answer.effects[0], effects.WriteHold)
        assert any(isinstance(one, effects.PageSomebody) for one in answer.effects)
        assert answer.next.phase is Phase.REVERTING


@pytest.mark.parametrize("phase", Phase)
def test_a_hand_edit_downwards_is_followed(phase: migration.Phase) -> None:
    edit = messages.WishLowered(id="w", at=NOON, service="shop", weight=1)
    answer = decide.decide(builders.in_phase(phase), edit, NOON)
    assert not builders.written(answer)
    expected = [] if phase in {Phase.HELD, Phase.REVERTING} else [1]
    assert [one.exposure.weight for one in builders.taken_back(answer)] == expected


def test_a_document_that_lags_behind_its_own_raise_is_no_hand_edit() -> None:
    converging = builders.in_phase(Phase.CONVERGING)
    edit = messages.WishLowered(id="w", at=NOON, service="shop", weight=25)
    assert decide.decide(converging, edit, NOON).next.phase is Phase.CONVERGING


def test_a_running_operation_is_named_to_whoever_asks_for_another() -> None:
    answer = decide.decide(builders.in_phase(Phase.VERIFYING), builders.shift(builders.exposure(5), message="m2"), NOON)
    assert answer.refusal is not None
    assert "Ann runs 25% → 50%" in answer.refusal.why
    assert "/migrate rollback shop" in answer.refusal.remedy


def test_a_release_clears_its_holds_and_leaves_the_weight_at_0() -> None:
    confirmed = builders.confirm(builders.in_phase(Phase.APPROVED, kind=migration.Kind.RELEASE))
    [write] = builders.written(confirmed)
    assert (write.exposure.weight, write.clears) == (0, ("h1",))
    repeated = decide.decide(confirmed.next, builders.stands(HOLD), NOON)
    assert repeated.next.phase is Phase.APPLYING
    done = builders.in_phase(Phase.VERIFYING, kind=migration.Kind.RELEASE)
    assert (done.phase, done.holds, done.weight) == (Phase.STEADY, (), 0)
    assert done.last is not None
    assert done.last.outcome is Outcome.DONE


def test_a_hold_whose_cause_still_fires_is_not_released() -> None:
    plan = planning.plan(builders.view(builders.exposure(0), holds=(HOLD,)), release=True)
    firing = replace(builders.at(0, holds=(HOLD,)), still_firing=("h1",), plan_now=plan)
    answer = decide.decide(firing, builders.release(), NOON)
    empty = decide.decide(builders.at(0), builders.release(), NOON)
    assert answer.refusal is not None
    assert empty.refusal is not None
    assert (answer.refusal.reason, empty.refusal.reason) == (refusals.Reason.CAUSE_FIRES, refusals.Reason.NOTHING_TO_RELEASE)


def test_a_raise_under_a_hold_says_how_to_release() -> None:
    plan = planning.plan(builders.view(builders.exposure(0), holds=(HOLD,)), target=builders.exposure(5))
    held = replace(builders.at(0, holds=(HOLD,)), plan_now=plan)
    answer = decide.decide(held, builders.shift(builders.exposure(5)), NOON)
    assert answer.refusal is not None
    assert "/migrate safe-mode off shop" in answer.refusal.remedy


def test_after_a_crash_only_what_was_approved_is_written_again() -> None:
    applying = builders.in_phase(Phase.APPLYING)
    assert any(isinstance(one, effects.WriteRecord) for one in running.resume(applying))
    forged = replace(applying, operation=replace(builders.the(applying), approvals=()))
    assert running.resume(forged) == ()
    assert running.resume(builders.in_phase(Phase.APPROVED)) == ()


def test_a_raise_whose_write_was_never_answered_is_taken_back_and_not_called_failed() -> None:
    applying = builders.in_phase(Phase.APPLYING)
    answer = builders.report(messages.RecordNotWritten, applying, why="no answer within 10 s", unknown=True)
    assert answer.next.phase is Phase.REVERTING
    (back,) = builders.taken_back(answer)
    assert back.exposure.weight == 25
    refused = builders.report(messages.RecordNotWritten, applying, why="forbidden")
    assert refused.next.phase is Phase.STEADY
    assert refused.next.last is not None
    assert refused.next.last.outcome is migration.Outcome.FAILED


def test_the_end_of_the_way_back_says_why_it_was_taken() -> None:
    back = builders.in_phase(Phase.REVERTING)
    written = builders.report(messages.RecordWritten, back, generation=3).next
    done = builders.report(messages.Converged, written, because="2 of 2 proxies serve it").next
    assert done.last is not None
    assert done.last.because == "going back to 25%: 1 of 2; 2 of 2 proxies serve it"
