"""Writing records: the revision first, then the record that points to it, by compare-and-set.

A crash between the two leaves the old record in force; the retry of the same operation finds its revision and completes it.
"""

from collections.abc import Mapping
from typing import Any

from k8s import client, errors, protocol, record_document, revisions, signing, views

_TRIES = 6


class RecordBook:
    """`verifier`: the keys whose records count; without it only the signer's own."""

    def __init__(
        self, api: client.ClusterClient, namespace: str, signer: signing.Signer, verifier: signing.Verifier | None = None
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._signer = signer
        self._verifier = verifier or signing.Verifier.from_pems([signer.public_pem()])
        self._revisions = revisions.Revisions(api, namespace, self._verifier)

    async def write(self, change: views.RecordChange) -> tuple[protocol.Record, views.Revision]:
        """The record in force afterwards, and its revision; the same operation again changes nothing.

        Raises errors.Conflict when the record is not of `expected_generation` any more, errors.Unreachable when the
        outcome is unknown (write the same change again), other errors.ClusterError when nothing came into force.
        """
        for _ in range(_TRIES):
            seen = await self._seen_or_made(change.service)
            kept = await self._revisions.all(change.service)
            if seen.record is not None and seen.record.operation == change.operation_id:
                return seen.record, _of(seen.record, kept) or _unkept(seen.record, change)
            found = seen.record.generation if seen.record else 0
            if found != change.expected_generation:
                raise errors.Conflict(
                    f"{change.service} is at generation {found}, the change was made from {change.expected_generation}; "
                    "plan it again"
                )
            if 0 < found < change.least_generation and change.exposure.weight > 0 and not change.approvals:
                raise errors.Conflict(
                    f"the record of {change.service} was restored by hand (generation {found}, proxies have seen "
                    f"{change.least_generation}): from there nothing above 0% is a lowering; ask for a shift"
                )
            revision = await self._revision(change, seen, kept)
            if revision is None or not await self._point(change, seen, revision.record):
                continue  # somebody was faster: look again
            await self._revisions.prune(change.service, revision.record)
            return revision.record, revision
        raise errors.Conflict(f"the record of {change.service} changed {_TRIES} times while it was written; plan it again")

    async def note(self, service: str, operation: Mapping[str, Any], operation_id: str) -> None:
        """Replaces the signed running operation beside the record that this operation wrote.

        Raises errors.Conflict when the record is of another operation, or a newer `revision` of the document stands there.
        """
        for _ in range(_TRIES):
            seen = record_document.read(
                await self._api.get(client.CONFIG_MAPS, self._namespace, record_document.config_map_name(service)), self._verifier
            )
            if seen.record is None or seen.record.operation != operation_id:
                raise errors.Conflict(
                    f"the record of {service} is of operation {seen.record.operation if seen.record else 'none'}, not of "
                    f"{operation_id}; read it again"
                )
            if seen.operation is not None and seen.operation_id == operation_id:
                if seen.operation == operation:
                    return
                if _counted(seen.operation) >= _counted(operation):
                    raise errors.Conflict(f"another state of operation {operation_id} is noted already; read it again")
            if await self._set(seen, self._operation_data(seen, operation, operation_id)):
                return
        raise errors.Conflict(f"the record of {service} changed {_TRIES} times while its operation was noted; try again")

    async def keep_journey(self, service: str, document: Mapping[str, Any], expected_revision: int) -> bool:
        """Replaces the signed journey beside the record, or where the record is going to be; record and operation stay.

        False when a later one than `expected_revision` stands there (0: none may). An earlier one was put back by hand and gives
        way. The same document again changes nothing. Raises errors.Invalid for one of a newer Ferry, other errors.ClusterError.
        """
        for _ in range(_TRIES):
            seen = await self._seen_or_made(service)
            if seen.journey == document:
                return True
            if seen.journey_sealed:
                raise errors.Invalid(seen.journey_trouble)
            if seen.journey_revision > expected_revision:
                return False
            if await self._set(seen, record_document.journey_data(document, self._signer, uid=seen.uid, service=seen.service)):
                return True
        raise errors.Conflict(f"the record of {service} changed {_TRIES} times while its journey was written; try again")

    async def history(self, service: str) -> tuple[views.Revision, ...]:
        """The chain that the record points to, newest first; a revision nobody points to never happened."""
        seen = await self._seen(service)
        return revisions.chain(await self._revisions.all(service), seen.record, seen.uid)

    async def verify(self, service: str) -> tuple[str, ...]:
        """What does not verify, in sentences; empty: everything does."""
        seen = await self._seen(service)
        troubles = [trouble for trouble in (seen.trouble, seen.operation_trouble, seen.journey_trouble) if trouble]
        return (*troubles, *await self._revisions.troubles(service, seen.record))

    async def _seen(self, service: str) -> record_document.Sighting:
        name = record_document.config_map_name(service)
        try:
            return record_document.read(await self._api.get(client.CONFIG_MAPS, self._namespace, name), self._verifier)
        except errors.Missing:
            return record_document.Sighting(service, uid="", version="")

    async def _seen_or_made(self, service: str) -> record_document.Sighting:
        """Made empty first: the record names the uid, so the ConfigMap must be there before it is signed."""
        seen = await self._seen(service)
        if seen.uid:
            return seen
        try:
            made = await self._api.create(client.CONFIG_MAPS, self._namespace, record_document.empty_config_map(service))
        except errors.Conflict:
            return await self._seen(service)
        return record_document.read(made, self._verifier)

    async def _revision(
        self, change: views.RecordChange, seen: record_document.Sighting, kept: tuple[revisions.Kept, ...]
    ) -> views.Revision | None:
        """This operation's revision, found from an earlier try or made now; None: one of its name came into being meanwhile."""
        highest = max(
            [
                change.least_generation,
                seen.signed.generation if seen.signed else 0,
                *(one.generation for one in kept if one.verified),
            ]
        )
        for one in kept:
            made = one.revision.record
            if not one.verified or made.operation != change.operation_id or made.uid != seen.uid:
                continue
            if one.generation == highest > change.least_generation:
                self._demand_same(change, one.revision)
                return one.revision
        generation = highest + 1
        record = protocol.Record(
            uid=seen.uid,
            service=change.service,
            generation=generation,
            exposure=change.exposure,
            operation=change.operation_id,
            key_id=self._signer.key_id,
            approvals=change.approvals,
            plan_hash=change.plan_hash,
            clears=change.clears,
            finished=change.finished,
            revision=record_document.revision_name(change.service, generation, change.operation_id),
        )
        before = revisions.newest(kept, seen.record, seen.uid)
        document, revision = record_document.new_revision(
            record, self._signer, audit=change.audit, previous=before.hash if before else ""
        )
        return revision if await self._revisions.create(document) else None

    @staticmethod
    def _demand_same(change: views.RecordChange, revision: views.Revision) -> None:
        made = revision.record
        if (made.exposure, made.clears, made.finished) != (change.exposure, change.clears, change.finished):
            raise errors.Conflict(
                f"operation {change.operation_id} has begun to write another change to {change.service}; "
                "use a new operation id for a new change"
            )

    async def _point(self, change: views.RecordChange, seen: record_document.Sighting, record: protocol.Record) -> bool:
        data = record_document.record_data(record.encode(), self._signer)
        return await self._set(seen, {**data, **self._operation_data(seen, change.operation, change.operation_id)})

    def _operation_data(self, seen: record_document.Sighting, operation: Mapping[str, Any], operation_id: str) -> dict[str, str]:
        return record_document.operation_data(
            operation, self._signer, uid=seen.uid, service=seen.service, operation_id=operation_id
        )

    async def _set(self, seen: record_document.Sighting, data: Mapping[str, str]) -> bool:
        """Compare-and-set: False when somebody else wrote, or deleted it, first."""
        name = record_document.config_map_name(seen.service)
        labels = record_document.labels(
            seen.service, kind="record"
        )  # agents find it by these: put them back if a person took them
        body = {"metadata": {"resourceVersion": seen.version, "uid": seen.uid, "labels": labels}, "data": data}
        try:
            await self._api.patch(client.CONFIG_MAPS, self._namespace, name, body)
        except (errors.Conflict, errors.Missing):
            return False
        return True


def _of(record: protocol.Record, kept: tuple[revisions.Kept, ...]) -> views.Revision | None:
    return next((one.revision for one in kept if one.revision.name == record.revision), None)


def _unkept(record: protocol.Record, change: views.RecordChange) -> views.Revision:
    """The record came into force and its revision was deleted since; `verify` says so."""
    return views.Revision(record.revision, record.service, record.generation, record, change.audit, "", "")


def _counted(operation: Mapping[str, Any]) -> int:
    number = operation.get("revision")
    return number if isinstance(number, int) else 0
