"""Who owns which field: `metadata.managedFields`, one set of field paths a manager.

A path is a tuple of the steps the FieldsV1 format writes: `f:name` for a field, `k:{"name":"x"}` for an item of a keyed list,
`v:"x"` for a member of a set.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from deploy.playground.kubernetes import list_shapes
from deploy.playground.kubernetes.kinds import Json, Kind

Steps = tuple[str, ...]

APPLY, UPDATE = "Apply", "Update"

_SYSTEM = {"name", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
           "deletionGracePeriodSeconds", "managedFields"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manager:
    """Who wrote, and how: an apply and an update under one name are two managers."""

    name: str
    operation: str
    subresource: str = ""
    api_version: str = "v1"

    def __str__(self) -> str:
        named = f'"{self.name}"' + (f' with subresource "{self.subresource}"' if self.subresource else "")
        return f"{named} using {self.api_version}" if self.operation == UPDATE else named


Owners = dict[Manager, set[Steps]]


def leaves(kind: Kind, item: Json, *, subresource: str = "") -> dict[Steps, Any]:
    """Every ownable field with its value. Status counts only when it is what is written."""
    found: dict[Steps, Any] = {}
    for name, value in item.items():
        if name in {"apiVersion", "kind"} or (
            kind.status and (name == "status") != (subresource == "status") and name != "metadata"
        ):
            continue
        ownable = {key: inner for key, inner in value.items() if key not in _SYSTEM} if name == "metadata" else value
        if name != "metadata" or ownable:
            found.update(_walk(kind, ownable, (name,), (f"f:{name}",)))
    return found


def _walk(kind: Kind, value: Any, path: list_shapes.Path, steps: Steps) -> Iterator[tuple[Steps, Any]]:
    if isinstance(value, dict) and value and not list_shapes.is_atomic_map(kind, path):
        for name, inner in value.items():
            yield from _walk(kind, inner, (*path, name), (*steps, f"f:{name}"))
        return
    if isinstance(value, list) and value:
        shape = list_shapes.list_shape(kind, path)
        if shape.primitives:
            yield from (((*steps, f"v:{_compact(member)}"), member) for member in value)
            return
        keys = [list_shapes.item_key(shape, member) for member in value] if shape.keys else [None]
        if all(key is not None for key in keys):
            for key, member in zip(keys, value, strict=True):
                at = (*steps, f"k:{_compact(dict(key or ()))}")
                yield at, True
                for name, inner in member.items():
                    yield from _walk(kind, inner, (*path, name), (*at, f"f:{name}"))
            return
    yield steps, value


def _compact(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def read(item: Json) -> Owners:
    """The owners as the object carries them."""
    owners: Owners = {}
    for entry in item["metadata"].get("managedFields") or ():
        manager = Manager(
            entry.get("manager", ""), entry["operation"], entry.get("subresource", ""), entry.get("apiVersion", "v1")
        )
        owners.setdefault(manager, set()).update(_paths(entry.get("fieldsV1") or {}, ()))
    return owners


def _paths(fields: Json, steps: Steps) -> Iterator[Steps]:
    for name, inner in fields.items():
        if name == ".":
            yield steps
        elif inner:
            yield from _paths(inner, (*steps, name))
        else:
            yield (*steps, name)


def write(item: Json, owners: Owners, *, now: str) -> None:
    """Puts the owners onto the object. An entry whose fields did not change keeps its time."""
    before = {_identity(entry): entry for entry in item["metadata"].get("managedFields") or ()}
    entries = []
    for manager, paths in owners.items():
        if not paths and manager.operation == UPDATE:
            continue
        entry: Json = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": now,
            "fieldsType": "FieldsV1",
            "fieldsV1": _fields(paths),
        }
        if manager.subresource:
            entry["subresource"] = manager.subresource
        known = before.get(_identity(entry))
        if known is not None and known.get("fieldsV1") == entry["fieldsV1"]:
            entry["time"] = known.get("time", now)
        entries.append(entry)
    entries.sort(key=lambda entry: (entry["operation"], entry["time"], entry["manager"]))
    if entries:
        item["metadata"]["managedFields"] = entries
    else:
        item["metadata"].pop("managedFields", None)


def _identity(entry: Json) -> tuple[str, str, str]:
    return entry.get("manager", ""), entry["operation"], entry.get("subresource", "")


def _fields(paths: set[Steps]) -> Json:
    tree: Json = {}
    for path in sorted(paths):
        at = tree
        for step in path:
            at = at.setdefault(step, {})
        if path[-1].startswith("k:"):
            at["."] = {}
    return tree


def updated(owners: Owners, kind: Kind, *, before: Json | None, after: Json, manager: Manager) -> Owners:
    """Ownership after a write that was no apply: the writer owns what it set or changed, and nobody owns what is gone."""
    had = leaves(kind, before, subresource=manager.subresource) if before is not None else {}
    has = leaves(kind, after, subresource=manager.subresource)
    changed = {path for path, value in has.items() if path not in had or had[path] != value}
    gone = had.keys() - has.keys()
    result = {other: paths - gone if other == manager else paths - changed - gone for other, paths in owners.items()}
    result[manager] = result.get(manager, set()) | changed
    return result


def step_of(shape: list_shapes.ListShape, member: object) -> str:
    """The step that leads to one member of a list, "" for lists that are owned as a whole."""
    if shape.primitives:
        return f"v:{_compact(member)}"
    key = list_shapes.item_key(shape, member) if shape.keys else None
    return f"k:{_compact(dict(key))}" if key is not None else ""


def reconciled(owners: Owners, kind: Kind, item: Json) -> Owners:
    """Owners after an apply: updaters lose what the object no longer has. An applier keeps all that it asked for."""
    held: dict[str, set[Steps]] = {}
    result: Owners = {}
    for manager, paths in owners.items():
        if manager.operation == UPDATE:
            if manager.subresource not in held:
                held[manager.subresource] = set(leaves(kind, item, subresource=manager.subresource))
            result[manager] = paths & held[manager.subresource]
        else:
            result[manager] = paths
    return result
