"""One watcher for one selection of objects: list, watch, and list again on anything that goes wrong.

What it tells never goes back: a list or an event older than what was seen is dropped.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from k8s import client, errors

_LOTS = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Selection:
    """What is watched: a kind in a namespace, narrowed by label and field selectors."""

    resource: client.Resource
    namespace: str
    labels: str = ""
    fields: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. `silence`: without any event or bookmark the watch counts as dead. `reread`: a full list at least so often.

    `first_pause` doubles with every failure up to `longest_pause`; half of a pause is drawn by lot.
    """

    silence: float = 90.0
    reread: float = 300.0
    first_pause: float = 0.2
    longest_pause: float = 15.0


@dataclass(frozen=True, slots=True)
class Listed:
    """Everything selected, by name: what is not in it is gone. `version`: the resourceVersion of the list."""

    objects: Mapping[str, Mapping[str, Any]]
    version: str


@dataclass(frozen=True, slots=True)
class Changed:
    """One object was made or changed."""

    name: str
    object: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Gone:
    """One object was deleted. `version`: its resourceVersion then."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The selection can be neither listed nor watched now; what was told before may be out of date. `because`: a sentence."""

    because: str


Change = Listed | Changed | Gone | Lost


class Watcher:
    """`synced`: the last list succeeded and no failure was met since."""

    def __init__(self, api: client.ClusterClient, selection: Selection, *, limits: Limits | None = None) -> None:
        self._api = api
        self._selection = selection
        self._limits = limits or Limits()
        self._seen: dict[str, int] = {}  # version by name
        self._version = ""
        self._failures = 0
        self.synced = False

    async def changes(self) -> AsyncGenerator[Change, None]:
        """Endless; stop it by closing the iterator or cancelling the task."""
        while True:
            try:
                listed = await self._list()
                self.synced = True
                yield listed
                async with contextlib.aclosing(self._follow()) as events:
                    async for change in events:
                        yield change
            except errors.ClusterError as error:
                if isinstance(error, errors.Expired) and self.synced and not self._failures:
                    self._failures = 1  # too old is no outage: list at once, but not in a circle
                    continue
                self.synced = False
                yield Lost(str(error))
                await self._pause(error)

    async def _list(self) -> Listed:
        where = self._selection
        answer = await self._api.list(where.resource, where.namespace, labels=where.labels, fields=where.fields)
        version = str((answer.get("metadata") or {}).get("resourceVersion") or "")
        if _number(version) < _number(self._version):
            raise errors.Expired(
                f"the list of {where.resource.plural} is of version {version}, older than {self._version} seen before; it is "
                "ignored until the API server has caught up; if the cluster was restored from a backup, restart Ferry"
            )
        self._version = version
        objects = {name: item for item in answer["items"] if (name := _name(item))}
        self._seen = {name: _object_version(item) for name, item in objects.items()}
        return Listed(objects, version)

    async def _follow(self) -> AsyncGenerator[Change, None]:
        """Events until the watch ends by itself, falls silent, or a full list is due. Raises ClusterError on refusals."""
        where, limits = self._selection, self._limits
        began = time.monotonic()
        events = self._api.watch(
            where.resource,
            where.namespace,
            version=self._version,
            labels=where.labels,
            fields=where.fields,
            silence=limits.silence,
            lasts=max(1, int(limits.reread)),
        )
        heard = False
        async with contextlib.aclosing(events):
            async for event in events:
                heard, self._failures = True, 0
                change = self._take(event)
                if change is not None:
                    yield change
                if time.monotonic() - began > limits.reread:
                    return
        if not heard and time.monotonic() - began < limits.first_pause:
            # A server that ends every watch at once must not be asked in a circle.
            raise errors.Unreachable(f"the watch of {where.resource.plural} ended at once; it is tried again")
        self._failures = 0

    def _take(self, event: Mapping[str, Any]) -> Change | None:
        item = event["object"]
        version, name = _object_version(item), _name(item)
        text = str(item["metadata"].get("resourceVersion") or "")
        if event["type"] == "BOOKMARK":
            if version > _number(self._version):
                self._version = text
            return None
        if not name or version <= self._seen.get(name, 0):
            return None
        if version > _number(self._version):
            self._version = text
        self._seen[name] = version
        return Gone(name, text) if event["type"] == "DELETED" else Changed(name, item)

    async def _pause(self, error: errors.ClusterError) -> None:
        longest = min(self._limits.longest_pause, self._limits.first_pause * 2 ** min(self._failures, 16))
        self._failures += 1
        asked = error.retry_after if isinstance(error, errors.Busy) else 0.0
        await asyncio.sleep(max(asked, _LOTS.uniform(longest / 2, longest)))


def _name(item: Mapping[str, Any]) -> str:
    return str((item.get("metadata") or {}).get("name") or "")


def _object_version(item: Mapping[str, Any]) -> int:
    return _number(str((item.get("metadata") or {}).get("resourceVersion") or ""))


def _number(version: str) -> int:
    """Versions of one server grow; a text that is no number counts as the oldest."""
    return int(version) if version.isdecimal() else 0
