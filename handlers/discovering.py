"""What the old cluster serves, proposed as entries of `migration.yaml`, and written there once a person has said so.

An added entry stands at weight 0: it is named, and nothing of it moves. Looking writes nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from handlers import messages, ports, speaking
from handlers.rules import effects, refusals
from k8s import discovery, errors, model, wish_append, wish_document
from k8s.discovery import listing

MOST_AT_ONCE = 1000
_SHOWN = 10  # names in a sentence for people; the audit has them all
_NEXT = "Nothing moves: they stand at 0%, and `/migrate prepare NAME` is the next step for each."


class Listing(Protocol):
    async def objects(self) -> listing.Listed:
        """Ingresses, Services and EndpointSlices of the old cluster. Raises errors.ClusterError."""


class Book(Protocol):
    async def append(self, pieces: Sequence[str]) -> wish_append.Appended:
        """All or nothing, in one write. Raises ValueError for what is refused, errors.ClusterError."""


@dataclass(frozen=True, slots=True)
class Accept:
    """Somebody wants these in `migration.yaml`. `names`: of proposals, as they are. `texts`: by name, documents as adjusted.

    `seen`: `discovery.digest` of the proposals of `names` as they were shown; empty: whatever they are now. The same again
    changes nothing, whatever its `id`.
    """

    id: str
    at: datetime
    actor: messages.Person
    names: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """`sentence`: what happened, or the whole refusal. `added`: names that are new in `migration.yaml`."""

    sentence: str
    refusal: refusals.Refusal | None = None
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """As settings say. `ingress_class`: whose canaries the entry may rely on. `namespaces`: where to look; empty: everywhere."""

    rules: tuple[discovery.HostRule, ...] = ()
    namespaces: tuple[str, ...] = ()
    ingress_class: str = "nginx"


class Discovering:
    def __init__(
        self, cluster: ports.Cluster, audit: ports.AuditLog, *, old: Listing, book: Book, wanted: Wanted | None = None
    ) -> None:
        self._cluster = cluster
        self._audit = audit
        self._old = old
        self._book = book
        self._wanted = wanted or Wanted()

    async def discover(self) -> discovery.Found:
        """Everything that could be added. Raises errors.ClusterError when the old cluster cannot be read."""
        listed = await self._old.objects()
        document = self._cluster.view().document.text
        return await asyncio.to_thread(self._found, listed, document)

    async def accept(self, asked: Accept) -> Accepted:
        """Adds them at weight 0, all or nothing. Raises nothing that a person could do something about: refusals say it."""
        if asked.actor.refused:
            who = asked.actor.shown
            refusal = refusals.refuse(refusals.Reason.PERSON, service="migration.yaml", who=who, why=asked.actor.refused)
            return Accepted(refusal.sentence, refusal)
        try:
            chosen = await self._chosen(asked)
            pieces = [*(one.text for one in chosen), *asked.texts.values()]
            _demand_some(pieces)
            done = await self._book.append(pieces)
        except ValueError as error:
            return _refused(str(error))
        except errors.ClusterError as error:
            return _refused(str(error), reason=refusals.Reason.NOT_ADDED_NOW)
        if done.added:
            await speaking.spoken(self._audit.record(_event(asked.actor, done.added)))
        return Accepted(" ".join([_what(done), *self._beware(chosen)]), added=done.added)

    async def _chosen(self, asked: Accept) -> list[discovery.Proposal]:
        """The proposals that are taken as they are. Raises ValueError when one is not there any more, or is another now."""
        names = [name for name in dict.fromkeys(asked.names) if name not in asked.texts]
        if not names:
            return []
        proposals = {one.name: one for one in (await self.discover()).proposals}
        gone = [name for name in names if name not in proposals]
        if gone:
            named = self._cluster.view().services
            there = [name for name in gone if name in named]
            why = "is in migration.yaml already" if there == gone else "is not proposed any more"
            raise ValueError(f"{_listed(gone)} {why}; look again with `/migrate discover`")
        chosen = [proposals[name] for name in names]
        if asked.seen and asked.seen != discovery.digest(chosen):
            raise ValueError("what was shown is no longer what would be written; look again with `/migrate discover`")
        return chosen

    def _found(self, listed: listing.Listed, document: str) -> discovery.Found:
        trouble = list(listed.trouble)
        taken = discovery.Known()
        try:
            taken = discovery.known(wish_document.read_entries(document))
        except wish_document.WishError as error:
            trouble.append(
                f"migration.yaml cannot be read, so that nobody knows what it names, and nothing can be added: {error}"
            )
        if not self._wanted.rules:
            trouble.append(
                "No rule says what a host is called in the new cluster; add one under discovery.rules in the settings."
            )
        return discovery.found(
            listed.table,
            listed.behind,
            rules=self._wanted.rules,
            taken=taken,
            ingress_class=self._wanted.ingress_class,
            namespaces=self._wanted.namespaces,
            trouble=tuple(trouble),
        )

    def _beware(self, chosen: Sequence[discovery.Proposal]) -> list[str]:
        told = []
        if stopped := [one.name for one in chosen if one.stops]:
            told.append(f"Something stops {_listed(stopped)} at the proxy: correct it before you prepare that host.")
        if controller := self._cluster.view().document.controller:
            told.append(
                f"{controller} keeps migration.yaml: add the same entries where it takes it from, or it removes them again."
            )
        return told


def _demand_some(pieces: Sequence[str]) -> None:
    if not 0 < len(pieces) <= MOST_AT_ONCE:
        raise ValueError(f"{len(pieces)} services were chosen; choose 1 to {MOST_AT_ONCE} at a time")


def _what(done: wish_append.Appended) -> str:
    if not done.added:
        return f"Nothing was written: {_listed(done.there)} stand in migration.yaml already, exactly so."
    already = f" ({len(done.there)} stood there already)" if done.there else ""
    many = "1 service was" if len(done.added) == 1 else f"{len(done.added)} services were"
    return f"{many} added to migration.yaml: {_listed(done.added)}{already}. {_NEXT}"


def _event(actor: messages.Person, added: Sequence[str]) -> effects.AuditEvent:
    return effects.AuditEvent(
        kind=effects.EventKind.ADDED,
        who=actor.id,
        service=added[0] if len(added) == 1 else model.ALL_SERVICES,
        operation="",
        sentence=f"{actor.shown} added to migration.yaml at 0%: {', '.join(added)}",
        source=actor.source,
    )


def _refused(why: str, *, reason: refusals.Reason = refusals.Reason.NOT_ADDED) -> Accepted:
    refusal = refusals.refuse(reason, service="migration.yaml", why=why.rstrip("."))
    return Accepted(refusal.sentence, refusal)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
