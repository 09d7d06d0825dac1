"""An operation as a JSON document: what is stored in Redis, and signed beside the record in the cluster. Pure.

Fields that a newer version wrote are kept and written back; another `version` is refused: what is not understood does
not run.
"""

import json
from collections.abc import Mapping
from typing import Any

from handlers import document_fields as fields
from handlers import messages
from handlers.rules import migration
from k8s import model

VERSION = 1
_KNOWN = frozenset({
    "version", "id", "plan", "requester", "requester_shown", "reason", "requested_at", "expires_at", "phase", "place", "source",
    "approvals", "approvals_needed", "confirmed_at", "generation", "outcome", "because", "rejected_by", "card", "revision",
    "timeline", "run", "standing",
})  # fmt: skip


class UnreadableOperationError(ValueError):
    """The document is no operation of this version; the sentence says what is wrong and what to do."""


def to_document(operation: migration.Operation) -> dict[str, Any]:
    """Plain JSON values; times as ISO 8601 in UTC."""
    kept: dict[str, Any] = json.loads(operation.kept) if operation.kept else {}
    return {
        **kept,
        "version": VERSION,
        "id": operation.id,
        "plan": operation.plan.as_document(),
        "requester": operation.requester,
        "requester_shown": operation.requester_shown,
        "reason": operation.reason,
        "requested_at": fields.text_of(operation.requested_at),
        "expires_at": fields.text_of(operation.expires_at),
        "phase": str(operation.phase),
        "place": {"channel": operation.place.channel, "thread": operation.place.thread},
        "source": str(operation.source),
        "approvals": [fields.approval_document(one) for one in operation.approvals],
        "approvals_needed": operation.approvals_needed,
        "confirmed_at": fields.text_of(operation.confirmed_at) if operation.confirmed_at else None,
        "generation": operation.generation,
        "outcome": str(operation.outcome),
        "because": operation.because,
        "rejected_by": operation.rejected_by,
        "card": {"channel": operation.card.channel, "ts": operation.card.ts},
        "revision": operation.revision,
        "timeline": [[fields.text_of(at), sentence] for at, sentence in operation.timeline],
        "run": operation.run,
        "standing": operation.standing,
    }


def from_document(document: Mapping[str, Any]) -> migration.Operation:
    """The inverse of `to_document`. Raises UnreadableOperationError."""
    if document.get("version") != VERSION:
        raise UnreadableOperationError(
            f"the operation has version {document.get('version')!r} and this Ferry knows {VERSION}; let the newer one finish it"
        )
    try:
        unknown = {name: value for name, value in document.items() if name not in _KNOWN}
        confirmed = document["confirmed_at"]
        return migration.Operation(
            id=fields.text(document["id"]),
            plan=plan_from(document["plan"]),
            requester=fields.text(document["requester"]),
            requester_shown=fields.text(document["requester_shown"]),
            reason=fields.text(document["reason"]),
            requested_at=fields.time(document["requested_at"]),
            expires_at=fields.time(document["expires_at"]),
            phase=migration.Phase(document["phase"]),
            place=messages.Place(fields.text(document["place"]["channel"]), fields.text(document["place"]["thread"])),
            source=messages.Source(document["source"]),
            approvals=tuple(fields.approval_from(one) for one in document["approvals"]),
            approvals_needed=fields.number(document["approvals_needed"]),
            confirmed_at=None if confirmed is None else fields.time(confirmed),
            generation=fields.number(document["generation"]),
            outcome=migration.Outcome(document["outcome"]),
            because=fields.text(document["because"]),
            rejected_by=fields.text(document["rejected_by"]),
            card=migration.Card(fields.text(document["card"]["channel"]), fields.text(document["card"]["ts"])),
            revision=fields.number(document["revision"]),
            timeline=tuple((fields.time(at), fields.text(sentence)) for at, sentence in document["timeline"]),
            run=fields.text(document.get("run", "")),  # documents of before ladders have neither
            standing=fields.text(document.get("standing", "")),
            kept=json.dumps(unknown, sort_keys=True, separators=(",", ":")) if unknown else "",
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableOperationError(
            f"the operation cannot be read ({type(error).__name__}: {error}); it is void, ask for the change again"
        ) from None


def plan_from(document: Mapping[str, Any]) -> migration.Plan:
    """The inverse of `Plan.as_document`; the hash of what comes out is the hash of what went in."""
    before = document["before"]
    return migration.Plan(
        service=fields.text(document["service"]),
        kind=migration.Kind(document["kind"]),
        before=None if before is None else model.exposure_from(before),
        after=model.exposure_from(document["after"]),
        generation=fields.number(document["generation"]),
        wish=fields.number(document["wish"]),
        clears=tuple(fields.text(one) for one in document["clears"]),
        objects=tuple((fields.text(name), fields.text(digest)) for name, digest in document["objects"]),
        config_diff=fields.text(document["config_diff"]),
        steps=tuple(fields.number(one) for one in document.get("steps", ())),  # plans name these only where they say something
        until=fields.text(document.get("until", "")),
        skips=fields.text(document.get("skips", "")),
        members=tuple(_member(*one) for one in document.get("members", ())),
    )


def _member(service: object, plan_hash: object, before: object, after: object) -> migration.Member:
    return migration.Member(fields.text(service), fields.text(plan_hash), fields.number(before), fields.number(after))
