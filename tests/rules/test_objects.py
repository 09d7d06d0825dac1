"""Objects around a service are changed as the approved dry run says, or not at all; around the proxies needs nobody's yes."""

from dataclasses import replace
from typing import Any

import pytest

from handlers import journey_messages, messages
from handlers.rules import decide, decision, effects, migration, refusals, running
from k8s import entry_change
from tests.rules import builders
from tests.rules.builders import ANN, BOB, HOLD, LAY, NOON, Phase

Stage = entry_change.Stage
Reason = refusals.Reason
Outcome = migration.Outcome
ENDED: dict[str, Any] = {"record_finished": True, "entry": builders.FORWARD, "open_ends": ()}
REMOVABLE = builders.on_its_way(100, journey=builders.soaked(100, finished=NOON), **ENDED)
START = {Stage.PREPARE: builders.on_its_way(0), Stage.BYPASS: builders.on_its_way(25), Stage.REMOVE: REMOVABLE}


def asked(stage: entry_change.Stage, of: migration.Migration | None = None, **changes: Any) -> decision.Decision:
    return decide.decide(builders.dry_run(of or START[stage], stage, **changes), builders.objects(stage), NOON)


def arranges(answer: decision.Decision) -> list[effects.ArrangeObjects]:
    return [one for one in answer.effects if isinstance(one, effects.ArrangeObjects)]


def refused(answer: decision.Decision) -> refusals.Refusal:
    assert answer.refusal is not None
    assert not arranges(answer)
    return answer.refusal


def report(of: migration.Migration, *, well: bool = True, operation: str = "") -> decision.Decision:
    common: dict[str, Any] = {"id": "o", "at": NOON, "service": "shop", "operation": operation or builders.the(of).id}
    if well:
        return decide.decide(of, journey_messages.ObjectsArranged(told="one Ingress was applied", **common), NOON)
    return decide.decide(of, journey_messages.ObjectsNotArranged(why="Argo owns it", **common), NOON)


@pytest.mark.parametrize("stage", [Stage.PREPARE, Stage.REMOVE])
def test_preparation_and_removal_need_other_eyes_and_a_confirmation(stage: entry_change.Stage) -> None:
    seen = builders.dry_run(START[stage], stage)
    waiting = builders.again(asked(stage).next, seen)
    assert waiting.phase is Phase.PROPOSED
    assert refused(builders.confirm(waiting)).reason is Reason.NOT_APPROVED
    assert refused(builders.approve(waiting, ANN)).reason is Reason.OWN_REQUEST
    approved = builders.again(builders.approve(waiting, BOB).next, seen)
    assert refused(builders.confirm(approved, BOB)).reason is Reason.NOT_REQUESTER
    answer = builders.confirm(approved)
    [effect] = arranges(answer)
    assert effect.stage is stage
    assert effect.operation == answer.next.operation
    done = report(answer.next)
    assert done.next.last is not None
    assert (done.next.phase, done.next.last.outcome) == (Phase.STEADY, Outcome.DONE)
    assert not builders.written(done)
    kept = builders.kept(done)
    assert (kept.removed if kept else None) == (NOON if stage is Stage.REMOVE else None)


def test_around_the_proxies_any_member_goes_with_one_confirmation() -> None:
    seen = builders.dry_run(replace(START[Stage.BYPASS], blockers=("nothing is well",), holds=("h1",)), Stage.BYPASS)
    waiting = decide.decide(seen, builders.objects(Stage.BYPASS, LAY), NOON)
    assert waiting.next.phase is Phase.APPROVED
    assert refused(builders.confirm(waiting.next, builders.GUEST)).reason is Reason.OUTSIDER
    answer = builders.confirm(waiting.next, BOB)
    assert [one.stage for one in arranges(answer)] == [Stage.BYPASS]
    assert refused(decide.decide(seen, builders.objects(Stage.BYPASS, builders.GUEST), NOON)).reason is Reason.OUTSIDER


def test_a_bypass_takes_the_place_of_what_waits_and_of_nothing_that_runs() -> None:
    waiting = builders.dry_run(builders.in_phase(Phase.PROPOSED), Stage.BYPASS)
    answer = builders.decided(waiting, replace(builders.objects(Stage.BYPASS), id="m2"))
    assert builders.the(answer.next).plan.kind is migration.Kind.BYPASS
    assert [one.operation.outcome for one in answer.effects if isinstance(one, effects.DropOperation)] == [Outcome.VOID]
    prepare = builders.dry_run(builders.in_phase(Phase.PROPOSED), Stage.PREPARE)
    assert refused(decide.decide(prepare, replace(builders.objects(Stage.PREPARE), id="m2"), NOON)).reason is Reason.WAITS
    runs = builders.dry_run(builders.in_phase(Phase.CONVERGING), Stage.BYPASS)
    assert refused(decide.decide(runs, builders.objects(Stage.BYPASS), NOON)).reason is Reason.RUNS


