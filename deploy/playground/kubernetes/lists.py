"""Lists: selected, paged, and as of the version that was asked for."""

import base64
import binascii
from collections.abc import Mapping

import orjson

from deploy.playground.kubernetes import bodies, failures
from deploy.playground.kubernetes.kinds import Json, Kind
from deploy.playground.kubernetes.selectors import Selection
from deploy.playground.kubernetes.store import Store


def answer(store: Store, kind: Kind, namespace: str, selection: Selection, query: Mapping[str, str]) -> Json:
    """The list object. Raises 410 for a version or a continue token that is no longer known, 504 for one not yet reached."""
    limit = bodies.number(query.get("limit", ""), "limit")
    after: tuple[str, str] | None = None
    if query.get("continue"):
        version, after = _position(query["continue"])
        items = _at(store, kind, namespace, version)
    else:
        asked = bodies.number(query.get("resourceVersion", ""), "resourceVersion")
        if asked > store.version:
            raise failures.version_too_large(asked, store.version)
        exact = bool(asked) and query.get("resourceVersionMatch") == "Exact"
        version = asked if exact else store.version
        items = _at(store, kind, namespace, version) if exact else store.all(kind, namespace)
    chosen = [item for item in items if selection.matches(item)] if selection else items
    if after is not None:
        chosen = [item for item in chosen if _key(item) > after]
    metadata: Json = {"resourceVersion": str(version)}
    if limit and len(chosen) > limit:
        metadata["continue"] = _token(version, _key(chosen[limit - 1]))
        if not selection:
            metadata["remainingItemCount"] = len(chosen) - limit
        chosen = chosen[:limit]
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": _shown(kind, chosen)}


def _shown(kind: Kind, items: list[Json]) -> list[Json]:
    # Items of built-in lists carry neither kind nor apiVersion: clients that count on them break on a real server too.
    if kind.custom:
        return items
    return [{name: value for name, value in item.items() if name not in {"kind", "apiVersion"}} for item in items]


def _at(store: Store, kind: Kind, namespace: str, version: int) -> list[Json]:
    try:
        return store.at(kind, namespace, version)
    except failures.ApiFailure as error:
        raise failures.gone(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
            "the continue parameter."
        ) from error


def _key(item: Json) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _token(version: int, key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": list(key)})).decode()


def _position(token: str) -> tuple[int, tuple[str, str]]:
    try:
        found = orjson.loads(base64.urlsafe_b64decode(token))
        return int(found["rv"]), (found["start"][0], found["start"][1])
    except (binascii.Error, orjson.JSONDecodeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise failures.bad_request("continue key is not valid: start the list again without it") from error
