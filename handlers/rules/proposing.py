"""A shift or a release is asked for. A raise then waits for approval; a lowering waits only for one confirmation."""

from datetime import datetime

from handlers import messages
from handlers.rules import approvals, decision, migration, planning, refusals, starting

Reason = refusals.Reason


def propose_shift(of: migration.Migration, message: messages.ProposeShift, now: datetime) -> decision.Decision:
    plan = of.plan_now
    if plan is None or plan.service != of.service or plan.after != message.target or not planning.is_true(plan):
        why = "There is no plan for this service and this target: migration.yaml does not name it, or cannot be read."
        return decision.refused(of, refusals.refuse(Reason.INVALID, service=of.service, why=why))
    if outsider := approvals.outsider_refused(of, message.actor):
        return decision.refused(of, outsider)
    if of.certain and planning.changes_nothing(plan):
        return decision.refused(of, refusals.refuse(Reason.NO_CHANGE, service=of.service, weight=plan.after.weight))
    if plan.kind is migration.Kind.LOWER:
        return starting.start(of, message, plan, now)
    refusal = approvals.person_refused(of, message.actor) or approvals.forbids_raise(of, plan, now) or approvals.drift(of, plan)
    if refusal:
        return decision.refused(of, refusal)
    return starting.start(of, message, plan, now)


def propose_release(of: migration.Migration, message: messages.ProposeRelease, now: datetime) -> decision.Decision:
    plan = of.plan_now
    refusal = approvals.person_refused(of, message.actor)
    if refusal is None and not of.holds:
        refusal = refusals.refuse(Reason.NOTHING_TO_RELEASE, service=of.service)
    if refusal:
        return decision.refused(of, refusal)
    if (
        plan is None
        or plan.kind is not migration.Kind.RELEASE
        or not planning.is_true(plan)
        or plan.service != of.service
        or not plan.clears
    ):
        why = "There is no plan for this release: nothing says where the service's traffic goes."
        return decision.refused(of, refusals.refuse(Reason.INVALID, service=of.service, why=why))
    refusal = approvals.forbids_raise(of, plan, now) or approvals.drift(of, plan)
    if refusal:
        return decision.refused(of, refusal)
    return starting.start(of, message, plan, now)


def waits(of: migration.Migration, waiting: migration.Operation) -> refusals.Refusal:
    return refusals.refuse(
        Reason.WAITS,
        service=of.service,
        change=planning.in_words(waiting.plan),
        who=waiting.requester_shown,
        phase=of.phase,
        expires=approvals.clock(waiting.expires_at),
    )
