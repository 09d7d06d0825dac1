"""Each rule of the policy refuses at the request, at every approval, at the confirmation and when a step is taken up again; and
nothing of it ever refuses what leads to old."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers import messages
from handlers.rules import approvals, decide, decision, freezes, gates, journeys, migration, planning, policy, refusals
from k8s import entry_change, model
from tests.rules import builders
from tests.rules.builders import ANN, BOB, LAY, MINUTE, NOON, UNLISTED

Reason, Kind, Verdict = refusals.Reason, migration.Kind, gates.Verdict
SHANGHAI = ZoneInfo("Asia/Shanghai")
WISHED = model.Service("shop", builders.exposure(25), model.Backend("shop.team.svc", 80), soak=86400.0, backup=604800.0)
FROZEN = migration.Trust(
    freeze=(freezes.Weekly(SHANGHAI, frozenset({4}), 16 * 60, freezes.MIDNIGHT, "Friday evening"),)
)  # NOON is one
SOAKED = journeys.Journey("shop", soak=journeys.Soak(25, 1, 86400.0), served=(5,), base=builders.exposure(0))


def judged(*verdicts: gates.Verdict) -> gates.Judgement:
    return gates.Judgement(tuple(gates.Gate(f"gate {one}", one, f"it says {one}.") for one in verdicts))


def entered(state: entry_change.EntryState, sentence: str = "") -> entry_change.EntryView:
    return entry_change.EntryView(state, sentence)


RULES: list[tuple[dict[str, Any], refusals.Reason, str]] = [
    ({"trust": migration.Trust(protected=frozenset({"shop"}))}, Reason.PROTECTED, "out of `trust.protected`"),
    ({"trust": FROZEN}, Reason.FROZEN, "(Friday evening); it ends: Sat 2026-01-03 00:00 Asia/Shanghai (2026-01-02 16:00 UTC)"),
    ({"trust": migration.Trust(largest_step=10)}, Reason.STEP_TOO_LARGE, "Ask for `/migrate shift shop 35%` first"),
    ({"entry": entered(entry_change.EntryState.DIRECT)}, Reason.NOT_PREPARED, "Ask for `/migrate prepare shop` first"),
    ({"entry": entered(entry_change.EntryState.BROKEN, "the Ingress is gone.")}, Reason.NOT_PREPARED, "the Ingress is gone. Ask"),
    ({"judgement": judged(Verdict.PASS, Verdict.FAIL)}, Reason.GATES, "do not pass: it says fail. See `/migrate status shop`"),
    ({"judgement": judged(Verdict.UNKNOWN)}, Reason.GATES, "it says unknown"),
    ({"judgement": judged(Verdict.ASK, Verdict.FAIL)}, Reason.GATES, "it says ask a person; it says fail"),
    ({"judgement": judged(Verdict.TOO_FEW)}, Reason.TOO_FEW, "`/migrate run shop skip reason…`"),
    ({"trust": migration.Trust(soak=True), "wished": WISHED}, Reason.NOT_SOAKED, "1 d of the soak of 1 d at 25% are missing"),
    ({"trust": migration.Trust(soak=True), "wished": WISHED, "journey": replace(SOAKED, soak=journeys.Soak(25, 1, 86000.0))},
     Reason.NOT_SOAKED, "6 min 40 s of the soak of 1 d at 25% are missing"),
    ({"trust": migration.Trust(soak=True), "wished": WISHED, "journey": replace(SOAKED, soak=journeys.Soak(25, 7, 86400.0))},
     Reason.NOT_SOAKED, "it has not begun to count"),
    ({"trust": migration.Trust(soak=True)}, Reason.NOT_SOAKED, "nobody knows how long it must soak"),
]  # fmt: skip
IDS = [f"{reason}-{number}" for number, (_, reason, _) in enumerate(RULES)]


def shift(to: int, start: migration.Migration) -> migration.Plan:
    return planning.plan(builders.view(start.exposure, generation=1, wish=start.wish), target=builders.exposure(to))


def taken_up_again(of: migration.Migration) -> refusals.Refusal | None:
    """As for a step of a standing approval, and for a confirmed raise after a crash."""
    return approvals.forbids_raise(of, builders.the(of).plan, NOON)


def is_refused(answer: decision.Decision, reason: refusals.Reason, words: str) -> None:
    assert answer.refusal is not None
    assert answer.refusal.reason is reason
    assert words in answer.refusal.sentence
    assert not builders.written(answer)


@pytest.mark.parametrize(("changes", "reason", "words"), RULES, ids=IDS)
def test_each_rule_is_asked_at_request_approval_confirmation_and_apply(
    changes: dict[str, Any], reason: refusals.Reason, words: str
) -> None:
    rest = builders.at(25, **changes)
    is_refused(decide.decide(replace(rest, plan_now=shift(50, rest)), builders.shift(builders.exposure(50)), NOON), reason, words)
    waiting = builders.proposed(builders.at(25), 50)
    approved = builders.approve(waiting).next
    for answer in (builders.approve(replace(waiting, **changes)), builders.confirm(replace(approved, **changes))):
        is_refused(answer, reason, words)
        assert answer.next.operation is not None, "what may pass refuses the click, and the request stays open"
    again = taken_up_again(replace(builders.confirm(approved).next, **changes))
    assert again is not None
    assert again.reason is reason


@pytest.mark.parametrize("changes", [one for one, _, _ in RULES], ids=IDS)
def test_when_it_no_longer_forbids_the_same_request_goes_on(changes: dict[str, Any]) -> None:
    approved = builders.approve(builders.proposed(builders.at(25), 50)).next
    assert builders.confirm(replace(approved, **changes)).refusal is not None
    assert builders.written(builders.confirm(approved, now=NOON + MINUTE))


@pytest.mark.parametrize("changes", [one for one, _, _ in RULES], ids=IDS)
@pytest.mark.parametrize("to", [0, 5])
def test_no_rule_refuses_a_lowering(changes: dict[str, Any], to: int) -> None:
    waiting = builders.proposed(builders.at(25, **changes), to)
    [write] = builders.written(builders.confirm(waiting, LAY))
    assert write.exposure.weight == to


def test_a_freeze_ends() -> None:
    waiting = builders.proposed(builders.at(25), 50)
    late = datetime(2026, 1, 2, 16, 0, tzinfo=UTC)
    waiting = replace(waiting, operation=replace(builders.the(waiting), expires_at=late + MINUTE), trust=FROZEN)
    assert builders.approve(waiting, now=late - timedelta(seconds=1)).refusal
    assert builders.approve(waiting, now=late).refusal is None


def test_a_protected_service_is_not_released_either_and_a_freeze_is_for_releases_too() -> None:
    held = builders.at(0, holds=(builders.HOLD,))
    plan = planning.plan(builders.view(held.exposure, holds=(builders.HOLD,)), release=True)
    for changes, reason, words in RULES[:2]:
        answer = decide.decide(replace(held, plan_now=plan, **changes), builders.release(), NOON)
        is_refused(answer, reason, words)
    others = {**RULES[2][0], **RULES[3][0], **RULES[5][0]}  # its weight stays at 0: steps, entry and gates say nothing of it
    assert decide.decide(replace(held, plan_now=plan, **others), builders.release(), NOON).refusal is None


def test_the_first_step_needs_no_soak_and_no_gates() -> None:
    few = judged(Verdict.TOO_FEW, Verdict.UNKNOWN)
    waiting = builders.proposed(builders.at(0, trust=migration.Trust(soak=True), wished=WISHED, judgement=few), 5)
    assert builders.approve(waiting).refusal is None


def test_what_has_soaked_may_be_raised_and_the_backup_time_belongs_to_the_end() -> None:
    trust = migration.Trust(soak=True)
    of = builders.at(25, trust=trust, wished=WISHED, journey=SOAKED)
    assert approvals.forbids_raise(of, shift(50, of), NOON) is None
    at_all = builders.at(
        100, trust=trust, wished=replace(WISHED, ladder=()), journey=replace(SOAKED, soak=journeys.Soak(100, 1, 86400.0))
    )
    other_rules = builders.exposure(100, strategy=model.Strategy.HEADER, header=model.HeaderRule("X-Canary", ("yes",)))
    plan = replace(shift(100, at_all), after=other_rules, kind=Kind.RAISE)
    assert approvals.forbids_raise(at_all, plan, NOON) is None


@pytest.mark.parametrize(
    ("to", "changes", "first"),
    [
        (5, {}, ""),
        (25, {}, "5% come first"),
        (75, {"served": (5,)}, "25%, 50% come first"),
        (75, {"served": (5, 25, 50)}, ""),
        (75, {"served": (5, 25, 50), "base": builders.exposure(0, new_port=8443)}, "5%, 25%, 50% come first"),
    ],
)
def test_down_to_0_and_up_again_passes_over_no_step_of_the_ladder(to: int, changes: dict[str, Any], first: str) -> None:
    wished = replace(WISHED, ladder=(5, 25, 50, 75, 100))
    journey = journeys.Journey("shop", **({"base": builders.exposure(0)} | changes))
    of = builders.at(0, trust=migration.Trust(soak=True), wished=wished, journey=journey)
    refusal = approvals.forbids_raise(of, shift(to, of), NOON)
    assert (refusal is None) is (first == "")
    if refusal is not None:
        assert refusal.reason is Reason.NOT_SOAKED
        assert first in refusal.why
        assert f"`/migrate shift shop {first.partition('%')[0]}%` is next" in refusal.why
    assert approvals.forbids_raise(of, replace(shift(to, of), skips="all of it"), NOON) is None


def test_what_was_soaked_is_void_after_a_hold_and_after_a_raise_that_was_taken_back_and_what_was_skipped_counts() -> None:
    known = builders.soaked(25, served=(5, 25), base=builders.exposure(0))
    held = builders.kept(decide.decide(builders.on_its_way(25, journey=known), builders.stands(builders.HOLD), NOON))
    assert held is not None
    assert held.served == ()
    running = replace(builders.in_phase(builders.Phase.CONVERGING), journey=known, wished=WISHED)
    back = builders.kept(builders.report(messages.NotConverged, running, why="1 of 2"))
    assert back is not None
    assert back.served == ()
    operation = builders.the(builders.in_phase(builders.Phase.VERIFYING))
    passes = replace(operation, plan=replace(operation.plan, skips="no time"))
    verifying = replace(builders.in_phase(builders.Phase.VERIFYING), operation=passes, journey=journeys.Journey("shop"))
    done = builders.report(messages.Verified, replace(verifying, wished=WISHED), because="all is well")
    skipped = builders.kept(done)
    assert skipped is not None
    assert (skipped.base, skipped.served) == (builders.exposure(0), tuple(one for one in WISHED.ladder if one < 50))


def test_who_is_too_early_is_told_of_the_soak_before_numbers_that_know_nothing_of_the_step_yet() -> None:
    of = builders.at(25, trust=migration.Trust(soak=True), wished=WISHED, judgement=judged(Verdict.TOO_FEW))
    refusal = approvals.forbids_raise(of, shift(50, of), NOON)
    assert refusal is not None
    assert refusal.reason is Reason.NOT_SOAKED


def test_skipping_passes_over_soak_and_too_few_requests_and_nothing_else() -> None:
    of = builders.at(25, trust=migration.Trust(soak=True), wished=WISHED, judgement=judged(Verdict.TOO_FEW))
    skips = replace(shift(50, of), skips="soak, too few requests")
    assert approvals.forbids_raise(of, skips, NOON) is None
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.ASK):
        refusal = approvals.forbids_raise(replace(of, judgement=judged(Verdict.TOO_FEW, verdict)), skips, NOON)
        assert refusal is not None
        assert refusal.reason is Reason.GATES


@pytest.mark.parametrize(
    "state", [entry_change.EntryState.UNKNOWN, entry_change.EntryState.ENTERED, entry_change.EntryState.FORWARD]
)
def test_an_entry_that_is_there_or_that_nobody_looked_at_is_no_reason(state: entry_change.EntryState) -> None:
    assert builders.proposed(builders.at(25, entry=entered(state)), 50).operation


def of_kind(kind: migration.Kind, **changes: Any) -> migration.Plan:
    return migration.Plan("shop", kind, builders.exposure(25), builders.exposure(25), 1, 25, **changes)


@pytest.mark.parametrize("kind", [Kind.PREPARE, Kind.FINISH, Kind.REMOVE])
def test_objects_are_not_changed_in_a_freeze_or_for_a_protected_service(kind: migration.Kind) -> None:
    for changes, reason, _ in RULES[:2]:
        refusal = approvals.forbids_raise(builders.at(25, **changes), of_kind(kind), NOON)
        assert refusal is not None
        assert refusal.reason is reason


def test_preparing_is_what_mends_an_entry_and_needs_no_gates() -> None:
    of = builders.at(0, entry=entered(entry_change.EntryState.BROKEN), judgement=judged(Verdict.FAIL))
    assert approvals.forbids_raise(of, of_kind(Kind.PREPARE), NOON) is None


@pytest.mark.parametrize("kind", [Kind.FINISH, Kind.REMOVE])
def test_the_end_needs_gates_that_say_something_and_few_requests_do_not_forbid_it(kind: migration.Kind) -> None:
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.ASK):
        refusal = approvals.forbids_raise(builders.at(100, judgement=judged(verdict)), of_kind(kind), NOON)
        assert refusal is not None
        assert refusal.reason is Reason.GATES
    assert approvals.forbids_raise(builders.at(100, judgement=judged(Verdict.TOO_FEW)), of_kind(kind), NOON) is None


def ladder(*steps: int, until: datetime | None = None) -> migration.Plan:
    end = (until or NOON + timedelta(days=10)).isoformat()
    return replace(of_kind(Kind.RUN), steps=steps, until=end)


def test_a_ladder_may_be_approved_in_a_freeze_and_no_step_of_it_is_taken_there() -> None:
    of = builders.at(5, trust=FROZEN)
    assert approvals.forbids_raise(of, ladder(25, 50), NOON) is None
    assert approvals.forbids_raise(of, shift(25, of), NOON)


def test_no_step_of_a_ladder_may_be_too_large() -> None:
    of = builders.at(5, trust=migration.Trust(largest_step=25))
    assert approvals.forbids_raise(of, ladder(25, 50, 75, 100), NOON) is None
    refusal = approvals.forbids_raise(of, ladder(100, 25, 50), NOON)
    assert refusal is not None
    assert refusal.reason is Reason.STEPS_TOO_LARGE
    assert "from 50% to 100% is one of 50 points" in refusal.sentence
    first = approvals.forbids_raise(of, ladder(50), NOON)
    assert first is not None
    assert "from 5% to 50%" in first.sentence


def test_a_ladder_is_not_approved_for_an_entry_that_is_not_there() -> None:
    refusal = approvals.forbids_raise(builders.at(0, entry=entered(entry_change.EntryState.DIRECT)), ladder(5), NOON)
    assert refusal is not None
    assert refusal.reason is Reason.NOT_PREPARED


@pytest.mark.parametrize(
    ("until", "reason", "words"),
    [
        (NOON, Reason.STANDING_OVER, "would end at 2026-01-02 12:00:00 UTC, and now it is 2026-01-02 12:00:00 UTC"),
        (NOON + timedelta(days=30, seconds=1), Reason.STANDING_TOO_LONG, "longer than the 30 days"),
        ((NOON + timedelta(days=31)).astimezone(SHANGHAI), Reason.STANDING_TOO_LONG, "until 2026-02-02 12:00:00 UTC"),
        (NOON + timedelta(days=30), None, ""),
    ],
)
def test_a_standing_approval_has_an_end(until: datetime, reason: refusals.Reason | None, words: str) -> None:
    refusal = approvals.forbids_raise(builders.at(5), ladder(25, until=until), NOON)
    assert (refusal.reason if refusal else None) is reason
    assert refusal is None or words in refusal.sentence


@pytest.mark.parametrize(
    ("plan", "persons"),
    [
        (of_kind(Kind.LOWER), 0), (of_kind(Kind.BYPASS), 0), (of_kind(Kind.PREPARE), 2), (of_kind(Kind.RAISE), 2),
        (of_kind(Kind.FINISH), 4), (of_kind(Kind.REMOVE), 4), (ladder(5, 50), 3), (ladder(5, 100), 4), (ladder(5), 1),
        (replace(of_kind(Kind.RELEASE), after=builders.exposure(0)), 1),
    ],
)  # fmt: skip
def test_how_many_approve(plan: migration.Plan, persons: int) -> None:
    trust = migration.Trust(approvers=((20, 2), (50, 3), (100, 4)))
    assert approvals.wanted(trust, plan) == persons
    operation = replace(builders.the(builders.in_phase(builders.Phase.PROPOSED)), plan=plan, approvals_needed=0)
    assert approvals.needed(operation) == (0 if plan.kind in migration.UNAPPROVED else 1)


def test_settings_that_ask_for_more_persons_by_now_void_what_was_complete() -> None:
    approved = builders.approve(builders.proposed(builders.at(25), 50), BOB).next
    answer = builders.confirm(replace(approved, trust=migration.Trust(approvers=((50, 2),))), ANN)
    is_refused(answer, Reason.DRIFTED, "the settings ask for 2 approvals by now, and for 1 when it was requested")
    assert answer.next.last is not None
    assert answer.next.last.outcome is migration.Outcome.VOID
    assert builders.written(builders.confirm(replace(approved, trust=migration.Trust(approvers=((75, 2),))), ANN))


TRUSTS = st.builds(
    migration.Trust,
    largest_step=st.integers(0, 100),
    soak=st.booleans(),
    freeze=st.sampled_from([(), FROZEN.freeze, (freezes.Weekly(SHANGHAI),)]),
    protected=st.sampled_from([frozenset[str](), frozenset({"shop"})]),
    approvers=st.sampled_from([((0, 1),), ((0, 20),)]),
)
ANY = st.fixed_dictionaries(
    {
        "trust": TRUSTS,
        "entry": st.builds(entry_change.EntryView, state=st.sampled_from(entry_change.EntryState)),
        "judgement": st.lists(st.sampled_from(Verdict)).map(lambda some: judged(*some)),
        "blockers": st.sampled_from([(), ("no eyes",)]),
        "wished": st.sampled_from([None, WISHED]),
        "journey": st.sampled_from([None, SOAKED]),
    }
)


@settings(deadline=None)
@given(changes=ANY, start=st.integers(1, 100), to=st.integers(0, 99), who=st.sampled_from([ANN, LAY, UNLISTED]))
def test_nothing_of_the_policy_ever_keeps_traffic_at_new(
    changes: dict[str, Any], start: int, to: int, who: messages.Person
) -> None:
    of = builders.at(start, **changes)
    to = min(to, start - 1)
    plan = shift(to, of)
    asked = decide.decide(replace(of, plan_now=plan), builders.shift(builders.exposure(to), who), NOON)
    assert asked.refusal is None
    [write] = builders.written(builders.confirm(asked.next, who))
    assert write.exposure.weight == to
    held = decide.decide(of, builders.stands(builders.HOLD), NOON)
    assert held.refusal is None
    for kind in migration.UNAPPROVED:
        assert approvals.forbids_raise(of, of_kind(kind), NOON) is None
        assert policy.against_raise(of, of_kind(kind), NOON) is None


@settings(deadline=None)
@given(changes=ANY)
def test_what_is_refused_is_always_said_in_whole_sentences(changes: dict[str, Any]) -> None:
    for plan in (shift(50, builders.at(25)), ladder(50), of_kind(Kind.FINISH), of_kind(Kind.PREPARE)):
        refusal = policy.against_raise(builders.at(25, **changes), plan, NOON)
        if refusal is not None:
            assert all(one.endswith((".", "…`.")) and "{" not in one for one in (refusal.what, refusal.why, refusal.remedy))
            assert ".." not in refusal.sentence
