"""The ladder: it begins, pauses, goes on; and whether its next step is due. How a step is taken: `handlers.rules.stepping`."""

from dataclasses import replace
from datetime import datetime

from handlers import journey_messages, messages
from handlers.rules import (
    approvals,
    decision,
    effects,
    gates,
    journeys,
    keeping,
    migration,
    planning,
    refusals,
    soaking,
    starting,
)
from k8s import model

Reason = refusals.Reason
Mode = journey_messages.Mode
_BAD = {gates.Verdict.FAIL: "its gates fail", gates.Verdict.ASK: "a person must decide"}


def next_step(wished: model.Service | None, weight: int) -> int | None:
    """The ladder's first step above this weight; None: it ends here, or nobody knows it."""
    above = [step for step in (wished.ladder if wished is not None else ()) if step > weight]
    return min(above, default=None)


def next_of(of: migration.Migration) -> int | None:
    """The next step of what climbs: of the ladder, or the one of its wave."""
    standing = of.journey.standing if of.journey else None
    if standing is not None and standing.wave:
        return min((step for step in standing.steps if step > of.weight), default=None)
    return next_step(of.wished, of.weight)


def due(of: migration.Migration, now: datetime) -> int | tuple[str, ...]:
    """The weight of the step that is due, or why none is: one clause each. Asked again in full when the step is taken."""
    run, wished = of.journey.run if of.journey else None, of.wished
    if of.finished:
        return ("it is finished",)
    if run is None:
        return (f"no ladder climbs; `/migrate run {of.service}` begins one",)
    weight = next_of(of)
    if wished is None or weight is None:
        return (f"there is no step above {of.weight}%",)
    reasons = [f"it is paused: {run.paused}"] if run.paused else []
    if of.operation is not None:
        reasons.append(f"{planning.in_words(of.operation.plan)} by {of.operation.requester_shown} is under way")
    if not of.certain:
        reasons.append("nobody can read what is in force")
    reasons += _not_its_turn(of, wished)
    if run.mode is Mode.AUTO:
        reasons += _against_auto(of, weight, now)
    if against := approvals.forbids_raise(of, _step(of, wished, weight), now):
        reasons.append(against.why.strip().rstrip("."))
    return tuple(dict.fromkeys(reasons)) or weight


def interrupts(of: migration.Migration, now: datetime) -> str:
    """Why the ladder that climbs must pause now; empty: it need not. To be told as RunInterrupted, `resets=False`.

    Too few requests, numbers that nobody has, and what all services share are no reason: it waits for them.
    """
    run = of.journey.run if of.journey else None
    if run is None or run.paused or of.finished:
        return ""
    if bad_end := ended_badly(run, of.last):
        return bad_end
    if of.weight > 0 and (said := _BAD.get((own := of.judgement.own).verdict)):
        bad = [one.sentence.strip().rstrip(".") for one in own.gates if one.verdict is own.verdict]
        return f"{said} ({'; '.join(bad)})"
    if run.mode is Mode.ASK:
        return ""
    weight = next_of(of) if of.operation is None else None  # a step on its way is used, and not in force yet
    return void(of, now) or ("" if weight is None else spent(of, weight))


def void(of: migration.Migration, now: datetime) -> str:
    """Why the standing approval counts for nothing any more, a clause; empty: it counts."""
    standing = of.journey.standing if of.journey else None
    if standing is None:
        return "there is no standing approval any more"
    if now >= standing.until:
        return f"the standing approval ended at {approvals.clock(standing.until)}"
    wished = of.wished.exposure.at(0) if of.wished is not None else None
    in_force = of.exposure.at(0) if of.exposure is not None and of.weight > 0 else None
    if any(one is not None and one != standing.base.at(0) for one in (wished, in_force)):
        return "the standing approval is for other rules or another target than those of now"
    own = of.operation is not None and of.operation.standing == standing.id  # its step is used up, and not in force yet
    if not own and not stands_on(of, standing):
        return "another record is in force than the one that the standing approval goes on from"
    return ""


def stands_on(of: migration.Migration, standing: journeys.Standing) -> bool:
    """The record in force is the one it was approved over, or that of its own last step: what was lowered, raised by hand, held,
    or put back from earlier days has another one.
    """
    if not standing.used:
        return of.generation == standing.at
    return of.wrote == step_id(standing, standing.used[-1])


def step_id(standing: journeys.Standing, weight: int) -> str:
    """Of the operation that takes this step: each step is one change, whoever takes it."""
    return effects.operation_id(f"{standing.id}/{weight}")


