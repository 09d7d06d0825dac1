"""Server-side apply: one manager's wanted fields, merged into the live object under the ownership of fields."""

import copy
from typing import Any

from deploy.playground.kubernetes import failures, list_shapes, ownership
from deploy.playground.kubernetes.kinds import Json, Kind
from deploy.playground.kubernetes.ownership import Manager, Owners, Steps


def applied(kind: Kind, live: Json, wanted: Json, manager: Manager, *, force: bool) -> tuple[Json, Owners]:
    """The new object and its owners. Raises 409 for fields that others own with another value, unless forced."""
    owners = ownership.read(live)
    had = ownership.leaves(kind, live, subresource=manager.subresource)
    wants = ownership.leaves(kind, wanted, subresource=manager.subresource)
    contested = _contested(owners, had, wants, manager)
    if contested and not force:
        raise _refusal(contested)
    for other, paths in contested.items():
        owners[other] = owners[other] - paths
    let_go = owners.get(manager, set()) - wants.keys()
    owners[manager] = set(wants)
    nobodys = {path for path in let_go if not any(path in paths for other, paths in owners.items() if other != manager)}
    merged = _merged(kind, live, wanted, ())
    _prune(kind, merged, nobodys, owners)
    for name in ("uid", "resourceVersion"):
        if name in wanted["metadata"]:
            merged["metadata"][name] = wanted["metadata"][name]
    return merged, owners


def check_keys(kind: Kind, wanted: Any, path: list_shapes.Path = ()) -> None:
    """Raises 500 (as the real server does) for a keyed list whose items lack a key field or share a key."""
    if isinstance(wanted, dict):
        for name, value in wanted.items():
            check_keys(kind, value, (*path, name))
    elif isinstance(wanted, list):
        shape = list_shapes.list_shape(kind, path)
        keys = [list_shapes.item_key(shape, item) for item in wanted] if shape.keys else []
        if None in keys or len(set(keys)) != len(keys):
            told = f"failed to create typed patch object ({kind.api_version}, Kind={kind.kind}): .{'.'.join(path)}"
            raise failures.ApiFailure(
                500, "", f"{told}: duplicate entries for a key, or an item without its key fields {shape.keys}"
            )
        for item in wanted:
            check_keys(kind, item, path)


def _contested(owners: Owners, had: dict[Steps, Any], wants: dict[Steps, Any], manager: Manager) -> Owners:
    contested: Owners = {}
    for other, paths in owners.items():
        if other == manager:
            continue
        clashes = {path for path in paths & wants.keys() if had.get(path) != wants[path]}
        if clashes:
            contested[other] = clashes
    return contested


def _refusal(contested: Owners) -> failures.ApiFailure:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": _dotted(path)}
        for manager, paths in contested.items()
        for path in sorted(paths)
    ]
    if len(causes) == 1:
        told = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        blocks = [
            f"conflicts with {manager}:\n" + "\n".join(f"- {_dotted(path)}" for path in sorted(paths))
            for manager, paths in contested.items()
        ]
        told = f"{len(causes)} conflicts: " + "\n".join(blocks)
    return failures.ApiFailure(409, "Conflict", f"Apply failed with {told}", details={"causes": causes})


def _dotted(path: Steps) -> str:
    text = ""
    for step in path:
        sort, _, rest = step.partition(":")
        if sort == "f":
            text += f".{rest}"
        elif sort == "k":
            pairs = rest.strip("{}").replace('":', "=").replace('"', "", 1).replace(',"', ",")
            text += f"[{pairs}]"
        else:
            text += f"[={rest}]"
    return text


def _merged(kind: Kind, live: Any, wanted: Any, path: list_shapes.Path) -> Any:
    if isinstance(wanted, dict) and isinstance(live, dict):
        if path and list_shapes.is_atomic_map(kind, path):
            return copy.deepcopy(wanted)
        result = {name: copy.deepcopy(value) for name, value in live.items()}
        for name, value in wanted.items():
            result[name] = _merged(kind, live.get(name), value, (*path, name))
        return result
    if isinstance(wanted, list) and isinstance(live, list):
        shape = list_shapes.list_shape(kind, path)
        if shape.primitives:
            return [*live, *(member for member in wanted if member not in live)]
        if shape.keys:
            return _merged_items(kind, live, wanted, path, shape)
    return copy.deepcopy(wanted)


def _merged_items(
    kind: Kind, live: list[Any], wanted: list[Any], path: list_shapes.Path, shape: list_shapes.ListShape
) -> list[Any]:
    new = {list_shapes.item_key(shape, item): item for item in wanted}
    result = []
    known = set()
    for item in live:
        key = list_shapes.item_key(shape, item)
        known.add(key)
        result.append(_merged(kind, item, new[key], path) if key in new else copy.deepcopy(item))
    return result + [copy.deepcopy(item) for key, item in new.items() if key not in known]


def _prune(kind: Kind, item: Json, paths: set[Steps], owners: Owners) -> None:
    """Removes fields that nobody wants any more. An item of a keyed list goes when nobody owns anything in it."""
    owned = set().union(*owners.values())
    for path in sorted(paths, key=len):  # an item before its fields: without its key it could not be found
        if path[-1].startswith("k:") and any(other[: len(path)] == path for other in owned):
            continue
        _drop(kind, item, path, ())


def _drop(kind: Kind, at: Any, steps: Steps, path: list_shapes.Path) -> None:
    sort, _, rest = steps[0].partition(":")
    if isinstance(at, dict) and sort == "f":
        if len(steps) == 1:
            at.pop(rest, None)
        elif rest in at:
            _drop(kind, at[rest], steps[1:], (*path, rest))
            if at[rest] == {} or at[rest] == []:
                del at[rest]
    elif isinstance(at, list):
        shape = list_shapes.list_shape(kind, path)
        for index, member in enumerate(at):
            if ownership.step_of(shape, member) == steps[0]:
                if len(steps) == 1:
                    del at[index]
                else:
                    _drop(kind, member, steps[1:], path)
                return
