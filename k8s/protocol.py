"""The protocol of wish, record and hold, as pure functions over what one agent remembers of one service.

    effective(service) = min( wish, approved record, 0 while any hold or latch stands, suppression )        no record: 0

An agent feeds everything it sees (`see_record`, `see_wish`, `see_holds`, `push_hold`, `see_peer`) through here and
serves what `effective` says. All of it is monotone: whatever is lost, repeated, restored or out of order can only keep
or lower the weight, until a record of a higher generation, signed for this very ConfigMap, says otherwise.
The bot uses the same functions to know what agents will do.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from k8s import model

VERSION = 1
RECORD_DOMAIN = b"ferry/record/1\n"  # what is signed says what it is: an operation can never pass for a record
OPERATION_DOMAIN = b"ferry/operation/1\n"
WISHES_KEPT = 64  # edits of the wish that may overtake the record they follow
_RECORD_FIELDS = {
    "protocol", "key_id", "uid", "service", "generation", "exposure", "operation", "approvals", "plan_hash", "clears",
    "finished", "revision",
}  # fmt: skip


class ProtocolError(ValueError):
    """A signed text that does not say what the protocol allows; the sentence says what is wrong."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the bot signed for a service.

    `uid`: of the ConfigMap it was signed for. `generation`: grows by every record of the service. `operation`,
    `approvals` (ids), `plan_hash`: where it comes from. `clears`: ids of holds it ends. `revision`: name of the
    ControllerRevision that keeps its copy and audit entry. `finished`: there is no old any more.
    """

    uid: str
    service: str
    generation: int
    exposure: model.Exposure
    operation: str
    key_id: str = ""
    approvals: tuple[str, ...] = ()
    plan_hash: str = ""
    clears: tuple[str, ...] = ()
    finished: bool = False
    revision: str = ""
    protocol: int = VERSION

    def encode(self) -> bytes:
        """The bytes that are signed and stored, verbatim."""
        document = {
            "protocol": self.protocol,
            "key_id": self.key_id,
            "uid": self.uid,
            "service": self.service,
            "generation": self.generation,
            "exposure": self.exposure.as_document(),
            "operation": self.operation,
            "approvals": list(self.approvals),
            "plan_hash": self.plan_hash,
            "clears": list(self.clears),
            "finished": self.finished,
            "revision": self.revision,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def decode_record(payload: bytes) -> Record:
    """The inverse of `encode`, strict. Raises ProtocolError; an unknown protocol version is an error of its own words."""
    try:
        document = json.loads(payload)
        if not isinstance(document, dict):
            raise ProtocolError("the record is no JSON object")
        if document.get("protocol") != VERSION:
            raise ProtocolError(
                f"the record speaks protocol {document.get('protocol')!r}, this version knows {VERSION}; upgrade the agent"
            )
        if unknown := set(document) - _RECORD_FIELDS:
            raise ProtocolError(f"the record has unknown fields: {', '.join(sorted(unknown))}")
        generation = document["generation"]
        if type(generation) is not int or generation < 1:
            raise ProtocolError(f"generation {generation!r} is not a whole number from 1")
        return Record(
            uid=_text(document, "uid"),
            service=_text(document, "service"),
            generation=generation,
            exposure=model.exposure_from(document["exposure"]),
            operation=_text(document, "operation"),
            key_id=_text(document, "key_id"),
            approvals=_texts(document, "approvals"),
            plan_hash=_text(document, "plan_hash"),
            clears=_texts(document, "clears"),
            finished=document["finished"] is True,
            revision=_text(document, "revision"),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ProtocolError):
            raise
        raise ProtocolError(f"the record cannot be read ({type(error).__name__}: {error})") from None


def _text(document: Mapping[str, Any], name: str) -> str:
    if not isinstance(value := document[name], str):
        raise ProtocolError(f"{name} is no text")
    return value


def _texts(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    if not isinstance(values := document[name], list) or not all(isinstance(value, str) for value in values):
        raise ProtocolError(f"{name} is no list of texts")
    return tuple(values)


@dataclass(frozen=True, slots=True)
class RememberedHold:
    """A hold this agent saw or was pushed. `seen_at`: the generation in force then; only a later record may clear it."""

    id: str
    seen_at: int


@dataclass(frozen=True, slots=True)
class SeenWish:
    """What the document asked for (None: it did not name the service), as of a version of its ConfigMap (None: unknown)."""

    weight: int | None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything one agent remembers of one service; it is on disk before the agent answers anybody.

    `record`: the accepted one, None before the first; `digest` of its bytes; `version` of its ConfigMap when it was
    accepted. `generation`: the highest ever seen, also by hearsay from a peer (older records are stale then). `missing`: the
    record's ConfigMap is gone. `cap`: the lowest weight that a twin (same generation, other bytes) asked for, or a foreign copy
    (another uid) where one is shown here: a watch that checks uids shows none, and what was accepted stays. `agreed`: the wish
    has reached the record's weight once; `lowest_wish` since then, of what was written after the record. `wishes`: the last few
    seen, the newest last. `holds`: seen or pushed, not yet cleared. `present`: ids in
    `migration-holds` at the last look; `looked`: there was one.
    """

    service: str
    record: Record | None = None
    digest: str = ""
    version: int | None = None
    generation: int = 0
    missing: bool = False
    cap: int = 100
    agreed: bool = False
    lowest_wish: int = 100
    wishes: tuple[SeenWish, ...] = ()
    holds: tuple[RememberedHold, ...] = ()
    present: frozenset[str] = frozenset()
    looked: bool = False

    @property
    def wish(self) -> int | None:
        """What `migration.yaml` asks for now; None: nothing seen yet, or it does not name the service."""
        return self.wishes[-1].weight if self.wishes else None

    @property
    def held(self) -> tuple[str, ...]:
        """Ids of every standing hold: present in the cluster, or remembered and not cleared."""
        return tuple(sorted(self.present | {hold.id for hold in self.holds}))


