"""One step of a ladder: proposed in the name of who began it, or taken on the standing approval. And what interrupts it."""

from dataclasses import replace
from datetime import datetime

from handlers import journey_messages
from handlers.rules import (
    approvals,
    decision,
    effects,
    journeys,
    keeping,
    laddering,
    migration,
    planning,
    refusals,
    starting,
)
from k8s import model

Reason = refusals.Reason


def step_due(of: migration.Migration, message: journey_messages.StepDue, now: datetime) -> decision.Decision:
    """Everything is asked again here, with the plan made from the live cluster."""
    ready, plan = laddering.due(of, now), of.plan_now
    run = of.journey.run if of.journey else None
    if ready != message.weight or run is None:
        why = "; ".join(ready) if isinstance(ready, tuple) else f"{ready}% is next"
        return decision.refused(of, _not_due(of, message.weight, why))
    if plan is None or plan.kind is not migration.Kind.RAISE or plan.after.weight != message.weight or plan.skips:
        return decision.refused(of, _not_due(of, message.weight, "it cannot be planned now"))
    against = approvals.forbids_raise(of, plan, now) or approvals.drift(of, plan)
    if against is None and not planning.is_true(plan):
        against = _not_due(of, message.weight, "its plan is no raise")
    if against:
        return decision.refused(of, against)
    if _moved_since(of, plan):
        why = "it is not as it was when its wave was approved"
        return interrupted(
            of, journey_messages.RunInterrupted(id=message.id, at=message.at, service=of.service, why=why, resets=False), now
        )
    if run.mode is journey_messages.Mode.ASK:
        return _asked(of, run, plan, now)
    return _taken(of, run, plan, now)


def interrupted(of: migration.Migration, message: journey_messages.RunInterrupted, now: datetime) -> decision.Decision:
    """The ladder pauses and a person is called, once; the soak begins anew where it `resets`. Never refused."""
    journey = keeping.journey_of(of)
    pausing = keeping.paused(journey, message.why)
    changes = {**pausing, **(keeping.emptied(journey, message.why, now) if message.resets else {})}
    if pausing and journey.standing is not None and laddering.void(of, now):
        changes["standing"] = None
    if not changes:
        return decision.quiet(of, f"{message.why}; nothing climbs or soaks on {of.service}")
    because = f"{'the ladder pauses' if pausing else 'the soak begins anew'} on {of.service}: {message.why}"
    said: tuple[effects.Effect, ...] = ()
    if pausing and journey.run is not None:
        then = f"`/migrate resume {of.service}` lets it climb on"
        if journey.standing is not None and journey.standing.wave:
            then = f"its wave {journey.standing.wave} halts, and whoever has moved stays"
        page = f"{because}. See `/migrate status {of.service}`; {then}."
        said = (effects.PageSomebody(of.service, page, once=f"{journey.run.id}/{journey.revision}"),)
        if message.of_all:
            page = f"Ladders pause: {message.why}. See `/migrate status`; `/migrate resume NAME` lets each of them climb on."
            said = (effects.PageSomebody(model.ALL_SERVICES, page, once=f"ladders/{message.of_all}"),)
    told = decision.event(of, effects.EventKind.LADDER, because)
    return decision.Decision(next=of, effects=(keeping.keep(of, **changes), *said, told), because=because)


def _moved_since(of: migration.Migration, plan: migration.Plan) -> bool:
    """A wave was approved with the very plan of each member; another one is no part of it."""
    standing = of.journey.standing if of.journey else None
    if standing is None or not standing.wave:
        return False
    members = of.wave.plan.members if of.wave is not None and of.wave.plan.hash == standing.plan_hash else ()
    return (of.service, plan.hash) not in {(one.service, one.plan_hash) for one in members}


