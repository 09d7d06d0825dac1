"""Versioned objects and what changed: one version counter for everything, a window of past changes, and who listens.

Synchronous and without I/O. A write calls its listeners before it returns, so a watcher is never later than the answer to the
writer. Stored objects are never changed in place: whoever wants to change one copies it first.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import orjson

from deploy.playground.kubernetes import failures
from deploy.playground.kubernetes.kinds import Json, Kind

Key = tuple[str, str]  # namespace ("" for cluster-wide kinds), name


@dataclass(slots=True)
class Change:
    """One committed write. `object` is the state after it; of a removed object the last state, with the removal's version."""

    version: int
    type: str  # ADDED, MODIFIED or DELETED
    kind: Kind
    key: Key
    object: Json
    previous: Json | None
    _frames: dict[str, bytes] = field(default_factory=dict, repr=False)

    def frame(self, as_type: str) -> bytes:
        """The line of a watch stream, encoded once for all watchers. A DELETED seen through a selector shows the state before."""
        known = self._frames.get(as_type)
        if known is None:
            shown = self.object
            if as_type == "DELETED" and self.type != "DELETED" and self.previous is not None:
                shown = with_version(self.previous, self.version)
            known = self._frames[as_type] = orjson.dumps({"type": as_type, "object": shown}) + b"\n"
        return known

    def forget_frames(self) -> None:
        """Frees the encoded lines; they are made again for whoever watches from that far back."""
        self._frames.clear()


# How many of a kind's newest changes stay encoded: watchers are rarely further behind, and objects may be large.
_ENCODED = 32

Listener = Callable[[Change], None]


def with_version(item: Json, version: int) -> Json:
    """A shallow copy that carries this resourceVersion."""
    return {**item, "metadata": {**item["metadata"], "resourceVersion": str(version)}}


class Store:
    """All objects of one cluster. `window`: how many past changes of a kind stay readable before they are compacted away."""

    def __init__(self, *, window: int = 5000) -> None:
        self.version = 1
        self._compacted = 0
        self._window = window
        self._objects: dict[Kind, dict[Key, Json]] = {}
        self._past: dict[Kind, deque[Change]] = {}
        self._forgotten: dict[Kind, int] = {}
        self._listeners: dict[Kind, dict[int, Listener]] = {}
        self._owned: dict[str, set[tuple[Kind, Key]]] = {}
        self._next_listener = 0

    def get(self, kind: Kind, key: Key) -> Json | None:
        """The object as stored (not to be changed), or None."""
        return self._objects.get(kind, {}).get(key)

    def all(self, kind: Kind, namespace: str = "") -> list[Json]:
        """Every object of a kind, in one namespace or in all, in the order of their keys."""
        return [item for _, item in _in_order(self._objects.get(kind, {}), namespace)]

    def contents(self, namespace: str) -> list[tuple[Kind, Json]]:
        """Everything that lives in a namespace."""
        return [(kind, item) for kind in self._objects if kind.namespaced for item in self.all(kind, namespace)]

    def dependents(self, uid: str) -> list[tuple[Kind, Json]]:
        """What names this uid as an owner."""
        return [(kind, self._objects[kind][key]) for kind, key in sorted(self._owned.get(uid, ()), key=lambda pair: pair[1])]

    def at(self, kind: Kind, namespace: str, version: int) -> list[Json]:
        """The objects of a kind as they were at an earlier version. Raises 410 when that is no longer known."""
        state = dict(self._objects.get(kind, {}))
        for change in reversed(self.since(kind, version)):
            if change.previous is None:
                state.pop(change.key, None)
            else:
                state[change.key] = change.previous
        return [item for _, item in _in_order(state, namespace)]

    def since(self, kind: Kind, version: int) -> list[Change]:
        """Changes after a version, oldest first. Raises 410 when some of them are no longer known."""
        oldest = max(self._compacted, self._forgotten.get(kind, 0))
        if version < oldest:
            raise failures.gone(f"too old resource version: {version} ({oldest})")
        newer: list[Change] = []
        for change in reversed(self._past.get(kind, ())):
            if change.version <= version:
                break
            newer.append(change)
        newer.reverse()
        return newer

    def put(self, kind: Kind, key: Key, item: Json) -> Json:
        """Stores a new or changed object under the next version; returns it as stored."""
        previous = self.get(kind, key)
        self.version += 1
        stored = with_version(item, self.version)
        self._objects.setdefault(kind, {})[key] = stored
        self._index_owners(kind, key, previous, stored)
        self._tell(Change(self.version, "ADDED" if previous is None else "MODIFIED", kind, key, stored, previous))
        return stored

    def remove(self, kind: Kind, key: Key, last: Json) -> Json:
        """Removes an object; `last` is the state its watchers see. Returns it with the removal's version."""
        previous = self._objects[kind].pop(key)
        self.version += 1
        final = with_version(last, self.version)
        self._index_owners(kind, key, previous, None)
        self._tell(Change(self.version, "DELETED", kind, key, final, previous))
        return final

    def compact(self) -> None:
        """Forgets the past: every version handed out before now is too old for a watch or a list."""
        self.version += 1
        self._compacted = self.version
        self._past.clear()

    def listen(self, kind: Kind, listener: Listener) -> Callable[[], None]:
        """Calls `listener` with every later change of the kind; returns the way to stop that."""
        self._next_listener += 1
        number = self._next_listener
        listeners = self._listeners.setdefault(kind, {})
        listeners[number] = listener
        return lambda: listeners.pop(number, None) and None

    def _index_owners(self, kind: Kind, key: Key, before: Json | None, after: Json | None) -> None:
        for uid in _owner_uids(before):
            self._owned.get(uid, set()).discard((kind, key))
        for uid in _owner_uids(after):
            self._owned.setdefault(uid, set()).add((kind, key))

    def _tell(self, change: Change) -> None:
        past = self._past.setdefault(change.kind, deque())
        past.append(change)
        if len(past) > _ENCODED:
            past[-_ENCODED - 1].forget_frames()
        if len(past) > self._window:
            self._forgotten[change.kind] = past.popleft().version
        for listener in tuple(self._listeners.get(change.kind, {}).values()):
            listener(change)


def _owner_uids(item: Json | None) -> Iterable[str]:
    return [owner["uid"] for owner in (item or {}).get("metadata", {}).get("ownerReferences") or ()]


def _in_order(state: dict[Key, Json], namespace: str) -> list[tuple[Key, Json]]:
    chosen = state.items() if not namespace else [pair for pair in state.items() if pair[0][0] == namespace]
    return sorted(chosen, key=lambda pair: pair[0])
