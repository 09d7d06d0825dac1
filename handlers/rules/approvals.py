"""Four eyes, and everything that must be true for a raise: asked at the request, at every approval, at the confirmation.

An approval counts for one operation, one person other than the requester, one plan hash; the hash contains the
service's generation, so that an approval that was used, or overtaken, counts for nothing.
"""

from datetime import datetime

from handlers import messages
from handlers.rules import effects, migration, planning, policy, refusals

Reason = refusals.Reason


def counting(operation: migration.Operation, now: datetime) -> tuple[migration.Approval, ...]:
    """Those approvals that count now: the first of each person, for this operation and this very plan."""
    plan_hash = operation.plan.hash
    first: dict[str, migration.Approval] = {}
    for approval in operation.approvals:
        bound = approval.plan_hash == plan_hash and approval.id == effects.approval_id(operation.id, approval.by, plan_hash)
        if bound and approval.by != operation.requester and approval.at <= now:
            first.setdefault(approval.by, approval)
    return tuple(first.values())


def needed(operation: migration.Operation) -> int:
    """How many distinct persons; what leads to old needs none, anything else never less than one."""
    if operation.plan.kind in migration.UNAPPROVED:
        return 0
    return max(1, operation.approvals_needed)


def wanted(trust: migration.Trust, plan: migration.Plan) -> int:
    """How many the policy asks for: by the weight that new may carry in the end."""
    match plan.kind:
        case kind if kind in migration.UNAPPROVED:
            return 0
        case migration.Kind.RUN:
            return trust.persons(max(plan.steps, default=plan.after.weight))
        case migration.Kind.FINISH | migration.Kind.REMOVE:
            return trust.persons(100)
        case _:  # also objects under a record above 0: who prepares them answers for its weight
            return trust.persons(plan.after.weight)


def too_few_now(of: migration.Migration, operation: migration.Operation) -> refusals.Refusal | None:
    """The settings ask for more persons than when it was requested: what was complete then is not now."""
    asked, now = needed(operation), wanted(of.trust, operation.plan)
    if now <= asked:
        return None
    changed = f"the settings ask for {now} approvals by now, and for {asked} when it was requested"
    return refusals.refuse(Reason.DRIFTED, service=of.service, changed=changed)


def enough(operation: migration.Operation, now: datetime) -> bool:
    return len(counting(operation, now)) >= needed(operation)


def approved_by(operation: migration.Operation) -> str:
    """`Ann at 2026-01-02 10:00:00 UTC, Bob at …`, or `nobody`."""
    return ", ".join(f"{one.shown} at {clock(one.at)}" for one in operation.approvals) or "nobody"


def expired(operation: migration.Operation, now: datetime) -> bool:
    """The very moment of the expiry is too late."""
    return now >= operation.expires_at


def clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def person_refused(of: migration.Migration, actor: messages.Person) -> refusals.Refusal | None:
    """May not ask for a raise, approve or confirm one."""
    if outsider := outsider_refused(of, actor):
        return outsider
    if not actor.refused:
        return None
    return refusals.refuse(Reason.PERSON, service=of.service, who=actor.shown, why=actor.refused)


def outsider_refused(of: migration.Migration, actor: messages.Person) -> refusals.Refusal | None:
    """May not even lower: guests, bots, people of other workspaces."""
    if actor.member:
        return None
    why = actor.refused or "only full members change where traffic goes"
    return refusals.refuse(Reason.OUTSIDER, service=of.service, who=actor.shown, why=why)


def drift(of: migration.Migration, plan: migration.Plan) -> refusals.Refusal | None:
    """The plan made again must be the plan that was approved, and start from what is in force."""
    if of.plan_now is None:
        return refusals.refuse(Reason.NOT_CHECKED, service=of.service)
    if of.plan_now.hash != plan.hash:
        changed = planning.what_changed(plan, of.plan_now)
        return refusals.refuse(Reason.DRIFTED, service=of.service, changed=changed)
    if plan.generation != of.generation or plan.before != of.exposure:
        changed = f"another change was recorded (generation {plan.generation} → {of.generation})"
        return refusals.refuse(Reason.DRIFTED, service=of.service, changed=changed)
    return None


def forbids_raise(of: migration.Migration, plan: migration.Plan, now: datetime) -> refusals.Refusal | None:
    """What forbids this raise or release now: holds, their causes, blockers, the policy. Persons are asked apart."""
    if plan.kind in migration.UNAPPROVED:
        return None
    others = tuple(hold for hold in of.holds if hold not in plan.clears)
    if others:
        return refusals.refuse(Reason.HELD, service=of.service, holds=", ".join(others))
    firing = tuple(hold for hold in plan.clears if hold in of.still_firing)
    if firing:
        return refusals.refuse(Reason.CAUSE_FIRES, service=of.service, holds=", ".join(firing))
    if of.blockers:
        reason = Reason.NOT_RELEASED if plan.kind is migration.Kind.RELEASE else Reason.BLOCKED
        return refusals.refuse(reason, service=of.service, blockers="; ".join(of.blockers))
    return policy.against_raise(of, plan, now)
