"""The record is being written, served, watched, or taken back: what reports of the cluster do to a running operation."""

from dataclasses import replace
from datetime import datetime

from handlers import messages
from handlers.rules import (
    approvals,
    decision,
    effects,
    finishing,
    migration,
    planning,
    refusals,
    reported,
    starting,
    stepping,
)
from k8s import model

Reason = refusals.Reason
_BACK = "going back to"  # how the sentence begins that says why: the end of the way back repeats it


def written(of: migration.Migration, message: messages.RecordWritten, now: datetime) -> decision.Decision:
    operation = reported.expected(of, message)
    if isinstance(operation, refusals.Refusal):
        return decision.refused(of, operation)
    after = replace(of, exposure=operation.plan.after, generation=message.generation, wrote=operation.id)
    if operation.plan.kind is migration.Kind.FINISH:
        after = finishing.written(after)
    return decision.moved(
        after,
        operation,
        now=now,
        because=f"record {message.generation} is written; waiting for every proxy to serve it{_besides(message)}",
        kind=effects.EventKind.APPLIED,
        then=(effects.WatchConvergence(operation.id, of.service, message.generation),),
        generation=message.generation,
        phase=migration.Phase.CONVERGING,
    )


def _besides(message: messages.RecordWritten) -> str:
    return f"; {message.told}" if message.told else ""


def not_written(of: migration.Migration, message: messages.RecordNotWritten, now: datetime) -> decision.Decision:
    operation = reported.expected(of, message)
    if isinstance(operation, refusals.Refusal):
        return decision.refused(of, operation)
    if operation.plan.kind is migration.Kind.LOWER:
        return hold_instead(of, operation, f"the lower record could not be written ({message.why})", now)
    if operation.plan.kind is migration.Kind.FINISH:
        return finishing.not_ended(of, operation, f"its record was not written ({message.why})", now)
    if message.unknown:
        # A record one generation on takes the place that the lost write would need: whichever comes first, it ends low.
        return revert(
            of, operation, planning.lower_side(operation.plan), f"nobody knows whether it was written ({message.why})", now
        )
    return decision.closed(of, migration.Outcome.FAILED, f"nothing was changed: {message.why}", now=now)


def converged(of: migration.Migration, message: messages.Converged, now: datetime) -> decision.Decision:
    operation = reported.expected(of, message)
    if isinstance(operation, refusals.Refusal):
        return decision.refused(of, operation)
    if operation.plan.kind in (migration.Kind.RAISE, migration.Kind.FINISH):
        return decision.moved(
            of,
            operation,
            now=now,
            because=f"{message.because}; now share, errors and latency are watched",
            kind=effects.EventKind.CONVERGED,
            then=(effects.WatchHealth(operation),),
            phase=migration.Phase.VERIFYING,
        )
    left = tuple(hold for hold in of.holds if hold not in operation.plan.clears)
    return decision.closed(of, migration.Outcome.DONE, message.because, now=now, holds=left)


def verified(of: migration.Migration, message: messages.Verified, now: datetime) -> decision.Decision:
    operation = reported.expected(of, message)
    if isinstance(operation, refusals.Refusal):
        return decision.refused(of, operation)
    if operation.plan.kind is migration.Kind.FINISH:
        return finishing.ended(of, message, now)
    return decision.closed(of, migration.Outcome.DONE, message.because, now=now)


def take_back(of: migration.Migration, message: messages.NotConverged | messages.NotVerified, now: datetime) -> decision.Decision:
    """A raise goes back to the lower of before and after; a lowering that is not served everywhere becomes a hold. An end that
    was written stays.
    """
    operation = reported.expected(of, message)
    if isinstance(operation, refusals.Refusal):
        return decision.refused(of, operation)
    if operation.plan.kind is migration.Kind.LOWER:
        return hold_instead(of, operation, f"not every proxy serves the lower record ({message.why})", now)
    if operation.plan.kind is migration.Kind.FINISH:
        return finishing.not_ended(of, operation, message.why, now)
    return revert(of, operation, planning.lower_side(operation.plan), message.why, now)


def reverted(of: migration.Migration, message: messages.Converged, now: datetime) -> decision.Decision:
    operation = reported.expected(of, message)
    if isinstance(operation, refusals.Refusal):
        return decision.refused(of, operation)
    why = next((said for _, said in reversed(operation.timeline) if said.startswith(_BACK)), operation.because)
    because = f"{why}; {message.because}"
    return decision.closed(of, migration.Outcome.REVERTED, because, now=now)


