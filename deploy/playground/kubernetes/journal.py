"""Every committed write, in order: what the invariant checker reads afterwards."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from deploy.playground.kubernetes.kinds import Json, Kind
from deploy.playground.kubernetes.store import Store


@dataclass(frozen=True, slots=True)
class Asked:
    """How a write was asked for: by which user, under which field manager, whether it is only a rehearsal, and how strictly
    unknown fields are taken. `warnings` collects what the writer is told beside the answer."""

    user: str
    manager: str = "unknown"
    dry_run: bool = False
    validation: str = ""
    warnings: list[str] = field(default_factory=list, compare=False)


@dataclass(frozen=True, slots=True)
class Write:
    """One committed write. `at`: monotonic seconds; `verb`: create, update, patch, apply or delete; `resource` as in
    `configmaps`, `deployments/scale`; `object` is the state after it (of a removed object the last one), not to be changed."""

    at: float
    verb: str
    resource: str
    namespace: str
    name: str
    user: str
    resource_version: int
    object: Json
    removed: bool = False


class Journal:
    """The only way into the store: a rehearsal stops here, everything else is stored and noted."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.writes: list[Write] = []

    def put(self, kind: Kind, item: Json, *, asked: Asked, verb: str, subresource: str = "") -> Json:
        """Commits a new or changed object; returns it as stored."""
        if asked.dry_run:
            return item
        stored = self.store.put(kind, key_of(item), item)
        self._note(_resource(kind, subresource), stored, asked, verb, removed=False)
        return stored

    def remove(self, kind: Kind, last: Json, *, asked: Asked, verb: str, subresource: str = "") -> Json:
        """Commits a removal; returns the last state."""
        if asked.dry_run:
            return last
        final = self.store.remove(kind, key_of(last), last)
        self._note(_resource(kind, subresource), final, asked, verb, removed=True)
        return final

    def _note(self, resource: str, item: Json, asked: Asked, verb: str, *, removed: bool) -> None:
        namespace, name = key_of(item)
        self.writes.append(
            Write(time.monotonic(), verb, resource, namespace, name, asked.user, self.store.version, item, removed)
        )


def _resource(kind: Kind, subresource: str) -> str:
    return f"{kind.plural}/{subresource}" if subresource else kind.plural


def key_of(item: Json) -> tuple[str, str]:
    """Where an object is stored."""
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def timestamp(seconds_from_now: float = 0) -> str:
    """The present as objects write it: whole seconds, UTC."""
    return datetime.fromtimestamp(time.time() + seconds_from_now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
