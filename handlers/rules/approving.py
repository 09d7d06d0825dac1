"""Approve, reject, confirm, expire: what persons and the clock do to an operation that waits."""

from dataclasses import replace
from datetime import datetime

from handlers import messages
from handlers.rules import (
    approvals,
    decision,
    effects,
    laddering,
    migration,
    planning,
    readiness,
    refusals,
    running_objects,
    starting,
    waving,
)
from k8s import exposure

Reason = refusals.Reason


def approve(of: migration.Migration, message: messages.Approve, now: datetime) -> decision.Decision:
    waiting = of.operation
    if waiting is None or waiting.id != message.operation:
        return decision.refused(of, late_click(of, message.operation))
    if approvals.expired(waiting, now):
        return _expired(of, waiting, now)
    refusal = _may_not_approve(of, waiting, message, now)
    if refusal:
        return decision.refused(of, refusal)
    if waiting.plan.kind in migration.UNAPPROVED:
        return decision.refused(of, _already_approved(of, waiting))
    against = _against(of, waiting, now)
    if against:
        return _stopped(of, against, now)
    approval = migration.Approval(
        id=effects.approval_id(waiting.id, message.actor.id, waiting.plan.hash),
        by=message.actor.id,
        shown=message.actor.shown,
        at=now,
        plan_hash=waiting.plan.hash,
        source=message.actor.source,
    )
    added = (*waiting.approvals, approval)
    complete = approvals.enough(replace(waiting, approvals=added), now)
    have = len(approvals.counting(replace(waiting, approvals=added), now))
    then = f"{waiting.requester_shown} confirms" if complete else f"{have} of {approvals.needed(waiting)}"
    return decision.moved(
        of,
        waiting,
        now=now,
        because=f"{message.actor.shown} approved {planning.in_words(waiting.plan)} on {of.service}; {then}",
        kind=effects.EventKind.APPROVED,
        actor=message.actor,
        approvals=added,
        phase=migration.Phase.APPROVED if complete else migration.Phase.PROPOSED,
    )


def approve_again(of: migration.Migration, message: messages.Approve, now: datetime) -> decision.Decision:
    """It has all approvals it needs."""
    waiting = of.operation
    if waiting is None or waiting.id != message.operation:
        return decision.refused(of, late_click(of, message.operation))
    if approvals.expired(waiting, now):
        return _expired(of, waiting, now)
    return decision.refused(of, _already_approved(of, waiting))


def reject(of: migration.Migration, message: messages.Reject, now: datetime) -> decision.Decision:
    waiting = of.operation
    if waiting is None or waiting.id != message.operation:
        return decision.refused(of, late_click(of, message.operation))
    own = message.actor.id == waiting.requester
    if not own:
        refusal = approvals.person_refused(of, message.actor)
        if refusal is None and not message.actor.approver:
            refusal = refusals.refuse(Reason.NOT_APPROVER, service=of.service, who=message.actor.shown)
        if refusal:
            return decision.refused(of, refusal)
    outcome = migration.Outcome.WITHDRAWN if own else migration.Outcome.REJECTED
    because = f"{message.actor.shown} {'withdrew' if own else 'rejected'} it" + (f": {message.reason}" if message.reason else "")
    return decision.closed(of, outcome, because, now=now, actor=message.actor, rejected_by="" if own else message.actor.id)


def confirm_unapproved(of: migration.Migration, message: messages.Confirm, now: datetime) -> decision.Decision:
    waiting = of.operation
    if waiting is None or waiting.id != message.operation:
        return decision.refused(of, late_click(of, message.operation))
    if approvals.expired(waiting, now):
        return _expired(of, waiting, now)
    return decision.refused(of, _not_approved(of, waiting, now))


def confirm(of: migration.Migration, message: messages.Confirm, now: datetime) -> decision.Decision:
    """Everything is asked again: the person, the time, the approvals, holds, blockers, the plan against the cluster."""
    waiting = of.operation
    if waiting is None or waiting.id != message.operation:
        return decision.refused(of, late_click(of, message.operation))
    if approvals.expired(waiting, now):
        return _expired(of, waiting, now)
    if waiting.plan.kind is migration.Kind.LOWER:
        return _confirm_lowering(of, waiting, message, now)
    if waiting.plan.kind is migration.Kind.BYPASS:
        return _confirm_bypass(of, waiting, message, now)
    refusal = approvals.person_refused(of, message.actor)
    if refusal is None and message.actor.id != waiting.requester:
        refusal = refusals.refuse(Reason.NOT_REQUESTER, service=of.service, requester=waiting.requester_shown)
    if refusal is None and not approvals.enough(waiting, now):
        refusal = _not_approved(of, waiting, now)
    if refusal:
        return decision.refused(of, refusal)
    against = _against(of, waiting, now) or approvals.too_few_now(of, waiting)
    if against:
        return _stopped(of, against, now)
    return _apply(of, waiting, message, now)


def expire(of: migration.Migration, _message: messages.TimePassed, now: datetime) -> decision.Decision:
    waiting = of.operation
    if waiting is None or not approvals.expired(waiting, now):
        return decision.quiet(of, "it is not time yet")
    because = f"nobody finished it before {approvals.clock(waiting.expires_at)}"
    return decision.closed(of, migration.Outcome.EXPIRED, because, now=now)


