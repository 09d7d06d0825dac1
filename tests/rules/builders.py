"""Small builders of the values that the rules look at."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from handlers import journey_messages, messages
from handlers.rules import decide, decision, effects, gates, journeys, migration, planning
from k8s import entry_change, model, protocol, views

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ANN = messages.Person("slack:T0/ANN", "Ann", approver=True)  # she may approve, but not what she asked for herself
BOB = messages.Person("slack:T0/BOB", "Bob", approver=True)
CYD = messages.Person("slack:T0/CYD", "Cyd", approver=True)
GUEST = messages.Person("slack:T0/GUY", "Guy", approver=True, refused="guests cannot change traffic", member=False)
STRANGER = messages.Person("slack:T9/EVE", "Eve", approver=True, refused="another workspace", member=False)
UNLISTED = messages.Person("slack:T0/UNA", "Una", refused="not among those who may ask for changes")
LAY = messages.Person("slack:T0/LAY", "Lay")
HOLD = model.Hold("shop", "h1", reason="errors", cause="abc/1")
Phase = migration.Phase


def exposure(weight: int, **changes: Any) -> model.Exposure:
    return model.Exposure(weight=weight, old_host="shop.old.example.com", new_host="shop.new.example.com", **changes)


def view(
    before: model.Exposure | None = None, *, generation: int = 1, wish: int | None = None, holds: tuple[model.Hold, ...] = ()
) -> views.ServiceView:
    wished = model.Service(
        "shop", exposure(wish if wish is not None else (before.weight if before else 0)), model.Backend("shop.team.svc", 80)
    )
    record = protocol.Record("uid", "shop", generation, before, "op-earlier") if before else None
    return views.ServiceView("shop", wished=wished, record=record, holds=holds)


def at(weight: int = 0, *, holds: tuple[model.Hold, ...] = (), **changes: Any) -> migration.Migration:
    """At rest, with a record at `weight` in generation 1."""
    return migration.Migration(
        service="shop",
        phase=Phase.HELD if holds else Phase.STEADY,
        exposure=exposure(weight),
        generation=1,
        wish=weight,
        holds=tuple(hold.id for hold in holds),
        **changes,
    )


def shift(to: model.Exposure, who: messages.Person = ANN, *, message: str = "m1") -> messages.ProposeShift:
    return messages.ProposeShift(id=message, at=NOON, service="shop", actor=who, target=to)


def release(who: messages.Person = ANN) -> messages.ProposeRelease:
    return messages.ProposeRelease(id="m1", at=NOON, service="shop", actor=who)


def proposed(of: migration.Migration, to: int = 25, *, holds: tuple[model.Hold, ...] = ()) -> migration.Migration:
    """After Ann's proposal; holds given: her release of them."""
    looked = view(of.exposure, generation=of.generation, wish=of.wish, holds=holds)
    plan = planning.plan(looked, release=True) if holds else planning.plan(looked, target=exposure(to))
    message: messages.Message = release() if holds else shift(exposure(to))
    answer = decide.decide(replace(of, plan_now=plan), message, NOON)
    assert answer.refusal is None, answer.refusal
    return replace(answer.next, plan_now=plan)


def the(of: migration.Migration) -> migration.Operation:
    assert of.operation is not None
    return of.operation


def approve(
    of: migration.Migration, who: messages.Person = BOB, *, now: datetime = NOON, revision: int | None = None
) -> decision.Decision:
    operation = the(of)
    clicked = operation.revision if revision is None else revision
    click = messages.Approve(id="a", at=now, service="shop", actor=who, operation=operation.id, revision=clicked)
    return decide.decide(of, click, now)


def confirm(of: migration.Migration, who: messages.Person = ANN, *, now: datetime = NOON) -> decision.Decision:
    return decide.decide(of, messages.Confirm(id="c", at=now, service="shop", actor=who, operation=the(of).id), now)


def stands(*holds: model.Hold) -> messages.HoldsStand:
    return messages.HoldsStand(id="h", at=NOON, service="shop", holds=holds)


def report(kind: type[Any], of: migration.Migration, **facts: Any) -> decision.Decision:
    operation = the(of)
    awaited = effects.revert_id(operation.id) if of.phase is Phase.REVERTING else operation.id
    return decide.decide(of, kind(id="r", at=NOON, service="shop", operation=awaited, **facts), NOON)


WISHED = model.Service("shop", exposure(0), model.Backend("shop.team.svc", 80), soak=100.0, backup=1000.0)
ENTERED = entry_change.EntryView(entry_change.EntryState.ENTERED, "through the proxies")
FORWARD = entry_change.EntryView(entry_change.EntryState.FORWARD, "to new for good")
WELL = gates.Judgement((gates.Gate(gates.Name.ERRORS, gates.Verdict.PASS, "0 of 500 failed"),), gates.Measured())
KIND_OF = {stage: kind for kind, stage in migration.OBJECTS.items()}


