"""A journey as a JSON document: what is signed beside a service's record in the cluster. Pure.

Fields that a newer version wrote are kept and written back; another `version` is refused: what is not understood neither climbs
nor is written over.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from handlers import document_fields as fields
from handlers import journey_messages, messages
from handlers.rules import journeys
from k8s import entry_change, model

VERSION = 1
_KNOWN = frozenset({
    "version", "service", "revision", "soak", "served", "run", "standing", "baseline", "hundred", "finished", "removed",
    "arranged", "base", "wave",
})  # fmt: skip


class UnreadableJourneyError(ValueError):
    """The document is no journey of this version; the sentence says what is wrong and what to do."""


def to_document(journey: journeys.Journey) -> dict[str, Any]:
    """Plain JSON values; times as ISO 8601 in UTC. What says nothing is null."""
    kept: dict[str, Any] = json.loads(journey.kept) if journey.kept else {}
    return {
        **kept,
        "version": VERSION,
        "service": journey.service,
        "revision": journey.revision,
        "soak": _soak_document(journey.soak) if journey.soak else None,
        "served": list(journey.served),
        "run": _run_document(journey.run) if journey.run else None,
        "standing": _standing_document(journey.standing) if journey.standing else None,
        "baseline": _baseline_document(journey.baseline) if journey.baseline else None,
        "hundred": _text_of(journey.hundred),
        "finished": _text_of(journey.finished),
        "removed": _text_of(journey.removed),
        "base": journey.base.as_document() if journey.base else None,
        **({"arranged": _arranged_document(journey.arranged)} if journey.arranged else {}),
        **({"wave": journey.wave} if journey.wave else {}),
    }


def from_document(document: Mapping[str, Any]) -> journeys.Journey:
    """The inverse of `to_document`. Raises UnreadableJourneyError."""
    if document.get("version") != VERSION:
        raise UnreadableJourneyError(
            f"the journey has version {document.get('version')!r} and this Ferry knows {VERSION}; upgrade Ferry, or let the "
            "newer one go on"
        )
    try:
        unknown = {name: value for name, value in document.items() if name not in _KNOWN}
        return journeys.Journey(
            service=fields.text(document["service"]),
            revision=fields.number(document["revision"]),
            soak=_soak(document["soak"]) if document["soak"] is not None else None,
            served=_numbers(document["served"]),
            run=_run(document["run"]) if document["run"] is not None else None,
            standing=_standing(document["standing"]) if document["standing"] is not None else None,
            baseline=_baseline(document["baseline"]) if document["baseline"] is not None else None,
            hundred=_moment(document["hundred"]),
            finished=_moment(document["finished"]),
            removed=_moment(document["removed"]),
            arranged=_arranged(document["arranged"]) if document.get("arranged") is not None else None,
            base=model.exposure_from(document["base"]) if document["base"] is not None else None,
            wave=fields.text(document.get("wave", "")),
            kept=json.dumps(unknown, sort_keys=True, separators=(",", ":")) if unknown else "",
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableJourneyError(
            f"the journey beside the record cannot be read ({type(error).__name__}: {error}); see what wrote it"
        ) from None


def _soak_document(one: journeys.Soak) -> dict[str, Any]:
    return {
        "weight": one.weight,
        "generation": one.generation,
        "seconds": one.seconds,
        "began": _text_of(one.began),
        "missing": one.missing,
        "resets": one.resets,
    }


def _soak(document: Mapping[str, Any]) -> journeys.Soak:
    return journeys.Soak(
        weight=fields.number(document["weight"]),
        generation=fields.number(document["generation"]),
        seconds=_seconds(document["seconds"]),
        began=_moment(document["began"]),
        missing=fields.text(document["missing"]),
        resets=fields.number(document["resets"]),
    )


def _run_document(one: journeys.Run) -> dict[str, Any]:
    return {
        "id": one.id,
        "mode": str(one.mode),
        "requester": one.requester,
        "requester_shown": one.requester_shown,
        "began": _text_of(one.began),
        "place": {"channel": one.place.channel, "thread": one.place.thread},
        "source": str(one.source),
        "reason": one.reason,
        "paused": one.paused,
    }


def _run(document: Mapping[str, Any]) -> journeys.Run:
    return journeys.Run(
        id=fields.text(document["id"]),
        mode=journey_messages.Mode(document["mode"]),
        requester=fields.text(document["requester"]),
        requester_shown=fields.text(document["requester_shown"]),
        began=fields.time(document["began"]),
        place=messages.Place(fields.text(document["place"]["channel"]), fields.text(document["place"]["thread"])),
        source=messages.Source(document["source"]),
        reason=fields.text(document["reason"]),
        paused=fields.text(document["paused"]),
    )


def _standing_document(one: journeys.Standing) -> dict[str, Any]:
    return {
        "id": one.id,
        "requester": one.requester,
        "requester_shown": one.requester_shown,
        "plan_hash": one.plan_hash,
        "steps": list(one.steps),
        "until": _text_of(one.until),
        "base": one.base.as_document(),
        "approvals": [fields.approval_document(each) for each in one.approvals],
        "used": list(one.used),
        "wave": one.wave,
        "order": one.order,
        "at": one.at,
    }


def _standing(document: Mapping[str, Any]) -> journeys.Standing:
    return journeys.Standing(
        id=fields.text(document["id"]),
        requester=fields.text(document["requester"]),
        requester_shown=fields.text(document["requester_shown"]),
        plan_hash=fields.text(document["plan_hash"]),
        steps=_numbers(document["steps"]),
        until=fields.time(document["until"]),
        base=model.exposure_from(document["base"]),
        approvals=tuple(fields.approval_from(each) for each in document["approvals"]),
        used=_numbers(document["used"]),
        wave=fields.text(document["wave"]),
        order=fields.number(document["order"]),
        at=fields.number(document["at"]),
    )


def _baseline_document(one: journeys.Baseline) -> dict[str, Any]:
    return {"average": one.average, "p99": one.p99, "requests": one.requests, "at": _text_of(one.at)}


def _baseline(document: Mapping[str, Any]) -> journeys.Baseline:
    return journeys.Baseline(
        average=_seconds(document["average"]),
        p99=_seconds(document["p99"]),
        requests=fields.number(document["requests"]),
        at=fields.time(document["at"]),
    )


def _arranged_document(one: journeys.Arranged) -> dict[str, Any]:
    return {"stage": str(one.stage), "operation": one.operation, "objects": [list(each) for each in one.objects]}


def _arranged(document: Mapping[str, Any]) -> journeys.Arranged:
    return journeys.Arranged(
        stage=entry_change.Stage(document["stage"]),
        operation=fields.text(document["operation"]),
        objects=tuple((fields.text(name), fields.text(digest)) for name, digest in document["objects"]),
    )


def _text_of(at: datetime | None) -> str | None:
    return fields.text_of(at) if at is not None else None


def _moment(value: object) -> datetime | None:
    return None if value is None else fields.time(value)


def _numbers(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return tuple(fields.number(one) for one in value)


def _seconds(value: object) -> float:
    """Finite and not below 0: JSON of Python knows NaN, and NaN is never less than anything."""
    if type(value) not in (int, float) or not 0 <= float(str(value)) < float("inf"):
        raise TypeError(f"{value!r} is no number of seconds")
    return float(str(value))
