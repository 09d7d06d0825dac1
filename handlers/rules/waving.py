"""What is decided about a wave: asked for, begun, joined and left by its members, ended. How far it is: `handlers.rules.waves`.

The first member's journey carries the whole wave, signed: what is not there is no wave, whatever a store says.
"""

import json
from dataclasses import replace
from datetime import datetime

from handlers import journey_messages, messages, operation_document
from handlers.rules import (
    approvals,
    decision,
    effects,
    journeys,
    keeping,
    migration,
    planning,
    refusals,
    starting,
    waves,
)

Reason = refusals.Reason
Kind = migration.Kind


def propose_wave(of: migration.Migration, message: journey_messages.ProposeWave, now: datetime) -> decision.Decision:
    """Each member must pass what a single raise must pass; the refusal is that of the first who does not, and names it."""
    refusal = approvals.person_refused(of, message.actor) or _malformed(of, message)
    if refusal:
        return decision.refused(of, refusal)
    plan = of.plan_now
    if plan is None or plan.kind is not Kind.WAVE or tuple(one.service for one in plan.members) != message.services:
        why = "There is no plan for this wave: the cluster cannot be read completely, or migration.yaml names no such service."
        return decision.refused(of, _first(of, now) or refusals.refuse(Reason.INVALID, service=of.service, why=why))
    refusal = against(of, plan, now) or approvals.forbids_raise(of, plan, now) or approvals.drift(of, plan)
    if refusal is None and not planning.is_true(plan):
        why = "A wave only raises, and all its members to one weight."
        refusal = refusals.refuse(Reason.INVALID, service=of.service, why=why)
    return decision.refused(of, refusal) if refusal else starting.start(of, message, plan, now)


def against(of: migration.Migration, plan: migration.Plan, now: datetime) -> refusals.Refusal | None:
    """What is against a member now: the first who must not move. Of plans that are no wave: nothing."""
    if plan.kind is not Kind.WAVE:
        return None
    if tuple(one.service for one in of.members) != tuple(one.service for one in plan.members):
        return refusals.refuse(Reason.NOT_CHECKED, service=of.service)
    return _first(of, now)


def begin(of: migration.Migration, waiting: migration.Operation, message: messages.Confirm, now: datetime) -> decision.Decision:
    """Confirmed: from now on the first member's journey carries it. It moves nothing itself."""
    plan = waiting.plan
    because = f"{message.actor.shown} confirmed {planning.in_words(plan)}; each member moves when its turn has come"
    begun = decision.moved(
        of,
        waiting,
        now=now,
        because=because,
        kind=effects.EventKind.CONFIRMED,
        actor=message.actor,
        confirmed_at=now,
        phase=migration.Phase.CONVERGING,
    )
    operation = begun.next.operation
    if operation is None or not of.members:
        return decision.refused(of, refusals.refuse(Reason.NOT_CHECKED, service=of.service))
    leader = of.members[0]
    changes = _part(leader, operation, now)
    carried = keeping.keep(leader, **changes, wave=_text(operation))
    return replace(begun, effects=(carried, *begun.effects))


def join(of: migration.Migration, message: journey_messages.JoinWave, now: datetime) -> decision.Decision:
    """The member's part of the approval. Refused where it is not as it was planned: then the wave halts."""
    wave = of.wave
    if wave is None or wave.plan.service != message.wave or not _counts(wave, now):
        return decision.refused(of, _no_part(of, "that wave is not under way"))
    if waves.standing_of(of.journey, message.wave) is not None:
        return decision.quiet(of, f"{of.service} has joined {message.wave} already")
    if not of.certain:
        return decision.refused(of, refusals.refuse(Reason.NOT_CHECKED, service=of.service))
    member = next((one for one in wave.plan.members if one.service == of.service), None)
    planned = of.plan_now.hash if of.plan_now is not None else ""
    why = ""
    if member is None or planned != member.plan_hash:
        why = "it is not as it was when the wave was approved"
    elif of.holds:
        why = f"it is held at 100% old by {', '.join(of.holds)}"
    elif _climbs(of):
        why = "a ladder climbs there"
    elif of.operation is not None:
        why = f"{planning.in_words(of.operation.plan)} by {of.operation.requester_shown} is under way there"
    if why:
        return decision.refused(of, _no_part(of, why))
    because = f"{of.service} takes part in {message.wave} and waits for its turn"
    told = decision.event(of, effects.EventKind.LADDER, because)
    return decision.Decision(of, (keeping.keep(of, **_part(of, wave, now)), told), because=because)


