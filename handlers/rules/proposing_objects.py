"""Preparation, bypass, removal are asked for: the objects around a service, as the dry run says. Bypass leads to old."""

from datetime import datetime

from handlers import journey_messages
from handlers.rules import approvals, decision, migration, planning, readiness, refusals, starting
from k8s import entry_change

Reason = refusals.Reason


def propose_objects(of: migration.Migration, message: journey_messages.ProposeObjects, now: datetime) -> decision.Decision:
    if message.stage is entry_change.Stage.FORWARD:
        why = "The entry becomes a forward only as a part of the end."
        return decision.refused(of, refusals.refuse(Reason.INVALID, service=of.service, why=why))
    bypass = message.stage is entry_change.Stage.BYPASS
    refusal = approvals.outsider_refused(of, message.actor) if bypass else approvals.person_refused(of, message.actor)
    if refusal:
        return decision.refused(of, refusal)
    plan = of.plan_now
    if plan is None or not names(of, plan, message.stage):
        return decision.refused(of, refusals.refuse(Reason.OBJECTS_UNKNOWN, service=of.service, stage=message.stage))
    refusal = readiness.not_ready(of, plan)
    if refusal is None and of.arrangement is not None and not of.arrangement.diff:
        refusal = refusals.refuse(Reason.OBJECTS_ARE_SO, service=of.service, stage=message.stage)
    if refusal is None and not bypass:
        refusal = approvals.forbids_raise(readiness.seen_by(of, plan), plan, now) or approvals.drift(of, plan)
    return decision.refused(of, refusal) if refusal else starting.start(of, message, plan, now)


def names(of: migration.Migration, plan: migration.Plan, stage: entry_change.Stage) -> bool:
    """The plan is one of this stage, of this service."""
    return migration.OBJECTS.get(plan.kind) is stage and plan.service == of.service and planning.is_true(plan)
