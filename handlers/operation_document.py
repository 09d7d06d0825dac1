"""An operation as a JSON document: what is stored in Redis, and signed beside the record in the cluster. Pure.

Fields that a newer version wrote are kept and written back; another `version` is refused: what is not understood does
not run.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

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
        "requested_at": _text_of(operation.requested_at),
        "expires_at": _text_of(operation.expires_at),
        "phase": str(operation.phase),
        "place": {"channel": operation.place.channel, "thread": operation.place.thread},
        "source": str(operation.source),
        "approvals": [_approval_document(one) for one in operation.approvals],
        "approvals_needed": operation.approvals_needed,
        "confirmed_at": _text_of(operation.confirmed_at) if operation.confirmed_at else None,
        "generation": operation.generation,
        "outcome": str(operation.outcome),
        "because": operation.because,
        "rejected_by": operation.rejected_by,
        "card": {"channel": operation.card.channel, "ts": operation.card.ts},
        "revision": operation.revision,
        "timeline": [[_text_of(at), sentence] for at, sentence in operation.timeline],
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
            id=_text(document["id"]),
            plan=plan_from(document["plan"]),
            requester=_text(document["requester"]),
            requester_shown=_text(document["requester_shown"]),
            reason=_text(document["reason"]),
            requested_at=_time(document["requested_at"]),
            expires_at=_time(document["expires_at"]),
            phase=migration.Phase(document["phase"]),
            place=messages.Place(_text(document["place"]["channel"]), _text(document["place"]["thread"])),
            source=messages.Source(document["source"]),
            approvals=tuple(_approval(one) for one in document["approvals"]),
            approvals_needed=_number(document["approvals_needed"]),
            confirmed_at=None if confirmed is None else _time(confirmed),
            generation=_number(document["generation"]),
            outcome=migration.Outcome(document["outcome"]),
            because=_text(document["because"]),
            rejected_by=_text(document["rejected_by"]),
            card=migration.Card(_text(document["card"]["channel"]), _text(document["card"]["ts"])),
            revision=_number(document["revision"]),
            timeline=tuple((_time(at), _text(sentence)) for at, sentence in document["timeline"]),
            run=_text(document.get("run", "")),  # documents of before ladders have neither
            standing=_text(document.get("standing", "")),
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
        service=_text(document["service"]),
        kind=migration.Kind(document["kind"]),
        before=None if before is None else model.exposure_from(before),
        after=model.exposure_from(document["after"]),
        generation=_number(document["generation"]),
        wish=_number(document["wish"]),
        clears=tuple(_text(one) for one in document["clears"]),
        objects=tuple((_text(name), _text(digest)) for name, digest in document["objects"]),
        config_diff=_text(document["config_diff"]),
        steps=tuple(_number(one) for one in document.get("steps", ())),  # plans name these only where they say something
        until=_text(document.get("until", "")),
        skips=_text(document.get("skips", "")),
        members=tuple(_member(*one) for one in document.get("members", ())),
    )


def _member(service: object, plan_hash: object, before: object, after: object) -> migration.Member:
    return migration.Member(_text(service), _text(plan_hash), _number(before), _number(after))


def _approval_document(one: migration.Approval) -> dict[str, Any]:
    return {
        "id": one.id,
        "by": one.by,
        "shown": one.shown,
        "at": _text_of(one.at),
        "plan_hash": one.plan_hash,
        "source": str(one.source),
    }


def _approval(document: Mapping[str, Any]) -> migration.Approval:
    return migration.Approval(
        id=_text(document["id"]),
        by=_text(document["by"]),
        shown=_text(document["shown"]),
        at=_time(document["at"]),
        plan_hash=_text(document["plan_hash"]),
        source=messages.Source(document["source"]),
    )


def _text_of(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _time(value: object) -> datetime:
    at = datetime.fromisoformat(_text(value))
    if at.tzinfo is None:
        raise ValueError(f"{value!r} names no time zone")
    return at.astimezone(UTC)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return value
