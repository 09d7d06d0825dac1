"""The whole way in any order: nothing is raised, arranged or ended without another person's yes to that very plan, or to the
ladder that it is a step of; each step once, and none after a hold. What counts is kept here a second time, by what was said.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from handlers import journey_messages, messages
from handlers.rules import decide, decision, effects, gates, journeys, migration, planning
from k8s import entry_change, exposure, model
from tests.rules import builders
from tests.rules.builders import ANN, BOB, NOON, Phase

Kind = migration.Kind
Stage = entry_change.Stage
PEOPLE = [ANN, ANN, ANN, BOB, BOB, builders.GUEST, builders.LAY]
KINDS = (
    "join", "join", "leave",
    *("on",) * 34, *("finish", "objects", "shift") * 4, "run", "run", "skip", "pause", "resume", "step", "step", "approve",
    "confirm", "reject", "hold", "release", "wish", "time", "report", "fail", "interrupted", "alert", "rules", "gates",
)  # fmt: skip
STEPS = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(PEOPLE),
        st.sampled_from([0, 5, 25, 50, 75, 100, 100]),
        st.integers(0, 12),
        st.booleans(),
    ),
    min_size=15,
    max_size=40,
)
REPORTS: dict[migration.Phase, tuple[tuple[type[Any], dict[str, Any]], tuple[type[Any], dict[str, Any]]]] = {
    Phase.ARRANGING: (
        (journey_messages.ObjectsArranged, {"told": "all is so"}),
        (journey_messages.ObjectsNotArranged, {"why": "somebody owns it"}),
    ),
    Phase.APPLYING: ((messages.RecordWritten, {}), (messages.RecordNotWritten, {"why": "conflict"})),
    Phase.CONVERGING: ((messages.Converged, {"because": "all"}), (messages.NotConverged, {"why": "1 of 2"})),
    Phase.VERIFYING: ((messages.Verified, {"because": "well"}), (messages.NotVerified, {"why": "errors"})),
    Phase.REVERTING: ((messages.RecordWritten, {}), (messages.RecordNotWritten, {"why": "conflict"})),
}


@dataclass
class Told:
    """What was really said and done, kept apart from what is judged."""

    heard: set[tuple[str, str, str]] = field(default_factory=set)  # operation, person, plan hash of approvals not refused
    standings: dict[str, journeys.Standing] = field(default_factory=dict)
    void: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)  # approvals in records
    waves: dict[str, str] = field(default_factory=dict)  # hashes of waves approved by another and confirmed: of shop's own plan
    wave: migration.Operation | None = None  # the one that was shown last
    reached: Counter[str] = field(default_factory=Counter)


def planned(of: migration.Migration, message: messages.Message) -> migration.Migration:
    """As the use cases do before they ask: planned from the live cluster, dry run and all."""
    holds = tuple(model.Hold("shop", one) for one in of.holds)
    looked = builders.view(of.exposure, generation=of.generation, wish=of.wish, holds=holds)
    above = tuple(step for step in builders.WISHED.ladder if step > of.weight)
    wished = (of.wished or builders.WISHED).exposure
    match message:
        case messages.ProposeShift():
            return replace(of, plan_now=planning.plan(looked, target=message.target))
        case messages.ProposeRelease():
            return replace(of, plan_now=planning.plan(looked, release=True))
        case journey_messages.ProposeObjects() if message.stage is not Stage.FORWARD:
            return builders.dry_run(of, message.stage)
        case journey_messages.ProposeFinish():
            return builders.dry_run(of, Stage.FORWARD)
        case journey_messages.ProposeRun() if above:
            return replace(of, plan_now=ladder(of, above, NOON + timedelta(days=1), wished))
        case journey_messages.SkipSoak() if above:
            return replace(of, plan_now=replace(planning.plan(looked, target=wished.at(above[0])), skips="the soak"))
        case journey_messages.StepDue():
            return replace(of, plan_now=planning.plan(looked, target=wished.at(message.weight)))
        case messages.Approve() | messages.Confirm() if of.operation is not None:
            return planned_again(of, of.operation.plan, wished)
        case _:
            return replace(of, plan_now=None, arrangement=None)


def planned_again(of: migration.Migration, plan: migration.Plan, wished: model.Exposure) -> migration.Migration:
    if plan.kind in migration.OBJECTS:
        return builders.dry_run(of, migration.OBJECTS[plan.kind])
    if plan.kind is Kind.RUN:
        above = tuple(step for step in builders.WISHED.ladder if step > of.weight)
        return replace(of, plan_now=ladder(of, above, datetime.fromisoformat(plan.until), wished) if above else None)
    holds = tuple(model.Hold("shop", one) for one in of.holds)
    looked = builders.view(of.exposure, generation=of.generation, wish=of.wish, holds=holds)
    if plan.kind is Kind.RELEASE:
        return replace(of, plan_now=planning.plan(looked, release=True))
    return replace(of, plan_now=replace(planning.plan(looked, target=plan.after), skips=plan.skips))


def in_a_wave(of: migration.Migration, message: messages.Message, told: Told, *, right: bool) -> migration.Migration:
    """As the use cases place a member: with its wave and its turn, by whatever is carried; a part of it is not approved, not
    confirmed, over, or approved with another plan of shop.
    """
    if not isinstance(message, journey_messages.JoinWave):
        return replace(of, wave=told.wave, turn="" if right else "others are before it")
    holds = tuple(model.Hold("shop", one) for one in of.holds)
    looked = builders.view(of.exposure, generation=of.generation, wish=of.wish, holds=holds)
    own = planning.plan(looked, target=(of.wished or builders.WISHED).exposure.at(25))
    fault = "" if right else ("unapproved", "unconfirmed", "over", "another")[message.weight % 4]
    planned_then = "another plan" if fault == "another" else own.hash
    members = migration.Member("shop", planned_then, of.weight, 25), migration.Member("cart", "c", 0, 25)
    plan = migration.Plan(
        "wave.0123abcd", Kind.WAVE, None, own.after, 0, 0, until=(NOON + timedelta(days=1)).isoformat(), members=members
    )
    approval = migration.Approval(
        effects.approval_id(f"op-wave-{message.id}", BOB.id, plan.hash), BOB.id, BOB.shown, NOON, plan.hash
    )
    told.wave = replace(
        builders.the(builders.in_phase(Phase.CONVERGING)),
        id=f"op-wave-{message.id}",
        plan=plan,
        approvals=() if fault == "unapproved" else (approval,),
        confirmed_at=None if fault == "unconfirmed" else NOON,
        outcome=migration.Outcome.HALTED if fault == "over" else migration.Outcome.OPEN,
    )
    if not fault:
        told.waves[plan.hash] = own.hash
    return replace(of, wave=told.wave, plan_now=own)


def ladder(of: migration.Migration, steps: tuple[int, ...], until: datetime, wished: model.Exposure) -> migration.Plan:
    facts: dict[str, Any] = {"steps": steps, "until": until.isoformat()}
    return migration.Plan("shop", Kind.RUN, of.exposure, wished.at(steps[-1]), of.generation, of.wish, **facts)


def message_for(  # noqa: PLR0911, PLR0912  # one line a kind of message; splitting would hide the list
    kind: str, of: migration.Migration, who: messages.Person, weight: int, name: str, *, right: bool
) -> messages.Message:
    common: dict[str, Any] = {"id": name, "at": NOON, "service": "shop"}
    by = {**common, "actor": who}
    operation = of.operation.id if of.operation and right else "op-elsewhere"
    match kind:
        case "on" | "report" | "fail" if of.phase in REPORTS:
            report, facts = REPORTS[of.phase][kind == "fail"]
            known = builders.the(of)
            awaited = effects.revert_id(known.id) if of.phase is Phase.REVERTING else known.id
            if of.phase is Phase.REVERTING and known.generation == of.generation:
                report, facts = messages.Converged, {"because": "all"}
            grown = {"generation": of.generation + 1} if report is messages.RecordWritten else {}
            return report(**common, operation=awaited if right or kind == "on" else "op-elsewhere", **facts, **grown)  # type: ignore[no-any-return]
        case "on" if of.phase is Phase.PROPOSED:
            return messages.Approve(**{**by, "actor": BOB}, operation=builders.the(of).id, revision=builders.the(of).revision)
        case "on" if of.phase is Phase.APPROVED:
            return messages.Confirm(**{**by, "actor": ANN}, operation=builders.the(of).id)
        case "join":
            return journey_messages.JoinWave(**common, wave="wave.0123abcd", weight=weight // 25)
        case "leave":
            return journey_messages.LeaveWave(**common, wave="wave.0123abcd", operation=operation, why="over")
        case "on" | "step" if of.phase is Phase.STEADY and of.journey and of.journey.standing and of.journey.standing.wave:
            return journey_messages.StepDue(**common, weight=25)
        case "on" | "step" if of.phase is Phase.STEADY:
            above = [step for step in builders.WISHED.ladder if step > of.weight]
            return journey_messages.StepDue(**common, weight=above[0] if above and right else weight)
        case "shift":
            return messages.ProposeShift(**by, target=builders.exposure(weight))
        case "objects":
            stage = Stage.REMOVE if of.finished and right else list(Stage)[weight % 4]
            return journey_messages.ProposeObjects(**by, stage=stage)
        case "finish":
            return journey_messages.ProposeFinish(**by)
        case "run":
            return journey_messages.ProposeRun(**by, mode=list(journey_messages.Mode)[right])
        case "skip":
            return journey_messages.SkipSoak(**by, reason="Friday")
        case "pause":
            return journey_messages.PauseRun(**by)
        case "resume":
            return journey_messages.ResumeRun(**by)
        case "approve":
            return messages.Approve(**by, operation=operation, revision=of.operation.revision if of.operation else 1)
        case "confirm":
            return messages.Confirm(**by, operation=operation)
        case "reject":
            return messages.Reject(**by, operation=operation)
        case "hold":
            return messages.HoldsStand(**common, holds=(model.Hold("shop", name),))
        case "release":
            return messages.ProposeRelease(**by)
        case "wish":
            return messages.WishLowered(**common, weight=weight)
        case "interrupted":
            return journey_messages.RunInterrupted(**common, why="drift", resets=right)
        case _:
            return messages.TimePassed(**common)


def world(of: migration.Migration, kind: str, *, right: bool) -> migration.Migration:
    """What changes outside: the soak fills up, an alert fires, the document's rules are edited, gates fail."""
    if kind == "alert":
        return replace(of, blockers=("the alert NewDown fires",) if right else ())
    if kind == "gates":
        few = gates.Judgement((gates.Gate("p99", gates.Verdict.UNKNOWN, "p99 is NaN"),), gates.Measured())
        return replace(of, judgement=few if right else builders.WELL)
    if kind == "rules":
        port = builders.exposure(0, new_port=8443 if right else 443)
        return replace(of, wished=replace(builders.WISHED, exposure=port))
    journey = of.journey or journeys.Journey("shop")
    if (
        kind == "on"
        and of.phase is Phase.STEADY
        and of.weight
        and (journey.soak is None or journey.soak.generation != of.generation)
    ):
        return replace(of, journey=replace(journey, soak=journeys.Soak(of.weight, of.generation, 1e6, NOON)))
    return of