def spent(of: migration.Migration, weight: int) -> str:
    """Why the standing approval has no such step, or none any more; empty: it has."""
    standing = of.journey.standing if of.journey else None
    if standing is None or weight not in standing.steps:
        return f"{weight}% is no step of the standing approval"
    if weight in standing.used:
        return f"the standing approval's step to {weight}% was taken once already; ask for it by hand"
    return ""


def ended_badly(run: journeys.Run, last: migration.Operation | None) -> str:
    """Why the last step of this ladder did not end well, a clause; empty: it did, or there was none since it was let climb."""
    if last is None or last.run != run.id or last.outcome in (migration.Outcome.OPEN, migration.Outcome.DONE):
        return ""
    return f"its step to {last.plan.after.weight}% ended as {last.outcome}: {last.because}"


def propose_run(of: migration.Migration, message: journey_messages.ProposeRun, now: datetime) -> decision.Decision:
    """ASK begins at once, because every step is approved by itself; AUTO is approved as a whole, like its highest step."""
    refusal = approvals.person_refused(of, message.actor)
    if refusal is None and next_step(of.wished, of.weight) is None:
        refusal = refusals.refuse(Reason.NO_STEP, service=of.service, weight=of.weight)
    if refusal is None and of.holds:
        refusal = refusals.refuse(Reason.HELD, service=of.service, holds=", ".join(of.holds))
    if refusal:
        return decision.refused(of, refusal)
    if message.mode is Mode.ASK:
        if of.service in of.trust.protected:
            return decision.refused(of, refusals.refuse(Reason.PROTECTED, service=of.service))
        run = _run(message.id, Mode.ASK, message.actor, message, now)
        because = f"{message.actor.shown} lets {of.service} climb its ladder; every step is approved and confirmed by itself"
        return _kept(of, because, message.actor, run=run, standing=None)
    plan = of.plan_now
    if not of.judgement.judged:
        return decision.refused(of, refusals.refuse(Reason.NOT_JUDGED, service=of.service))
    if plan is None or plan.kind is not migration.Kind.RUN or plan.service != of.service or not planning.is_true(plan):
        why = "There is no plan for this ladder: migration.yaml does not name the service, or cannot be read."
        return decision.refused(of, refusals.refuse(Reason.INVALID, service=of.service, why=why))
    refusal = approvals.forbids_raise(of, plan, now) or approvals.drift(of, plan)
    return decision.refused(of, refusal) if refusal else starting.start(of, message, plan, now)


def begin(of: migration.Migration, waiting: migration.Operation, message: messages.Confirm, now: datetime) -> decision.Decision:
    """The confirmed ladder: from now on its steps are approved. It moves nothing itself."""
    plan = waiting.plan
    standing = journeys.Standing(
        id=waiting.id,
        requester=waiting.requester,
        requester_shown=waiting.requester_shown,
        plan_hash=plan.hash,
        steps=plan.steps,
        until=datetime.fromisoformat(plan.until),
        base=plan.after.at(0),
        at=of.generation,
        approvals=approvals.counting(waiting, now),
    )
    run = journeys.Run(
        id=waiting.id,
        mode=Mode.AUTO,
        requester=waiting.requester,
        requester_shown=waiting.requester_shown,
        began=now,
        place=waiting.place,
        source=waiting.source,
        reason=waiting.reason,
    )
    because = f"{message.actor.shown} confirmed {planning.in_words(plan)} on {of.service}; each step is taken when it is due"
    told = decision.event(of, effects.EventKind.CONFIRMED, because, actor=message.actor)
    first = (keeping.keep(of, run=run, standing=standing), told)
    done = migration.Outcome.DONE
    return decision.closed(of, done, because, now=now, actor=message.actor, first=first, confirmed_at=now)


def pause(of: migration.Migration, message: journey_messages.PauseRun, _now: datetime) -> decision.Decision:
    """Any member may: nothing is raised by it."""
    refusal = approvals.outsider_refused(of, message.actor) or _without_run(of)
    journey = keeping.journey_of(of)
    if refusal is None and journey.run is not None and journey.run.paused:
        refusal = refusals.refuse(Reason.PAUSED_ALREADY, service=of.service, why=journey.run.paused)
    if refusal:
        return decision.refused(of, refusal)
    because = f"{message.actor.shown} paused it" + (f": {message.reason}" if message.reason else "")
    return _kept(of, because, message.actor, **keeping.paused(journey, because))