def revert_written(of: migration.Migration, message: messages.RecordWritten, now: datetime) -> decision.Decision:
    operation = reported.expected(of, message)
    if isinstance(operation, refusals.Refusal):
        return decision.refused(of, operation)
    after = replace(of, generation=message.generation, wrote=effects.revert_id(operation.id))
    return decision.moved(
        after,
        operation,
        now=now,
        because=f"the lower record {message.generation} is written; waiting for every proxy to serve it{_besides(message)}",
        kind=effects.EventKind.APPLIED,
        then=(effects.WatchConvergence(effects.revert_id(operation.id), of.service, message.generation),),
        generation=message.generation,
    )


def revert_failed(
    of: migration.Migration, message: messages.RecordNotWritten | messages.NotConverged, now: datetime
) -> decision.Decision:
    operation = reported.expected(of, message)
    if isinstance(operation, refusals.Refusal):
        return decision.refused(of, operation)
    return hold_instead(of, operation, f"taking back did not come through ({message.why})", now)


def wait(of: migration.Migration, _message: messages.TimePassed, _now: datetime) -> decision.Decision:
    """Running operations have limits of their own: NotConverged, NotVerified. The clock alone decides nothing."""
    return decision.quiet(of, f"{of.service} is {of.phase}")


def revert(
    of: migration.Migration, operation: migration.Operation, lower: model.Exposure, why: str, now: datetime
) -> decision.Decision:
    """The lower record is written over the other; from here on only reports of the revert count."""
    because = f"{_BACK} {lower.weight}%: {why}"
    step = effects.RevertRecord(
        id=effects.revert_id(operation.id),
        service=of.service,
        exposure=lower,
        operation=operation,
        because=because,
        over_end=of.ending,
    )
    after = replace(of, exposure=lower)
    back = migration.Phase.REVERTING
    kind = effects.EventKind.REVERTING
    return _urgent(decision.moved(after, operation, now=now, because=because, kind=kind, then=(step,), phase=back))


def hold_instead(of: migration.Migration, operation: migration.Operation, why: str, now: datetime) -> decision.Decision:
    """What cannot be lowered in good order is held: one write that needs nothing. The hold comes back as HoldsStand."""
    because = f"{why}: held at 100% old instead"
    page = f"{of.service}: {because}. See `/migrate status {of.service}` and the proxies that lag."
    return _urgent(
        decision.moved(
            of,
            operation,
            now=now,
            because=because,
            kind=effects.EventKind.HELD,
            then=(effects.WriteHold(of.service, because, decision.FERRY), effects.PageSomebody(of.service, page)),
            phase=migration.Phase.REVERTING,
        )
    )


def resume(of: migration.Migration) -> tuple[effects.Effect, ...]:
    """What puts a running operation back to work after a crash: the effects of its phase, each safe to perform again."""
    operation = of.operation
    if operation is None or of.phase not in migration.RUNNING:
        return ()
    plan, card = operation.plan, effects.ShowCard(operation)
    granted = operation.confirmed_at is not None and approvals.enough(operation, operation.confirmed_at)
    match of.phase:
        case migration.Phase.ARRANGING:
            return (effects.ArrangeObjects(operation, migration.OBJECTS[plan.kind]), card) if granted else ()
        case migration.Phase.APPLYING:
            using = stepping.used_again(of, operation)
            if operation.confirmed_at is None or not granted or using is None:
                return ()
            return *using, starting.write(operation, operation.confirmed_at), card
        case migration.Phase.CONVERGING:
            return effects.WatchConvergence(operation.id, of.service, operation.generation), card
        case migration.Phase.VERIFYING:
            return effects.WatchHealth(operation), card
        case _:
            lower = planning.lower_side(plan)
            lower = lower.at(min(lower.weight, of.wish))
            name, over = effects.revert_id(operation.id), of.ending
            return effects.RevertRecord(name, of.service, lower, operation, operation.because, over_end=over), card


def _urgent(one: decision.Decision) -> decision.Decision:
    """What lowers comes before what is saved or said."""
    first = tuple(e for e in one.effects if isinstance(e, effects.RevertRecord | effects.WriteHold))
    return replace(one, effects=(*first, *(e for e in one.effects if e not in first)))