STARTS = [
    builders.on_its_way(0, journey=journeys.Journey("shop")),
    builders.on_its_way(25),
    builders.on_its_way(100),
    builders.on_its_way(
        100, journey=builders.soaked(100, finished=NOON), record_finished=True, entry=builders.FORWARD, open_ends=()
    ),
]


@settings(max_examples=350, deadline=None, derandomize=True)
@given(st.sampled_from(STARTS), STEPS)
def walk(of: migration.Migration, steps: list[tuple[str, messages.Person, int, int, bool]]) -> None:
    told, now = Told(), NOON
    for number, (kind, who, weight, minutes, right) in enumerate(steps):
        now += timedelta(minutes=minutes)
        of = world(of, kind, right=right)
        message = message_for(kind, of, who, weight, f"m{number}", right=right)
        of = in_a_wave(planned(of, message), message, told, right=right)
        answer = decide.decide(of, message, now)
        _note(of, message, answer, told)
        _judge(of, message, answer, now, told)
        of = _became(of, answer)
    REACHED.update(told.reached)


REACHED: Counter[str] = Counter()


def test_nothing_goes_towards_new_without_four_eyes_and_no_step_goes_twice_or_after_a_hold() -> None:
    walk()
    assert set(REACHED) >= {
        "raise",
        "step",
        "standing",
        "part of a wave",
        "step of a wave",
        "prepare",
        "bypass",
        "finish",
        "remove",
        "finished record",
        "lower",
        "keep",
    }


