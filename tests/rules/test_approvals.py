"""Who may approve what, when, how often; and that only the requester confirms."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers import messages
from handlers.rules import approvals, decide, effects, migration, planning, refusals
from k8s import model
from tests.rules import builders
from tests.rules.builders import ANN, BOB, CYD, GUEST, LAY, MINUTE, NOON, STRANGER, UNLISTED, Phase

Reason = refusals.Reason


def test_a_raise_needs_another_person_and_then_the_requester() -> None:
    waiting = builders.proposed(builders.at(0), 25)
    approved = builders.approve(waiting, BOB)
    confirmed = builders.confirm(approved.next, ANN, now=NOON + MINUTE)
    assert (waiting.phase, approved.next.phase, confirmed.next.phase) == (Phase.PROPOSED, Phase.APPROVED, Phase.APPLYING)
    [write] = builders.written(confirmed)
    assert write.exposure == builders.exposure(25)
    assert write.expected_generation == 1
    assert write.approvals == tuple(one.id for one in builders.the(approved.next).approvals)


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        (ANN, Reason.OWN_REQUEST),
        (GUEST, Reason.OUTSIDER),
        (STRANGER, Reason.OUTSIDER),
        (UNLISTED, Reason.PERSON),
        (LAY, Reason.NOT_APPROVER),
    ],
)
def test_the_wrong_person_approves_nothing(who: messages.Person, reason: Reason) -> None:
    waiting = builders.proposed(builders.at(0), 25)
    answer = builders.approve(waiting, who)
    assert answer.refusal is not None
    assert answer.refusal.reason is reason
    assert answer.next.operation == waiting.operation
    [told] = [one for one in answer.effects if isinstance(one, effects.RecordEvent)]
    assert (told.event.kind, told.event.who) == (effects.EventKind.REFUSED, who.id)


def test_the_requester_in_other_clothes_is_still_the_requester() -> None:
    answer = builders.approve(builders.proposed(builders.at(0)), replace(ANN, source=messages.Source.CLI, shown="ann@laptop"))
    assert answer.refusal is not None
    assert answer.refusal.reason is Reason.OWN_REQUEST


def test_two_of_three_means_two_persons() -> None:
    waiting = builders.proposed(builders.at(0, trust=migration.Trust(approvers=((0, 1), (20, 2)))), 25)
    once = builders.approve(waiting, BOB)
    twice = builders.approve(once.next, BOB)
    other = builders.approve(once.next, CYD)
    assert twice.refusal is not None
    assert (once.next.phase, twice.refusal.reason, other.next.phase) == (Phase.PROPOSED, Reason.TWICE, Phase.APPROVED)


def test_a_stale_card_names_who_approved() -> None:
    waiting = builders.proposed(builders.at(0, trust=migration.Trust(approvers=((0, 2),))), 25)
    stale = builders.approve(builders.approve(waiting, BOB).next, CYD, revision=1)
    late = builders.approve(builders.approve(builders.approve(waiting, BOB).next, CYD).next, CYD, revision=1)
    assert stale.refusal is not None
    assert late.refusal is not None
    assert stale.refusal.reason is Reason.STALE
    assert "Bob at 2026-01-02 12:00:00 UTC" in stale.refusal.why
    assert late.refusal.reason is Reason.ALREADY_APPROVED


@pytest.mark.parametrize(("late", "ends"), [(timedelta(microseconds=-1), False), (timedelta(0), True), (MINUTE, True)])
def test_the_moment_of_expiry_is_too_late(late: timedelta, ends: bool) -> None:
    waiting = builders.proposed(builders.at(0))
    answer = builders.approve(waiting, now=builders.the(waiting).expires_at + late)
    assert (answer.refusal is not None) is ends
    if ends:
        assert answer.next.last is not None
        assert answer.next.last.outcome is migration.Outcome.EXPIRED
        assert answer.next.phase is Phase.STEADY


def test_a_clock_that_goes_backwards_revives_nothing() -> None:
    waiting = builders.proposed(builders.at(0))
    seen = replace(waiting, latest=builders.the(waiting).expires_at)
    answer = builders.approve(seen, now=NOON)
    assert answer.refusal is not None
    assert answer.refusal.reason is Reason.EXPIRED
    assert answer.next.latest == seen.latest


def test_nobody_else_confirms_and_nobody_confirms_before_approval() -> None:
    waiting = builders.proposed(builders.at(0))
    early, other = builders.confirm(waiting), builders.confirm(builders.approve(waiting).next, CYD)
    assert early.refusal is not None
    assert other.refusal is not None
    assert (early.refusal.reason, other.refusal.reason) == (Reason.NOT_APPROVED, Reason.NOT_REQUESTER)


def test_an_approval_of_another_plan_or_operation_does_not_count() -> None:
    approved = builders.approve(builders.proposed(builders.at(0))).next
    operation = builders.the(approved)
    moved = replace(operation, plan=replace(operation.plan, after=builders.exposure(100)))
    assert approvals.counting(operation, NOON)
    assert not approvals.counting(moved, NOON)
    assert not approvals.counting(replace(operation, id="op-other"), NOON)
    assert not approvals.counting(replace(operation, requester=BOB.id), NOON)


def test_drift_voids_and_says_what_changed() -> None:
    approved = builders.approve(builders.proposed(builders.at(0), 25)).next
    edited = planning.plan(builders.view(builders.exposure(0), wish=10), target=builders.exposure(25))
    answer = builders.confirm(replace(approved, plan_now=edited))
    assert answer.refusal is not None
    assert "migration.yaml was edited (migration_percentage 0 → 10)" in answer.refusal.why
    assert answer.next.last is not None
    assert answer.next.last.outcome is migration.Outcome.VOID
    assert not builders.written(answer)


def test_a_plan_that_was_used_is_drift_even_with_the_same_words() -> None:
    approved = builders.approve(builders.proposed(builders.at(0), 25)).next
    answer = builders.confirm(replace(approved, generation=2))
    assert answer.refusal is not None
    assert answer.refusal.reason is Reason.DRIFTED


def test_blockers_and_holds_are_asked_at_request_approval_and_confirmation() -> None:
    rest = replace(builders.at(0), plan_now=planning.plan(builders.view(builders.exposure(0)), target=builders.exposure(25)))
    waiting = builders.proposed(builders.at(0), 25)
    approved = builders.approve(waiting).next
    for changes, reason in (({"blockers": ("no eyes",)}, Reason.BLOCKED), ({"holds": ("h1",)}, Reason.HELD)):
        answers = (
            decide.decide(replace(rest, **changes), builders.shift(builders.exposure(25)), NOON),  # type: ignore[arg-type]  # fields by name
            builders.approve(replace(waiting, **changes)),  # type: ignore[arg-type]  # fields by name
            builders.confirm(replace(approved, **changes)),  # type: ignore[arg-type]  # fields by name
        )
        assert [one.refusal.reason for one in answers if one.refusal] == [reason] * 3


def test_lowering_is_never_blocked_and_needs_no_approval() -> None:
    start = builders.at(50, blockers=("no eyes", "agents silent"), trust=migration.Trust(largest_step=1))
    waiting = builders.proposed(start, 5)
    answer = builders.confirm(waiting, LAY)
    assert waiting.phase is Phase.APPROVED
    [write] = builders.written(answer)
    assert write.exposure.weight == 5


@pytest.mark.parametrize("who", [GUEST, STRANGER])
def test_who_is_no_member_lowers_nothing_and_voids_nothing(who: messages.Person) -> None:
    lower = planning.plan(builders.view(builders.exposure(25)), target=builders.exposure(5))
    resting, waiting = replace(builders.at(25), plan_now=lower), replace(builders.proposed(builders.at(25), 50), plan_now=lower)
    asked = builders.shift(builders.exposure(5), who, message="m2")
    lowering = builders.proposed(builders.at(25), 5)
    for answer, before in (
        (decide.decide(resting, asked, NOON), resting),
        (decide.decide(waiting, asked, NOON), waiting),
        (builders.confirm(lowering, who), lowering),
    ):
        assert answer.refusal is not None
        assert answer.refusal.reason is Reason.OUTSIDER
        assert "stays open" not in answer.refusal.sentence
        assert answer.next.operation == before.operation
        assert [type(one) for one in answer.effects] == [effects.RecordEvent]


def test_a_member_who_may_not_raise_may_lower() -> None:
    lower = planning.plan(builders.view(builders.exposure(25)), target=builders.exposure(5))
    asked = decide.decide(replace(builders.at(25), plan_now=lower), builders.shift(builders.exposure(5), UNLISTED), NOON)
    assert asked.refusal is None
    for who in (UNLISTED, LAY):
        [write] = builders.written(builders.confirm(asked.next, who))
        assert write.exposure.weight == 5
    higher = planning.plan(builders.view(builders.exposure(25)), target=builders.exposure(50))
    raising = decide.decide(replace(builders.at(25), plan_now=higher), builders.shift(builders.exposure(50), UNLISTED), NOON)
    assert raising.refusal is not None
    assert (raising.refusal.reason, "taking traffic back stays open" in raising.refusal.sentence) == (Reason.PERSON, True)


def test_a_lowering_replaces_a_raise_that_waits() -> None:
    waiting = builders.proposed(builders.at(25), 50)
    plan = planning.plan(builders.view(builders.exposure(25)), target=builders.exposure(5))
    answer = decide.decide(replace(waiting, plan_now=plan), builders.shift(builders.exposure(5), CYD, message="m2"), NOON)
    assert answer.refusal is None
    assert answer.next.phase is Phase.APPROVED
    assert builders.the(answer.next).plan.after.weight == 5
    assert any(isinstance(one, effects.DropOperation) for one in answer.effects)


def test_a_lowering_that_would_raise_by_now_is_void() -> None:
    waiting = builders.proposed(builders.at(50), 25)
    answer = builders.confirm(replace(waiting, exposure=builders.exposure(5), generation=2))
    assert answer.refusal is not None
    assert not builders.written(answer)


def test_another_target_is_a_raise_whatever_its_weight() -> None:
    other = model.Exposure(weight=5, old_host="shop.old.example.com", new_host="elsewhere.example.com")
    assert planning.plan(builders.view(builders.exposure(50)), target=other).kind is migration.Kind.RAISE


def test_a_change_of_rules_counts_as_a_step_from_nothing() -> None:
    testers = builders.exposure(100, strategy=model.Strategy.HEADER, header=model.HeaderRule("X-Canary", ("yes",)))
    everybody = builders.exposure(100)
    of = migration.Migration("shop", Phase.STEADY, testers, 1, 100, trust=migration.Trust(largest_step=25))
    plan = planning.plan(builders.view(testers, wish=100), target=everybody)
    refusal = approvals.forbids_raise(of, plan, NOON)
    assert refusal is not None
    assert refusal.reason is refusals.Reason.STEP_TOO_LARGE


def test_nobody_is_told_that_it_is_at_0_already_while_nobody_can_look() -> None:
    plan = planning.plan(builders.view(builders.exposure(0)), target=builders.exposure(0))
    for certain in (True, False):
        resting = builders.at(0, plan_now=plan, certain=certain)
        answer = decide.decide(resting, builders.shift(builders.exposure(0)), NOON)
        assert (answer.refusal is not None) is certain
