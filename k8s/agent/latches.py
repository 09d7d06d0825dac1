"""When a breaker that does not end by itself becomes a hold, and which: the same one on all agents that see the same."""

import hashlib
from typing import NamedTuple

from k8s import hold_document
from k8s.agent import breaker

PREFIX = hold_document.LATCH_PREFIX
OPENINGS, DOWN = "openings", "down"


class Cause(NamedTuple):
    """`kind`: one word, that all agents have for it. `since`: monotonic seconds. `reason`: half a sentence for people."""

    kind: str
    since: float
    reason: str

    @property
    def deniable(self) -> bool:
        """A probe that is answered elsewhere says that it is this proxy's line. Of requests that failed it says nothing."""
        return self.kind == DOWN


def due(one: breaker.Breaker, now: float, *, latch_after: float, why_down: str) -> Cause | None:
    """Why it should be a hold by now. `latch_after`: seconds of a new cluster that is down; `why_down`: what its probe says.

    None while it is closed: whatever was before, the new cluster serves its users well.
    """
    if one.phase is breaker.Phase.CLOSED:
        return None
    if one.too_often(now):
        minutes = round(breaker.WITHIN / 60)
        reason = f"the breaker opened {breaker.MOST_OPENINGS} times within {minutes} minutes; the last time: {one.opened_for}"
        return Cause(OPENINGS, one.openings[0], reason)
    if one.down_since is not None and now - one.down_since >= latch_after:
        return Cause(DOWN, one.down_since, f"the new cluster has been down for {latch_after:g} s: {why_down or one.reason}")
    return None


def hold_id(service: str, generation: int, kind: str) -> str:
    """One outage makes one hold; another one for each record, as ids are never used again."""
    return PREFIX + hashlib.sha256(f"{service}/{generation}/{kind}".encode()).hexdigest()[:8]
