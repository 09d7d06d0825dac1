"""An operation begins: the request is frozen with its plan, and its record is written once everything was granted."""

from dataclasses import replace
from datetime import datetime
from typing import Protocol

from handlers import messages
from handlers.rules import approvals, decision, effects, migration, planning


class Proposal(Protocol):
    """Any command that asks for a change and may say why."""

    @property
    def id(self) -> str: ...
    @property
    def actor(self) -> messages.Person: ...
    @property
    def place(self) -> messages.Place: ...
    @property
    def reason(self) -> str: ...


def start(of: migration.Migration, message: Proposal, plan: migration.Plan, now: datetime) -> decision.Decision:
    """What leads to old waits for its confirmation only; everything else for approval by others first."""
    waits = migration.Phase.APPROVED if plan.kind in migration.UNAPPROVED else migration.Phase.PROPOSED
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
        phase=waits,
        place=message.place,
        source=message.actor.source,
        approvals_needed=wanted,
        because=because,
        timeline=((now, because),),
    )
    return begun(of, operation, effects.EventKind.PROPOSED, actor=message.actor)


def begun(
    of: migration.Migration,
    operation: migration.Operation,
    kind: effects.EventKind,
    *,
    actor: messages.Person | None = None,
    then: tuple[effects.Effect, ...] = (),
) -> decision.Decision:
    """A new operation: saved before anything else, then `then`, its card, the audit."""
    after = replace(of, operation=operation, phase=operation.phase)
    told = decision.event(after, kind, operation.because, actor=actor)
    saved = effects.SaveOperation(operation, 0)
    return decision.Decision(next=after, effects=(saved, *then, effects.ShowCard(operation), told), because=operation.because)


def write(operation: migration.Operation, at: datetime) -> effects.WriteRecord:
    """The record of a confirmed operation. It names each approval that counted, or which part of a standing one it uses up."""
    plan = operation.plan
    ids = tuple(one.id for one in approvals.counting(operation, at))
    step = (f"{operation.standing}/{plan.after.weight}",) if operation.standing else ids
    return effects.WriteRecord(
        operation=operation,
        exposure=plan.after,
        expected_generation=plan.generation,
        clears=plan.clears,
        approvals=step,
        finished=plan.kind is migration.Kind.FINISH,
    )