def soaked(weight: int = 25, *, seconds: float = 1e6, generation: int = 1, **changes: Any) -> journeys.Journey:
    """Of the shop; by default all of its soak and backup time is served."""
    return journeys.Journey("shop", 3, journeys.Soak(weight, generation, seconds, NOON), **changes)


def on_its_way(weight: int = 25, *, journey: journeys.Journey | None = None, **changes: Any) -> migration.Migration:
    """At rest, well, entered, its soak served: whatever comes next is due."""
    facts: dict[str, Any] = {"wished": WISHED, "entry": ENTERED, "judgement": WELL, "journey": journey or soaked(weight)}
    return at(weight, **(facts | changes))


def arrangement(stage: entry_change.Stage, digest: str = "d1", **changes: Any) -> entry_change.Arrangement:
    one = entry_change.ObjectChange(entry_change.Verb.APPLY, "Ingress", "team", "shop", digest, "+ canary: true")
    return entry_change.Arrangement(stage, "shop", (one,), **changes)


def dry_run(of: migration.Migration, stage: entry_change.Stage, **changes: Any) -> migration.Migration:
    """With the dry run of the stage, and its plan, as the use cases load them."""
    found = arrangement(stage, **changes)
    after = of.exposure or exposure(0)
    plan = migration.Plan(
        "shop", KIND_OF[stage], of.exposure, after, of.generation, of.wish, objects=found.objects, config_diff=found.diff
    )
    return replace(of, arrangement=found, plan_now=plan)


def objects(stage: entry_change.Stage, who: messages.Person = ANN) -> messages.Command:
    if stage is entry_change.Stage.FORWARD:
        return journey_messages.ProposeFinish(id="m1", at=NOON, service="shop", actor=who)
    return journey_messages.ProposeObjects(id="m1", at=NOON, service="shop", actor=who, stage=stage)


def arranging(of: migration.Migration, stage: entry_change.Stage) -> migration.Migration:
    """Asked for, approved and confirmed: its objects are being changed."""
    seen = dry_run(of, stage)
    now = decided(seen, objects(stage)).next
    if stage is not entry_change.Stage.BYPASS:
        now = replace(approve(again(now, seen)).next, plan_now=seen.plan_now)
    now = confirm(again(now, seen)).next
    assert now.phase is Phase.ARRANGING
    return now


def again(of: migration.Migration, seen: migration.Migration) -> migration.Migration:
    """With the plan and the dry run of then made again, and the same."""
    return replace(of, plan_now=seen.plan_now, arrangement=seen.arrangement)


def decided(of: migration.Migration, message: messages.Message, now: datetime = NOON) -> decision.Decision:
    """Decided, and not refused."""
    answer = decide.decide(of, message, now)
    assert answer.refusal is None, answer.refusal
    return answer


def kept(answer: decision.Decision) -> journeys.Journey | None:
    """What the journey becomes by it."""
    found = [one.journey for one in answer.effects if isinstance(one, effects.KeepJourney)]
    assert len(found) <= 1
    return found[0] if found else None


def in_phase(phase: migration.Phase, *, kind: migration.Kind = migration.Kind.RAISE) -> migration.Migration:
    """The shop in this phase, reached by messages: a raise 25 → 50, a lowering 25 → 5, or a release of h1; ARRANGING: its end."""
    held = kind is migration.Kind.RELEASE
    start = at(0, holds=(HOLD,)) if held else at(25)
    if phase is Phase.STEADY:
        return at(25)
    if phase is Phase.HELD:
        return at(0, holds=(HOLD,))
    if phase is Phase.ARRANGING:
        return arranging(on_its_way(100), entry_change.Stage.FORWARD)
    now = proposed(start, holds=(HOLD,)) if held else proposed(start, 50 if kind is migration.Kind.RAISE else 5)
    if phase is Phase.PROPOSED:
        return now
    now = now if kind is migration.Kind.LOWER else approve(now).next
    if phase is Phase.APPROVED:
        return now
    now = confirm(now).next
    if phase is Phase.APPLYING:
        return now
    now = report(messages.RecordWritten, now, generation=2).next
    if phase is Phase.CONVERGING:
        return now
    if phase is Phase.REVERTING:
        return report(messages.NotConverged, now, why="1 of 2").next
    return report(messages.Converged, now, because="2 of 2").next


def written(answer: decision.Decision) -> list[effects.WriteRecord]:
    return [one for one in answer.effects if isinstance(one, effects.WriteRecord)]


def taken_back(answer: decision.Decision) -> list[effects.RevertRecord]:
    return [one for one in answer.effects if isinstance(one, effects.RevertRecord)]