def test_a_bypass_follows_what_moved_meanwhile_and_pauses_the_ladder() -> None:
    waiting = asked(Stage.BYPASS).next
    moved = builders.dry_run(waiting, Stage.BYPASS, digest="d2")
    [effect] = arranges(builders.confirm(moved))
    assert effect.operation.plan.objects == (("apply Ingress team/shop", "d2"),)
    [blind] = arranges(builders.confirm(replace(waiting, plan_now=None, arrangement=None)))
    assert blind.operation.plan.objects == (("apply Ingress team/shop", "d1"),)
    kept = builders.kept(builders.confirm(moved))
    assert kept is not None
    assert kept.soak is not None
    assert kept.soak.seconds == 0


def test_a_bypass_ends_with_the_record_at_0_so_that_no_entry_brings_its_weight_back() -> None:
    of = builders.arranging(builders.on_its_way(25), Stage.BYPASS)
    done = report(of)
    [back] = builders.taken_back(done)
    assert (back.exposure.weight, done.next.last and done.next.last.outcome) == (0, Outcome.DONE)
    order = [type(one) for one in done.effects]
    assert order.index(effects.RevertRecord) < order.index(effects.DropOperation)
    assert not builders.taken_back(report(builders.arranging(builders.on_its_way(0), Stage.BYPASS)))


def test_an_entry_comes_into_being_over_no_weight() -> None:
    direct = entry_change.EntryView(entry_change.EntryState.DIRECT)
    for entry in (direct, entry_change.EntryView(), entry_change.EntryView(entry_change.EntryState.BROKEN)):
        refusal = refused(asked(Stage.PREPARE, builders.on_its_way(75, entry=entry)))
        assert refusal.reason is Reason.WEIGHT_FIRST
        assert "75%" in refusal.why
    assert asked(Stage.PREPARE, builders.on_its_way(0, entry=direct)).refusal is None
    trust = migration.Trust(approvers=((0, 1), (75, 3)))
    assert builders.the(asked(Stage.PREPARE, builders.on_its_way(75, trust=trust)).next).approvals_needed == 3


def test_nobody_is_led_around_the_proxies_to_an_old_that_is_gone() -> None:
    gone, unsure = (replace(builders.ENTERED, old_ready=ready) for ready in (0, None))
    assert refused(asked(Stage.BYPASS, builders.on_its_way(25, entry=gone))).reason is Reason.OLD_IS_GONE
    waiting = asked(Stage.BYPASS, builders.on_its_way(25, entry=unsure)).next
    assert refused(builders.confirm(replace(waiting, entry=gone))).reason is Reason.OLD_IS_GONE
    assert arranges(builders.confirm(replace(waiting, entry=replace(gone, old_ready=1))))


@pytest.mark.parametrize("moment", ["ask", "approve", "confirm"])
def test_nothing_is_removed_before_every_proxy_reports_the_end_and_the_entry_is_a_forward(moment: str) -> None:
    for changes, reason in (
        ({"open_ends": ("proxy-2 does not report the end of it",)}, Reason.OPEN_ENDS),
        ({"open_ends": migration.NOBODY_ASKED}, Reason.OPEN_ENDS),
        ({"entry": builders.ENTERED}, Reason.NO_FORWARD),
        ({"entry": entry_change.EntryView()}, Reason.NO_FORWARD),
    ):
        changed: dict[str, Any] = dict(changes)
        if moment == "ask":
            assert refused(asked(Stage.REMOVE, replace(REMOVABLE, **changed))).reason is reason
            continue
        seen = builders.dry_run(REMOVABLE, Stage.REMOVE)
        of = builders.again(asked(Stage.REMOVE).next, seen)
        if moment == "confirm":
            of = builders.again(builders.approve(of).next, seen)
        press = builders.approve if moment == "approve" else builders.confirm
        assert refused(press(replace(of, **changed))).reason is reason


