"""The ConfigMap of a record, the document of an operation and the ControllerRevision that keeps a copy. Pure.

Names, labels and keys stand here alone; agents and bot read them through the same functions.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from k8s import protocol, signing, views

KIND_LABEL = "ferry.migration/kind"
SERVICE_LABEL = "ferry.migration/service"
RECORD_SELECTOR = f"{KIND_LABEL}=record"
REVISION_DOMAIN = b"ferry/revision/1\n"
JOURNEY_DOMAIN = b"ferry/journey/1\n"
_ENVELOPE = {"protocol", "key_id", "uid", "service", "operation_id", "operation"}
_JOURNEY_ENVELOPE = {"protocol", "key_id", "uid", "service", "journey"}


@dataclass(frozen=True, slots=True)
class Sighting:
    """A record's ConfigMap as it was found. `signed`: decoded and its signature is good, for whatever ConfigMap it was made.

    `counts`: also signed for this very ConfigMap and service. `trouble`: why it does not count, a sentence. `operation`:
    the verified document beside it. `journey`: likewise, of the service's way (`journey_revision` is its own count);
    `journey_sealed`: a newer Ferry signed it for this service: it is neither read nor written over.
    """

    service: str
    uid: str
    version: str
    signed: protocol.Record | None = None
    payload: bytes = b""
    counts: bool = False
    trouble: str = ""
    operation: Mapping[str, Any] | None = None
    operation_id: str = ""
    operation_trouble: str = ""
    journey: Mapping[str, Any] | None = None
    journey_trouble: str = ""
    journey_sealed: bool = False

    @property
    def journey_revision(self) -> int:
        return journey_revision(self.journey)

    @property
    def record(self) -> protocol.Record | None:
        """The record, if it counts."""
        return self.signed if self.counts else None


def config_map_name(service: str) -> str:
    return f"migration-record-{service}"


def labels(service: str, *, kind: str) -> dict[str, str]:
    return {KIND_LABEL: kind, SERVICE_LABEL: service, "app.kubernetes.io/part-of": "ferry"}


def empty_config_map(service: str) -> dict[str, Any]:
    metadata = {"name": config_map_name(service), "labels": labels(service, kind="record")}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}}


def record_data(payload: bytes, signer: signing.Signer) -> dict[str, str]:
    return {"record": payload.decode(), "signature": signer.sign(protocol.RECORD_DOMAIN + payload)}


def operation_data(
    operation: Mapping[str, Any], signer: signing.Signer, *, uid: str, service: str, operation_id: str
) -> dict[str, str]:
    """Bound to its ConfigMap and service, so that it cannot be copied to another."""
    envelope = {
        "protocol": protocol.VERSION,
        "key_id": signer.key_id,
        "uid": uid,
        "service": service,
        "operation_id": operation_id,
        "operation": operation,
    }
    payload = canonical(envelope)
    return {"operation": payload.decode(), "operation-signature": signer.sign(protocol.OPERATION_DOMAIN + payload)}


def journey_data(journey: Mapping[str, Any], signer: signing.Signer, *, uid: str, service: str) -> dict[str, str]:
    """Bound to its ConfigMap and service like an operation. Agents and older bots do not look at it."""
    envelope = {"protocol": protocol.VERSION, "key_id": signer.key_id, "uid": uid, "service": service, "journey": journey}
    payload = canonical(envelope)
    return {"journey": payload.decode(), "journey-signature": signer.sign(JOURNEY_DOMAIN + payload)}


def journey_revision(journey: Mapping[str, Any] | None) -> int:
    """The document's own count of its changes; 0: there is none."""
    number = journey.get("revision") if journey is not None else 0
    return number if isinstance(number, int) else 0


def read(config_map: Mapping[str, Any], verifier: signing.Verifier, *, journeys: bool = True) -> Sighting:
    """What a record's ConfigMap says; never raises: what cannot be read counts not and says why. `journeys`: read it too."""
    metadata = config_map.get("metadata") or {}
    name = str(metadata.get("name") or "")
    service = name.removeprefix("migration-record-")
    data = config_map.get("data") or {}
    uid = str(metadata.get("uid") or "")
    operation, operation_id, operation_trouble = _operation(data, verifier, service, uid)
    journey, journey_trouble, journey_sealed = _journey(data, verifier, service, uid) if journeys else (None, "", False)
    seen = Sighting(
        service,
        uid,
        str(metadata.get("resourceVersion") or ""),
        operation=operation,
        operation_id=operation_id,
        operation_trouble=operation_trouble,
        journey=journey,
        journey_trouble=journey_trouble,
        journey_sealed=journey_sealed,
    )
    if not data.get("record"):
        return seen
    payload = str(data["record"]).encode()
    try:
        record = protocol.decode_record(payload)
    except protocol.ProtocolError as error:
        return replace(seen, trouble=f"{name}: {error}")
    if not verifier.verify(record.key_id, protocol.RECORD_DOMAIN + payload, str(data.get("signature") or "")):
        return replace(seen, trouble=f"{name}: no trusted key ({record.key_id}) has signed this record")
    trouble = ""
    if record.uid != uid:
        trouble = f"{name}: the record was signed for another ConfigMap (restored or copied by hand); shift the service again"
    elif record.service != service:
        trouble = f"{name}: the record is of service {record.service!r}; shift the service again"
    return replace(seen, signed=record, payload=payload, counts=not trouble, trouble=trouble)


