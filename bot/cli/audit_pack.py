"""The audit as one file of JSON lines, to be kept and verified elsewhere: events, records, revisions and the public keys.

Its first line says what is in it. An event beside the selection keeps its place in the chain as number and hashes alone, so that
nothing can be taken out of what was selected without a trace.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot import trusted_keys
from bot.store import audit
from k8s import client, errors, model, record_document

FORMAT = 1
_PLACE = ("seq", "replica", "previous", "hash")
_HEAD, _EVENT, _LEFT_OUT = "audit-pack", "audit", "audit-left-out"
_OBJECTS = {"audit-keys": "keys", "audit-record": "records", "audit-revision": "revisions"}
KINDS = frozenset({_HEAD, _EVENT, _LEFT_OUT, *_OBJECTS})  # of its lines
_KEPT = ("name", "uid", "labels", "resourceVersion")  # of an object's metadata; a record was signed for its uid
Event = dict[str, Any]
Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Objects:
    """What the cluster keeps of the audit, as the API server gave it."""

    keys: tuple[Found, ...] = ()
    records: tuple[Found, ...] = ()
    revisions: tuple[Found, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """`service` empty: all. `since`: aware, of events only, as a change is proven by all changes before it; None: all."""

    service: str = ""
    since: datetime | None = None

    @property
    def everything(self) -> bool:
        return not self.service and self.since is None

    def has(self, event: Found) -> bool:
        """An event about all services is about each of them. What cannot be read is not left out."""
        about = re.split(r"[,\s]+", str(event.get("service", "")))
        if self.service and not {self.service, model.ALL_SERVICES}.intersection(about):
            return False
        try:
            return self.since is None or datetime.fromisoformat(str(event["at"])) >= self.since
        except (KeyError, ValueError, TypeError):
            return True

    def of(self, found: Objects) -> Objects:
        if not self.service:
            return found
        name = record_document.config_map_name(self.service)
        labelled = [one for one in found.revisions if _labels(one).get(record_document.SERVICE_LABEL) == self.service]
        return Objects(found.keys, tuple(one for one in found.records if _name(one) == name), tuple(labelled))


@dataclass(slots=True)
class Pack:
    """As it was read back. `head` empty: its first line is gone. `left_out`: events of which only the place is here."""

    source: str
    head: Event = field(default_factory=dict)
    events: int = 0
    left_out: list[Event] = field(default_factory=list)
    objects: dict[str, list[Found]] = field(default_factory=lambda: {name: [] for name in _OBJECTS.values()})

    @property
    def kept(self) -> Objects:
        return Objects(*(tuple(self.objects[name]) for name in ("keys", "records", "revisions")))

    def take(self, line: Event) -> None:
        kind = line.get("event")
        if kind == _HEAD:
            self.head = line
        elif kind == _EVENT:
            self.events += 1
        elif kind == _LEFT_OUT:
            self.left_out.append({name: line[name] for name in _PLACE if name in line})
        elif kind in _OBJECTS and _readable(line.get("object")):
            self.objects[_OBJECTS[kind]].append(line["object"])

    @property
    def here(self) -> bool:
        """It is a pack, and no log."""
        return bool(self.head or self.left_out or any(self.objects.values()))

    @property
    def holds_objects(self) -> bool:
        return any(self.objects.values()) or any(self.head.get(name) for name in self.objects)

    def problems(self) -> list[str]:
        """What its lines say of themselves; whether they are as they were written is for chain and signatures to say."""
        if not self.head:
            return [f"{self.source}: its first line is gone, which says what is in it"]
        if self.head.get("format") != FORMAT:
            return [f"{self.source}: it was written by another Ferry (format {self.head.get('format')}); verify it with that one"]
        counts = _counts(self.events, self.left_out, self.kept)
        wrong = [
            f"{self.source}: it says that it has {self.head.get(name)} {name.replace('_', ' ')}, and has {number}"
            for name, number in counts.items()
            if self.head.get(name) != number
        ]
        if self.left_out and not self.head.get("service") and not self.head.get("since"):
            wrong.append(f"{self.source}: it says that it has everything, and leaves events out")
        return wrong

    def notes(self) -> list[str]:
        if not self.left_out:
            return []
        chosen = [f"{name} {self.head[name]}" for name in ("service", "since") if self.head.get(name)]
        count = len(self.left_out)
        return [f"{self.source}: a selection ({', '.join(chosen)}); of {count} other events only number and hashes are here"]


def lines(events: Iterable[Found], found: Objects, selection: Selection, *, made_at: datetime) -> Iterator[Event]:
    """Of a file that `Pack.take` reads back. `events` as `audit` wrote them, in any order, each once or more often."""
    every = _once(events)
    hashes = {one["hash"] for one in every if selection.has(one)}
    left_out = [one for one in every if one["hash"] not in hashes]
    kept = selection.of(found)
    since = selection.since.isoformat() if selection.since else ""
    said = {"format": FORMAT, "made_at": made_at.isoformat(), "service": selection.service, "since": since}
    yield {"event": _HEAD, **said, **_counts(len(every) - len(left_out), left_out, kept)}
    for one in every:
        names, kind = (audit.FIELDS, _EVENT) if one["hash"] in hashes else (_PLACE, _LEFT_OUT)
        yield {"event": kind, **{name: one[name] for name in names if name in one}}
    for kind, name in _OBJECTS.items():
        for each in getattr(kept, name):
            revision = record_document.revision_from(each) if name == "revisions" else None
            yield {"event": kind, **({"hash": revision.hash} if revision else {}), "object": _bare(each)}


class Shelf(client.ClusterClient):
    """These objects in the place of an API server's, for reading only: a pack is verified by what verifies a cluster."""

    def __init__(self, found: Objects) -> None:  # not of a server: there is no access, and no session
        self._found = {client.CONFIG_MAPS: (*found.keys, *found.records), client.CONTROLLER_REVISIONS: found.revisions}

    async def close(self) -> None:
        """Nothing is open."""

    async def get(self, resource: client.Resource, namespace: str, name: str, *, limit: float | None = None) -> client.Json:
        for one in self._found[resource]:
            if _name(one) == name:
                return dict(one)
        raise errors.Missing(f"{resource.plural} {name} is not in the file")

    async def list(
        self, resource: client.Resource, namespace: str, *, labels: str = "", fields: str = "", limit: float | None = None
    ) -> client.Json:
        wanted = dict(part.split("=", 1) for part in labels.split(",") if part)
        return {"items": [dict(one) for one in self._found[resource] if wanted.items() <= _labels(one).items()]}


