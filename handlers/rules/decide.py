"""The only entrance to the core: look up the rule, follow it, or say no in words."""

from dataclasses import replace
from datetime import datetime

from handlers import journey_messages, messages
from handlers.rules import approvals, approving, decision, effects, following, migration, phases, planning, refusals, superseding
from k8s import entry_change

Reason = refusals.Reason
# What moves a weight, or leads to old: a service that is finished has only one side left.
_NEEDS_AN_OLD = (
    messages.ProposeShift,
    messages.ProposeRelease,
    journey_messages.ProposeRun,
    journey_messages.PauseRun,
    journey_messages.ResumeRun,
    journey_messages.SkipSoak,
    journey_messages.JoinWave,
)


def decide(of: migration.Migration, message: messages.Message, now: datetime) -> decision.Decision:
    """What this message means now. `now` is an aware UTC time; a clock that went backwards is not believed.

    A refusal of what a person asked is an audit event too: somebody tried something.
    """
    moment = latest(of, now)
    seen = replace(of, latest=moment)
    rule = phases.TRANSITIONS.get((of.phase, type(message)))
    if seen.finished and _needs_an_old(message):
        result = decision.refused(seen, refusals.refuse(Reason.FINISHED, service=of.service))
    else:
        result = rule(seen, message, moment) if rule else decision.refused(seen, unlisted(seen, message))
    result = following.followed(seen, result, moment)
    if result.refusal and isinstance(message, messages.Command):
        told = decision.event(seen, effects.EventKind.REFUSED, result.refusal.sentence, actor=message.actor)
        return replace(result, effects=(*result.effects, told))
    return result


def _needs_an_old(message: messages.Message) -> bool:
    if isinstance(message, journey_messages.ProposeObjects):
        return message.stage in (entry_change.Stage.PREPARE, entry_change.Stage.BYPASS)
    return isinstance(message, _NEEDS_AN_OLD)


def latest(of: migration.Migration, now: datetime) -> datetime:
    """The latest time anybody has seen: given, remembered, or written into the operation."""
    times = [now]
    if of.latest:
        times.append(of.latest)
    if of.operation:
        times += [of.operation.requested_at, *(approval.at for approval in of.operation.approvals)]
        times += [at for at, _ in of.operation.timeline]
        if of.operation.confirmed_at:
            times.append(of.operation.confirmed_at)
    return max(times)


def unlisted(of: migration.Migration, message: messages.Message) -> refusals.Refusal:
    """The spoken refusal of a message that has no rule in this phase."""
    match message:
        case messages.Approve() | messages.Reject() | messages.Confirm():
            return approving.late_click(of, message.operation)
        case _ if type(message) in superseding.PROPOSALS and of.operation:
            return refusals.refuse(
                Reason.RUNS,
                service=of.service,
                who=of.operation.requester_shown,
                change=planning.in_words(of.operation.plan),
                since=approvals.clock(of.operation.confirmed_at or of.operation.requested_at),
                phase=of.phase,
            )
        case _:
            return refusals.refuse(Reason.OUT_OF_PLACE, service=of.service, message=type(message).__name__, phase=of.phase)
