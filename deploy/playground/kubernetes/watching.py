"""Watches: a list's continuation as a stream of lines, from one version on."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from aiohttp import web

from deploy.playground.kubernetes import failures
from deploy.playground.kubernetes.failures import ApiFailure
from deploy.playground.kubernetes.kinds import Json, Kind
from deploy.playground.kubernetes.selectors import Selection
from deploy.playground.kubernetes.store import Change, Store


@dataclass(frozen=True, slots=True)
class Wish:
    """What a watch asks for. `version`: 0 means "what is there now, then what changes"; `timeout`: seconds, 0 for the
    server's own choice."""

    kind: Kind
    namespace: str
    selection: Selection
    version: int = 0
    timeout: float = 0.0
    bookmarks: bool = False
    initial_events: bool = False


class Watch:
    """One open watch. Lines queue up here the moment a change commits."""

    def __init__(self, wish: Wish, store: Store, *, bookmark_every: float) -> None:
        self._wish = wish
        self._store = store
        self._bookmark_every = bookmark_every
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._timers: list[asyncio.TimerHandle] = []
        self._unlisten: Callable[[], None] = lambda: None
        self._cut = asyncio.Event()
        self.reset = False

    def begin(self) -> None:
        """Queues what already happened and starts to listen. Raises 410 when the version is no longer known."""
        wish = self._wish
        if wish.version and not wish.initial_events:
            past = self._store.since(wish.kind, wish.version)
        else:
            past = []
            for item in self._store.all(wish.kind, wish.namespace):
                if wish.selection.matches(item):
                    self._lines.put_nowait(orjson.dumps({"type": "ADDED", "object": item}) + b"\n")
            if wish.initial_events:
                self._lines.put_nowait(self._bookmark(initial=True))
        for change in past:
            self._hear(change)
        self._unlisten = self._store.listen(wish.kind, self._hear)
        loop = asyncio.get_running_loop()
        seconds = wish.timeout or random.uniform(1800, 3600)
        self._timers = [loop.call_later(seconds, self.close)]
        if wish.bookmarks:
            self._timers.append(loop.call_later(self._bookmark_every, self._remind))

    def cut(self) -> None:
        """Falls silent for ever, with the connection left open."""
        self._cut.set()
        self.end()

    def close(self, *, cleanly: bool = True) -> None:
        """Ends the stream, or resets its connection."""
        if cleanly and self._wish.bookmarks:
            self._lines.put_nowait(self._bookmark())
        self.reset = not cleanly
        self._lines.put_nowait(None)

    def expire(self) -> None:
        """Ends the stream with an ERROR event 410."""
        self._lines.put_nowait(
            error_line(failures.gone(f"too old resource version: {self._wish.version} ({self._store.version})"))
        )
        self._lines.put_nowait(None)

    def end(self) -> None:
        """Stops listening and all timers."""
        self._unlisten()
        for timer in self._timers:
            timer.cancel()

    async def pour(self, response: web.StreamResponse, flowing: asyncio.Event) -> None:
        """Writes lines as they come until the watch ends. Nothing passes while `flowing` is not set."""
        while True:
            line = await self._lines.get()
            await flowing.wait()
            if self._cut.is_set():
                await asyncio.Event().wait()
            if line is None:
                return
            lines = [line]
            while not self._lines.empty() and lines[-1] is not None:
                lines.append(self._lines.get_nowait() or b"")
                if not lines[-1]:
                    self._lines.put_nowait(None)
                    break
            await response.write(b"".join(lines))

    def _hear(self, change: Change) -> None:
        wish = self._wish
        if wish.namespace and change.key[0] != wish.namespace:
            return
        as_type = _seen_as(change, wish.selection)
        if as_type:
            self._lines.put_nowait(change.frame(as_type))

    def _remind(self) -> None:
        self._lines.put_nowait(self._bookmark())
        self._timers[1] = asyncio.get_running_loop().call_later(self._bookmark_every, self._remind)

    def _bookmark(self, *, initial: bool = False) -> bytes:
        metadata: Json = {"resourceVersion": str(self._store.version), "creationTimestamp": None}
        if initial:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        kind = self._wish.kind
        item = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
        return orjson.dumps({"type": "BOOKMARK", "object": item}) + b"\n"


def error_line(failure: ApiFailure) -> bytes:
    """A refusal as the last event of a stream."""
    return orjson.dumps({"type": "ERROR", "object": failure.status}) + b"\n"


def _seen_as(change: Change, selection: Selection) -> str:
    """How a change looks through a selector: entering it is ADDED, leaving it is DELETED."""
    if not selection:
        return change.type
    before = change.previous is not None and selection.matches(change.previous)
    after = change.type != "DELETED" and selection.matches(change.object)
    if after:
        return "MODIFIED" if before else "ADDED"
    return "DELETED" if before else ""
