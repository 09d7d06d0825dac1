"""The audit entry that every revision carries: who changed what, why, and who had approved it. Pure, plain JSON values."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from handlers import answers, messages
from handlers.rules import approvals, effects, migration
from k8s import model, views


def entry(
    *,
    at: datetime,
    who: str,
    source: messages.Source,
    kind: effects.EventKind,
    sentence: str,
    before: model.Exposure | None,
    after: model.Exposure,
    operation: migration.Operation | None,
) -> dict[str, Any]:
    """For `RecordChange.audit`. `before` None: no record was in force. Approvals are those that counted for the plan."""
    counted = approvals.counting(operation, at) if operation else ()
    return {
        "at": at.astimezone(UTC).isoformat(),
        "who": who,
        "shown": operation.requester_shown if operation and operation.requester == who else who,
        "source": str(source),
        "kind": str(kind),
        "sentence": sentence,
        "reason": operation.reason if operation else "",
        "from": before.weight if before else None,
        "to": after.weight,
        "operation": operation.id if operation else "",
        "plan_hash": operation.plan.hash if operation else "",
        "approvals": [
            {"id": one.id, "by": one.by, "shown": one.shown, "at": one.at.astimezone(UTC).isoformat()} for one in counted
        ],
        "confirmed_at": operation.confirmed_at.astimezone(UTC).isoformat() if operation and operation.confirmed_at else None,
    }


def past(revision: views.Revision) -> answers.Past:
    """What a stored revision says of itself; an entry that another version wrote differently shows what it can."""
    audit = revision.audit
    before = audit.get("from")
    approved = audit.get("approvals")
    return answers.Past(
        generation=revision.generation,
        at=_time(audit.get("at")),
        who=_text(audit, "shown") or _text(audit, "who") or "somebody",
        sentence=_text(audit, "sentence"),
        before=before if type(before) is int else None,
        weight=revision.record.exposure.weight,
        approved_by=tuple(_text(one, "shown") for one in approved if isinstance(one, dict)) if isinstance(approved, list) else (),
        operation=_text(audit, "operation") or revision.record.operation,
        hash=revision.hash,
        reason=_text(audit, "reason"),
        plan=_text(audit, "plan_hash"),
    )


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
