"""The end: only at 100% of everything, soaked and backed up, approved; and then there is no old any more."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers import journey_messages, messages
from handlers.rules import decide, decision, effects, journeys, migration, refusals, running
from k8s import entry_change, model
from tests.rules import builders
from tests.rules.builders import ANN, BOB, HOLD, NOON, Phase

Stage = entry_change.Stage
Reason = refusals.Reason
Outcome = migration.Outcome
READY = builders.on_its_way(100)
COMMON: dict[str, Any] = {"id": "x", "at": NOON, "service": "shop"}
ENDED: dict[str, Any] = {"record_finished": True, "entry": builders.FORWARD, "open_ends": ()}
OVER = builders.on_its_way(100, journey=builders.soaked(100, finished=NOON), **ENDED)


def asked(of: migration.Migration) -> decision.Decision:
    return decide.decide(builders.dry_run(of, Stage.FORWARD), builders.objects(Stage.FORWARD), NOON)


def refused(answer: decision.Decision) -> refusals.Refusal:
    assert answer.refusal is not None
    assert not builders.written(answer)
    return answer.refusal


def arranged(of: migration.Migration) -> decision.Decision:
    told = journey_messages.ObjectsArranged(**COMMON, operation=builders.the(of).id, told="the entry is a forward")
    return builders.decided(of, told)


def written(of: migration.Migration) -> migration.Migration:
    return builders.report(messages.RecordWritten, of, generation=2).next


def test_objects_first_then_the_finished_record_then_everybody_serves_it_and_is_watched() -> None:
    of = builders.arranging(READY, Stage.FORWARD)
    answer = arranged(of)
    [write] = builders.written(answer)
    operation = builders.the(answer.next)
    assert (answer.next.phase, write.finished, write.exposure) == (Phase.APPLYING, True, builders.exposure(100))
    assert write.approvals == tuple(one.id for one in operation.approvals)
    assert write in running.resume(answer.next)
    now = written(answer.next)
    assert (now.phase, now.ending, now.finished) == (Phase.CONVERGING, True, False)
    now = builders.report(messages.Converged, now, because="2 of 2 are finished").next
    assert now.phase is Phase.VERIFYING
    done = builders.report(messages.Verified, now, because="all is well")
    kept = builders.kept(done)
    assert kept is not None
    assert (kept.finished, kept.run, kept.standing) == (NOON, None, None)
    assert isinstance(done.effects[0], effects.KeepJourney)
    assert done.next.last is not None
    assert done.next.last.outcome is Outcome.DONE


def test_it_is_approved_by_as_many_as_100_percent_needs() -> None:
    trust = migration.Trust(approvers=((0, 1), (100, 2)))
    assert builders.the(asked(replace(READY, trust=trust)).next).approvals_needed == 2
    seen = builders.dry_run(READY, Stage.FORWARD)
    waiting = builders.again(asked(READY).next, seen)
    assert refused(builders.approve(waiting, ANN)).reason is Reason.OWN_REQUEST
    assert refused(builders.confirm(waiting)).reason is Reason.NOT_APPROVED


def entry(state: entry_change.EntryState) -> migration.Migration:
    return replace(READY, entry=entry_change.EntryView(state))


@pytest.mark.parametrize(
    ("of", "reason", "why"),
    [
        (builders.on_its_way(75), Reason.NOT_HUNDRED, "75%"),
        (replace(READY, certain=False), Reason.NOT_HUNDRED, "100%"),
        (replace(READY, journey=builders.soaked(100, seconds=940)), Reason.BACKUP_RUNS, "1 min of the backup time of"),
        (replace(READY, journey=None), Reason.BACKUP_RUNS, "16 min 40 s"),
        (replace(READY, generation=2), Reason.BACKUP_RUNS, "not begun"),
        (replace(READY, wished=None), Reason.BACKUP_RUNS, "nobody knows"),
        (entry(entry_change.EntryState.UNKNOWN), Reason.ENTRY_NOT_READY, "unknown"),
        (entry(entry_change.EntryState.DIRECT), Reason.ENTRY_NOT_READY, "direct"),
        (entry(entry_change.EntryState.BROKEN), Reason.ENTRY_NOT_READY, "broken"),
        (replace(READY, holds=("h1",)), Reason.HELD, "h1"),
        (replace(READY, blockers=("a proxy is silent",)), Reason.BLOCKED, "a proxy is silent"),
        (OVER, Reason.FINISHED, "no old"),
    ],
)
def test_before_its_time_it_is_refused_with_what_is_missing(of: migration.Migration, reason: refusals.Reason, why: str) -> None:
    refusal = refused(asked(of))
    assert refusal.reason is reason
    assert why in refusal.why


def test_all_of_what_a_rule_selects_is_not_everything() -> None:
    rule = builders.exposure(100, strategy=model.Strategy.HEADER, header=model.HeaderRule("x-beta", ("1",)))
    assert refused(asked(replace(READY, exposure=rule))).reason is Reason.NOT_EVERY_REQUEST


@pytest.mark.parametrize("moment", ["approve", "confirm"])
def test_what_is_missing_is_asked_again_at_every_step(moment: str) -> None:
    seen = builders.dry_run(READY, Stage.FORWARD)
    waiting = builders.again(asked(READY).next, seen)
    of = waiting if moment == "approve" else builders.again(builders.approve(waiting).next, seen)
    reset = replace(of, journey=builders.soaked(100, seconds=0))
    answer = (builders.approve if moment == "approve" else builders.confirm)(reset)
    assert refused(answer).reason is Reason.BACKUP_RUNS


@pytest.mark.parametrize("kind", [messages.NotConverged, messages.NotVerified, messages.RecordNotWritten])
def test_an_end_that_does_not_come_through_is_never_taken_back_and_can_be_asked_for_again(kind: type[Any]) -> None:
    now = arranged(builders.arranging(READY, Stage.FORWARD)).next
    facts = {"unknown": True} if kind is messages.RecordNotWritten else {}
    if not facts:
        now = written(now)
    if kind is messages.NotVerified:
        now = builders.report(messages.Converged, now, because="2 of 2").next
    answer = builders.report(kind, now, why="1 of 2", **facts)
    assert not builders.taken_back(answer)
    assert not any(isinstance(one, effects.WriteHold) for one in answer.effects)
    assert any(isinstance(one, effects.PageSomebody) for one in answer.effects)
    assert answer.next.last is not None
    assert answer.next.last.outcome is Outcome.FAILED
    # The new record's own soak is young; all of it was served before the end was written.
    half = replace(answer.next, generation=2, journey=builders.soaked(100, seconds=0), record_finished=True)
    again = replace(builders.objects(Stage.FORWARD), id="m2")
    assert decide.decide(builders.dry_run(half, Stage.FORWARD), again, NOON).refusal is None


def test_a_hold_before_the_record_stops_the_end_and_calls_somebody_to_look_at_the_entry() -> None:
    of = builders.arranging(READY, Stage.FORWARD)
    answer = builders.decided(of, builders.stands(HOLD))
    [back] = builders.taken_back(answer)
    assert back.exposure.weight == 0
    assert answer.next.phase is Phase.HELD
    assert any(isinstance(one, effects.PageSomebody) and "bypass" in one.sentence for one in answer.effects)
    late = journey_messages.ObjectsArranged(**COMMON, operation=builders.the(of).id, told="done")
    assert not builders.written(decide.decide(answer.next, late, NOON))


def test_a_hold_that_came_while_objects_changed_lets_no_finished_record_be_written() -> None:
    of = replace(builders.arranging(READY, Stage.FORWARD), holds=("h1",))
    answer = arranged(of)
    assert not builders.written(answer)
    assert answer.next.last is not None
    assert (answer.next.last.outcome, "h1" in answer.next.last.because) == (Outcome.FAILED, True)
    [settled] = builders.taken_back(builders.decided(answer.next, builders.stands(HOLD)))
    assert settled.exposure.weight == 0


@pytest.mark.parametrize("failed", [False, True])
def test_until_the_end_is_reached_a_hold_takes_the_finished_record_back_and_never_after(failed: bool) -> None:
    now = written(arranged(builders.arranging(READY, Stage.FORWARD)).next)
    if failed:
        now = builders.report(messages.NotConverged, now, why="1 of 2").next
    [back] = builders.taken_back(builders.decided(now, builders.stands(HOLD)))
    assert (back.exposure.weight, back.over_end) == (0, True)
    reached = replace(now, journey=builders.soaked(100, finished=NOON))
    assert not builders.taken_back(builders.decided(reached, builders.stands(HOLD)))
    lost = replace(now, journey=None)  # nobody can say that old is still there
    assert not builders.taken_back(builders.decided(lost, builders.stands(HOLD)))


def commands() -> list[messages.Message]:
    by: dict[str, Any] = {**COMMON, "actor": ANN}
    return [
        messages.ProposeShift(**by, target=builders.exposure(0)),
        messages.ProposeShift(**by, target=builders.exposure(50)),
        messages.ProposeRelease(**by),
        journey_messages.ProposeObjects(**by, stage=Stage.PREPARE),
        journey_messages.ProposeObjects(**by, stage=Stage.BYPASS),
        journey_messages.ProposeFinish(**by),
        journey_messages.ProposeRun(**by),
        journey_messages.PauseRun(**by),
        journey_messages.ResumeRun(**by),
        journey_messages.SkipSoak(**by, reason="why not"),
    ]


@pytest.mark.parametrize("command", commands(), ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("held", [False, True])
def test_afterwards_whatever_needs_an_old_is_refused(command: messages.Message, held: bool) -> None:
    of = replace(OVER, holds=("h1",), phase=Phase.HELD) if held else OVER
    refusal = refused(decide.decide(of, command, NOON))
    assert refusal.reason is Reason.FINISHED
    assert "no old to go to" in refusal.why


def test_afterwards_nothing_lowers_it() -> None:
    told: list[messages.Message] = [
        builders.stands(HOLD),
        messages.WishLowered(**COMMON, weight=0),
        messages.RecordRestored(**COMMON, generation=1, highest=7),
        messages.TimePassed(**COMMON),
    ]
    for of in (OVER, replace(OVER, holds=("h1",), phase=Phase.HELD), builders.arranging(OVER, Stage.REMOVE)):
        for message in told:
            answer = builders.decided(of, message)
            assert not builders.taken_back(answer)
            assert answer.next.operation == of.operation


def test_a_hold_that_stands_elsewhere_is_not_in_the_way_of_the_removal() -> None:
    held = replace(OVER, holds=("h1",), phase=Phase.HELD)
    answer = builders.decided(builders.dry_run(held, Stage.REMOVE), builders.objects(Stage.REMOVE))
    assert answer.next.phase is Phase.PROPOSED


def test_it_expires_like_any_other_request() -> None:
    waiting = asked(READY).next
    late = decide.decide(waiting, messages.TimePassed(**COMMON), NOON + timedelta(hours=2))
    assert late.next.last is not None
    assert late.next.last.outcome is Outcome.EXPIRED
    assert isinstance(late.next.journey, journeys.Journey)
    assert late.next.journey.finished is None
    assert BOB.id not in {one.by for one in late.next.last.approvals}
