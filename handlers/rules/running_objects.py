"""Objects are being changed: what was confirmed begins, and what was reported ends it, or goes on to the finished record."""

from datetime import datetime

from handlers import journey_messages, messages
from handlers.rules import (
    approvals,
    decision,
    effects,
    finishing,
    journeys,
    keeping,
    migration,
    planning,
    readiness,
    refusals,
    reported,
    starting,
)


def begin(of: migration.Migration, waiting: migration.Operation, message: messages.Confirm, now: datetime) -> decision.Decision:
    plan = waiting.plan
    return decision.moved(
        of,
        waiting,
        now=now,
        because=f"{message.actor.shown} confirmed {planning.in_words(plan)} on {of.service}; its objects are being changed",
        kind=effects.EventKind.CONFIRMED,
        actor=message.actor,
        then=(effects.ArrangeObjects(waiting, migration.OBJECTS[plan.kind]),),
        plan=plan,
        confirmed_at=now,
        phase=migration.Phase.ARRANGING,
    )


def arranged(of: migration.Migration, message: journey_messages.ObjectsArranged, now: datetime) -> decision.Decision:
    operation = reported.expected(of, message)
    if isinstance(operation, refusals.Refusal):
        return decision.refused(of, operation)
    if operation.plan.kind is migration.Kind.FINISH:
        # A hold may have come while the objects were changed: everything is asked once more right before the end is written.
        against = approvals.forbids_raise(readiness.seen_by(of, operation.plan), operation.plan, now)
        if against:
            return finishing.not_ended(of, operation, against.why, now)
        return decision.moved(
            of,
            operation,
            now=now,
            because=f"{message.told}; now the record of the end is being written",
            kind=effects.EventKind.APPLIED,
            then=(_approved(of, operation), starting.write(operation, operation.confirmed_at or now)),
            phase=migration.Phase.APPLYING,
        )
    kept: tuple[effects.Effect, ...] = ()
    if operation.plan.kind is migration.Kind.REMOVE:
        kept = (keeping.keep(of, removed=now),)
    if operation.plan.kind is migration.Kind.PREPARE:
        kept = (_approved(of, operation),)
    if operation.plan.kind is migration.Kind.BYPASS:
        kept = _at_0(of, operation, message.told)
    return decision.closed(of, migration.Outcome.DONE, message.told, now=now, first=kept)


def _approved(of: migration.Migration, operation: migration.Operation) -> effects.KeepJourney:
    """What these objects may be put back to when somebody changes them by hand."""
    plan = operation.plan
    return keeping.keep(of, arranged=journeys.Arranged(migration.OBJECTS[plan.kind], operation.id, plan.objects))


def _at_0(of: migration.Migration, operation: migration.Operation, told: str) -> tuple[effects.Effect, ...]:
    """Nothing enters through the proxies any more: a weight that stayed would come back in one step with the next entry."""
    if of.exposure is None or of.weight == 0 or of.finished:
        return ()
    step = effects.RevertRecord(
        id=effects.settle_id(of.service, of.generation, 0),
        service=of.service,
        exposure=of.exposure.at(0),
        operation=operation,
        because=f"{told}; the record follows to 0%, so that the next entry begins there",
        who=operation.requester,
    )
    return (step,)


def not_arranged(of: migration.Migration, message: journey_messages.ObjectsNotArranged, now: datetime) -> decision.Decision:
    operation = reported.expected(of, message)
    if isinstance(operation, refusals.Refusal):
        return decision.refused(of, operation)
    stage = migration.OBJECTS.get(operation.plan.kind, operation.plan.kind)
    because = f"not every object could be changed: {message.why}; `/migrate status {of.service}` shows how the entry stands now"
    page: tuple[effects.Effect, ...] = ()
    if operation.plan.kind is migration.Kind.BYPASS:
        told = f"{of.service}: its entry could not be led around the proxies ({message.why}). `/migrate rollback {of.service}` "
        page = (effects.PageSomebody(of.service, f"{told}takes its traffic back meanwhile.", once=f"{operation.id}/{stage}"),)
    return decision.closed(of, migration.Outcome.FAILED, because, now=now, first=page)
