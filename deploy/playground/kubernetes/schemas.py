"""The fields every kind has, as the official client declares them: the unknown is dropped or refused, the mistyped is refused.

Like the real server's decoding it also tidies: nulls and empty lists and maps vanish, a null in a map of texts becomes "".
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from kubernetes.client import models

from deploy.playground.kubernetes import failures
from deploy.playground.kubernetes.failures import ApiFailure
from deploy.playground.kubernetes.kinds import Json, Kind

_MODEL_OF = {"Event": "CoreV1Event", "HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler"}
# Fields the official client declares as texts, although a bare number is a fine quantity.
_QUANTITIES = {"limits", "requests", "capacity", "allocatable", "hard", "sizeLimit", "divisor", "overhead"}
_MICRO_TIMES = {"renewTime", "acquireTime", "eventTime"}
_MICRO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_JSON_WORDS = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}


@dataclass(slots=True)
class _Reading:
    """One object being read. `wrong`: makes the refusal for a mistyped field."""

    kind: Kind
    wrong: Callable[[str, str, object], ApiFailure]
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Field:
    type: str
    required: bool


def settle(kind: Kind, body: Json, *, validation: str, applying: bool = False) -> tuple[Json, list[str]]:
    """A tidy copy of the body, and warnings about fields nobody knows.

    `validation` is the request's fieldValidation: "Strict" refuses unknown fields with 400, "Warn" (or "") warns, "Ignore" is
    silent. An apply (`applying`) of unknown or mistyped fields is refused with 500, as the real server does.
    """
    reading = _Reading(kind, _apply_refusal(kind) if applying else _decode_refusal(kind))
    if kind.custom:
        settled = {**body, "metadata": _read(reading, "V1ObjectMeta", body.get("metadata") or {}, "metadata")}
    else:
        settled = _model(reading, _MODEL_OF.get(kind.kind, f"V1{kind.kind}"), body, "")
    if reading.unknown and applying:
        told = f"failed to create typed patch object ({kind.api_version}, Kind={kind.kind})"
        raise ApiFailure(500, "", f"{told}: .{reading.unknown[0]}: field not declared in schema")
    warnings = [f'unknown field "{where}"' for where in reading.unknown]
    if warnings and validation == "Strict":
        told = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
        raise failures.bad_request(f"{told}: strict decoding error: {', '.join(warnings)}")
    return settled, [] if validation == "Ignore" else warnings


def _decode_refusal(kind: Kind) -> Callable[[str, str, object], ApiFailure]:
    def refusal(where: str, wanted: str, value: object) -> ApiFailure:
        handled = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
        found = _JSON_WORDS.get(type(value), "null")
        path = re.sub(r"\[\d+\]", "", where)
        return failures.bad_request(
            f"{handled}: json: cannot unmarshal {found} into Go struct field {kind.kind}.{path} of type {wanted}"
        )

    return refusal


def _apply_refusal(kind: Kind) -> Callable[[str, str, object], ApiFailure]:
    def refusal(where: str, wanted: str, value: object) -> ApiFailure:
        told = f"failed to create typed patch object ({kind.api_version}, Kind={kind.kind})"
        return ApiFailure(500, "", f"{told}: .{where}: expected {wanted}, got {value!r}")

    return refusal


@cache
def _fields(model: str) -> dict[str, _Field]:
    found = getattr(models, model)
    return {
        # Fields named like Python's own words (`_exec`, `_from`) go by another name inside the model; none is required.
        found.attribute_map[name]: _Field(
            declared, required=name in found.model_fields and found.model_fields[name].is_required()
        )
        for name, declared in found.openapi_types.items()
    }


def _model(reading: _Reading, model: str, value: object, where: str) -> Json:
    if not isinstance(value, dict):
        raise reading.wrong(where, model.removeprefix("V1"), value)
    known = _fields(model)
    result: Json = {}
    for name, inner in value.items():
        path = f"{where}.{name}" if where else name
        declared = known.get(name)
        if declared is None:
            reading.unknown.append(path)
            continue
        if inner is None:
            continue
        read = _read(reading, declared.type, inner, path)
        if declared.required or read or not declared.type.startswith(("List[", "Dict[")):
            result[name] = read
    return result


def _read(reading: _Reading, declared: str, value: Any, where: str) -> Any:
    if declared.startswith("List["):
        if not isinstance(value, list):
            raise reading.wrong(where, "list", value)
        return [_read(reading, declared[5:-1], member, f"{where}[{number}]") for number, member in enumerate(value)]
    if declared.startswith("Dict["):
        if not isinstance(value, dict):
            raise reading.wrong(where, "map", value)
        inner = declared[5:-1].partition(", ")[2]
        return {
            name: "" if member is None else _read(reading, inner, member, f"{where}.{name}") for name, member in value.items()
        }
    reader = _SCALARS.get(declared)
    return reader(reading, value, where) if reader is not None else _model(reading, declared, value, where)


def _text(reading: _Reading, value: object, where: str) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool) and _QUANTITIES & set(where.split(".")):
        return str(value)
    if not isinstance(value, str):
        raise reading.wrong(where, "string", value)
    return value


def _whole(reading: _Reading, value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise reading.wrong(where, "int32", value)
    return value


def _yes_or_no(reading: _Reading, value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise reading.wrong(where, "bool", value)
    return value


def _time(reading: _Reading, value: object, where: str) -> str:
    micro = where.rpartition(".")[2] in _MICRO_TIMES
    pattern, layout = (_MICRO, "2006-01-02T15:04:05.000000Z07:00") if micro else (_SECONDS, "2006-01-02T15:04:05Z07:00")
    if not isinstance(value, str):
        raise reading.wrong(where, "Time", value)
    if not pattern.fullmatch(value):
        told = f'{reading.kind.kind} in version "{reading.kind.version}" cannot be handled as a {reading.kind.kind}'
        raise failures.bad_request(f'{told}: parsing time "{value}" as "{layout}": cannot parse "{value}" as "{layout}"')
    return value


_SCALARS: dict[str, Callable[[_Reading, Any, str], Any]] = {
    "str": _text,
    "bytes": _text,
    "int": _whole,
    "bool": _yes_or_no,
    "datetime": _time,
    "object": lambda reading, value, where: value,
}
