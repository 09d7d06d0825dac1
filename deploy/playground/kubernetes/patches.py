"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902) on plain objects. Inputs are never changed."""

import copy
from typing import Any

from deploy.playground.kubernetes import failures
from deploy.playground.kubernetes.kinds import Json

MOST_OPERATIONS = 10_000


def merge(live: Json, patch: object) -> Json:
    """Applies a merge patch: null removes a key, lists are replaced. Raises 400 when the patch is no object."""
    if not isinstance(patch, dict):
        raise failures.bad_request("error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}")
    return _merged(live, patch)


def _merged(target: object, patch: Json) -> Json:
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = _merged(result.get(key), value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def json_patch(live: Json, operations: object) -> Json:
    """Applies a list of operations, all or none. Raises 400 for a malformed list, 422 when one does not fit the object."""
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise failures.bad_request("error decoding patch: json: cannot unmarshal into Go value of type jsonpatch.Patch")
    if len(operations) > MOST_OPERATIONS:
        limit = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(operations)}"
        raise failures.ApiFailure(413, "RequestEntityTooLarge", limit)
    document: Any = copy.deepcopy(live)
    for operation in operations:
        document = _step(document, operation)
    if not isinstance(document, dict):
        raise failures.unprocessable_patch()
    return document


def _step(document: Any, operation: Json) -> Any:
    name, path = operation.get("op"), _pointer(operation.get("path"))
    match name:
        case "add":
            return _add(document, path, copy.deepcopy(_value(operation)))
        case "remove":
            return _remove(document, path)
        case "replace":
            _read(document, path)
            return _add(_remove(document, path), path, copy.deepcopy(_value(operation)))
        case "test":
            if not _same(_read_or_none(document, path), operation.get("value")):
                raise failures.unprocessable_patch()
            return document
        case "move":
            source = _pointer(operation.get("from"))
            moved = _read(document, source)
            return _add(_remove(document, source), path, moved)
        case "copy":
            return _add(document, path, copy.deepcopy(_read(document, _pointer(operation.get("from")))))
    raise failures.unprocessable_patch()


def _same(one: object, other: object) -> bool:
    # 1 == True in Python, never in JSON.
    return type(one) is type(other) and one == other


def _value(operation: Json) -> Any:
    if "value" not in operation:
        raise failures.unprocessable_patch()
    return operation["value"]


def _pointer(text: object) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise failures.unprocessable_patch()
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _read(document: Any, path: list[str]) -> Any:
    for step in path:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list):
            document = document[_index(step, len(document) - 1)]
        else:
            raise failures.unprocessable_patch()
    return document


def _read_or_none(document: Any, path: list[str]) -> Any:
    # A missing member compares as null when its parent exists.
    parent = _read(document, path[:-1]) if path else None
    if isinstance(parent, dict) and path[-1] not in parent:
        return None
    return _read(document, path)


def _index(step: str, highest: int) -> int:
    if not step.isdigit() or int(step) > highest:
        raise failures.unprocessable_patch()
    return int(step)


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _read(document, path[:-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if path[-1] == "-" else _index(path[-1], len(parent)), value)
    else:
        raise failures.unprocessable_patch()
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    parent = _read(document, path[:-1])
    if isinstance(parent, dict) and path[-1] in parent:
        del parent[path[-1]]
    elif isinstance(parent, list):
        del parent[_index(path[-1], len(parent) - 1)]
    else:
        raise failures.unprocessable_patch()
    return document
