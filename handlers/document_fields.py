"""Single fields of the JSON documents that are signed or stored: how each is written, and read back strictly. Pure.

Readers raise TypeError or ValueError for anything that was not written by their counterpart.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from handlers import messages
from handlers.rules import approval


def text_of(at: datetime) -> str:
    """ISO 8601 in UTC."""
    return at.astimezone(UTC).isoformat()


def time(value: object) -> datetime:
    at = datetime.fromisoformat(text(value))
    if at.tzinfo is None:
        raise ValueError(f"{value!r} names no time zone")
    return at.astimezone(UTC)


def text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def number(value: object) -> int:
    """A whole one; true and false are none."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return value


def approval_document(one: approval.Approval) -> dict[str, Any]:
    return {
        "id": one.id,
        "by": one.by,
        "shown": one.shown,
        "at": text_of(one.at),
        "plan_hash": one.plan_hash,
        "source": str(one.source),
    }


def approval_from(document: Mapping[str, Any]) -> approval.Approval:
    return approval.Approval(
        id=text(document["id"]),
        by=text(document["by"]),
        shown=text(document["shown"]),
        at=time(document["at"]),
        plan_hash=text(document["plan_hash"]),
        source=messages.Source(document["source"]),
    )
