"""What the use cases see of the cluster (`handlers.ports`), over the rooms of `k8s`."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import structlog

from bot import background, metrics
from bot.store import proof
from handlers import ports
from handlers.rules import effects, migration
from k8s import cluster_watch, errors, holds, model, protocol, records, signing, views, wish, wish_change

_LOG = structlog.get_logger(__name__)


class ClusterPort:
    """`handlers.ports.Cluster` over the watches, and their voice in the log."""

    def __init__(self, watch: cluster_watch.ClusterWatch) -> None:
        self._watch = watch
        self._voice: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watches from now on; an API server that is away is tried until it answers."""
        self._watch.start()
        if self._voice is None:
            self._voice = asyncio.create_task(self._speak(), name="cluster voice")

    async def stop(self) -> None:
        voice, self._voice = self._voice, None
        await background.end(voice)
        await self._watch.stop()

    def trust(self, verifier: signing.Verifier) -> None:
        """The keys that signatures are checked with have changed: every record is judged anew."""
        self._watch.trust(verifier)

    def view(self) -> views.ClusterView:
        return self._watch.view()

    def service(self, name: str) -> views.ServiceView:
        return self._watch.view().services.get(name) or views.ServiceView(name)

    async def changed(self) -> None:
        before = self._watch.view()
        async with contextlib.aclosing(self._watch.changes()) as newer:
            async for view in newer:
                if view is not before:
                    return

    def trouble(self) -> str:
        """Why the cluster cannot be read, as one sentence; empty: it is read completely."""
        view = self._watch.view()
        if view.synced:
            return ""
        why = "; ".join(view.trouble) or "the API server has not answered yet"
        return f"The cluster cannot be read completely, nothing is raised: {why}"

    async def _speak(self) -> None:
        """Each trouble once when it begins and once when it ends: a server that is away must not fill the log."""
        said: frozenset[str] = frozenset()
        synced = False
        async with contextlib.aclosing(self._watch.changes()) as newer:
            async for view in newer:
                troubles = frozenset(view.trouble)
                for sentence in sorted(troubles - said):
                    _LOG.warning("trouble in the cluster", trouble=sentence)
                if said and not troubles:
                    _LOG.info("no trouble in the cluster any more")
                if view.synced != synced:
                    _LOG.info("the cluster is read completely" if view.synced else "the cluster cannot be read completely")
                said, synced = troubles, view.synced


class Records:
    """`handlers.ports.Records`. `head`: where the audit chain of this replica stands; every revision carries it, signed."""

    def __init__(self, book: records.RecordBook, *, head: Callable[[], str]) -> None:
        self._book = book
        self._head = head

    async def write(self, change: views.RecordChange) -> protocol.Record:
        anchored = {proof.ANCHOR_FIELD: head} if (head := self._head()) else {}
        record, _ = await self._book.write(replace(change, audit={**change.audit, **anchored}))
        return record

    async def note(self, service: str, operation: Mapping[str, Any]) -> None:
        """Beside the record that the operation wrote, or the one that took it back."""
        written = str(operation["id"])
        try:
            await self._book.note(service, operation, written)
        except errors.Conflict:
            await self._book.note(service, operation, effects.revert_id(written))

    async def history(self, service: str) -> tuple[views.Revision, ...]:
        return await self._book.history(service)


class Journeys:
    """`handlers.ports.Journeys`."""

    def __init__(self, book: records.RecordBook) -> None:
        self._book = book

    async def keep(self, service: str, journey: Mapping[str, Any], expected_revision: int) -> bool:
        return await self._book.keep_journey(service, journey, expected_revision)


class Wishes:
    """`handlers.ports.Wishes`."""

    def __init__(self, book: wish.WishBook) -> None:
        self._book = book

    async def write(self, change: wish_change.WishChange) -> str:
        return await self._book.write(change)


class Holds:
    """`handlers.ports.Holds`, timed."""

    def __init__(self, book: holds.HoldBook, *, clock: ports.Clock, counts: metrics.Metrics) -> None:
        self._book = book
        self._clock = clock
        self._counts = counts

    async def place(self, hold: model.Hold) -> None:
        began = self._clock.monotonic()
        written = False
        try:
            await self._book.place(hold)
            written = True
        finally:
            self._counts.hold_placed(self._clock.monotonic() - began, written=written)

    async def adopt(self, hold: model.Hold) -> bool:
        return await self._book.adopt(hold)

    async def remove(self, standing: tuple[model.Hold, ...]) -> None:
        await self._book.remove(standing)


class CountedPending:
    """`handlers.ports.Pending` that counts what was decided, by outcome."""

    def __init__(self, pending: ports.Pending, counts: metrics.Metrics) -> None:
        self._pending = pending
        self._counts = counts

    async def load(self, service: str) -> migration.Operation | None:
        return await self._pending.load(service)

    async def find(self, operation_id: str) -> migration.Operation | None:
        return await self._pending.find(operation_id)

    async def save(self, operation: migration.Operation, expected_revision: int) -> bool:
        return await self._pending.save(operation, expected_revision)

    async def drop(self, operation: migration.Operation) -> None:
        self._counts.operation_decided(operation)
        await self._pending.drop(operation)