def used_again(of: migration.Migration, operation: migration.Operation) -> tuple[effects.Effect, ...] | None:
    """After a crash, before a step's record is written again: what marks it as used, if nothing does yet.

    None: its standing approval does not count any more, so nothing may be written.
    """
    if not operation.standing:
        return ()
    journey = of.journey
    if journey is None or journey.standing is None or journey.standing.id != operation.standing:
        return None
    weight = operation.plan.after.weight
    earlier = replace(journey.standing, used=tuple(one for one in journey.standing.used if one != weight))
    if of.wrote != operation.id and not laddering.stands_on(of, earlier):
        return None
    return () if weight in journey.standing.used else (keeping.keep(of, standing=_using(journey.standing, weight)),)


def _asked(of: migration.Migration, run: journeys.Run, plan: migration.Plan, now: datetime) -> decision.Decision:
    wanted = approvals.wanted(of.trust, plan)
    because = (
        f"the ladder of {run.requester_shown} asks for {planning.in_words(plan)} on {of.service}; it needs {wanted} "
        f"approval{'s' if wanted != 1 else ''} by others"
    )
    # Derived: whoever finds it due asks for one and the same; after one that was decided for this very step it is another.
    again = of.last.id if of.last is not None and of.last.run and of.last.plan.generation == plan.generation else ""
    name = effects.operation_id(f"{run.id}/{plan.after.weight}/{plan.generation}/{again}")
    operation = migration.Operation(
        id=name,
        plan=plan,
        requester=run.requester,
        requester_shown=run.requester_shown,
        reason=run.reason,
        requested_at=now,
        expires_at=now + of.trust.lasts,
        phase=migration.Phase.PROPOSED,
        place=run.place,
        source=run.source,
        approvals_needed=wanted,
        because=because,
        timeline=((now, because),),
        run=run.id,
    )
    return starting.begun(of, operation, effects.EventKind.PROPOSED)


def _taken(of: migration.Migration, run: journeys.Run, plan: migration.Plan, now: datetime) -> decision.Decision:
    """At once: approved and confirmed as a part of the whole. The step is used up before its record is written."""
    standing = of.journey.standing if of.journey else None
    if standing is None or plan.after.at(0) != standing.base.at(0):
        return decision.refused(of, _not_due(of, plan.after.weight, "the standing approval is for other rules or another target"))
    name = laddering.step_id(standing, plan.after.weight)
    because = (
        f"{planning.in_words(plan)} on {of.service} is a step of the standing approval {standing.id} "
        f"({', '.join(one.shown for one in standing.approvals)}); it is being written"
    )
    operation = migration.Operation(
        id=name,
        plan=plan,
        requester=standing.requester,
        requester_shown=standing.requester_shown,
        reason=run.reason,
        requested_at=now,
        expires_at=standing.until,
        phase=migration.Phase.APPLYING,
        place=run.place,
        source=run.source,
        approvals=tuple(_bound(one, name, plan) for one in standing.approvals),
        approvals_needed=approvals.wanted(of.trust, plan),
        confirmed_at=now,
        because=because,
        timeline=((now, because),),
        run=run.id,
        standing=standing.id,
    )
    if not approvals.enough(operation, now):
        have, wanted = len(approvals.counting(operation, now)), approvals.needed(operation)
        return decision.refused(of, _not_due(of, plan.after.weight, f"its standing approval has {have} of {wanted} approvals"))
    using = keeping.keep(of, standing=_using(standing, plan.after.weight))
    return starting.begun(of, operation, effects.EventKind.CONFIRMED, then=(using, starting.write(operation, now)))


def _bound(one: migration.Approval, operation: str, plan: migration.Plan) -> migration.Approval:
    """The same person's yes, to this plan as a part of the whole."""
    return replace(one, id=effects.approval_id(operation, one.by, plan.hash), plan_hash=plan.hash)


def _using(standing: journeys.Standing, weight: int) -> journeys.Standing:
    return replace(standing, used=(*standing.used, weight))


def _not_due(of: migration.Migration, weight: int, why: str) -> refusals.Refusal:
    return refusals.refuse(Reason.STEP_NOT_DUE, service=of.service, weight=weight, why=why)
