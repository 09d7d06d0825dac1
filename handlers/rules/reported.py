"""Is this report about what is under way? Whatever is not is put aside."""

from handlers import journey_messages, messages
from handlers.rules import effects, migration, refusals

Report = (
    messages.RecordWritten
    | messages.RecordNotWritten
    | messages.Converged
    | messages.NotConverged
    | messages.Verified
    | messages.NotVerified
    | journey_messages.ObjectsArranged
    | journey_messages.ObjectsNotArranged
)


def expected(of: migration.Migration, message: Report) -> migration.Operation | refusals.Refusal:
    """The operation that this report is about, or why the report does not count."""
    operation = of.operation
    awaited = ""
    if operation is not None:
        awaited = effects.revert_id(operation.id) if of.phase is migration.Phase.REVERTING else operation.id
    if operation is not None and message.operation == awaited:
        return operation
    return refusals.refuse(
        refusals.Reason.LATE,
        service=of.service,
        message=type(message).__name__,
        reported=message.operation or "no operation",
        current=awaited or "nothing",
    )
