"""What a decision means for the journey, whatever was decided: every hold ends a standing approval, whatever lowers pauses."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from handlers.rules import decision, effects, journeys, keeping, laddering, migration, soaking, waves


def followed(of: migration.Migration, decided: decision.Decision, now: datetime) -> decision.Decision:
    """The decision with what the journey becomes by it: at most one KeepJourney, and what takes traffic back stays before it."""
    if waves.is_wave(of.service):
        return decided  # its journeys are its members', and each of them follows what is decided there
    own = next((one for one in decided.effects if isinstance(one, effects.KeepJourney)), None)
    journey = own.journey if own is not None else of.journey
    changes = _changes(of, journey, decided, now) if journey is not None else {}
    if changes and own is not None:
        both = replace(own, journey=replace(own.journey, **changes))
        told = tuple(both if one is own else one for one in decided.effects)
        return replace(decided, effects=told, next=replace(decided.next, journey=both.journey))
    if changes:
        own = keeping.keep(of, **changes)
        decided = replace(decided, effects=(*decided.effects, own))
    return replace(decided, next=replace(decided.next, journey=own.journey)) if own is not None else decided


def _changes(of: migration.Migration, journey: journeys.Journey, decided: decision.Decision, now: datetime) -> dict[str, Any]:
    if why := _held(decided):
        gone: dict[str, Any] = {"standing": None} if journey.standing is not None else {}
        gone |= {"served": ()} if journey.served else {}
        return {**gone, **keeping.paused(journey, why), **keeping.emptied(journey, why, now)}
    if any(_bypasses(one) for one in decided.effects):
        return {**keeping.paused(journey, decided.because), **keeping.emptied(journey, decided.because, now)}
    if any(_lowers(one) for one in decided.effects):
        again = {"served": ()} if journey.served and any(_takes_back(one) for one in decided.effects) else {}
        return {**again, **keeping.paused(journey, decided.because)}
    if journey.run is not None and (why := laddering.ended_badly(journey.run, decided.next.last)):
        return keeping.paused(journey, why)
    closed = next((one.operation for one in decided.effects if isinstance(one, effects.DropOperation)), None)
    return _at_the_top(of, journey, closed) if closed is not None else {}


def _held(decided: decision.Decision) -> str:
    """Why nothing that was approved before counts any more; empty: no hold stands, and none is ended."""
    operation = decided.next.operation
    clears = operation.plan.clears if operation is not None else ()
    if others := [hold for hold in decided.next.holds if hold not in clears]:
        return f"held at 100% old by {', '.join(others)}"
    ends = any(isinstance(one, effects.WriteRecord) and one.clears for one in decided.effects)
    return "a hold was released, and what was approved before it ended with it" if ends else ""


def _bypasses(one: effects.Effect) -> bool:
    return isinstance(one, effects.ArrangeObjects) and one.operation.plan.kind is migration.Kind.BYPASS


def _lowers(one: effects.Effect) -> bool:
    lower = isinstance(one, effects.WriteRecord) and one.operation.plan.kind is migration.Kind.LOWER
    return lower or isinstance(one, effects.RevertRecord | effects.WriteHold)


def _at_the_top(of: migration.Migration, journey: journeys.Journey, closed: migration.Operation) -> dict[str, Any]:
    """After the last step there is nothing to climb. A wave's member keeps its used part until the wave is over."""
    skipped = _skipped(of, journey, closed)
    raised = closed.outcome is migration.Outcome.DONE and closed.plan.kind is migration.Kind.RAISE and of.wished is not None
    standing = journey.standing
    if raised and journey.run is not None and standing is not None and standing.wave and closed.standing == standing.id:
        return {"run": None}
    if raised and journey.run is not None and laddering.next_step(of.wished, closed.plan.after.weight) is None:
        return {"run": None, "standing": None, **skipped}
    return skipped


def _skipped(of: migration.Migration, journey: journeys.Journey, closed: migration.Operation) -> dict[str, Any]:
    """What people have passed over, and said so, is asked for no more."""
    plan = closed.plan
    if closed.outcome is not migration.Outcome.DONE or not plan.skips or of.wished is None:
        return {}
    passed = soaking.unserved(journey, of.wished, plan.after, besides=0)
    known = journey.served if journey.base == plan.after.at(0) else ()
    return {"served": (*known, *passed), "base": plan.after.at(0)} if passed else {}


def _takes_back(one: effects.Effect) -> bool:
    """A raise that was served and was not well, or that not everybody came to serve."""
    return isinstance(one, effects.RevertRecord) and one.operation is not None and one.id == effects.revert_id(one.operation.id)
