"""Effects: what is to be done, as values. `handlers.perform` alone turns them into calls, in the order given.

Every effect may be performed twice with one result: ids are derived, weights are absolute, writes compare.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from handlers import messages
from handlers.rules import journeys, migration
from k8s import entry_change, model


class EventKind(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    CONFIRMED = "confirmed"
    APPLIED = "applied"
    CONVERGED = "converged"
    REVERTING = "reverting"
    CLOSED = "closed"
    HELD = "held"
    SETTLED = "settled"
    REFUSED = "refused"
    ADDED = "added"  # services that were discovered, to migration.yaml
    LADDER = "ladder"  # it begins, pauses, goes on
    DRIFT = "drift"  # somebody changed by hand what was approved


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of the audit. `who`: a person's id, or `ferry`. `operation`: its id, empty where there is none."""

    kind: EventKind
    who: str
    service: str
    operation: str
    sentence: str
    source: messages.Source


@dataclass(frozen=True, slots=True)
class SaveOperation:
    """Into the store of pending operations, over the revision it was decided from (0: it must not be there yet)."""

    operation: migration.Operation
    expected_revision: int


@dataclass(frozen=True, slots=True)
class DropOperation:
    """Out of the store of pending operations: it is decided."""

    operation: migration.Operation


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """The approved (or lowering) change itself. Answered by RecordWritten or RecordNotWritten with `operation.id`.

    `expected_generation` is the compare-and-set; `clears` are the ids of holds that this record ends; `finished`: there is no old
    any more.
    """

    operation: migration.Operation
    exposure: model.Exposure
    expected_generation: int
    clears: tuple[str, ...] = ()
    approvals: tuple[str, ...] = ()
    finished: bool = False


@dataclass(frozen=True, slots=True)
class RevertRecord:
    """Write this lower exposure over whatever record is in force; never a raise. Answered with `id` as the operation.

    `operation`: the one that is taken back; None when a hold or a hand edit is settled. `who`: had it done. `over`: only over
    the record of this generation (None: over any). `least`: a generation that was seen; the new one must be above it.
    `over_end`: also over a finished record whose end was never reached; any other finished one stays.
    """

    id: str
    service: str
    exposure: model.Exposure
    operation: migration.Operation | None
    because: str
    over: int | None = None
    least: int = 0
    who: str = "ferry"
    over_end: bool = False


@dataclass(frozen=True, slots=True)
class WriteHold:
    """Through the short lane: 100% old, now. `by` and `reason` go into the hold; it comes back as HoldsStand."""

    service: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class NoteOperation:
    """Keep the operation's newest form, signed, beside the record in the cluster."""

    operation: migration.Operation


@dataclass(frozen=True, slots=True)
class ArrangeObjects:
    """Carry out the objects of the operation's plan. Answered by ObjectsArranged or ObjectsNotArranged with `operation.id`."""

    operation: migration.Operation
    stage: entry_change.Stage


@dataclass(frozen=True, slots=True)
class KeepJourney:
    """Sign and keep the journey beside the record, over the revision it was decided from (0: none may stand there)."""

    journey: journeys.Journey
    expected_revision: int


@dataclass(frozen=True, slots=True)
class WatchConvergence:
    """Report Converged or NotConverged with `id` once every agent serves `generation`, or the limit passed."""

    id: str
    service: str
    generation: int


@dataclass(frozen=True, slots=True)
class WatchHealth:
    """Watch share, errors and latency for the verify window; report Verified or NotVerified."""

    operation: migration.Operation


@dataclass(frozen=True, slots=True)
class ShowCard:
    """Post or update the operation's one card."""

    operation: migration.Operation


@dataclass(frozen=True, slots=True)
class Say:
    """One line in the thread of the operation's card."""

    operation: migration.Operation
    sentence: str


@dataclass(frozen=True, slots=True)
class RecordEvent:
    event: AuditEvent


@dataclass(frozen=True, slots=True)
class PageSomebody:
    """A person is needed now; `sentence` says what happened and what to do. `once`: a key that is called for only once."""

    service: str
    sentence: str
    once: str = ""


@dataclass(frozen=True, slots=True)
class TellAlert:
    """A card of its own: no operation is under way whose thread would tell of it."""

    alert: messages.Alert


Effect = (
    SaveOperation
    | DropOperation
    | WriteRecord
    | RevertRecord
    | WriteHold
    | NoteOperation
    | ArrangeObjects
    | KeepJourney
    | WatchConvergence
    | WatchHealth
    | ShowCard
    | Say
    | RecordEvent
    | PageSomebody
    | TellAlert
)


def operation_id(message_id: str) -> str:
    """The id of the operation that this proposal starts: derived, so that a proposal delivered twice starts one."""
    return f"op-{digest('operation', message_id)}"


def approval_id(operation: str, person: str, plan_hash: str) -> str:
    """An approval counts for one operation, one person, one plan."""
    return f"ap-{digest('approval', operation, person, plan_hash)}"


def revert_id(operation: str) -> str:
    """Taking back is a change of its own: each id appears in exactly one change."""
    return f"{operation}-revert"


def settle_id(service: str, generation: int, weight: int) -> str:
    """Settling the same record to the same weight again is the same change."""
    return f"settle-{digest('settle', service, str(generation), str(weight))}"


def restored_id(service: str, generation: int, highest: int) -> str:
    """Settling this older record, put back over that later one, again is the same change."""
    return f"settle-{digest('restored', service, str(generation), str(highest))}"


def digest(*parts: str) -> str:
    """16 hex digits: ids that every replica derives alike."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:16]
