"""Strategic merge patch: a merge patch that knows which lists are keyed. Inputs are never changed."""

import copy
from typing import Any

from deploy.playground.kubernetes import failures, list_shapes
from deploy.playground.kubernetes.kinds import Json, Kind

_ORDER, _DELETE_MEMBERS, _RETAIN, _WHAT = "$setElementOrder/", "$deleteFromPrimitiveList/", "$retainKeys", "$patch"


def merge(kind: Kind, live: Json, patch: object) -> Json:
    """Applies the patch. Raises 400 when it is malformed, 415 for kinds that have no strategic merge."""
    if kind.custom:
        raise failures.unsupported_media(
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        )
    if not isinstance(patch, dict):
        raise failures.bad_request("error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}")
    return _map(kind, live, patch, ())


def _map(kind: Kind, live: Json, patch: Json, path: list_shapes.Path) -> Json:
    what = patch.get(_WHAT)
    if what == "delete":
        return {}
    if what == "replace":
        return {name: copy.deepcopy(value) for name, value in patch.items() if name != _WHAT}
    result = dict(live)
    if _RETAIN in patch:
        result = {name: value for name, value in result.items() if name in patch[_RETAIN]}
    for name, value in patch.items():
        if name.startswith(_DELETE_MEMBERS):
            field = name.removeprefix(_DELETE_MEMBERS)
            result[field] = [member for member in result.get(field) or () if member not in value]
        elif value is None:
            result.pop(name, None)
        elif not name.startswith("$"):
            result[name] = _field(kind, result.get(name), value, (*path, name), patch.get(f"{_ORDER}{name}"))
    for name, order in patch.items():
        field = name.removeprefix(_ORDER)
        if name.startswith(_ORDER) and field not in patch and isinstance(result.get(field), list):
            result[field] = _list(kind, result[field], [], (*path, field), order)
    return result


def _field(kind: Kind, live: Any, value: Any, path: list_shapes.Path, order: list[Any] | None) -> Any:
    if isinstance(value, dict):
        return _map(kind, live if isinstance(live, dict) else {}, value, path)
    if isinstance(value, list):
        return _list(kind, live or [], value, path, order)
    return value


def _list(kind: Kind, live: list[Any], patch: list[Any], path: list_shapes.Path, order: list[Any] | None) -> list[Any]:
    shape = list_shapes.list_shape(kind, path)
    if shape.primitives:
        return _in_order([*live, *(member for member in patch if member not in live)], live, order or patch, key="")
    if not shape.merge_key:
        return [copy.deepcopy(item) for item in patch]
    key = shape.merge_key
    directives = [item for item in patch if isinstance(item, dict) and _WHAT in item]
    wanted = [item for item in patch if item not in directives]
    if any(item[_WHAT] == "replace" for item in directives):
        return [copy.deepcopy(item) for item in wanted]
    deleted = [item.get(key) for item in directives if item[_WHAT] == "delete"]
    if any(not isinstance(item, dict) or key not in item for item in wanted) or None in deleted:
        where = ".".join(path)
        raise failures.bad_request(f"error decoding patch: map: does not contain declared merge key: {key} (in {where})")
    merged = [item for item in live if item.get(key) not in deleted]
    for item in wanted:
        number = next((index for index, known in enumerate(merged) if known.get(key) == item[key]), None)
        before = merged[number] if number is not None else {}
        after = _map(kind, before, item, path)
        if number is None:
            merged.append(after)
        else:
            merged[number] = after
    return _in_order(merged, live, order or wanted, key=key)


def _in_order(merged: list[Any], live: list[Any], patch: list[Any], *, key: str) -> list[Any]:
    """Items of the patch stand in the patch's order; another goes before one of them only if it did so in the live list."""

    def name(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    before = [name(item) for item in live]
    rank = {name(item): number for number, item in enumerate(patch)}
    patched = sorted((item for item in merged if name(item) in rank), key=lambda item: rank[name(item)])
    others = [item for item in merged if name(item) not in rank]
    result: list[Any] = []
    while others and patched:
        other, mine = name(others[0]), name(patched[0])
        first = other in before and mine in before and before.index(other) < before.index(mine)
        result.append(others.pop(0) if first else patched.pop(0))
    return result + others + patched
