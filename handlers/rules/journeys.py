"""Where a service is on its way, as a value: what it has soaked, who lets it climb, when it reached 100%. Pure.

It stands signed beside the service's record in the cluster (`handlers.journey_document`), so that it outlives restarts, an empty
Redis and clocks that jump: times are counted in watched seconds, never taken from the difference of two dates.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from handlers import journey_messages, messages
from handlers.rules import approval
from k8s import entry_change, model


@dataclass(frozen=True, slots=True)
class Soak:
    """How long the service was well at the weight of one record. `seconds`: only healthy time with enough requests counts.

    `generation`: of the record (another generation begins at 0). `began`: when counting began, for people. `missing`: why
    nothing counts now, a sentence; empty: it counts. `resets`: how often an alert or drift sent it back to 0.
    """

    weight: int
    generation: int
    seconds: float = 0.0
    began: datetime | None = None
    missing: str = ""
    resets: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """A ladder or a wave approved as a whole: the listed steps, each once, until its end, void on any hold.

    `id`: of the operation that was approved. `base`: the exposure at 0 that it was approved for; other rules or another target
    make it void. `at`: the generation it was approved over; only that record, or the one of its own last step, may be in force.
    `wave`: name of the wave that it is a member of (`waves.name`); empty: a ladder. `order`: its turn in it.
    """

    id: str
    requester: str
    requester_shown: str
    plan_hash: str
    steps: tuple[int, ...]
    until: datetime
    base: model.Exposure
    approvals: tuple[approval.Approval, ...]
    used: tuple[int, ...] = ()
    wave: str = ""
    order: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """A ladder that climbs. `paused`: why it does not now, a sentence; empty: it does. `id`: of the command that began it."""

    id: str
    mode: journey_messages.Mode
    requester: str
    requester_shown: str
    began: datetime
    place: messages.Place = field(default_factory=messages.Place)
    source: messages.Source = messages.Source.SLACK
    reason: str = ""
    paused: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """How old answered when it last carried traffic: seconds, and over how many requests."""

    average: float
    p99: float
    requests: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Arranged:
    """The objects as people approved them last: by `operation`, names and digests (`entry_change.Arrangement.objects`).

    What is changed by hand is put back to exactly these, and to nothing else.
    """

    stage: entry_change.Stage
    operation: str
    objects: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Journey:
    """`revision` grows by every change; the writer compares it. `served`: weights whose soak was served, in order, with the rules
    and the target of `base` (an exposure at 0; others begin anew, and so does whatever was held or taken back).

    `wave`: of the first member of a wave alone: its whole operation as JSON, so that no store is needed to go on with it.
    `hundred`: when every proxy first served 100%. `finished`: when every agent had reported the signed end. `removed`: when the
    old application was gone. `arranged`: the entry as it was prepared, or made a forward, last. `kept`: JSON of fields that a
    newer version wrote; never dropped.
    """

    service: str
    revision: int = 0
    soak: Soak | None = None
    served: tuple[int, ...] = ()
    run: Run | None = None
    standing: Standing | None = None
    baseline: Baseline | None = None
    hundred: datetime | None = None
    finished: datetime | None = None
    removed: datetime | None = None
    arranged: Arranged | None = None
    base: model.Exposure | None = None
    wave: str = ""
    kept: str = ""

    def moved(self, **changes: Any) -> "Journey":
        """A new value with these changes, one revision on."""
        return replace(self, revision=self.revision + 1, **changes)