def leave(of: migration.Migration, message: journey_messages.LeaveWave, _now: datetime) -> decision.Decision:
    """Nothing of the wave is left. What is on its way goes on with its own protection. Never refused."""
    journey = keeping.journey_of(of)
    changes: dict[str, object] = {}
    if waves.standing_of(journey, message.wave) is not None:
        changes |= {"standing": None, "run": None}
    elif journey.run is not None and journey.run.id.split("/")[0] == message.operation:
        changes["run"] = None
    if journey.wave and carried(journey.wave, message.wave):
        changes["wave"] = ""
    if not changes:
        return decision.quiet(of, f"nothing of {message.wave} is left at {of.service}")
    because = f"{of.service} takes part in {message.wave} no more: {message.why}"
    told = decision.event(of, effects.EventKind.LADDER, because)
    return decision.Decision(of, (keeping.keep(of, **changes), told), because=because)


def ended(of: migration.Migration, message: journey_messages.WaveEnded, now: datetime) -> decision.Decision:
    """Written where the wave is carried before anything else: whoever finds it afterwards does not go on with it."""
    operation = of.operation
    if operation is None or operation.id != message.operation or operation.plan.kind is not Kind.WAVE:
        return decision.quiet(of, "that wave is not under way")
    count, weight = len(operation.plan.members), operation.plan.after.weight
    how = f"{message.moved} of {count} are at {weight}%"
    page: tuple[effects.Effect, ...] = ()
    outcome, because = migration.Outcome.DONE, f"all {how}" if message.moved == count else how
    if message.halted:
        outcome = migration.Outcome.HALTED
        because = f"{how} and stay there, nobody else moves: {message.halted}"
        member = message.halted.partition(":")[0]
        said = (
            f"The wave {of.service} to {weight}% halted. {message.halted}. {how[0].upper()}{how[1:]} and stay there; nobody else"
        )
        called = f"{said} moves. Ask for those that are left in a new wave when that is settled."
        page = (effects.PageSomebody(member, called, once=f"{operation.id}/halted"),)
    closed = decision.closed(of, outcome, because, now=now)
    leader = next(iter(of.members), None)
    first: tuple[effects.Effect, ...] = ()
    if closed.next.last is not None and leader is not None and leader.journey is not None and leader.journey.wave:
        first = (keeping.keep(leader, wave=_text(closed.next.last)),)
    return replace(closed, effects=(*first, *closed.effects, *page))


def carried(text: str, name: str) -> migration.Operation | None:
    """The wave that a journey carries, if it is this one."""
    found = operation_in(text)
    return found if found is not None and found.plan.service == name else None


def operation_in(text: str) -> migration.Operation | None:
    """The wave that is written there; None: none, or none that is understood."""
    try:
        found = operation_document.from_document(json.loads(text)) if text else None
    except (operation_document.UnreadableOperationError, ValueError, AttributeError):
        return None
    return found if found is not None and found.plan.kind is Kind.WAVE and waves.is_wave(found.plan.service) else None


def _text(operation: migration.Operation) -> str:
    return json.dumps(operation_document.to_document(operation), sort_keys=True, separators=(",", ":"))


