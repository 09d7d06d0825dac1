"""The few messages kubectl sends as protobuf whatever the server prefers (`create token`, `create configmap`, `auth can-i`).

Only what those commands write is read; every other kind is answered with 415, and answers are always JSON.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deploy.playground.kubernetes import failures
from deploy.playground.kubernetes.kinds import Json

MEDIA = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"


@dataclass(frozen=True, slots=True)
class _Field:
    """`sort`: text, number, truth, texts (repeated), map, bytes_map, or the name of a message."""

    name: str
    sort: str


_MESSAGES: dict[str, dict[int, _Field]] = {
    "Unknown": {1: _Field("type", "TypeMeta"), 2: _Field("raw", "bytes")},
    "TypeMeta": {1: _Field("apiVersion", "text"), 2: _Field("kind", "text")},
    "ObjectMeta": {
        1: _Field("name", "text"),
        2: _Field("generateName", "text"),
        3: _Field("namespace", "text"),
        11: _Field("labels", "map"),
        12: _Field("annotations", "map"),
    },
    "ConfigMap": {
        1: _Field("metadata", "ObjectMeta"),
        2: _Field("data", "map"),
        3: _Field("binaryData", "bytes_map"),
        4: _Field("immutable", "truth"),
    },
    "Secret": {1: _Field("metadata", "ObjectMeta"), 2: _Field("data", "bytes_map"), 3: _Field("type", "text")},
    "Namespace": {1: _Field("metadata", "ObjectMeta")},
    "ServiceAccount": {1: _Field("metadata", "ObjectMeta")},
    "TokenRequest": {1: _Field("metadata", "ObjectMeta"), 2: _Field("spec", "TokenRequestSpec")},
    "TokenRequestSpec": {1: _Field("audiences", "texts"), 4: _Field("expirationSeconds", "number")},
    "SelfSubjectReview": {1: _Field("metadata", "ObjectMeta")},
    "SelfSubjectAccessReview": {2: _Field("spec", "AccessReviewSpec")},
    "AccessReviewSpec": {1: _Field("resourceAttributes", "Resource"), 2: _Field("nonResourceAttributes", "Path")},
    "Resource": {
        number: _Field(name, "text")
        for number, name in enumerate(("namespace", "verb", "group", "version", "resource", "subresource", "name"), 1)
    },
    "Path": {1: _Field("path", "text"), 2: _Field("verb", "text")},
    "SelfSubjectRulesReview": {2: _Field("spec", "RulesReviewSpec")},
    "RulesReviewSpec": {1: _Field("namespace", "text")},
}


def decoded(raw: bytes) -> Json:
    """The object in a protobuf body. Raises 415 for kinds that are not read here, 400 for damaged bytes."""
    if not raw.startswith(_MAGIC):
        raise failures.bad_request("the body does not start with the mark of a protobuf message")
    envelope = _message("Unknown", raw[len(_MAGIC) :])
    about = envelope.get("type", {})
    if about.get("kind") not in _MESSAGES:
        raise failures.unsupported_media("application/json, application/yaml")
    return {**about, **_message(about["kind"], envelope.get("raw", b""))}


def _message(name: str, raw: bytes) -> Json:
    result: Json = {}
    for number, value in _parts(raw):
        field = _MESSAGES[name].get(number)
        if field is not None:
            _store(result, field, value)
    return result


def _store(result: Json, field: _Field, value: Any) -> None:
    match field.sort:
        case "text":
            if value:
                result[field.name] = value.decode()
        case "texts":
            result.setdefault(field.name, []).append(value.decode())
        case "truth":
            result[field.name] = bool(value)
        case "number" | "bytes":
            result[field.name] = value
        case "map" | "bytes_map":
            pair = dict(_parts(value))
            key, content = pair.get(1, b"").decode(), pair.get(2, b"")
            text = content.decode() if field.sort == "map" else base64.b64encode(content).decode()
            result.setdefault(field.name, {})[key] = text
        case _:
            result[field.name] = _message(field.sort, value)


def _parts(raw: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of one message: number and value (bytes, or an integer)."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        sort = tag & 7
        if sort == 0:
            value, at = _varint(raw, at)
            yield tag >> 3, value
        elif sort == 2:
            length, at = _varint(raw, at)
            if at + length > len(raw):
                raise failures.bad_request("the protobuf body is cut short")
            yield tag >> 3, raw[at : at + length]
            at += length
        else:
            raise failures.bad_request("the protobuf body has a field of a sort that is not read here")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(raw):
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise failures.bad_request("the protobuf body is cut short")
