"""Everything Ferry's namespace says, kept current: the wish, the holds, the records with their signatures checked."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

from k8s import (
    client,
    hold_document,
    holds,
    model,
    record_document,
    signing,
    views,
    watch,
    wish,
    wish_following,
)

Parser = Callable[[str], wish_following.Reading]  # raises ValueError with a sentence when nothing can be read
Weights = Callable[[str], Mapping[str, int]]  # never raises: the weights that can be understood in such a document


class ClusterWatch:
    """Watches from `async with` on; `view` is what was last seen, `changes` tells of every newer one.

    `parse` reads `migration.yaml`, entry by entry. What it refuses leaves the last good in the view, with the trouble; what is
    lower in it (where nothing can be read: what `weights` finds) is obeyed all the same. See `k8s.wish_following`. `journeys`:
    show them too; agents have no use for them.
    """

    def __init__(
        self,
        api: client.ClusterClient,
        namespace: str,
        verifier: signing.Verifier,
        parse: Parser,
        *,
        weights: Weights | None = None,
        limits: watch.Limits | None = None,
        journeys: bool = False,
    ) -> None:
        def watcher(*, labels: str = "", name: str = "") -> watch.Watcher:
            fields = f"metadata.name={name}" if name else ""
            selection = watch.Selection(client.CONFIG_MAPS, namespace, labels=labels, fields=fields)
            return watch.Watcher(api, selection, limits=limits)

        self._verifier = verifier
        self._parse = parse
        self._weights = weights
        self._reads_journeys = journeys
        self._config = watcher(name=wish.CONFIG_MAP)
        self._holds = watcher(name=holds.CONFIG_MAP)
        self._records = watcher(labels=record_document.RECORD_SELECTOR)
        self._document = views.Document()
        self._read: tuple[str, wish_following.Reading] | None = None  # the last text that could be read, and what it says
        self._document_version = ""  # of the ConfigMap, whether it has the document or not
        self._follow: Callable[[], wish_following.Following] = lambda: wish_following.START
        self._following = wish_following.START
        self._standing: tuple[model.Hold, ...] = ()
        self._holds_trouble: tuple[str, ...] = ()
        self._record_maps: dict[str, Mapping[str, Any]] = {}  # as they were read: a new set of keys judges them anew
        self._sightings: dict[str, record_document.Sighting] = {}
        self._highest: dict[tuple[str, str], int] = {}  # generation by service and uid of the record's ConfigMap
        self._journeys: dict[tuple[str, str], Mapping[str, Any]] = {}  # the newest seen, by the same
        self._lost: dict[str, str] = {}
        self._view = views.ClusterView()
        self._newer = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "ClusterWatch":
        self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    def start(self) -> None:
        runs: list[tuple[str, watch.Watcher, Callable[[watch.Change], None]]] = [
            (wish.CONFIG_MAP, self._config, self._see_config),
            (holds.CONFIG_MAP, self._holds, self._see_holds),
            ("records", self._records, self._see_records),
        ]
        self._tasks = [asyncio.create_task(self._run(*run), name=f"watch {run[0]}") for run in runs]

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def view(self) -> views.ClusterView:
        return self._view

    def trust(self, verifier: signing.Verifier) -> None:
        """Another set of public keys from now on: every record is judged anew."""
        self._verifier = verifier
        self._sightings = dict(self._sighted(one) for one in self._record_maps.values())
        self._publish()

    async def changes(self) -> AsyncGenerator[views.ClusterView, None]:
        """The view now, then every newer one; what changes while the reader is busy comes as one."""
        told: views.ClusterView | None = None
        while True:
            newer = self._newer
            if self._view is not told:
                told = self._view
                yield told
            else:
                await newer.wait()

    async def _run(self, name: str, watcher: watch.Watcher, see: Callable[[watch.Change], None]) -> None:
        async with contextlib.aclosing(watcher.changes()) as changes:
            async for change in changes:
                if isinstance(change, watch.Lost):
                    self._lost[name] = f"{name} cannot be watched: {change.because}"
                else:
                    self._lost.pop(name, None)
                    see(change)
                self._publish()

    def _see_config(self, change: watch.Change) -> None:
        item, version = _one_of(change, wish.CONFIG_MAP)
        self._document = wish.document_from(item, before=self._document)
        self._document_version = version
        self._follow = self._following_of(item, self._following)

    def _following_of(
        self, item: Mapping[str, Any] | None, before: wish_following.Following
    ) -> Callable[[], wish_following.Following]:
        """What counts after `before`, asked again whenever other services have records: a service that is not known yet may be
        what a broken entry is about."""
        if item is None or not self._document.version:
            lost = f"{wish.CONFIG_MAP} with the key {wish.DOCUMENT} is missing; put it back with kubectl apply"
            return lambda: wish_following.missing(lost)
        text = self._document.text
        try:
            reading = self._reading(text)
        except ValueError as error:
            refused = f"{wish.DOCUMENT} is refused: {error}"
            asked = self._weights(text) if self._weights is not None else {}
            return lambda: wish_following.unreadable(before, refused, hosts=self._hosts(), asked=asked)
        return lambda: wish_following.followed(before, reading, hosts=self._hosts())

    def _reading(self, text: str) -> wish_following.Reading:
        """A text is read once: a thousand entries take a tenth of a second, and more is written to its ConfigMap than the text.

        Not in a thread: what the other watches say meanwhile would be shown beside a document that is older than they are, or,
        at the start, beside none. Raises ValueError.
        """
        if self._read is None or self._read[0] != text:
            self._read = text, self._parse(text)
        return self._read[1]

    def _hosts(self) -> dict[str, str]:
        return {name: seen.record.exposure.old_host if seen.record is not None else "" for name, seen in self._sightings.items()}

    def _see_holds(self, change: watch.Change) -> None:
        data = (_one_of(change, holds.CONFIG_MAP)[0] or {}).get("data") or {}
        self._standing = hold_document.holds_from(data)
        strange = [key for key in sorted(data) if hold_document.hold_from(key, data[key]) is None]
        self._holds_trouble = tuple(
            f"{holds.CONFIG_MAP}: the key {key!r} is no hold; write hold.SERVICE.ID or hold.all.ID" for key in strange
        )

    def _see_records(self, change: watch.Change) -> None:
        match change:
            case watch.Listed(objects):
                self._record_maps = dict(objects)
                self._sightings = dict(self._sighted(one) for one in objects.values())
            case watch.Changed(name, item):
                self._record_maps[name] = item
                self._sightings.update([self._sighted(item)])
            case watch.Gone(name):
                self._record_maps.pop(name, None)
                self._sightings = {
                    service: one for service, one in self._sightings.items() if record_document.config_map_name(service) != name
                }
            case watch.Lost():
                pass

    def _sighted(self, item: Mapping[str, Any]) -> tuple[str, record_document.Sighting]:
        seen = record_document.read(item, self._verifier, journeys=self._reads_journeys)
        if seen.record is not None:
            key = (seen.service, seen.uid)
            self._highest[key] = max(seen.record.generation, self._highest.get(key, 0))
        return seen.service, self._with_newest_journey(seen)

    def _with_newest_journey(self, seen: record_document.Sighting) -> record_document.Sighting:
        """An earlier one that was put back by hand would give back approvals that were used, or void."""
        key = (seen.service, seen.uid)
        newest = self._journeys.get(key)
        if seen.journey_sealed:
            return seen
        if seen.journey_revision >= record_document.journey_revision(newest):
            if seen.journey is not None:
                self._journeys[key] = seen.journey
            return seen
        lost = (
            f"the journey beside the record of {seen.service} was taken away or put back by hand; the newest that was seen counts"
        )
        return replace(seen, journey=newest, journey_trouble=seen.journey_trouble or lost)

    def _publish(self) -> None:
        self._following = now = self._follow()
        names = {*now.good, *now.refused, *self._sightings}
        strangers = {hold.service for hold in self._standing} - names - {model.ALL_SERVICES}
        services = {one: self._service(one) for one in sorted(names | strangers)}
        nothing_counts = now.state in {views.DocumentState.UNREADABLE, views.DocumentState.MISSING}
        whole = [now.trouble if nothing_counts else "", *self._holds_trouble, *self._lost.values()]
        self._view = views.ClusterView(
            services,
            tuple(sentence for sentence in whole if sentence),
            synced=self._synced(),
            document_trouble=now.trouble,
            document_version=self._document.version,
            document_state=now.state,
            document=replace(self._document, refused=now.others),
        )
        told, self._newer = self._newer, asyncio.Event()
        told.set()

    def _service(self, name: str) -> views.ServiceView:
        seen = self._sightings.get(name)
        return views.ServiceView(
            name,
            wished=self._following.good.get(name),
            record=seen.record if seen else None,
            record_trouble=seen.trouble if seen else "",
            operation=seen.operation if seen else None,
            holds=tuple(hold for hold in self._standing if hold.service in {name, model.ALL_SERVICES}),
            wish_version=self._document_version,
            record_version=seen.version if seen else "",
            operation_trouble=seen.operation_trouble if seen else "",
            highest=self._highest.get((seen.service, seen.uid), 0) if seen else 0,
            refused=self._following.refused.get(name, ""),
            asked=self._following.asked.get(name),
            journey=seen.journey if seen else None,
            journey_trouble=seen.journey_trouble if seen else "",
        )

    def _synced(self) -> bool:
        return self._config.synced and self._holds.synced and self._records.synced


def _one_of(change: watch.Change, name: str) -> tuple[Mapping[str, Any] | None, str]:
    """The one ConfigMap of this name after the change (None: it is gone), and the version that says so."""
    match change:
        case watch.Listed(objects, version):
            found = objects.get(name)
        case watch.Changed(changed, item):
            found, version = item if changed == name else None, ""
        case watch.Gone(_, version):
            found = None
        case watch.Lost():
            return None, ""
    if found is None:
        return None, version
    return found, str((found.get("metadata") or {}).get("resourceVersion") or "")
