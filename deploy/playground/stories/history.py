"""What happened, as recorded outside Ferry: writes at the API, answers to clients, samples of the agents, texts. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.playground.kubernetes import journal
from handlers import journey_document, operation_document
from handlers.rules import journeys, migration
from k8s import hold_document, holds, model, protocol, record_document, signing, views


@dataclass(frozen=True, slots=True)
class Accepted:
    """A critical alert (or a person's order) that was accepted; times are monotonic seconds. `last_new` None: no request
    reached the new cluster after it."""

    at: float
    service: str
    last_new: float | None
    limit: float


@dataclass(frozen=True, slots=True)
class Sample:
    """All agents asked at once, at this monotonic second."""

    at: float
    fleet: views.Fleet


@dataclass(frozen=True, slots=True)
class Outage:
    """Something that Ferry stands on was missing: gone at `at`, and on its way back from `until`; monotonic seconds."""

    what: str
    at: float
    until: float = math.inf


@dataclass(frozen=True, slots=True)
class Fault:
    """Something was broken that concerns one service only; monotonic seconds."""

    service: str
    at: float
    until: float


@dataclass(slots=True)
class History:
    """`asked`, `failed`: requests of clients while Ferry was answerable for every answer (nothing was broken on purpose).

    `texts`: everything that was logged, posted or stored in words. `secrets`: what may stand in none of them. `operations`: the
    newest form of each that the store kept. `epoch`: the time of day (Unix) at monotonic second 0.
    """

    verifier: signing.Verifier
    writes: Sequence[journal.Write] = ()
    accepted: list[Accepted] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    asked: int = 0
    failed: int = 0
    texts: list[str] = field(default_factory=list)
    secrets: tuple[str, ...] = ()
    operations: Sequence[Mapping[str, Any]] = ()
    epoch: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """A record that came into force. `operation`: the signed document written with it. `notes`: its later forms, in order; those
    of another operation that came after it, and changed no record, are none of them."""

    at: float
    service: str
    record: protocol.Record
    before: protocol.Record | None
    operation: Mapping[str, Any]
    notes: tuple[Mapping[str, Any], ...] = ()

    @property
    def last(self) -> Mapping[str, Any]:
        """The newest form of its operation."""
        return self.notes[-1] if self.notes else self.operation


@dataclass(frozen=True, slots=True)
class HoldMove:
    """A hold that was placed, or whose key was taken away."""

    at: float
    hold: model.Hold
    placed: bool
    user: str


def changes(history: History) -> tuple[Change, ...]:
    """Every counting record, as it was written; what no key signed, or a person restored, is no change."""
    found: list[Change] = []
    newest: dict[str, protocol.Record] = {}
    places: dict[str, int] = {}
    for write, seen in _beside_records(history):
        if seen.record is None:
            continue
        before = newest.get(seen.service)
        document = dict(seen.operation or {})
        if before is not None and seen.record == before:
            place = places[seen.service]
            known = found[place]
            if document and document.get("id") == known.operation.get("id") and document != dict(known.last):
                found[place] = Change(
                    known.at, known.service, known.record, known.before, known.operation, (*known.notes, document)
                )
        elif before is None or seen.record.generation > before.generation:
            newest[seen.service] = seen.record
            places[seen.service] = len(found)
            found.append(Change(write.at, seen.service, seen.record, before, document))
    return tuple(found)


def standings(history: History) -> Iterator[tuple[float, str, journeys.Standing]]:
    """When, of which service: every standing approval that was signed beside a record, as often as it was written."""
    for write, seen in _beside_records(history):
        if seen.journey is None:
            continue
        try:
            journey = journey_document.from_document(seen.journey)
        except journey_document.UnreadableJourneyError:
            continue
        if journey.standing is not None:
            yield write.at, seen.service, journey.standing


def operations(history: History) -> dict[str, migration.Operation]:
    """The newest form of every operation: of those that changed no record, too."""
    documents = [*history.operations, *(seen.operation for _, seen in _beside_records(history) if seen.operation is not None)]
    found: dict[str, migration.Operation] = {}
    for document in documents:
        try:
            operation = operation_document.from_document(document)
        except operation_document.UnreadableOperationError:
            continue
        known = found.get(operation.id)
        if known is None or known.revision < operation.revision:
            found[operation.id] = operation
    return found


def _beside_records(history: History) -> Iterator[tuple[journal.Write, record_document.Sighting]]:
    for write in history.writes:
        if write.resource == "configmaps" and not write.removed and write.name.startswith("migration-record-"):
            yield write, record_document.read(write.object, history.verifier)


def hold_moves(history: History) -> tuple[HoldMove, ...]:
    """Every key of `migration-holds` that came or went, in order."""
    return tuple(_moves(history.writes))


def _moves(writes: Sequence[journal.Write]) -> Iterator[HoldMove]:
    standing: dict[str, model.Hold] = {}
    for write in writes:
        if write.resource != "configmaps" or write.name != holds.CONFIG_MAP:
            continue
        now = {} if write.removed else {hold.key: hold for hold in hold_document.holds_from(write.object.get("data"))}
        for key in sorted(now.keys() - standing.keys()):
            yield HoldMove(write.at, now[key], placed=True, user=write.user)
        for key in sorted(standing.keys() - now.keys()):
            yield HoldMove(write.at, standing[key], placed=False, user=write.user)
        standing = now