def _operation(
    data: Mapping[str, Any], verifier: signing.Verifier, service: str, uid: str
) -> tuple[Mapping[str, Any] | None, str, str]:
    text = data.get("operation")
    if not text:
        return None, "", ""
    payload = str(text).encode()
    try:
        envelope = json.loads(payload)
        if set(envelope) != _ENVELOPE or envelope["protocol"] != protocol.VERSION:
            return None, "", f"the operation beside the record of {service} speaks another protocol; upgrade Ferry"
        signed = verifier.verify(
            str(envelope["key_id"]), protocol.OPERATION_DOMAIN + payload, str(data.get("operation-signature") or "")
        )
        document, operation_id = dict(envelope["operation"]), str(envelope["operation_id"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None, "", f"the operation beside the record of {service} cannot be read; it does not count"
    if not signed or envelope["uid"] != uid or envelope["service"] != service:
        return None, "", f"the operation beside the record of {service} is not signed for it; it does not count"
    return document, operation_id, ""


def _journey(
    data: Mapping[str, Any], verifier: signing.Verifier, service: str, uid: str
) -> tuple[Mapping[str, Any] | None, str, bool]:
    text = data.get("journey")
    if not text:
        return None, "", False
    payload, signature = str(text).encode(), str(data.get("journey-signature") or "")
    unread = f"the journey beside the record of {service} cannot be read; it does not count, and what was soaked is soaked again"
    try:
        envelope = json.loads(payload)
        signed = verifier.verify(str(envelope["key_id"]), JOURNEY_DOMAIN + payload, signature)
        if not signed or envelope["uid"] != uid or envelope["service"] != service:
            return None, f"the journey beside the record of {service} is not signed for it; it does not count", False
        if set(envelope) != _JOURNEY_ENVELOPE or envelope["protocol"] != protocol.VERSION:
            return None, f"the journey beside the record of {service} speaks another protocol; upgrade Ferry", True
        return dict(envelope["journey"]), "", False
    except (ValueError, TypeError, KeyError, RecursionError):
        return None, unread, False


def revision_name(service: str, generation: int, operation_id: str) -> str:
    """The same operation at the same generation has the same name: a retry meets its own revision."""
    return f"{config_map_name(service)}-{generation}-{hashlib.sha256(operation_id.encode()).hexdigest()[:12]}"


def new_revision(
    record: protocol.Record, signer: signing.Signer, *, audit: Mapping[str, Any], previous: str
) -> tuple[dict[str, Any], views.Revision]:
    """The ControllerRevision to create, and what it will read back as."""
    payload = record.encode()
    body: dict[str, Any] = {**record_data(payload, signer), "audit": audit, "previous": previous}
    digest = revision_hash(body)
    body["seal"] = signer.sign(REVISION_DOMAIN + digest.encode())
    document = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": record.revision, "labels": labels(record.service, kind="revision")},
        "revision": record.generation,
        "data": body,
    }
    return document, views.Revision(record.revision, record.service, record.generation, record, dict(audit), previous, digest)


def revision_hash(body: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over record, signature, audit and the hash of the one before."""
    return hashlib.sha256(canonical({name: body.get(name) for name in ("record", "signature", "audit", "previous")})).hexdigest()


def revision_from(found: Mapping[str, Any]) -> views.Revision | None:
    """None when it cannot be read as a revision. Its hash is computed anew; signatures are `revision_trouble`'s business."""
    try:
        body = dict(found["data"])
        record = protocol.decode_record(str(body["record"]).encode())
        name, audit, previous = str(found["metadata"]["name"]), dict(body["audit"]), str(body["previous"])
        return views.Revision(name, record.service, record.generation, record, audit, previous, revision_hash(body))
    except (ValueError, TypeError, KeyError):
        return None


def revision_trouble(found: Mapping[str, Any], verifier: signing.Verifier) -> str:
    """Why this ControllerRevision does not verify by itself; empty when it does."""
    name = (found.get("metadata") or {}).get("name")
    revision = revision_from(found)
    if revision is None:
        return f"{name}: it cannot be read as a revision"
    body, key = found["data"], revision.record.key_id
    if not verifier.verify(key, protocol.RECORD_DOMAIN + str(body["record"]).encode(), str(body.get("signature") or "")):
        return f"{name}: no trusted key ({key}) has signed its record"
    if not verifier.verify(key, REVISION_DOMAIN + revision.hash.encode(), str(body.get("seal") or "")):
        return f"{name}: its audit entry or its place in the chain was changed after it was sealed"
    if revision.record.revision != name or found.get("revision") != revision.generation:
        return f"{name}: its record is of {revision.record.revision} (generation {revision.generation})"
    return ""


def canonical(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
