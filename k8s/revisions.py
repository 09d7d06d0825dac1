"""The stored copies of records: ControllerRevisions, each with its audit entry and the hash of the one before."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from k8s import client, errors, protocol, record_document, signing, views

KEPT = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """`trouble`: why it does not verify by itself."""

    revision: views.Revision
    trouble: str = ""

    @property
    def generation(self) -> int:
        return self.revision.generation

    @property
    def verified(self) -> bool:
        return not self.trouble


class Revisions:
    def __init__(self, api: client.ClusterClient, namespace: str, verifier: signing.Verifier) -> None:
        self._api = api
        self._namespace = namespace
        self._verifier = verifier

    async def all(self, service: str) -> tuple[Kept, ...]:
        """Every readable one of the service, highest generation first."""
        found = [
            Kept(one, record_document.revision_trouble(raw, self._verifier)) for raw, one in await self._read(service) if one
        ]
        return tuple(sorted(found, key=lambda kept: (kept.generation, kept.revision.name), reverse=True))

    async def create(self, document: Mapping[str, Any]) -> bool:
        """False when one of this name exists."""
        try:
            await self._api.create(client.CONTROLLER_REVISIONS, self._namespace, document)
        except errors.Conflict:
            return False
        return True

    async def prune(self, service: str, record: protocol.Record) -> None:
        """Keeps the newest, and never fails a write that has come into force: what is left over goes next time.

        Those that nobody points to go first.
        """
        try:
            kept = await self.all(service)
            pointed = {one.name for one in chain(kept, record)}
            older = [one for one in kept if one.generation < record.generation]
            surplus = sorted(older, key=lambda one: (one.revision.name in pointed, one.generation))[: max(0, len(kept) - KEPT)]
            for one in surplus:
                await self._api.delete(client.CONTROLLER_REVISIONS, self._namespace, one.revision.name)
        except errors.ClusterError:
            return

    async def troubles(self, service: str, record: protocol.Record | None) -> tuple[str, ...]:
        """Everything that does not verify, in sentences. Unpointed leftovers of a crash are no trouble unless forged."""
        raws = await self._read(service)
        sentences = [trouble for raw, _ in raws if (trouble := record_document.revision_trouble(raw, self._verifier))]
        if record is None:
            return tuple(sentences)
        links = chain([Kept(one) for _, one in raws if one], record)
        if not links:
            return (*sentences, f"generation {record.generation} points to {record.revision}, which is gone")
        if links[0].record != record:
            sentences.append(f"{links[0].name}: it is not a copy of the record that points to it")
        sentences += [
            f"{newer.name}: its generation is not above that of {older.name}"
            for newer, older in itertools.pairwise(links)
            if newer.generation <= older.generation
        ]
        operations = [link.record.operation for link in links]
        sentences += [
            f"operation {one} appears in more than one change" for one in sorted(set(operations)) if operations.count(one) > 1
        ]
        if links[-1].previous and len(raws) < KEPT:
            sentences.append(f"{links[-1].name}: the revision before it is gone or was changed (hash {links[-1].previous[:12]})")
        return tuple(sentences)

    async def _read(self, service: str) -> list[tuple[dict[str, Any], views.Revision | None]]:
        labels = f"{record_document.KIND_LABEL}=revision,{record_document.SERVICE_LABEL}={service}"
        answer = await self._api.list(client.CONTROLLER_REVISIONS, self._namespace, labels=labels)
        read = [(raw, record_document.revision_from(raw)) for raw in answer["items"]]
        return [(raw, one if one and one.service == service else None) for raw, one in read]


def newest(kept: Iterable[Kept], record: protocol.Record | None, uid: str = "") -> views.Revision | None:
    """The one that the next must follow: the one that the record points to.

    Without a record (lost, or never written) the highest that verifies and that was in force once: made for a ConfigMap that
    is gone (another `uid`), or followed by another. What remains is what a crash before the first record left behind.
    """
    known = list(kept)
    if record is not None:
        return next((one.revision for one in known if one.revision.name == record.revision), None)
    followed = {one.revision.previous for one in known if one.verified}
    past = [one.revision for one in known if one.verified and (one.revision.record.uid != uid or one.revision.hash in followed)]
    return max(past, key=lambda one: one.generation, default=None)


def chain(kept: Iterable[Kept], record: protocol.Record | None, uid: str = "") -> tuple[views.Revision, ...]:
    """From the newest back along the hashes, as far as they lead."""
    known = list(kept)
    by_hash = {one.revision.hash: one.revision for one in known}
    link = newest(known, record, uid)
    links: list[views.Revision] = []
    while link is not None and link not in links:
        links.append(link)
        link = by_hash.get(link.previous)
    return tuple(links)
