"""I1: whatever raises names an approval by another person, bound to its plan, and a later confirmation by who asked for it.

A step of a ladder names the standing approval instead: a ladder that was approved and confirmed as a whole, of which it is one
step, before its end. Pure.
"""

from collections.abc import Iterator, Sequence

from deploy.playground.stories import history as recorded
from handlers import operation_document
from handlers.rules import migration
from k8s import exposure

_STEP = "/"  # between a standing approval's id and the weight of the step: in no id of an ordinary approval


def raises(history: recorded.History) -> Iterator[recorded.Change]:
    """Records that allow new more than the one before, that clear a hold, or that make the way to new the only one."""
    for change in recorded.changes(history):
        before = change.before.exposure if change.before else change.record.exposure.at(0)
        ends = change.record.finished and not (change.before and change.before.finished)
        if ends or change.record.clears or not exposure.at_most(change.record.exposure, before):
            yield change


def judge(history: recorded.History) -> Iterator[str]:
    """One item a raise: why it breaks the promise, or nothing."""
    for change in raises(history):
        yield _eyes(change, history)


def missing(operation: migration.Operation, used: Sequence[migration.Approval]) -> str:
    """What is missing of four eyes, where `used` are the approvals that count; empty: nothing is."""
    others = {one.by for one in used if one.by != operation.requester and one.plan_hash == operation.plan.hash}
    if len(others) < max(1, operation.approvals_needed):
        return f"with {len(others)} of {max(1, operation.approvals_needed)} approvals by other persons"
    if operation.confirmed_at is None or any(one.at > operation.confirmed_at for one in used):
        return "without a confirmation after its approvals"
    if operation.confirmed_at >= operation.expires_at:
        return "although its request had expired"
    return ""


def _eyes(change: recorded.Change, history: recorded.History) -> str:
    what = f"generation {change.record.generation} of {change.service} raises"
    try:
        operation = operation_document.from_document(change.operation)
    except operation_document.UnreadableOperationError as error:
        return f"{what} without a readable operation ({error})"
    if operation.plan.hash != change.record.plan_hash or operation.plan.before != (
        change.before.exposure if change.before else None
    ):
        return f"{what}, but not from the plan that its operation names"
    if any(_STEP in one for one in change.record.approvals):
        wrong = _step(change, operation, history)
    else:
        wrong = missing(operation, [one for one in operation.approvals if one.id in change.record.approvals])
    return f"{what} {wrong}" if wrong else ""


def _step(change: recorded.Change, operation: migration.Operation, history: recorded.History) -> str:
    """What is wrong with a step that names a standing approval."""
    if len(change.record.approvals) != 1:
        return f"by more than one standing approval ({', '.join(sorted(change.record.approvals))})"
    name, weight = change.record.approvals[0].partition(_STEP)[0], change.record.exposure.weight
    if change.record.approvals[0] != f"{name}{_STEP}{weight}":
        return f"to {weight}% by the approval {change.record.approvals[0]}"
    signed = [one for at, service, one in recorded.standings(history) if at <= change.at and service == change.service]
    standing = next((one for one in reversed(signed) if one.id == name), None)
    ladder = recorded.operations(history).get(name)
    if standing is None or ladder is None or ladder.plan.kind is not migration.Kind.RUN:
        return f"by the standing approval {name}, which was not signed, or asked for by nobody"
    if weight not in standing.steps or weight not in ladder.plan.steps:
        return f"to {weight}%, which is no step that {name} has approved"
    if operation.requested_at >= standing.until:
        return f"by {name} after its end"
    if change.record.exposure.at(0) != standing.base.at(0):
        return f"by {name}, which was approved for other rules or another target"
    if ladder.plan.hash != standing.plan_hash:
        return f"by {name}, which is not what was approved under that name"
    return missing(ladder, standing.approvals)