@pytest.mark.parametrize("moment", ["approve", "confirm"])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"digest": "d2"}, Reason.DRIFTED),
        ({"troubles": ("the admission webhook is away.",)}, Reason.OBJECTS_IN_THE_WAY),
    ],
)
def test_the_dry_run_is_made_again_at_every_step(moment: str, changes: dict[str, Any], reason: refusals.Reason) -> None:
    seen = builders.dry_run(START[Stage.PREPARE], Stage.PREPARE)
    waiting = builders.again(asked(Stage.PREPARE).next, seen)
    of = waiting if moment == "approve" else builders.approve(waiting).next
    moved = builders.dry_run(START[Stage.PREPARE], Stage.PREPARE, **changes)
    answer = (builders.approve if moment == "approve" else builders.confirm)(builders.again(of, moved))
    assert refused(answer).reason is reason
    assert (answer.next.operation is None) is (reason is Reason.DRIFTED)


def test_what_cannot_be_done_is_refused_with_what_is_in_the_way() -> None:
    in_the_way = refused(asked(Stage.PREPARE, troubles=("two Services share the host.",)))
    assert in_the_way.reason is Reason.OBJECTS_IN_THE_WAY
    assert "two Services share the host." in in_the_way.why
    seen = builders.dry_run(START[Stage.PREPARE], Stage.PREPARE)
    assert seen.arrangement is not None
    owned = replace(seen.arrangement.changes[0], conflict="Argo owns Ingress team/shop")
    conflict = replace(seen, arrangement=replace(seen.arrangement, changes=(owned,)))
    assert "Argo owns" in refused(decide.decide(conflict, builders.objects(Stage.PREPARE), NOON)).why
    same = replace(seen.arrangement.changes[0], diff="")
    as_is = replace(seen, arrangement=replace(seen.arrangement, changes=(same,)))
    assert refused(decide.decide(as_is, builders.objects(Stage.PREPARE), NOON)).reason is Reason.OBJECTS_ARE_SO
    for unknown in (replace(seen, plan_now=None), replace(seen, arrangement=None)):
        assert refused(decide.decide(unknown, builders.objects(Stage.PREPARE), NOON)).reason is Reason.OBJECTS_UNKNOWN
    held = asked(Stage.PREPARE, replace(START[Stage.PREPARE], holds=("h1",)))
    assert refused(held).reason is Reason.HELD
    forward = journey_messages.ProposeObjects(id="m1", at=NOON, service="shop", actor=ANN, stage=Stage.FORWARD)
    assert refused(decide.decide(seen, forward, NOON)).reason is Reason.INVALID
    assert refused(asked(Stage.REMOVE, builders.on_its_way(100))).reason is Reason.NOT_FINISHED


@pytest.mark.parametrize("stage", [Stage.PREPARE, Stage.BYPASS, Stage.REMOVE])
def test_objects_that_were_not_changed_end_it_in_words(stage: entry_change.Stage) -> None:
    of = builders.arranging(START[stage], stage)
    answer = report(of, well=False)
    assert answer.next.last is not None
    assert answer.next.last.outcome is Outcome.FAILED
    assert "Argo owns it" in answer.because
    assert any(isinstance(one, effects.PageSomebody) for one in answer.effects) is (stage is Stage.BYPASS)
    assert refused(report(of, operation="op-elsewhere")).reason is Reason.LATE


def test_after_a_crash_the_same_objects_are_arranged_again() -> None:
    of = builders.arranging(START[Stage.PREPARE], Stage.PREPARE)
    assert running.resume(of)[0] == effects.ArrangeObjects(builders.the(of), Stage.PREPARE)
    unapproved = replace(of, operation=replace(builders.the(of), approvals=()))
    assert running.resume(unapproved) == ()


@pytest.mark.parametrize("stage", [Stage.PREPARE, Stage.BYPASS])
def test_a_hold_lowers_the_record_and_lets_half_changed_objects_come_to_their_end(stage: entry_change.Stage) -> None:
    of = builders.arranging(builders.on_its_way(25), stage)
    answer = builders.decided(of, builders.stands(HOLD))
    [back] = builders.taken_back(answer)
    assert (back.exposure.weight, answer.effects[0]) == (0, back)
    assert answer.next.phase is Phase.ARRANGING
    done = report(answer.next)
    assert (done.next.phase, done.next.holds) == (Phase.HELD, ("h1",))
    nothing_at_new = builders.decided(builders.arranging(builders.on_its_way(0), stage), builders.stands(HOLD))
    assert not builders.taken_back(nothing_at_new)


def test_a_hand_edit_downwards_is_followed_while_objects_are_changed() -> None:
    of = builders.arranging(builders.on_its_way(25), Stage.PREPARE)
    lowered = messages.WishLowered(id="w", at=NOON, service="shop", weight=5)
    answer = builders.decided(of, lowered)
    [back] = builders.taken_back(answer)
    assert (back.exposure.weight, answer.next.phase) == (5, Phase.ARRANGING)