def objects(config_maps: Iterable[Found], revisions: Iterable[Found]) -> Objects:
    """Of everything in a namespace, what belongs to the audit."""
    maps = list(config_maps)
    start = record_document.config_map_name("")
    return Objects(
        tuple(one for one in maps if _name(one) == trusted_keys.CONFIG_MAP),
        tuple(one for one in maps if _name(one).startswith(start)),
        tuple(one for one in revisions if _labels(one).get(record_document.KIND_LABEL) == "revision"),
    )


def _once(events: Iterable[Found]) -> list[Event]:
    """What was changed is another event, of the same hash. Without number, replica or hash it is none."""
    chosen = ({name: one[name] for name in audit.FIELDS if name in one} for one in events)
    whole = [one for one in chosen if type(one.get("seq")) is int and all(isinstance(one.get(name), str) for name in _PLACE[1:])]
    return sorted(
        {json.dumps(one, sort_keys=True): one for one in whole}.values(),
        key=lambda one: (one["replica"], one["seq"], one["hash"]),
    )


def _readable(found: object) -> bool:
    """Of the shape that every object of these kinds has; what it says is another question."""
    if not isinstance(found, dict) or not isinstance(found.get("data") or {}, dict):
        return False
    metadata = found.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return False
    labels = metadata.get("labels") or {}
    return isinstance(labels, dict) and all(isinstance(one, str) for one in labels.values())


def _counts(events: int, left_out: Sequence[Found], found: Objects) -> dict[str, int]:
    return {
        "events": events, "left_out": len(left_out), "keys": len(found.keys), "records": len(found.records),
        "revisions": len(found.revisions),
    }  # fmt: skip


def _bare(found: Found) -> dict[str, Any]:
    """Without what the API server adds for itself."""
    metadata = {name: one for name, one in (found.get("metadata") or {}).items() if name in _KEPT}
    return {**{name: one for name, one in found.items() if name != "metadata"}, "metadata": metadata}


def _name(found: Found) -> str:
    metadata = found.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _labels(found: Found) -> dict[str, Any]:
    metadata = found.get("metadata")
    given = metadata.get("labels") if isinstance(metadata, dict) else None
    return given if isinstance(given, dict) else {}