@dataclass(frozen=True, slots=True)
class Effective:
    """The weight to serve now, and each part of the minimum beside it (None: that part is not there).

    `suppression`: the breaker's cap where it cuts the weight; a cap that changes nothing is not there.
    """

    weight: int
    wish: int | None
    record: int | None
    held: tuple[str, ...]
    suppression: int | None
    because: str


def version_number(text: str) -> int | None:
    """A resourceVersion as a number: those of one kind of object can be compared. None: it cannot be."""
    return int(text) if text.isascii() and text.isdecimal() else None


def see_record(memory: Memory, record: Record, *, payload: bytes, uid: str, version: int | None = None) -> Memory:
    """A record whose signature is good and whose service is this one, found in the ConfigMap with this `uid` and `version`."""
    digest = hashlib.sha256(payload).hexdigest()
    if memory.record is not None and digest == memory.digest and record.uid == uid:
        # The accepted bytes themselves, perhaps back after a stale list. Versions that fell (a restored API server) count.
        known = None if memory.version is None or version is None else min(memory.version, version)
        return replace(memory, missing=False, version=known)
    twin = memory.record is not None and record.generation == memory.record.generation
    if twin or record.uid != uid:
        return replace(memory, cap=min(memory.cap, record.exposure.weight))
    if record.generation < memory.generation or _ends_over_a_hold(memory, record):
        return memory
    accepted = replace(
        memory,
        record=record,
        digest=digest,
        version=version,
        generation=record.generation,
        missing=False,
        cap=100,
        agreed=False,
        lowest_wish=100,
    )
    for wish in _since(memory.wishes, version):
        accepted = _compare(accepted, wish)
    return _forget_cleared(accepted)


def _ends_over_a_hold(memory: Memory, record: Record) -> bool:
    """A first finished record does not outrank a hold that it does not clear: both were written in the same moment.

    Only right after the record that is known: who was away for longer does not know what was released meanwhile.
    """
    known = memory.record
    if not record.finished or known is None or known.finished or record.generation != known.generation + 1:
        return False
    return not set(memory.held) <= set(record.clears)


def _since(wishes: tuple[SeenWish, ...], version: int | None) -> tuple[SeenWish, ...]:
    """The wish that stood when the record of this version was written, and those after it: watches come in either order."""
    older = [place for place, wish in enumerate(wishes) if version is None or _older(wish, version)]
    return wishes[older[-1] :] if older else wishes


def _older(wish: SeenWish, version: int | None) -> bool:
    """Written before that version; what cannot be told counts as later, which may only lower."""
    return wish.version is not None and version is not None and wish.version < version


def miss_record(memory: Memory) -> Memory:
    """The record's ConfigMap is not there: no record, 0. What was remembered stays, so that nothing older comes back."""
    return replace(memory, missing=True)


def see_wish(memory: Memory, weight: int | None, *, version: int | None = None) -> Memory:
    """What `migration.yaml` asks for now, as of this version; None: it no longer names the service (100% old)."""
    wish = SeenWish(weight, version)
    if memory.wishes and memory.wishes[-1].weight == weight:
        known = memory.wishes[:-1]  # the same wish, in a newer document: it is as old as it was
        wish = memory.wishes[-1] if version is not None else wish
    else:
        known = memory.wishes
    return _compare(replace(memory, wishes=(*known, wish)[-WISHES_KEPT:]), wish)


