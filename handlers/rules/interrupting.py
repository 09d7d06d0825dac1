"""What breaks in on anything: holds, a document lowered by hand, a person's order to hold, an alert. Never refused."""

from dataclasses import replace
from datetime import datetime

from handlers import messages
from handlers.rules import decision, effects, migration, planning, running
from k8s import model


def holds_stand(of: migration.Migration, message: messages.HoldsStand, now: datetime) -> decision.Decision:
    """Voids whatever waits or runs, and settles the record at 0. A release is not stopped by the holds it ends."""
    ids = tuple(sorted({*of.holds, *(hold.id for hold in message.holds)}))
    operation = of.operation
    if not message.holds:
        return decision.quiet(of, "no hold stands")
    if operation is not None and set(ids) <= set(operation.plan.clears):
        return decision.quiet(replace(of, holds=ids), "these are the holds that the release ends")
    if of.finished:
        after = replace(of, holds=ids) if operation is not None else decision.at_rest(of, holds=ids)
        return decision.quiet(after, f"{of.service} is finished: there is no old that a hold could send it to")
    if operation is not None and of.phase is migration.Phase.ARRANGING and operation.plan.kind is not migration.Kind.FINISH:
        return _held_while_arranging(of, message, ids)
    because = f"held at 100% old: {_reasons(message.holds)}"
    ran = of.phase in migration.RUNNING
    writing = ran and of.phase is not migration.Phase.ARRANGING
    settling = _settle(replace(of, holds=ids), 0, because, even_at_0=writing, who=_ordered_by(message.holds))
    if operation is None:
        after = decision.at_rest(of, holds=ids)
        if of.phase is migration.Phase.HELD and not settling:
            return decision.quiet(after, because)
        told = decision.event(after, effects.EventKind.HELD, because)
        return decision.Decision(next=after, effects=(*settling, told), because=because)
    outcome = migration.Outcome.REVERTED if ran else migration.Outcome.VOID
    if ran and operation.plan.kind is migration.Kind.FINISH:
        # The entry may be a forward already that no proxy is in the way of: nobody but a person can say so.
        said = (
            f"{of.service}: {because}, while it was being finished. See where its entry leads: `/migrate status {of.service}`; "
        )
        page = effects.PageSomebody(of.service, f"{said}`/migrate bypass {of.service}` restores the original.", once=operation.id)
        settling = (*settling, page)
    return decision.closed(of, outcome, because, now=now, holds=ids, first=settling)


def wish_lowered(of: migration.Migration, message: messages.WishLowered, _now: datetime) -> decision.Decision:
    """No operation: the record follows the document down."""
    because = f"{message.how or f'migration.yaml was lowered by hand to {message.weight}%'}: the record follows"
    settling = _settle(of, message.weight, because)
    after = replace(of, wish=message.weight)
    if not settling:
        return decision.quiet(after, "the record is at or below the document already")
    told = decision.event(after, effects.EventKind.SETTLED, because)
    return decision.Decision(next=after, effects=(*settling, told), because=because)


def wish_lowered_while_waiting(of: migration.Migration, message: messages.WishLowered, now: datetime) -> decision.Decision:
    because = f"{message.how or f'migration.yaml was lowered by hand to {message.weight}%'} meanwhile"
    settling = _settle(of, message.weight, because)
    return decision.closed(replace(of, wish=message.weight), migration.Outcome.VOID, because, now=now, first=settling)


def wish_lowered_while_running(of: migration.Migration, message: messages.WishLowered, now: datetime) -> decision.Decision:
    """The document lags behind a raise and runs ahead of a lowering: only a value below both is a person's edit."""
    operation = of.operation
    if operation is None:
        return wish_lowered(of, message, now)
    if of.phase is migration.Phase.REVERTING:
        # One revert is one change. Agents obey the document already; the record follows when nothing runs any more.
        return decision.quiet(replace(of, wish=message.weight), "a lower record is being written already")
    if of.finished or (of.phase is migration.Phase.ARRANGING and operation.plan.kind is not migration.Kind.FINISH):
        return wish_lowered(of, message, now)  # no weight is on its way: the record follows as if nothing ran
    plan = operation.plan
    if message.weight >= min(plan.wish, plan.after.weight, of.weight):
        return decision.quiet(of, "the document is where the running operation expects it")
    if of.phase is migration.Phase.ARRANGING:
        because = f"migration.yaml was lowered by hand to {message.weight}% before the end was written"
        first = _settle(of, message.weight, because)
        return decision.closed(replace(of, wish=message.weight), migration.Outcome.REVERTED, because, now=now, first=first)
    lower = planning.lower_side(plan)
    why = f"migration.yaml was lowered by hand to {message.weight}%"
    lowest = lower.at(min(lower.weight, message.weight))
    return running.revert(replace(of, wish=message.weight), operation, lowest, why, now)


