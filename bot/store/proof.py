"""Whether audit events are as they were written: the chain of each replica in itself, and against its anchors. Pure.

A chain proves everything but its own end: whoever cuts events off at the end leaves a whole chain. So every change of traffic
carries, in its signed revision, the end of the chain as it was then (its anchor).
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.store import audit

ANCHOR_FIELD = "audit_head"  # in the audit entry of a revision
_ANCHOR = re.compile(r"(\S{1,253}) ([1-9][0-9]{0,14}) ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a signed revision says: `replica`'s chain had its event `seq` with this hash. `where`: the revision, for people."""

    where: str
    replica: str
    seq: int
    hash: str


def anchor_in(entry: Mapping[str, Any], *, where: str) -> Anchor | None:
    """Of a revision's audit entry; None where it has none."""
    found = _ANCHOR.fullmatch(str(entry.get(ANCHOR_FIELD, "")))
    return Anchor(where, found[1], int(found[2]), found[3]) if found else None


def compared(anchors: Iterable[Anchor], events: Iterable[Mapping[str, Any]]) -> tuple[list[str], int]:
    """What is wrong, one sentence each, and how many anchors were compared: those of replicas with events at hand.

    What Redis has dropped at the beginning cannot be compared any more.
    """
    chains = _by_replica(events, [])
    problems, count = [], 0
    for anchor in anchors:
        chain = chains.get(anchor.replica, [])
        if not chain or (anchor.seq < chain[0]["seq"] and _dropped_before(chain[0], chain)):
            continue
        count += 1
        if not any(event["hash"] == anchor.hash and event["seq"] == anchor.seq for event in chain):
            problems.append(
                f"replica {anchor.replica}, seq {anchor.seq}: {anchor.where} anchors an event that is not here; it was removed "
                "or changed, or lost with Redis: give the bot's log of that time too"
            )
    return problems, count


def trimmed(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """Which chains begin where Redis dropped what was older, one sentence each: nothing is said of what stood before."""
    return [
        f"replica {replica}: begins at seq {chain[0]['seq']}; older ones are only in the log, Redis keeps {audit.MOST_STORED}"
        for replica, chain in sorted(_by_replica(events, []).items())
        if chain[0]["previous"] and _dropped_before(chain[0], chain)
    ]


def _dropped_before(event: audit.Event, chain: list[audit.Event]) -> bool:
    """The chain begins here, and is so long that Redis dropped what came before: fewer events would all have been kept."""
    return event["seq"] == chain[0]["seq"] > 1 and len(chain) >= audit.MOST_STORED


def verify_chain(events: Iterable[Mapping[str, Any]], *, left_out: Collection[str] = ()) -> list[str]:
    """What is wrong with these events, one sentence each; empty: every event is as written and follows its predecessor.

    The order does not matter, the same event twice is once, fields beside FIELDS are not looked at. Several chains of one
    replica are allowed (it started while Redis was away). A beginning that Redis has dropped is no problem: see `trimmed`. The
    end of a chain proves itself only by its anchor: see `compared`. `left_out`: hashes of events of which only
    number and hashes are here.
    """
    problems: list[str] = []
    for replica, chain in _by_replica(events, problems).items():
        by_hash = {event["hash"]: event for event in chain}
        followed: dict[str, int] = {}
        for event in chain:
            here = f"replica {replica}, seq {event['seq']}"
            if event["hash"] not in left_out and audit.hash_of(event) != event["hash"]:
                problems.append(f"{here}: was changed; its content does not have its hash")
            before = by_hash.get(event["previous"])
            if event["previous"] in followed:
                problems.append(f"{here}: follows the same event as seq {followed[event['previous']]}; one of them was put in")
            elif event["previous"]:
                followed[event["previous"]] = event["seq"]
            if event["previous"] and before is None and not _dropped_before(event, chain):
                problems.append(f"{here}: the event before it is not here; it was removed or changed, or give the older file too")
            elif (before or not event["previous"]) and event["seq"] != (before["seq"] if before else 0) + 1:
                problems.append(f"{here}: has the wrong number; it follows seq {before['seq'] if before else 0}")
    return problems


def heads(events: Iterable[Mapping[str, Any]]) -> list[tuple[str, int, str]]:
    """(replica, seq, hash) of each chain's last event, to compare with the anchors in the revisions."""
    found: list[tuple[str, int, str]] = []
    for replica, chain in sorted(_by_replica(events, []).items()):
        followed = {event["previous"] for event in chain}
        found += [(replica, event["seq"], event["hash"]) for event in chain if event["hash"] not in followed]
    return found


def _by_replica(events: Iterable[Mapping[str, Any]], problems: list[str]) -> dict[str, list[audit.Event]]:
    chains: dict[str, dict[str, audit.Event]] = {}
    for event in events:
        chosen = {name: event[name] for name in audit.FIELDS if name in event}
        if type(chosen.get("seq")) is int and all(isinstance(chosen.get(name), str) for name in ("replica", "previous", "hash")):
            chains.setdefault(chosen["replica"], {})[json.dumps(chosen, sort_keys=True)] = chosen
        else:
            problems.append(f"seq {str(chosen.get('seq'))[:20]}: lacks its number, replica or hashes; it is no event of Ferry's")
    return {replica: sorted(chain.values(), key=lambda event: event["seq"]) for replica, chain in chains.items()}