def _confirm_lowering(
    of: migration.Migration, waiting: migration.Operation, message: messages.Confirm, now: datetime
) -> decision.Decision:
    """No approval, no blockers, by any member. But what was lower when it was asked for must still be lower now."""
    refusal = approvals.outsider_refused(of, message.actor)
    if refusal:
        return decision.refused(of, refusal)
    after = waiting.plan.after
    if after.weight > 0 and (of.exposure is None or not exposure.at_most(after, of.exposure)):
        changed = f"{after.weight}% would no longer be lower than what is in force now ({of.weight}%)"
        return _stopped(of, refusals.refuse(Reason.DRIFTED, service=of.service, changed=changed), now)
    fresh = replace(waiting.plan, before=of.exposure, generation=of.generation, wish=of.wish)
    return _apply(of, replace(waiting, plan=fresh), message, now)


def _confirm_bypass(
    of: migration.Migration, waiting: migration.Operation, message: messages.Confirm, now: datetime
) -> decision.Decision:
    """By any member. What has moved meanwhile is planned as it is now; where nobody can plan, what was asked for counts."""
    refusal = approvals.outsider_refused(of, message.actor) or readiness.old_is_gone(of)
    if refusal:
        return decision.refused(of, refusal)
    again = of.plan_now if of.plan_now is not None and of.plan_now.kind is migration.Kind.BYPASS else waiting.plan
    return running_objects.begin(of, replace(waiting, plan=again), message, now)


def _against(of: migration.Migration, waiting: migration.Operation, now: datetime) -> refusals.Refusal | None:
    """What is against the plan now, whoever presses: the policy, the cluster, the objects."""
    plan = waiting.plan
    return (
        approvals.forbids_raise(readiness.seen_by(of, plan), plan, now)
        or approvals.drift(of, plan)
        or readiness.not_ready(of, plan)
        or waving.against(of, plan, now)
    )


def _apply(of: migration.Migration, waiting: migration.Operation, message: messages.Confirm, now: datetime) -> decision.Decision:
    plan = waiting.plan
    if plan.kind is migration.Kind.WAVE:
        return waving.begin(of, waiting, message, now)
    if plan.kind is migration.Kind.RUN:
        return laddering.begin(of, waiting, message, now)
    if plan.kind in migration.OBJECTS:
        return running_objects.begin(of, waiting, message, now)
    return decision.moved(
        of,
        waiting,
        now=now,
        because=f"{message.actor.shown} confirmed {planning.in_words(plan)} on {of.service}; it is being written",
        kind=effects.EventKind.CONFIRMED,
        actor=message.actor,
        then=(starting.write(waiting, now),),
        confirmed_at=now,
        phase=migration.Phase.APPLYING,
    )


def _may_not_approve(
    of: migration.Migration, waiting: migration.Operation, message: messages.Approve, now: datetime
) -> refusals.Refusal | None:
    refusal = approvals.person_refused(of, message.actor)
    if refusal:
        return refusal
    if message.actor.id == waiting.requester:
        return refusals.refuse(Reason.OWN_REQUEST, service=of.service)
    if not message.actor.approver:
        return refusals.refuse(Reason.NOT_APPROVER, service=of.service, who=message.actor.shown)
    for one in approvals.counting(waiting, now):
        if one.by == message.actor.id:
            at, wanted = approvals.clock(one.at), approvals.needed(waiting)
            return refusals.refuse(Reason.TWICE, service=of.service, at=at, needed=wanted)
    if message.revision != waiting.revision:
        newest = f"approved by {approvals.approved_by(waiting)}" if waiting.approvals else waiting.because
        facts = {"clicked": message.revision, "revision": waiting.revision, "newest": newest}
        return refusals.refuse(Reason.STALE, service=of.service, **facts)
    return None


def _stopped(of: migration.Migration, against: refusals.Refusal, now: datetime) -> decision.Decision:
    """Drift and holds void the request; what may pass (an alert, a silent agent) only refuses the click."""
    if against.reason in (Reason.DRIFTED, Reason.HELD):
        return decision.closed(of, migration.Outcome.VOID, against.why, now=now, refusal=against)
    return decision.refused(of, against)


def _expired(of: migration.Migration, waiting: migration.Operation, now: datetime) -> decision.Decision:
    expires = approvals.clock(waiting.expires_at)
    refusal = refusals.refuse(Reason.EXPIRED, service=of.service, expires=expires, now=approvals.clock(now))
    return decision.closed(of, migration.Outcome.EXPIRED, refusal.why, now=now, refusal=refusal)


def _not_approved(of: migration.Migration, waiting: migration.Operation, now: datetime) -> refusals.Refusal:
    have, wanted = len(approvals.counting(waiting, now)), approvals.needed(waiting)
    return refusals.refuse(Reason.NOT_APPROVED, service=of.service, have=have, needed=wanted)


def _already_approved(of: migration.Migration, waiting: migration.Operation) -> refusals.Refusal:
    to_old = waiting.plan.kind in migration.UNAPPROVED
    by = "nobody, because what leads to old needs no approval" if to_old else approvals.approved_by(waiting)
    expires = approvals.clock(waiting.expires_at)
    facts = {"approvers": by, "requester": waiting.requester_shown, "expires": expires}
    return refusals.refuse(Reason.ALREADY_APPROVED, service=of.service, **facts)


def late_click(of: migration.Migration, operation: str) -> refusals.Refusal:
    """A click about an operation that waits no more: it runs, it is decided, or nobody knows it."""
    current = of.operation
    if current is not None and current.id == operation and current.confirmed_at is not None:
        facts = {"requester": current.requester_shown, "at": approvals.clock(current.confirmed_at), "phase": of.phase}
        return refusals.refuse(Reason.CONFIRMED, service=of.service, **facts)
    if of.last is not None and of.last.id == operation:
        outcome, because = of.last.outcome, of.last.because
        return refusals.refuse(Reason.DECIDED, service=of.service, outcome=outcome, because=because)
    return refusals.refuse(Reason.UNKNOWN_OPERATION, service=of.service, operation=operation)