def _part(of: migration.Migration, wave: migration.Operation, now: datetime) -> dict[str, object]:
    """The member's part: one step, in its turn, on the approvals of the whole."""
    plan = wave.plan
    order, member = next((at, one) for at, one in enumerate(plan.members) if one.service == of.service)
    base = of.plan_now.after.at(0) if of.plan_now is not None else plan.after.at(0)
    name = waves.standing_id(wave, of.service)
    standing = journeys.Standing(
        id=name,
        requester=wave.requester,
        requester_shown=wave.requester_shown,
        plan_hash=plan.hash,
        steps=(member.after,),
        until=datetime.fromisoformat(plan.until),
        base=base,
        approvals=approvals.counting(wave, now),
        wave=plan.service,
        order=order,
        at=of.generation,
    )
    run = journeys.Run(
        id=name,
        mode=journey_messages.Mode.AUTO,
        requester=wave.requester,
        requester_shown=wave.requester_shown,
        began=now,
        place=wave.place,
        source=wave.source,
        reason=wave.reason,
    )
    return {"standing": standing, "run": run}


def _counts(wave: migration.Operation, now: datetime) -> bool:
    """Approved by enough others, confirmed, and neither over nor too old."""
    going = wave.outcome is migration.Outcome.OPEN and wave.phase in migration.RUNNING and wave.confirmed_at is not None
    return going and approvals.enough(wave, now) and now < datetime.fromisoformat(wave.plan.until)


def _first(of: migration.Migration, now: datetime) -> refusals.Refusal | None:
    return next((refusal for one in of.members if (refusal := _member_refused(one, now))), None)


def _member_refused(of: migration.Migration, now: datetime) -> refusals.Refusal | None:
    """What a single raise of it would be refused for, in the same words; and what a part of the approval needs besides."""
    plan, operation = of.plan_now, of.operation
    if of.finished:
        return refusals.refuse(Reason.FINISHED, service=of.service)
    if plan is None:
        why = "There is no plan for it: migration.yaml does not name it, or cannot be read."
        return refusals.refuse(Reason.INVALID, service=of.service, why=why)
    if plan.kind is not Kind.RAISE or not planning.is_true(plan) or plan.after.weight <= of.weight:
        why = f"It is at {of.weight}%, and a wave only raises: to {plan.after.weight}% is no raise of it."
        return refusals.refuse(Reason.INVALID, service=of.service, why=why)
    if operation is not None:
        facts = {"change": planning.in_words(operation.plan), "who": operation.requester_shown, "phase": of.phase}
        return refusals.refuse(Reason.WAITS, service=of.service, expires=approvals.clock(operation.expires_at), **facts)
    if _climbs(of):
        why = "A ladder, or another wave, climbs there; leave it out, or pause it first."
        return refusals.refuse(Reason.INVALID, service=of.service, why=why)
    if not of.judgement.judged:
        return refusals.refuse(Reason.NOT_JUDGED, service=of.service)
    return approvals.forbids_raise(of, plan, now) or approvals.drift(of, plan)


def _climbs(of: migration.Migration) -> bool:
    journey = of.journey
    return journey is not None and ((journey.run is not None and not journey.run.paused) or bool(journey.wave))


def _malformed(of: migration.Migration, message: journey_messages.ProposeWave) -> refusals.Refusal | None:
    asked, why = message.services, ""
    if not waves.is_wave(of.service):
        why = f"{of.service} is no name of a wave."
    elif not 2 <= len(asked) <= waves.MOST:
        why = f"A wave has 2 to {waves.MOST} services, and {len(asked)} were named."
    elif twice := next((one for one in asked if asked.count(one) > 1), ""):
        why = f"{twice} is named twice."
    elif not 0 < message.weight <= 100:
        why = f"A wave raises to 1% to 100%, and {message.weight}% was asked for."
    return refusals.refuse(Reason.INVALID, service=of.service, why=why) if why else None


def _no_part(of: migration.Migration, why: str) -> refusals.Refusal:
    """Nobody reads it but the wave, which halts for `why`."""
    return refusals.refuse(Reason.INVALID, service=of.service, why=why)
