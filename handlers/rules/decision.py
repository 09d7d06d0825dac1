"""What a rule answers, and the few ways in which every rule ends: quiet, refused, moved on, closed."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from handlers import messages
from handlers.rules import effects, migration, planning, refusals

FERRY = "ferry"
Effects = tuple[effects.Effect, ...]  # named here: the field of the same name hides the module


@dataclass(frozen=True, slots=True)
class Decision:
    """`next`: the migration as it is then. `because`: the one sentence for log, audit and thread.

    A refusal may come with effects: a click on an expired card is refused, and the card is closed.
    """

    next: migration.Migration
    effects: Effects = ()
    refusal: refusals.Refusal | None = None
    because: str = ""


def quiet(of: migration.Migration, because: str) -> Decision:
    """Heard, and nothing is to be done."""
    return Decision(next=of, because=because)


def refused(of: migration.Migration, refusal: refusals.Refusal) -> Decision:
    return Decision(next=of, refusal=refusal, because=refusal.sentence)


def event(
    of: migration.Migration, kind: effects.EventKind, sentence: str, *, actor: messages.Person | None = None
) -> effects.RecordEvent:
    operation = of.operation.id if of.operation else ""
    return effects.RecordEvent(
        effects.AuditEvent(
            kind=kind,
            who=actor.id if actor else FERRY,
            service=of.service,
            operation=operation,
            sentence=sentence,
            source=actor.source if actor else messages.Source.FERRY,
        )
    )


def moved(
    of: migration.Migration,
    operation: migration.Operation,
    *,
    now: datetime,
    because: str,
    kind: effects.EventKind,
    actor: messages.Person | None = None,
    then: tuple[effects.Effect, ...] = (),
    **changes: Any,
) -> Decision:
    """The operation goes on: saved, `then`, card, thread, audit. `changes` are fields of the operation."""
    told = operation.moved(because=because, timeline=(*operation.timeline, (now, because)), **changes)
    after = replace(of, operation=told, phase=told.phase)
    saved: tuple[effects.Effect, ...] = (effects.SaveOperation(told, operation.revision),)
    if told.phase in migration.RUNNING and of.phase in migration.RUNNING:
        saved = (*saved, effects.NoteOperation(told))
    return Decision(
        next=after,
        effects=(
            *saved,
            *(with_operation(one, told) for one in then),
            effects.ShowCard(told),
            effects.Say(told, because),
            event(after, kind, because, actor=actor),
        ),
        because=because,
    )


def with_operation(one: effects.Effect, operation: migration.Operation) -> effects.Effect:
    """The same effect about the operation's newest form."""
    if isinstance(one, effects.WriteRecord | effects.ArrangeObjects | effects.WatchHealth) or (
        isinstance(one, effects.RevertRecord) and one.operation
    ):
        return replace(one, operation=operation)
    return one


def at_rest(of: migration.Migration, *, holds: tuple[str, ...] | None = None) -> migration.Migration:
    """Without an operation: held if any hold stands, steady otherwise."""
    standing = of.holds if holds is None else holds
    phase = migration.Phase.HELD if standing else migration.Phase.STEADY
    return replace(of, phase=phase, operation=None, holds=standing, last=of.operation or of.last, plan_now=None)


def closed(
    of: migration.Migration,
    outcome: migration.Outcome,
    because: str,
    *,
    now: datetime,
    actor: messages.Person | None = None,
    holds: tuple[str, ...] | None = None,
    first: tuple[effects.Effect, ...] = (),
    refusal: refusals.Refusal | None = None,
    **changes: Any,
) -> Decision:
    """The operation has its outcome. `first`: what must be done before anything is told. Needs an operation."""
    if of.operation is None:
        raise ValueError("there is no operation to close")
    rest = at_rest(of, holds=holds)
    done = of.operation.moved(
        outcome=outcome, because=because, phase=rest.phase, timeline=(*of.operation.timeline, (now, because)), **changes
    )
    noted: tuple[effects.Effect, ...] = (effects.NoteOperation(done),) if of.phase in migration.RUNNING else ()
    return Decision(
        next=replace(rest, last=done),
        effects=(
            *(with_operation(one, done) for one in first),
            effects.DropOperation(done),
            *noted,
            effects.ShowCard(done),
            effects.Say(done, because),
            event(of, effects.EventKind.CLOSED, f"{planning.in_words(done.plan)} {outcome}: {because}", actor=actor),
        ),
        refusal=refusal,
        because=because,
    )