def resume(of: migration.Migration, message: journey_messages.ResumeRun, now: datetime) -> decision.Decision:
    """The ladder goes on; whatever else is against its next step is asked when that is due."""
    journey = keeping.journey_of(of)
    refusal = approvals.person_refused(of, message.actor) or _without_run(of)
    if refusal is None and journey.run is not None and not journey.run.paused:
        refusal = refusals.refuse(Reason.CLIMBS_ALREADY, service=of.service)
    if refusal is None and of.holds:
        refusal = refusals.refuse(Reason.HELD, service=of.service, holds=", ".join(of.holds))
    weight, auto = next_of(of), journey.run is not None and journey.run.mode is Mode.AUTO
    if refusal is None and auto and (why := void(of, now) or ("" if weight is None else spent(of, weight))):
        refusal = refusals.refuse(Reason.STANDING_GONE, service=of.service, why=why)
    if refusal or journey.run is None:
        return decision.refused(of, refusal or refusals.refuse(Reason.NO_LADDER, service=of.service))
    because = f"{message.actor.shown} lets {of.service} climb on" + (f": {message.reason}" if message.reason else "")
    # A new id: a step that was asked for before the pause, and that nobody finished, is asked for anew.
    again = replace(journey.run, id=message.id, paused="")
    if not auto:  # who lets it climb on answers for what it asks for
        again = replace(again, requester=message.actor.id, requester_shown=message.actor.shown)
    return _kept(of, because, message.actor, run=again)


def skip_soak(of: migration.Migration, message: journey_messages.SkipSoak, now: datetime) -> decision.Decision:
    """A raise like any other, approved and confirmed, whose plan names that it does not wait."""
    plan, wished = of.plan_now, of.wished
    weight = next_step(wished, of.weight)
    refusal = approvals.person_refused(of, message.actor)
    if refusal is None and not message.reason.strip():
        refusal = refusals.refuse(Reason.NO_REASON, service=of.service)
    if refusal is None and (wished is None or weight is None):
        refusal = refusals.refuse(Reason.NO_STEP, service=of.service, weight=of.weight)
    if refusal or wished is None:
        return decision.refused(of, refusal or refusals.refuse(Reason.NO_STEP, service=of.service, weight=of.weight))
    whole = not soaking.left(of.journey, replace(wished, backup=0.0), of.weight, of.generation)
    if whole and of.judgement.verdict is not gates.Verdict.TOO_FEW:
        return decision.refused(of, refusals.refuse(Reason.NOTHING_TO_SKIP, service=of.service, weight=of.weight, next=weight))
    if plan is None or plan.service != of.service or plan.after.weight != weight or not plan.skips or not planning.is_true(plan):
        why = "There is no plan for this step: migration.yaml does not name the service, or cannot be read."
        return decision.refused(of, refusals.refuse(Reason.INVALID, service=of.service, why=why))
    refusal = approvals.forbids_raise(of, plan, now) or approvals.drift(of, plan)
    return decision.refused(of, refusal) if refusal else starting.start(of, message, plan, now)


def _not_its_turn(of: migration.Migration, wished: model.Service) -> list[str]:
    """In a wave the soak is asked for as of any raise by hand, by the policy; its turn comes instead."""
    standing = of.journey.standing if of.journey else None
    if standing is None or not standing.wave:
        left = soaking.left(of.journey, replace(wished, backup=0.0), of.weight, of.generation)
        return [left] if left else []
    why = "nobody knows whose turn it is in its wave" if of.turn is None or of.wave is None else of.turn
    return [why] if why else []


def _against_auto(of: migration.Migration, weight: int, now: datetime) -> list[str]:
    reasons = [why for why in (void(of, now) or spent(of, weight),) if why]
    if not of.judgement.judged:
        reasons.append("Prometheus is not asked, and without its numbers no ladder climbs by itself")
    return reasons


def _step(of: migration.Migration, wished: model.Service, weight: int) -> migration.Plan:
    """What the policy is asked about before anybody made the plan."""
    target = wished.exposure.at(weight)
    return migration.Plan(of.service, migration.Kind.RAISE, of.exposure, target, of.generation, of.wish)


def _run(name: str, mode: Mode, actor: messages.Person, message: journey_messages.ProposeRun, now: datetime) -> journeys.Run:
    return journeys.Run(
        id=name,
        mode=mode,
        requester=actor.id,
        requester_shown=actor.shown,
        began=now,
        place=message.place,
        source=actor.source,
        reason=message.reason,
    )


def _without_run(of: migration.Migration) -> refusals.Refusal | None:
    climbing = of.journey is not None and of.journey.run is not None
    return None if climbing else refusals.refuse(Reason.NO_LADDER, service=of.service)


def _kept(of: migration.Migration, because: str, actor: messages.Person, **changes: object) -> decision.Decision:
    told = decision.event(of, effects.EventKind.LADDER, because, actor=actor)
    return decision.Decision(next=of, effects=(keeping.keep(of, **changes), told), because=because)
