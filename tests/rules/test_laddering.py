"""A ladder climbs by approved steps or on a standing approval, each step once; whatever lowers, fails or holds stops it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers import journey_messages, messages
from handlers.rules import (
    approvals,
    decide,
    decision,
    effects,
    gates,
    journeys,
    laddering,
    migration,
    planning,
    refusals,
    running,
)
from k8s import entry_change, model
from tests.rules import builders
from tests.rules.builders import ANN, BOB, HOLD, LAY, MINUTE, NOON, Phase

Mode = journey_messages.Mode
Reason = refusals.Reason
Outcome = migration.Outcome
COMMON: dict[str, Any] = {"at": NOON, "service": "shop"}
UNTIL = NOON + timedelta(days=30)
RUN = journeys.Run("m1", Mode.ASK, ANN.id, ANN.shown, NOON)
AUTO = replace(RUN, id="op-run", mode=Mode.AUTO)
OWN_50 = effects.operation_id("op-run/50")
YES = migration.Approval(effects.approval_id("op-run", BOB.id, "h"), BOB.id, BOB.shown, NOON, "h")
STANDING = journeys.Standing("op-run", ANN.id, ANN.shown, "h", (50, 75, 100), UNTIL, builders.exposure(0), (YES,), at=1)


def asking(weight: int = 25, **changes: Any) -> migration.Migration:
    return builders.on_its_way(weight, journey=builders.soaked(weight, run=RUN), **changes)


def climbing(weight: int = 25, **changes: Any) -> migration.Migration:
    return builders.on_its_way(weight, journey=builders.soaked(weight, run=AUTO, standing=STANDING), **changes)


def with_step(of: migration.Migration, weight: int, *, base: model.Exposure | None = None) -> migration.Migration:
    """With the plan of this step, as the use cases make it."""
    looked = builders.view(of.exposure, generation=of.generation, wish=of.wish)
    return replace(of, plan_now=planning.plan(looked, target=(base or builders.exposure(0)).at(weight)))


def step(of: migration.Migration, weight: int = 50, now: Any = NOON) -> decision.Decision:
    return decide.decide(with_step(of, weight), journey_messages.StepDue(id="s", weight=weight, **COMMON), now)


def journey(of: migration.Migration) -> journeys.Journey:
    assert of.journey is not None
    return of.journey


def run_of(of: migration.Migration) -> journeys.Run:
    run = journey(of).run
    assert run is not None
    return run


def propose(mode: Mode, who: messages.Person = ANN) -> journey_messages.ProposeRun:
    return journey_messages.ProposeRun(id="m1", actor=who, mode=mode, **COMMON)


def ladder(of: migration.Migration, steps: tuple[int, ...] = (50, 75, 100)) -> migration.Migration:
    after = builders.exposure(steps[-1])
    kind = migration.Kind.RUN
    plan = migration.Plan("shop", kind, of.exposure, after, of.generation, of.wish, steps=steps, until=UNTIL.isoformat())
    return replace(of, plan_now=plan)


def refused(answer: decision.Decision) -> refusals.Refusal:
    assert answer.refusal is not None
    assert not builders.written(answer)
    return answer.refusal


def test_a_ladder_that_asks_begins_at_once_and_moves_nothing() -> None:
    answer = builders.decided(builders.on_its_way(), propose(Mode.ASK))
    kept = builders.kept(answer)
    assert kept is not None
    assert kept.run == RUN
    assert kept.revision == 4
    assert {type(one) for one in answer.effects} == {effects.KeepJourney, effects.RecordEvent}
    assert answer.next.journey == kept


def test_a_step_that_is_due_is_asked_for_in_the_name_of_who_began_and_needs_other_eyes() -> None:
    answer = step(asking())
    assert answer.refusal is None
    operation = builders.the(answer.next)
    assert (answer.next.phase, operation.requester, operation.plan.kind) == (Phase.PROPOSED, ANN.id, migration.Kind.RAISE)
    assert builders.the(step(asking()).next).id == operation.id
    waiting = with_step(answer.next, 50)
    assert refused(builders.approve(waiting, ANN)).reason is Reason.OWN_REQUEST
    approved = with_step(builders.approve(waiting, BOB).next, 50)
    [write] = builders.written(builders.confirm(approved))
    assert write.exposure == builders.exposure(50)
    assert write.approvals == tuple(one.id for one in builders.the(approved).approvals)


def test_a_standing_approval_is_approved_and_confirmed_and_moves_nothing() -> None:
    seen = ladder(builders.on_its_way(trust=migration.Trust(approvers=((0, 1), (100, 2)))))
    waiting = builders.again(builders.decided(seen, propose(Mode.AUTO)).next, seen)
    assert builders.the(waiting).approvals_needed == 2
    once = builders.again(builders.approve(waiting, BOB).next, seen)
    assert once.phase is Phase.PROPOSED
    twice = builders.again(builders.approve(once, builders.CYD).next, seen)
    answer = builders.confirm(twice)
    kept = builders.kept(answer)
    assert not builders.written(answer)
    assert answer.next.operation is None
    assert answer.next.last is not None
    assert answer.next.last.outcome is Outcome.DONE
    assert kept is not None
    assert kept.standing is not None
    assert kept.run is not None
    assert (kept.standing.steps, kept.standing.until, kept.standing.base) == ((50, 75, 100), UNTIL, builders.exposure(0))
    assert {one.by for one in kept.standing.approvals} == {BOB.id, builders.CYD.id}
    assert kept.standing.id == kept.run.id == answer.next.last.id
    assert answer.effects.index(next(one for one in answer.effects if isinstance(one, effects.KeepJourney))) == 0


def test_without_prometheus_nothing_climbs_by_itself() -> None:
    blind = ladder(builders.on_its_way(judgement=gates.Judgement()))
    assert refused(decide.decide(blind, propose(Mode.AUTO), NOON)).reason is Reason.NOT_JUDGED
    assert refused(step(climbing(judgement=gates.Judgement()))).reason is Reason.STEP_NOT_DUE
    assert step(asking(judgement=gates.Judgement())).refusal is None


def test_a_step_on_a_standing_approval_is_written_at_once_and_is_used_up_before() -> None:
    answer = step(climbing())
    operation = builders.the(answer.next)
    assert answer.next.phase is Phase.APPLYING
    assert [type(one) for one in answer.effects[:3]] == [effects.SaveOperation, effects.KeepJourney, effects.WriteRecord]
    [write] = builders.written(answer)
    assert write.approvals == ("op-run/50",)
    assert (write.exposure, write.expected_generation) == (builders.exposure(50), 1)
    kept = builders.kept(answer)
    assert kept is not None
    assert kept.standing is not None
    assert kept.standing.used == (50,)
    assert operation.standing == "op-run"
    assert approvals.enough(operation, NOON)
    assert operation.id == builders.the(step(climbing()).next).id


def test_a_step_is_never_taken_twice() -> None:
    used = replace(climbing(), journey=replace(journey(climbing()), standing=replace(STANDING, used=(50,))), wrote=OWN_50)
    refusal = refused(step(used))
    assert refusal.reason is Reason.STEP_NOT_DUE
    assert "taken once already" in refusal.why
    assert "taken once already" in laddering.interrupts(used, NOON)
    running_now = step(climbing()).next
    assert laddering.interrupts(running_now, NOON) == ""
    assert decide.decide(running_now, journey_messages.StepDue(id="s", weight=50, **COMMON), NOON).refusal is not None


@pytest.mark.parametrize(
    ("used", "generation", "wrote", "counts"),
    [
        ((), 1, "op-earlier", True),
        ((), 2, "op-by-hand", False),  # raised or lowered by hand, or the journey of before the first step was put back
        ((50,), 2, OWN_50, True),
        ((50,), 3, effects.revert_id(OWN_50), False),
        ((50,), 3, effects.operation_id("op-run/75"), False),  # the journey of before the last step was put back
        ((50,), 4, "settle-1", False),  # a hold was settled, and released since
        ((50, 75), 2, OWN_50, False),  # nobody wrote the record of its last step
    ],
)
def test_a_standing_approval_goes_on_from_its_own_record_and_from_no_other(
    used: tuple[int, ...], generation: int, wrote: str, counts: bool
) -> None:
    soaked = builders.soaked(25, generation=generation, run=AUTO, standing=replace(STANDING, used=used))
    of = builders.on_its_way(25, journey=soaked)
    of = replace(of, generation=generation, wrote=wrote)
    assert ("another record" not in laddering.void(of, NOON)) is counts
    answer = step(of, 75 if used == (50,) else 50)
    if not counts:
        assert not builders.written(answer)
        assert "another record" in laddering.interrupts(of, NOON)
    climb_on = journey_messages.ResumeRun(id="m2", actor=ANN, **COMMON)
    paused = replace(of, journey=replace(journey(of), run=replace(AUTO, paused="lunch")))
    resumed = decide.decide(paused, climb_on, NOON)
    assert (resumed.refusal is None or resumed.refusal.reason is not Reason.STANDING_GONE) is (counts and not used)


def test_who_lets_a_ladder_that_asks_climb_on_asks_from_then_on() -> None:
    paused = replace(asking(), journey=builders.soaked(run=replace(RUN, paused="lunch")))
    kept = builders.kept(builders.decided(paused, journey_messages.ResumeRun(id="m2", actor=BOB, **COMMON)))
    assert kept is not None
    assert kept.run is not None
    assert (kept.run.requester, kept.run.requester_shown, kept.run.paused) == (BOB.id, BOB.shown, "")


def test_a_step_that_a_crash_left_is_not_written_over_another_record() -> None:
    answer = step(climbing())
    assert running.resume(replace(answer.next, journey=journey(climbing()), generation=2, wrote="op-by-hand")) == ()
    assert running.resume(replace(answer.next, generation=2, wrote=builders.the(answer.next).id))


def test_after_a_crash_the_same_step_is_marked_and_written_again() -> None:
    answer = step(climbing())
    before_kept = replace(answer.next, journey=journey(climbing()))
    again = running.resume(before_kept)
    assert isinstance(again[0], effects.KeepJourney)
    assert again[1] in builders.written(answer)
    after_kept = running.resume(answer.next)
    assert after_kept[0] in builders.written(answer)
    assert running.resume(replace(answer.next, journey=builders.soaked())) == ()


REASONS: list[tuple[Callable[[], migration.Migration], str]] = [
    (builders.on_its_way, "no ladder climbs"),
    (lambda: asking(100), "no step above 100%"),
    (lambda: asking(record_finished=True), "finished"),
    (lambda: replace(asking(), journey=builders.soaked(run=replace(RUN, paused="Bob paused it"))), "paused: Bob paused it"),
    (lambda: replace(asking(), operation=builders.the(builders.in_phase(Phase.PROPOSED))), "is under way"),
    (lambda: asking(certain=False), "nobody can read"),
    (lambda: replace(asking(), journey=builders.soaked(seconds=40, run=RUN)), "1 min of the soak of 1 min 40 s"),
    (lambda: replace(asking(), generation=2), "it has not begun to count"),
    (lambda: asking(blockers=("the alert NewDown fires",)), "the alert NewDown fires"),
    (lambda: replace(asking(), holds=("h1",)), "h1"),
    (lambda: replace(climbing(), journey=builders.soaked(run=AUTO)), "no standing approval"),
    (lambda: climbing(wished=replace(builders.WISHED, exposure=builders.exposure(0, new_port=8443))), "other rules"),
    (lambda: replace(climbing(), exposure=builders.exposure(25, new_port=8443)), "other rules"),
    (lambda: asking(judgement=gates.Judgement((gates.Gate("p99", gates.Verdict.UNKNOWN, "p99 is NaN"),))), "p99 is NaN"),
    (lambda: asking(judgement=gates.Judgement((gates.Gate("p99", gates.Verdict.TOO_FEW, "40 more"),))), "40 more"),
    (lambda: asking(entry=entry_change.EntryView(entry_change.EntryState.DIRECT)), "straight to the old"),
]


@pytest.mark.parametrize(("of", "why"), REASONS, ids=[why for _, why in REASONS])
def test_a_step_waits_and_says_what_for(of: Callable[[], migration.Migration], why: str) -> None:
    waits = laddering.due(of(), NOON)
    assert isinstance(waits, tuple)
    assert why in "; ".join(waits)
    assert refused(step(of())).what


def test_what_is_due_is_the_next_step_and_the_first_one_needs_no_soak() -> None:
    assert laddering.due(asking(), NOON) == 50
    assert laddering.due(climbing(), NOON) == 50
    first = builders.on_its_way(0, journey=journeys.Journey("shop", run=RUN))
    assert laddering.due(first, NOON) == 5
    assert laddering.next_step(builders.WISHED, 30) == 50
    assert laddering.next_step(None, 0) is None
    assert refused(step(asking(), 75)).reason is Reason.STEP_NOT_DUE


def test_a_standing_approval_ends_at_its_end_and_with_other_rules() -> None:
    assert laddering.void(climbing(), UNTIL - MINUTE) == ""
    assert "ended at" in laddering.void(climbing(), UNTIL)
    assert refused(step(climbing(), now=UNTIL)).reason is Reason.STEP_NOT_DUE
    other = decide.decide(
        with_step(climbing(), 50, base=builders.exposure(0, new_port=8443)),
        journey_messages.StepDue(id="s", weight=50, **COMMON),
        NOON,
    )
    assert refused(other).reason is Reason.STEP_NOT_DUE
    told = journey_messages.RunInterrupted(id="i", why=laddering.interrupts(climbing(), UNTIL), resets=False, **COMMON)
    kept = builders.kept(builders.decided(climbing(), told, UNTIL))
    assert kept is not None
    assert kept.standing is None
    assert run_of(replace(climbing(), journey=kept)).paused.startswith("the standing approval ended")


def test_more_approvals_asked_for_by_now_than_the_standing_one_has_stop_it() -> None:
    strict = climbing(trust=migration.Trust(approvers=((0, 2),)))
    assert "1 of 2 approvals" in refused(step(strict)).why


@pytest.mark.parametrize("verdict", gates.Verdict)
def test_only_bad_news_and_two_bad_sides_pause_it(verdict: gates.Verdict) -> None:
    of = asking(judgement=gates.Judgement((gates.Gate("p99", verdict, "p99 is 2 s"),)))
    assert bool(laddering.interrupts(of, NOON)) is (verdict in {gates.Verdict.FAIL, gates.Verdict.ASK})


def test_what_all_services_share_takes_no_step_and_pauses_no_ladder() -> None:
    busy = gates.Gate("proxy cpu", gates.Verdict.FAIL, "the busiest proxy uses 90%", common=True)
    of = asking(judgement=replace(builders.WELL, gates=(*builders.WELL.gates, busy)))
    assert laddering.interrupts(of, NOON) == ""
    assert "90%" in refused(step(of)).why


def test_the_new_cluster_as_a_whole_pauses_every_ladder_and_calls_people_once() -> None:
    told = journey_messages.RunInterrupted(id="i", why="the alert NewClusterGone fires", of_all="fp1/start1", **COMMON)
    pages = [
        one
        for name in ("shop", "blog")
        for one in decide.decide(replace(asking(), service=name), replace(told, service=name), NOON).effects
        if isinstance(one, effects.PageSomebody)
    ]
    assert len(pages) == 2
    assert len({(one.service, one.sentence, one.once) for one in pages}) == 1
    assert pages[0].service == model.ALL_SERVICES


@pytest.mark.parametrize("resets", [True, False])
@pytest.mark.parametrize("phase", Phase)
def test_an_interruption_pauses_it_in_every_phase_and_calls_somebody_once(phase: migration.Phase, resets: bool) -> None:
    of = replace(builders.in_phase(phase), journey=builders.soaked(run=RUN))
    told = journey_messages.RunInterrupted(id="i", why="the alert Slow fires.", resets=resets, **COMMON)
    answer = builders.decided(of, told)
    kept = builders.kept(answer)
    assert kept is not None
    assert kept.run is not None
    assert kept.soak is not None
    if phase is not Phase.HELD:
        assert kept.run.paused == "the alert Slow fires"
        assert (kept.soak.seconds == 0) is resets
    assert any(isinstance(one, effects.PageSomebody) for one in answer.effects)
    again = builders.decided(answer.next, told)
    assert not any(isinstance(one, effects.PageSomebody) for one in again.effects)
    assert builders.kept(again) is None


def test_a_step_that_is_taken_back_pauses_the_ladder() -> None:
    taken = step(climbing()).next
    written = builders.report(messages.RecordWritten, taken, generation=2).next
    answer = builders.report(messages.NotConverged, written, why="1 of 2")
    kept = builders.kept(answer)
    assert isinstance(answer.effects[0], effects.RevertRecord)
    assert kept is not None
    assert kept.run is not None
    assert "1 of 2" in kept.run.paused


@pytest.mark.parametrize("how", ["expired", "rejected", "withdrawn", "drifted"])
def test_a_step_that_nobody_wanted_pauses_the_ladder_and_is_asked_for_anew_after_that(how: str) -> None:
    waiting = with_step(step(asking()).next, 50)
    name = builders.the(waiting).id
    late = NOON + timedelta(hours=2)
    reject = {who: messages.Reject(id="r", actor=who, operation=name, **COMMON) for who in (ANN, BOB)}
    answer = {
        "expired": lambda: decide.decide(waiting, messages.TimePassed(id="t", **COMMON), late),
        "rejected": lambda: decide.decide(waiting, reject[BOB], NOON),
        "withdrawn": lambda: decide.decide(waiting, reject[ANN], NOON),
        "drifted": lambda: builders.approve(replace(waiting, generation=2)),
    }[how]()
    stopped = answer.next
    assert "its step to 50% ended" in run_of(stopped).paused
    assert refused(step(replace(stopped, generation=1))).reason is Reason.STEP_NOT_DUE
    on = journey_messages.ResumeRun(id="m7", actor=ANN, **COMMON)
    climbs = builders.decided(replace(stopped, generation=1), on, late).next
    assert run_of(climbs).paused == ""
    fresh = step(climbs, now=late)
    assert fresh.refusal is None
    assert builders.the(fresh.next).id != name


def test_a_lost_step_is_asked_for_under_another_name() -> None:
    lost = builders.the(step(asking()).next).moved(outcome=Outcome.VOID, because="the store came back without it")
    of = replace(asking(), last=lost)
    assert "ended as void" in laddering.interrupts(of, NOON)
    assert builders.the(step(of).next).id != lost.id


@pytest.mark.parametrize("phase", Phase)
def test_any_hold_ends_the_standing_approval_and_all_that_was_soaked(phase: migration.Phase) -> None:
    of = replace(builders.in_phase(phase), journey=journey(climbing()))
    if phase is Phase.HELD:
        of = replace(of, holds=("h0",))
    answer = builders.decided(of, builders.stands(HOLD))
    kept = builders.kept(answer)
    assert kept is not None
    assert kept.standing is None
    assert kept.run is not None
    assert kept.run.paused.startswith("held at 100% old")
    assert kept.soak is not None
    assert kept.soak.seconds == 0
    settling = [number for number, one in enumerate(answer.effects) if isinstance(one, effects.RevertRecord)]
    keeping = next(number for number, one in enumerate(answer.effects) if isinstance(one, effects.KeepJourney))
    assert all(number < keeping for number in settling)
    assert builders.kept(builders.decided(answer.next, builders.stands(HOLD))) is None


def test_a_release_ends_what_was_approved_before_it() -> None:
    held = replace(builders.in_phase(Phase.APPROVED, kind=migration.Kind.RELEASE), journey=journey(climbing()))
    kept = builders.kept(builders.confirm(held))
    assert kept is not None
    assert kept.standing is None


def test_less_traffic_by_hand_pauses_it() -> None:
    lower = replace(builders.in_phase(Phase.APPROVED, kind=migration.Kind.LOWER), journey=journey(climbing()))
    assert "Ann confirmed" in run_of(builders.confirm(lower).next).paused
    edited = builders.decided(climbing(), messages.WishLowered(id="w", weight=5, **COMMON))
    assert "lowered by hand" in run_of(edited.next).paused


def test_after_the_last_step_nothing_climbs() -> None:
    now = step(climbing(75), 100).next
    now = builders.report(messages.RecordWritten, now, generation=2).next
    now = builders.report(messages.Converged, now, because="2 of 2").next
    kept = builders.kept(builders.report(messages.Verified, now, because="well"))
    assert kept is not None
    assert (kept.run, kept.standing) == (None, None)


def test_any_member_pauses_and_only_who_may_raise_lets_it_climb_on() -> None:
    pause = journey_messages.PauseRun(id="p", actor=LAY, reason="lunch", **COMMON)
    paused = builders.decided(climbing(), pause).next
    assert run_of(paused).paused == "Lay paused it: lunch"
    assert journey(paused).standing == STANDING
    assert refused(decide.decide(paused, pause, NOON)).reason is Reason.PAUSED_ALREADY
    assert refused(decide.decide(builders.on_its_way(), pause, NOON)).reason is Reason.NO_LADDER
    stranger = replace(pause, actor=builders.STRANGER)
    assert refused(decide.decide(climbing(), stranger, NOON)).reason is Reason.OUTSIDER

    def on(of: migration.Migration, who: messages.Person = ANN) -> decision.Decision:
        return decide.decide(of, journey_messages.ResumeRun(id="m7", actor=who, **COMMON), NOON)

    assert refused(on(paused, builders.UNLISTED)).reason is Reason.PERSON
    assert refused(on(climbing())).reason is Reason.CLIMBS_ALREADY
    assert refused(on(replace(paused, holds=("h1",)))).reason is Reason.HELD
    assert refused(on(builders.on_its_way())).reason is Reason.NO_LADDER
    voided = replace(paused, journey=replace(journey(paused), standing=None))
    assert refused(on(voided)).reason is Reason.STANDING_GONE
    assert run_of(on(paused).next).paused == ""


@pytest.mark.parametrize(
    ("of", "mode", "reason"),
    [
        (builders.on_its_way(100), Mode.ASK, Reason.NO_STEP),
        (replace(builders.on_its_way(), holds=("h1",)), Mode.ASK, Reason.HELD),
        (builders.on_its_way(trust=migration.Trust(protected=frozenset({"shop"}))), Mode.ASK, Reason.PROTECTED),
        (ladder(builders.on_its_way(trust=migration.Trust(protected=frozenset({"shop"})))), Mode.AUTO, Reason.PROTECTED),
        (ladder(builders.on_its_way(), (50, 30)), Mode.AUTO, Reason.INVALID),
        (builders.on_its_way(), Mode.AUTO, Reason.INVALID),
        (replace(ladder(builders.on_its_way()), generation=2), Mode.AUTO, Reason.DRIFTED),
        (builders.on_its_way(record_finished=True), Mode.ASK, Reason.FINISHED),
    ],
)
def test_what_may_not_climb_is_told_why(of: migration.Migration, mode: Mode, reason: refusals.Reason) -> None:
    assert refused(decide.decide(of, propose(mode), NOON)).reason is reason
    assert refused(decide.decide(of, propose(mode, builders.GUEST), NOON)).what


def test_a_soak_is_passed_over_only_by_an_approved_raise_that_says_so() -> None:
    def skip(of: migration.Migration, reason: str = "Friday") -> decision.Decision:
        named = replace(with_step(of, 50), plan_now=replace(with_step(of, 50).plan_now, skips="the soak at 25%"))  # type: ignore[type-var]
        return decide.decide(named, journey_messages.SkipSoak(id="m1", actor=ANN, reason=reason, **COMMON), NOON)

    young = builders.on_its_way(journey=builders.soaked(seconds=5), trust=migration.Trust(soak=True))
    answer = skip(young)
    assert answer.refusal is None
    assert (answer.next.phase, builders.the(answer.next).plan.skips) == (Phase.PROPOSED, "the soak at 25%")
    assert refused(skip(young, " ")).reason is Reason.NO_REASON
    assert refused(skip(builders.on_its_way())).reason is Reason.NOTHING_TO_SKIP
    assert refused(skip(builders.on_its_way(100))).reason is Reason.NO_STEP
    few = gates.Judgement((gates.Gate("p99", gates.Verdict.TOO_FEW, "40 more"),))
    assert skip(builders.on_its_way(judgement=few)).refusal is None
    for verdict in (gates.Verdict.FAIL, gates.Verdict.UNKNOWN, gates.Verdict.ASK):
        bad = gates.Judgement((gates.Gate("p99", verdict, "bad"),))
        assert refused(skip(replace(young, judgement=bad))).reason is Reason.GATES
    plain = decide.decide(with_step(young, 50), journey_messages.SkipSoak(id="m1", actor=ANN, reason="Friday", **COMMON), NOON)
    assert refused(plain).reason is Reason.INVALID