def record_restored(of: migration.Migration, message: messages.RecordRestored, _now: datetime) -> decision.Decision:
    """Proxies go on with the later record, the cluster shows the older one: both end at 0, one generation on."""
    if of.exposure is None or of.generation != message.generation:
        return decision.quiet(of, "another record stands by now")
    if of.finished:
        return decision.quiet(
            of, f"{of.service} is finished: no proxy obeys the older record, and there is no old to settle it at"
        )
    seen = f"generation {message.generation} over {message.highest}"
    because = f"an older record was put back by hand ({seen}); it is settled at 0%"
    change = effects.restored_id(of.service, message.generation, message.highest)
    step = effects.RevertRecord(
        id=change,
        service=of.service,
        exposure=of.exposure.at(0),
        operation=None,
        because=because,
        over=message.generation,
        least=message.highest,
    )
    page = f"{of.service}: {because}. Ask for its share again with `/migrate shift {of.service} …`."
    # The write tells of itself in its revision; while it does not succeed, this is decided again and again.
    return decision.Decision(next=of, effects=(step, effects.PageSomebody(of.service, page, once=change)), because=because)


def record_restored_while_running(
    of: migration.Migration, _message: messages.RecordRestored, _now: datetime
) -> decision.Decision:
    """What runs comes to its end by reports of the proxies; after that it is settled."""
    return decision.quiet(of, f"{of.service} is {of.phase}; the record that was put back is settled after that")


def hold_ordered(of: migration.Migration, message: messages.PlaceHold, _now: datetime) -> decision.Decision:
    """Orders to hold have a lane of their own; one that comes here all the same is obeyed, not lost."""
    because = f"{message.actor.shown} orders 100% old" + (f": {message.reason}" if message.reason else "")
    write = effects.WriteHold(of.service, message.reason or because, message.actor.id)
    told = decision.event(of, effects.EventKind.HELD, because, actor=message.actor)
    return decision.Decision(next=of, effects=(write, told), because=because)


def alert_told(of: migration.Migration, message: messages.Alert, _now: datetime) -> decision.Decision:
    """The short lane has acted on it before this; here it is one line in the thread of what is under way, or a card."""
    state = "fires" if message.firing else "is resolved (nothing goes forward by itself)"
    because = f"alert {message.name} ({message.severity}) {state}" + (f": {message.summary}" if message.summary else "")
    if of.operation is None:
        shown = (effects.TellAlert(message),) if message.worth_a_card else ()
        return decision.Decision(next=of, effects=shown, because=because)
    return decision.Decision(next=of, effects=(effects.Say(of.operation, because),), because=because)


def settle_again(of: migration.Migration, _message: messages.Message, _now: datetime) -> decision.Decision:
    """A raise may have been written just before the hold was seen; while held, the record is brought to 0 again."""
    settling = _settle(of, 0, "held: the record is settled at 0") if of.holds else ()
    if not settling:
        return decision.quiet(of, f"{of.service} is {of.phase}; nothing is to be settled")
    because = "a record above 0 stands under a hold; it is settled at 0"
    told = decision.event(of, effects.EventKind.SETTLED, because)
    return decision.Decision(next=of, effects=(*settling, told), because=because)


def _held_while_arranging(of: migration.Migration, message: messages.HoldsStand, ids: tuple[str, ...]) -> decision.Decision:
    """The record goes to 0 as ever. Half of the objects would be worse than all of them, and none of them raises anything."""
    because = f"held at 100% old: {_reasons(message.holds)}; the objects are changed to their end"
    held = replace(of, holds=ids)
    settling = _settle(held, 0, because, who=_ordered_by(message.holds))
    if not settling and set(ids) <= set(of.holds):
        return decision.quiet(held, because)
    told = decision.event(held, effects.EventKind.HELD, because)
    return decision.Decision(next=held, effects=(*settling, told), because=because)


def _settle(
    of: migration.Migration, weight: int, because: str, *, even_at_0: bool = False, who: str = decision.FERRY
) -> tuple[effects.Effect, ...]:
    """One record at `weight`, if what is in force is above it. `even_at_0`: a write in flight must lose its place too."""
    if of.finished:  # there is no old to go to
        return ()
    known = of.exposure or (of.operation.plan.after if of.operation and even_at_0 else None)
    if known is None or not (even_at_0 or known.weight > weight):
        return ()
    lower = known.at(min(known.weight, weight))
    step = effects.RevertRecord(
        id=effects.settle_id(of.service, of.generation, weight),
        service=of.service,
        exposure=lower,
        operation=of.operation,
        because=because,
        who=who,
        over_end=of.ending,
    )
    return (step,)


def _ordered_by(holds: tuple[model.Hold, ...]) -> str:
    """The first who is named; what nobody signed for was settled by Ferry."""
    return next((hold.by for hold in holds if hold.by), decision.FERRY)


def _reasons(holds: tuple[model.Hold, ...]) -> str:
    return "; ".join(f"{hold.id}" + (f" ({hold.reason})" if hold.reason else "") for hold in holds)