def _note(of: migration.Migration, message: messages.Message, answer: decision.Decision, told: Told) -> None:
    if isinstance(message, messages.Approve) and answer.refusal is None and of.operation:
        told.heard.add((of.operation.id, message.actor.id, of.operation.plan.hash))
    if isinstance(message, messages.HoldsStand) and not of.finished:
        told.void |= set(told.standings)


def _judge(of: migration.Migration, message: messages.Message, answer: decision.Decision, now: datetime, told: Told) -> None:
    for one in answer.effects:
        match one:
            case effects.WriteRecord():
                _judge_write(of, message, one, now, told)
            case effects.ArrangeObjects():
                _judge_objects(of, message, one, told)
            case effects.KeepJourney():
                _judge_kept(of, message, one, told)
            case effects.RevertRecord():
                assert not of.finished
                assert of.exposure is not None
                assert one.exposure.weight == 0 or exposure.at_most(one.exposure, of.exposure)
            case effects.WriteHold():
                assert not of.finished


def _judge_write(
    of: migration.Migration, message: messages.Message, write: effects.WriteRecord, now: datetime, told: Told
) -> None:
    plan, operation = write.operation.plan, write.operation
    assert write.finished is (plan.kind is Kind.FINISH)
    assert write.expected_generation == of.generation
    assert told.used.isdisjoint(write.approvals)
    told.used.update(write.approvals)
    if plan.kind is Kind.LOWER:
        told.reached["lower"] += 1
        assert write.exposure.weight == 0 or (of.exposure and exposure.at_most(write.exposure, of.exposure))
        return
    if not of.finished:
        assert set(of.holds) <= set(write.clears)
    if operation.standing:
        told.reached["step"] += 1
        standing = told.standings[operation.standing]
        assert isinstance(message, journey_messages.StepDue)
        assert operation.standing not in told.void
        if standing.wave:
            told.reached["step of a wave"] += 1
            assert of.turn == ""
            assert plan.hash == told.waves[standing.plan_hash]
        assert now < standing.until
        assert plan.after.weight in standing.steps
        assert plan.after.at(0) == standing.base
        assert write.approvals == (f"{standing.id}/{plan.after.weight}",)
        assert not of.blockers
        assert of.judgement == builders.WELL
        assert of.journey is not None
        assert of.journey.run is not None
        assert not of.journey.run.paused
        return
    if plan.kind is Kind.FINISH:
        told.reached["finished record"] += 1
        assert isinstance(message, journey_messages.ObjectsArranged)
        assert write.exposure == of.exposure
        assert write.exposure.weight == 100
    else:
        told.reached["raise"] += plan.kind is Kind.RAISE
        assert isinstance(message, messages.Confirm)
        assert message.actor.id == operation.requester
    _judge_eyes(operation, told)


