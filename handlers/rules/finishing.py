"""The end of a service's way: 100% at new for good, without an old behind it. What is written then is never taken back."""

from dataclasses import replace
from datetime import datetime

from handlers import journey_messages, messages
from handlers.rules import approvals, decision, effects, keeping, migration, proposing_objects, readiness, refusals, starting
from k8s import entry_change

Reason = refusals.Reason


def propose_finish(of: migration.Migration, message: journey_messages.ProposeFinish, now: datetime) -> decision.Decision:
    """What is missing of the way comes before what is in the way now: the first says how long there is still to wait."""
    refusal = approvals.person_refused(of, message.actor) or readiness.end_refused(of)
    if refusal:
        return decision.refused(of, refusal)
    plan = of.plan_now
    if plan is None or not proposing_objects.names(of, plan, entry_change.Stage.FORWARD):
        return decision.refused(of, refusals.refuse(Reason.OBJECTS_UNKNOWN, service=of.service, stage=entry_change.Stage.FORWARD))
    refusal = (
        readiness.objects_refused(of, plan)
        or approvals.forbids_raise(readiness.seen_by(of, plan), plan, now)
        or approvals.drift(of, plan)
    )
    return decision.refused(of, refusal) if refusal else starting.start(of, message, plan, now)


def ended(of: migration.Migration, message: messages.Verified, now: datetime) -> decision.Decision:
    """Served and watched: nothing climbs, soaks or stands approved any more."""
    over = keeping.keep(of, finished=now, run=None, standing=None)
    return decision.closed(of, migration.Outcome.DONE, message.because, now=now, first=(over,))


def not_ended(of: migration.Migration, operation: migration.Operation, why: str, now: datetime) -> decision.Decision:
    """A finished record cannot be taken back, and one that may be written is not written over: a person goes on."""
    again = f"`/migrate finish {of.service}` again brings it to its end"
    because = f"the end was not reached: {why.strip().rstrip('.')}; {again}"
    page = effects.PageSomebody(of.service, f"{of.service}: {because}.", once=f"{operation.id}/end")
    return decision.closed(of, migration.Outcome.FAILED, because, now=now, first=(page,))


def written(of: migration.Migration) -> migration.Migration:
    """From here on there is no old."""
    return replace(of, record_finished=True)
