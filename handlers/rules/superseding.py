"""Something waits already and something else is asked for: only what leads to old takes its place, for that waits for nobody."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from handlers import journey_messages, messages
from handlers.rules import (
    approvals,
    decision,
    effects,
    finishing,
    laddering,
    migration,
    proposing,
    proposing_objects,
    waving,
)

# Any: as in the table of transitions, the key guarantees which message a rule gets.
PROPOSALS: Mapping[type[messages.Message], Callable[[migration.Migration, Any, datetime], decision.Decision]] = {
    messages.ProposeShift: proposing.propose_shift,
    messages.ProposeRelease: proposing.propose_release,
    journey_messages.ProposeObjects: proposing_objects.propose_objects,
    journey_messages.ProposeFinish: finishing.propose_finish,
    journey_messages.ProposeRun: laddering.propose_run,
    journey_messages.SkipSoak: laddering.skip_soak,
    journey_messages.ProposeWave: waving.propose_wave,
}


def propose_over_waiting(of: migration.Migration, message: messages.Command, now: datetime) -> decision.Decision:
    """What expired is closed first; what counts still gives way only to what leads to old."""
    waiting, propose = of.operation, PROPOSALS[type(message)]
    if waiting is None:
        return propose(of, message, now)
    if waiting.id == effects.operation_id(message.id):
        return decision.quiet(of, f"this request was heard before: it is {waiting.id}")
    over = approvals.expired(waiting, now)
    if not over and not _leads_to_old(of, message):
        return decision.refused(of, proposing.waits(of, waiting))
    outcome = migration.Outcome.EXPIRED if over else migration.Outcome.VOID
    because = "nobody finished it in time" if over else f"{message.actor.shown} asked for less traffic on the new cluster"
    ended = decision.closed(of, outcome, because, now=now)
    fresh = propose(replace(ended.next, plan_now=of.plan_now), message, now)
    if over or fresh.refusal is None:
        return replace(fresh, effects=(*ended.effects, *fresh.effects))
    return replace(fresh, next=of)


def _leads_to_old(of: migration.Migration, message: messages.Command) -> bool:
    """By the plan, not by the name of the command: a shift may be either."""
    return of.plan_now is not None and of.plan_now.kind in migration.UNAPPROVED