def _compare(memory: Memory, wish: SeenWish) -> Memory:
    """A wish older than the record says what was asked before it: it may agree with the record, but is no edit after it."""
    if memory.record is None:
        return memory
    asked = wish.weight or 0
    if not memory.agreed and asked < memory.record.exposure.weight:
        return memory
    lowest = memory.lowest_wish if _older(wish, memory.version) else min(memory.lowest_wish, asked)
    return replace(memory, agreed=True, lowest_wish=lowest)


def see_holds(memory: Memory, present: Iterable[str]) -> Memory:
    """The ids that `migration-holds` has now for this service and for `all`. A key that comes anew holds anew.

    At the first look nobody knows what is new: a key that the accepted record ended is one that is still to be taken away.
    """
    ids = frozenset(present)
    remembered = {hold.id: hold for hold in memory.holds}
    late = frozenset() if memory.looked else frozenset(_ended(memory))
    for new in ids - memory.present - late:
        remembered[new] = RememberedHold(new, memory.generation)
    return _forget_cleared(replace(memory, looked=True, present=ids, holds=_ordered(remembered)))


def push_hold(memory: Memory, hold_id: str) -> Memory:
    """A hold pushed by the bot or made by this agent itself (a latch). One that the accepted record ended comes too late."""
    if any(hold.id == hold_id for hold in memory.holds) or hold_id in _ended(memory):
        return memory
    remembered = {hold.id: hold for hold in memory.holds} | {hold_id: RememberedHold(hold_id, memory.generation)}
    return replace(memory, holds=_ordered(remembered))


@dataclass(frozen=True, slots=True)
class Peer:
    """What another agent says it remembers of a service. `weight`: of its record; `agreed_lowest`: None before agreement."""

    generation: int
    weight: int
    holds: tuple[RememberedHold, ...] = ()
    agreed_lowest: int | None = None


def see_peer(memory: Memory, peer: Peer) -> Memory:
    """Its holds are ours; its lowest wish under the same record is ours; its newer record makes older ones stale."""
    remembered = {hold.id: hold for hold in memory.holds}
    for hold in peer.holds:
        if hold.id in _ended(memory) and hold.seen_at <= memory.generation:
            continue
        if hold.id not in remembered or remembered[hold.id].seen_at < hold.seen_at:
            remembered[hold.id] = hold
    known = replace(memory, holds=_ordered(remembered))
    if peer.generation > memory.generation:
        known = replace(known, generation=peer.generation, cap=min(known.cap, peer.weight))
    elif known.record is not None and peer.generation == known.record.generation and peer.agreed_lowest is not None:
        known = replace(known, agreed=True, lowest_wish=min(known.lowest_wish, peer.agreed_lowest))
    return _forget_cleared(known)


def _ended(memory: Memory) -> tuple[str, ...]:
    return memory.record.clears if memory.record is not None else ()


def _forget_cleared(memory: Memory) -> Memory:
    record = memory.record
    if record is None:
        return memory
    standing = tuple(hold for hold in memory.holds if not (hold.id in record.clears and record.generation > hold.seen_at))
    return replace(memory, holds=standing)


def _ordered(holds: Mapping[str, RememberedHold]) -> tuple[RememberedHold, ...]:
    return tuple(holds[name] for name in sorted(holds))


def effective(memory: Memory, *, suppression: int | None = None) -> Effective:
    """The formula above. A finished service has no old to go to: it alone is served at 100 whatever stands."""
    held = memory.held
    record = None if memory.record is None or memory.missing else min(memory.record.exposure.weight, memory.cap)
    wish = min(memory.lowest_wish, memory.wish or 0) if memory.agreed else memory.wish
    weight, because = _approved(memory, record, wish)
    finished = memory.record is not None and memory.record.finished
    cuts = suppression is not None and suppression < weight and not finished
    if suppression is not None and cuts:
        weight, because = suppression, "suppressed by the breaker"
    return Effective(
        weight=weight, wish=wish, record=record, held=held, suppression=suppression if cuts else None, because=because
    )


def _approved(memory: Memory, record: int | None, wish: int | None) -> tuple[int, str]:
    """The weight that people have allowed, and why it is that: everything of the formula but the suppression."""
    if memory.record is not None and memory.record.finished:
        return 100, "finished: there is no old cluster to go to"
    if memory.held:
        return 0, f"held by {', '.join(memory.held)}"
    if record is None:
        return 0, "no signed record" if memory.record is None else "the signed record is gone from the cluster"
    if memory.wish is None and not memory.agreed:
        return 0, "migration.yaml does not name the service"
    if wish is not None and wish < record:
        return wish, f"migration.yaml asks for {wish}%, below the record's {record}%"
    return record, f"record {memory.record.generation if memory.record else 0}"
