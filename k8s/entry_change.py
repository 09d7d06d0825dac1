"""What Ferry does to the objects around a service, as values: planned by a dry run, approved by hash, carried out later. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """What the objects of a service are to become.

    PREPARE: the old ingress hands the host to the proxies. BYPASS: the original entry again, without the proxies. FORWARD: the
    entry for good, which needs nothing of the old application any more. REMOVE: the old application goes.
    """

    PREPARE = "prepare"
    BYPASS = "bypass"
    FORWARD = "forward"
    REMOVE = "remove"


class Verb(StrEnum):
    APPLY = "apply"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object. `digest`: of what it will be; where it goes, of which one it is. `diff`: unified, live → planned, YAML; empty:
    as it is already.

    `conflict`: who owns what would be changed, a sentence with what to do; such a change is never forced.
    """

    verb: Verb
    kind: str
    namespace: str
    name: str
    digest: str = ""
    diff: str = ""
    conflict: str = ""

    @property
    def title(self) -> str:
        """`Ingress aibang/api`: how cards and plans name it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """All changes of one stage of one service, in the order in which they are made.

    `left`: what stays and why, a sentence each. `troubles`: why it cannot be done now, a sentence each with what to do.
    """

    stage: Stage
    service: str
    changes: tuple[ObjectChange, ...] = ()
    left: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()

    @property
    def diff(self) -> str:
        """Of all objects, for people."""
        parts = [f"# {one.verb} {one.title}\n{one.diff}" for one in self.changes if one.diff or one.verb is Verb.DELETE]
        return "\n".join(parts)

    @property
    def objects(self) -> tuple[tuple[str, str], ...]:
        """Names and digests: what an approval is bound to."""
        return tuple((f"{one.verb} {one.title}", one.digest) for one in self.changes)

    @property
    def conflicts(self) -> tuple[str, ...]:
        return tuple(one.conflict for one in self.changes if one.conflict)


class EntryState(StrEnum):
    """How the host of a service reaches an application now.

    UNKNOWN: nobody could look. DIRECT: as before Ferry, or bypassed. ENTERED: through the proxies, the old application behind
    them. FORWARD: for good. BROKEN: Ferry's objects are there, and not as they must be.
    """

    UNKNOWN = "unknown"
    DIRECT = "direct"
    ENTERED = "entered"
    FORWARD = "forward"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class EntryView:
    """`sentence`: the state in words. `drift`: what of Ferry's objects somebody changed, a sentence each.

    `old_ready`: ready endpoints of the old application; None: nobody knows. `meant`: the state that Ferry's objects are meant to
    make; UNKNOWN: they do not say. `past`: the host leads to the old application (again), although it is not meant to.
    """

    state: EntryState = EntryState.UNKNOWN
    sentence: str = ""
    drift: tuple[str, ...] = ()
    old_ready: int | None = None
    meant: EntryState = EntryState.UNKNOWN
    past: bool = False


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256, hex, of the canonical JSON of what is applied."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
