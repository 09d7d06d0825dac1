"""A shift or a release is asked for. A raise then waits for approval; a lowering waits only for one confirmation."""

from dataclasses import replace
from datetime import datetime

from handlers import messages
from handlers.rules import approvals, decision, effects, migration, planning, refusals

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
        return _start(of, message, plan, now, migration.Phase.APPROVED)
    refusal = approvals.person_refused(of, message.actor) or approvals.forbids_raise(of, plan, now) or approvals.drift(of, plan)
    if refusal:
        return decision.refused(of, refusal)
    return _start(of, message, plan, now, migration.Phase.PROPOSED)


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
    return _start(of, message, plan, now, migration.Phase.PROPOSED)


def propose_over_waiting(of: migration.Migration, message: messages.Command, now: datetime) -> decision.Decision:
    """Something waits already. Only a shift that is provably lower takes its place: lowering waits for nobody."""
    waiting, plan = of.operation, of.plan_now
    if waiting is None:
        return (
            propose_shift(of, message, now) if isinstance(message, messages.ProposeShift) else decision.quiet(of, "nothing waits")
        )
    if waiting.id == effects.operation_id(message.id):
        return decision.quiet(of, f"this request was heard before: it is {waiting.id}")
    if approvals.expired(waiting, now) or (
        isinstance(message, messages.ProposeShift) and plan is not None and plan.kind is migration.Kind.LOWER
    ):
        over = approvals.expired(waiting, now)
        outcome = migration.Outcome.EXPIRED if over else migration.Outcome.VOID
        because = "nobody finished it in time" if over else f"{message.actor.shown} asked for less traffic on the new cluster"
        ended = decision.closed(of, outcome, because, now=now)
        free = replace(ended.next, plan_now=plan)
        fresh = propose_shift(free, message, now) if isinstance(message, messages.ProposeShift) else _release(free, message, now)
        if over or fresh.refusal is None:
            return replace(fresh, effects=(*ended.effects, *fresh.effects))
        return replace(fresh, next=of)
    return decision.refused(of, waits(of, waiting))


def _release(of: migration.Migration, message: messages.Command, now: datetime) -> decision.Decision:
    if not isinstance(message, messages.ProposeRelease):
        raise TypeError(f"{type(message).__name__} proposes nothing")
    return propose_release(of, message, now)


def waits(of: migration.Migration, waiting: migration.Operation) -> refusals.Refusal:
    return refusals.refuse(
        Reason.WAITS,
        service=of.service,
        change=planning.in_words(waiting.plan),
        who=waiting.requester_shown,
        phase=of.phase,
        expires=approvals.clock(waiting.expires_at),
    )


def _start(
    of: migration.Migration,
    message: messages.ProposeShift | messages.ProposeRelease,
    plan: migration.Plan,
    now: datetime,
    phase: migration.Phase,
) -> decision.Decision:
    wanted = approvals.wanted(of.trust, plan)
    then = "waits for one confirmation" if not wanted else f"needs {wanted} approval{'s' if wanted != 1 else ''} by others"
    because = f"{message.actor.shown} asks for {planning.in_words(plan)} on {of.service}; it {then}"
    operation = migration.Operation(
        id=effects.operation_id(message.id),
        plan=plan,
        requester=message.actor.id,
        requester_shown=message.actor.shown,
        reason=message.reason,
        requested_at=now,
        expires_at=now + of.trust.lasts,
        phase=phase,
        place=message.place,
        source=message.actor.source,
        approvals_needed=wanted,
        because=because,
        timeline=((now, because),),
    )
    after = replace(of, operation=operation, phase=phase)
    return decision.Decision(
        next=after,
        effects=(
            effects.SaveOperation(operation, 0),
            effects.ShowCard(operation),
            decision.event(after, effects.EventKind.PROPOSED, because, actor=message.actor),
        ),
        because=because,
    )