def _judge_objects(of: migration.Migration, message: messages.Message, effect: effects.ArrangeObjects, told: Told) -> None:
    plan = effect.operation.plan
    told.reached[str(plan.kind)] += 1
    assert isinstance(message, messages.Confirm)
    assert migration.OBJECTS[plan.kind] is effect.stage
    assert message.actor.member
    if plan.kind is Kind.BYPASS:
        assert not of.finished
        return
    assert message.actor.id == effect.operation.requester
    assert of.finished or not of.holds
    assert of.finished is (plan.kind is Kind.REMOVE) or plan.kind is Kind.FINISH
    _judge_eyes(effect.operation, told)


def _judge_kept(of: migration.Migration, message: messages.Message, kept: effects.KeepJourney, told: Told) -> None:
    told.reached["keep"] += 1
    before = of.journey or journeys.Journey("shop")
    assert (kept.expected_revision, kept.journey.revision) == (before.revision, before.revision + 1)
    standing = kept.journey.standing
    if standing is None:
        return
    if standing.id not in told.standings:
        assert not of.holds
        if standing.wave:
            told.reached["part of a wave"] += 1
            assert isinstance(message, journey_messages.JoinWave)
            assert of.plan_now is not None
            assert (standing.steps, told.waves[standing.plan_hash]) == ((25,), of.plan_now.hash)
        else:
            told.reached["standing"] += 1
            assert isinstance(message, messages.Confirm)
            assert of.operation is not None
            assert (of.operation.id, of.operation.plan.kind, message.actor.id) == (standing.id, Kind.RUN, of.operation.requester)
            _judge_eyes(of.operation, told)
        told.standings[standing.id] = standing
    assert standing.id not in told.void
    assert replace(standing, used=()) == replace(told.standings[standing.id], used=())
    assert len(set(standing.used)) == len(standing.used)


def _judge_eyes(operation: migration.Operation, told: Told) -> None:
    plan_hash = operation.plan.hash
    others = {one.by for one in operation.approvals if (operation.id, one.by, plan_hash) in told.heard}
    assert others - {operation.requester}
    assert operation.confirmed_at is None or operation.confirmed_at < operation.expires_at


def _became(of: migration.Migration, answer: decision.Decision) -> migration.Migration:
    """As the next look finds it: what was settled at rest is written one generation on, and the document follows records."""
    after = answer.next
    backs = builders.taken_back(answer)
    if backs and after.phase is not Phase.REVERTING:
        after = replace(after, exposure=backs[-1].exposure, generation=after.generation + 1)
    closed = [one.operation for one in answer.effects if isinstance(one, effects.DropOperation)]
    if closed and closed[-1].plan.kind is Kind.RELEASE and closed[-1].outcome is migration.Outcome.DONE:
        after = replace(after, holds=tuple(hold for hold in after.holds if hold not in closed[-1].plan.clears))
        after = replace(after, phase=Phase.HELD if after.holds else Phase.STEADY)
    return replace(after, wish=after.weight) if after.operation is None else after
