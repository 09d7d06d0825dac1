"""What must be true of the objects, and of the way so far, before they are changed: asked at request, approval, confirmation."""

from dataclasses import replace

from handlers.rules import migration, refusals, soaking
from k8s import entry_change, model

Reason = refusals.Reason
_LEADS_TO_PROXIES = frozenset({entry_change.EntryState.ENTERED, entry_change.EntryState.FORWARD})


def not_ready(of: migration.Migration, plan: migration.Plan) -> refusals.Refusal | None:
    """Of a plan that changes objects; any other is ready."""
    if plan.kind not in migration.OBJECTS:
        return None
    refusal = None
    if plan.kind is migration.Kind.FINISH:
        refusal = end_refused(of)
    elif plan.kind is migration.Kind.REMOVE:
        refusal = removal_refused(of)
    elif plan.kind is migration.Kind.BYPASS:
        refusal = old_is_gone(of)
    return refusal or objects_refused(of, plan)


def old_is_gone(of: migration.Migration) -> refusals.Refusal | None:
    """Around the proxies into nothing is worse than through them; where nobody knows, the way to old stays open."""
    return refusals.refuse(Reason.OLD_IS_GONE, service=of.service) if of.entry.old_ready == 0 else None


def objects_refused(of: migration.Migration, plan: migration.Plan) -> refusals.Refusal | None:
    """Why this very dry run cannot be carried out: nobody made it, something is in the way, somebody else owns an object."""
    found, stage = of.arrangement, migration.OBJECTS[plan.kind]
    if found is None or found.stage is not stage or found.service != of.service or found.objects != plan.objects:
        return refusals.refuse(Reason.OBJECTS_UNKNOWN, service=of.service, stage=stage)
    against = (*found.troubles, *found.conflicts)
    if not against:
        return None
    sentences = "; ".join(one.strip().rstrip(".") for one in against)
    return refusals.refuse(Reason.OBJECTS_IN_THE_WAY, service=of.service, stage=stage, troubles=sentences)


def seen_by(of: migration.Migration, plan: migration.Plan) -> migration.Migration:
    """What the policy looks at: a service without an old cannot be held at 100% old, so no hold is in the way of its end."""
    return replace(of, holds=()) if of.finished and plan.kind in (migration.Kind.FINISH, migration.Kind.REMOVE) else of


def end_refused(of: migration.Migration) -> refusals.Refusal | None:
    """What is missing of the way before its end, whatever the objects are."""
    if of.journey is not None and of.journey.finished is not None:
        return refusals.refuse(Reason.FINISHED, service=of.service)
    if of.exposure is None or of.weight < 100 or not of.certain:
        return refusals.refuse(Reason.NOT_HUNDRED, service=of.service, weight=of.weight)
    if of.exposure.strategy is not model.Strategy.WEIGHT:
        return refusals.refuse(Reason.NOT_EVERY_REQUEST, service=of.service, strategy=of.exposure.strategy)
    if not of.record_finished and (left := _unserved(of)):  # once the record is finished, all of it was served before
        return refusals.refuse(Reason.BACKUP_RUNS, service=of.service, left=left)
    if of.entry.state not in _LEADS_TO_PROXIES:
        return refusals.refuse(Reason.ENTRY_NOT_READY, service=of.service, entry=_entry(of))
    return None


def _entry(of: migration.Migration) -> str:
    return of.entry.sentence.strip().rstrip(".") or f"it is {of.entry.state}"


def _unserved(of: migration.Migration) -> str:
    if of.wished is None:
        return "migration.yaml does not name it, so nobody knows how long it must soak"
    return soaking.left(of.journey, of.wished, 100, of.generation)


def removal_refused(of: migration.Migration) -> refusals.Refusal | None:
    """Whether anything may still go to old: the end, every proxy's word, the entry."""
    if of.journey is None or of.journey.finished is None:
        return refusals.refuse(Reason.NOT_FINISHED, service=of.service)
    if of.open_ends:
        return refusals.refuse(Reason.OPEN_ENDS, service=of.service, who="; ".join(of.open_ends))
    if of.entry.state is not entry_change.EntryState.FORWARD:
        return refusals.refuse(Reason.NO_FORWARD, service=of.service, entry=_entry(of))
    return None
