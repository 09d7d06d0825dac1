"""Label and field selectors: parsed once, then asked for every object."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from deploy.playground.kubernetes import failures
from deploy.playground.kubernetes.kinds import Json, Kind

Predicate = Callable[[Json], bool]

_SET_BASED = re.compile(r"(?P<key>[^\s!=,()]+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUALITY = re.compile(r"(?P<key>[^\s!=,()]+)\s*(?P<operator>==|!=|=)\s*(?P<value>[^\s!=,()]*)")
_EXISTENCE = re.compile(r"(?P<absent>!?)\s*(?P<key>[^\s!=,()]+)")

# Beyond metadata.name and metadata.namespace, which every kind has.
_FIELDS = {
    "Pod": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    ),
    "Event": ("involvedObject.kind", "involvedObject.name", "involvedObject.namespace", "involvedObject.uid", "reason", "type"),
    "Namespace": ("status.phase",),
    "Node": ("spec.unschedulable",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP", "spec.type"),
    "Job": ("status.successful",),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects a list or a watch is about. `name`: set when the field selector pins exactly one name."""

    labels: tuple[Predicate, ...] = ()
    fields: tuple[Predicate, ...] = ()
    name: str = ""

    def __bool__(self) -> bool:
        return bool(self.labels or self.fields)

    def matches(self, item: Json) -> bool:
        """True when the object is selected."""
        return all(asked(item) for asked in self.labels) and all(asked(item) for asked in self.fields)


def parse(kind: Kind, label_selector: str, field_selector: str) -> Selection:
    """Both selectors of a request. Raises 400 for text that is no selector and for fields the kind cannot be selected by."""
    fields, name = _parse_fields(kind, field_selector)
    return Selection(labels=parse_labels(label_selector), fields=fields, name=name)


def parse_labels(text: str) -> tuple[Predicate, ...]:
    """`a=b,c!=d,e in (f,g),h notin (i),j,!k` as predicates."""
    requirements: list[Predicate] = []
    rest = text.strip()
    while rest:
        found = _SET_BASED.match(rest) or _EQUALITY.match(rest) or _EXISTENCE.match(rest)
        if found is None:
            raise failures.bad_request(f"unable to parse requirement: found '{rest}', expected: identifier")
        requirements.append(_label_requirement(found))
        rest = rest[found.end() :].strip()
        if rest and not rest.startswith(","):
            raise failures.bad_request(f"unable to parse requirement: found '{rest}', expected: ',' or 'end of string'")
        rest = rest[1:].strip()
    return tuple(requirements)


def labels_match(selector: Json | None, labels: Json | None) -> bool:
    """A LabelSelector object (matchLabels, matchExpressions) against labels. None selects nothing, an empty one everything."""
    if selector is None:
        return False
    labels = labels or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or ():
        key, values = expression["key"], expression.get("values") or ()
        held = {
            "In": key in labels and labels[key] in values,
            "NotIn": key not in labels or labels[key] not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }[expression["operator"]]
        if not held:
            return False
    return True


def _label_requirement(found: re.Match[str]) -> Predicate:
    parts = found.groupdict()
    key = parts["key"]
    if "absent" in parts:
        wanted = not parts["absent"]
        return lambda item: (key in _labels(item)) is wanted
    if "values" in parts:
        values = {value.strip() for value in parts["values"].split(",")}
        if parts["operator"] == "in":
            return lambda item: key in _labels(item) and _labels(item)[key] in values
        return lambda item: _labels(item).get(key) not in values
    value = parts["value"]
    if parts["operator"] == "!=":
        return lambda item: _labels(item).get(key) != value
    return lambda item: key in _labels(item) and _labels(item)[key] == value


def _labels(item: Json) -> Json:
    return item["metadata"].get("labels") or {}


def _parse_fields(kind: Kind, text: str) -> tuple[tuple[Predicate, ...], str]:
    requirements: list[Predicate] = []
    name = ""
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        field, operator, value = _split_field(part)
        known = ("metadata.name", "metadata.namespace", *_FIELDS.get(kind.kind, ()))
        if field not in known:
            told = f'Unable to find "{kind.api_version}, Resource={kind.plural}" that match label selector "", field selector'
            raise failures.bad_request(f'{told} "{text}": field label not supported: {field}')
        if field == "metadata.name" and operator == "=":
            name = value
        requirements.append(_field_requirement(tuple(field.split(".")), value, equal=operator == "="))
    return tuple(requirements), name


def _split_field(part: str) -> tuple[str, str, str]:
    for operator in ("!=", "==", "="):
        field, found, value = part.partition(operator)
        if found:
            return field.strip(), "!=" if operator == "!=" else "=", value.strip()
    raise failures.bad_request(f"invalid field selector: {part}; can't understand '{part}'")


def _field_requirement(path: tuple[str, ...], value: str, *, equal: bool) -> Predicate:
    def holds(item: Json) -> bool:
        current: object = item
        for step in path:
            current = current.get(step) if isinstance(current, dict) else None
        text = "" if current is None else str(current).lower() if isinstance(current, bool) else str(current)
        return (text == value) is equal

    return holds
