"""A hold as a key and a value of `migration-holds`, and as the JSON body pushed to an agent. Pure.

Reading is lenient on purpose: a present key always holds, whatever its value is.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from k8s import errors, model

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_FIELDS = ("reason", "by", "since", "cause")
_LONGEST_TEXT = 500
# How the ids of holds begin that agents make themselves: because of a breaker that does not end, of a broken `migration.yaml`.
LATCH_PREFIX = "latch-"
DOCUMENT_PREFIX = "document-"


def document_hold_id(version: str) -> str:
    """The id of the hold that a broken `migration.yaml` brings about, the same for everybody who makes it. `version`: the
    resourceVersion of its ConfigMap as it was broken.
    """
    return DOCUMENT_PREFIX + hashlib.sha256(version.encode()).hexdigest()[:10]


def as_value(hold: model.Hold) -> tuple[str, str]:
    """Key and value. Raises errors.Invalid for a key that no ConfigMap can have."""
    if not _KEY.fullmatch(hold.key) or not hold.service or not hold.id or "." in hold.service:
        raise errors.Invalid(f"{hold.key!r} can be no key of a ConfigMap; use letters, digits, -, _ and . in the hold's id")
    written = {name: text[:_LONGEST_TEXT] for name in _FIELDS if (text := getattr(hold, name))}
    return hold.key, json.dumps(written, sort_keys=True)


def hold_from(key: str, value: object) -> model.Hold | None:
    """None when the key does not begin with `hold.`; any text is a value: what is no JSON object is the reason."""
    word, _, rest = key.partition(".")
    if word != "hold" or not rest:
        return None
    service, _, hold_id = rest.partition(".")
    text = value if isinstance(value, str) else ""
    try:
        written = json.loads(text)
    except (ValueError, RecursionError):
        written = None
    if not isinstance(written, dict):
        return model.Hold(service, hold_id, reason=_text(text.strip()))
    return model.Hold(service, hold_id, **{name: _text(written.get(name)) for name in _FIELDS})


def holds_from(data: object) -> tuple[model.Hold, ...]:
    """Every hold in a ConfigMap's data, by key."""
    if not isinstance(data, dict):
        return ()
    found = (hold_from(str(key), data[key]) for key in sorted(data))
    return tuple(hold for hold in found if hold is not None)


def as_document(hold: model.Hold) -> dict[str, str]:
    """The body of `POST /hold`."""
    return {"service": hold.service, "id": hold.id, **{name: getattr(hold, name) for name in _FIELDS}}


def hold_from_document(document: Mapping[str, Any]) -> model.Hold:
    """The inverse of `as_document`. Raises errors.BadReply without a service and an id."""
    service, hold_id = _text(document.get("service")), _text(document.get("id"))
    if not service or not hold_id:
        raise errors.BadReply("the pushed hold names no service or no id; send {service, id, reason, by, since, cause}")
    return model.Hold(service, hold_id, **{name: _text(document.get(name)) for name in _FIELDS})


def _text(value: object) -> str:
    """Half an emoji, as a tool leaves it that cuts a string, is no text that can be written again: it becomes a question mark."""
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text[:_LONGEST_TEXT].encode("utf-8", "replace").decode()
