"""One service's migration as a value: where it stands, and the operation that is under way.

Immutable; every change is a new value. `bot.store` and `handlers.operation_document` turn operations into JSON.
"""

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from handlers import messages
from handlers.rules import approval, freezes, gates, journeys
from k8s import entry_change, model


class Phase(StrEnum):
    """Where a service's migration stands. Before `applying` nothing in the cluster has changed."""

    STEADY = "steady"  # no operation, no hold
    HELD = "held"  # no operation, at least one hold stands: 100% old
    PROPOSED = "proposed"  # waits for approval by another person
    APPROVED = "approved"  # waits for the requester's confirmation (lowering starts here)
    ARRANGING = "arranging"  # the objects around the service are being changed
    APPLYING = "applying"  # the record is being written
    CONVERGING = "converging"  # the record is written; every agent must serve it
    VERIFYING = "verifying"  # served everywhere; measured share, errors and latency are watched
    REVERTING = "reverting"  # the lower exposure is being written back


RUNNING = frozenset({Phase.ARRANGING, Phase.APPLYING, Phase.CONVERGING, Phase.VERIFYING, Phase.REVERTING})


class Kind(StrEnum):
    RAISE = "raise"  # needs approval and confirmation
    LOWER = "lower"  # needs one confirmation
    RELEASE = "release"  # clears holds: a raise in kind
    WAVE = "wave"  # several services, one step each, approved as a whole; each takes it when its turn has come
    RUN = "run"  # a standing approval of a ladder's steps: moves nothing by itself, and is approved like the highest of them
    PREPARE = "prepare"  # objects: the host is handed to the proxies
    FINISH = "finish"  # the entry for good, and the record is finished
    REMOVE = "remove"  # objects: the old application goes
    BYPASS = "bypass"  # objects: the original entry again; towards old, so one confirmation is enough


UNAPPROVED = frozenset({Kind.LOWER, Kind.BYPASS})  # towards old: one confirmation by any member
MOVES_UP = frozenset({Kind.RAISE, Kind.RELEASE})  # what waits of these is about to reach new; objects and ladders move nothing
OBJECTS = {  # kinds that change objects, and the stage that is arranged first
    Kind.PREPARE: entry_change.Stage.PREPARE,
    Kind.FINISH: entry_change.Stage.FORWARD,
    Kind.REMOVE: entry_change.Stage.REMOVE,
    Kind.BYPASS: entry_change.Stage.BYPASS,
}


class Outcome(StrEnum):
    OPEN = "open"
    DONE = "done"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    VOID = "void"  # the world moved on: drift, a hold, a lost store
    REVERTED = "reverted"
    FAILED = "failed"  # nothing was changed
    HALTED = "halted"  # a wave: whoever had moved stays, nobody else moves


@dataclass(frozen=True, slots=True)
class Member:
    """One service of a wave. `plan_hash`: of its own raise, so that whatever drifts at it is another wave."""

    service: str
    plan_hash: str
    before: int
    after: int

    def as_document(self) -> list[str | int]:
        return [self.service, self.plan_hash, self.before, self.after]


@dataclass(frozen=True, slots=True)
class Plan:
    """The exact frozen change. Whoever approves, approves its hash; anything that moves makes another plan.

    `generation` and `before`: of the record it starts from (0, None: none yet). `wish`: the document's weight it will
    overwrite. `clears`: holds it ends. `objects`: names of the objects touched with a hash of their specs.
    `config_diff`: unified diff of the rendered nginx text, or of the objects. `steps`, `until` (ISO time): of a RUN. `skips`:
    what a raise passes over (soak, too few requests), in words; empty: nothing. `members`: of a wave, in their order.
    """

    service: str
    kind: Kind
    before: model.Exposure | None
    after: model.Exposure
    generation: int
    wish: int
    clears: tuple[str, ...] = ()
    objects: tuple[tuple[str, str], ...] = ()
    config_diff: str = ""
    steps: tuple[int, ...] = ()
    until: str = ""
    skips: str = ""
    members: tuple[Member, ...] = ()

    def as_document(self) -> dict[str, Any]:
        """Fields of the later kinds only where they say something: plans made before them keep their hash."""
        members = [one.as_document() for one in self.members]
        more = {"steps": list(self.steps), "until": self.until, "skips": self.skips, "members": members}
        return {
            "service": self.service,
            "kind": str(self.kind),
            "before": self.before.as_document() if self.before else None,
            "after": self.after.as_document(),
            "generation": self.generation,
            "wish": self.wish,
            "clears": list(self.clears),
            "objects": [list(pair) for pair in self.objects],
            "config_diff": self.config_diff,
            **{name: value for name, value in more.items() if value},
        }

    @property
    def hash(self) -> str:
        """SHA-256, hex, of the canonical JSON. Cards show the first 8 digits."""
        text = json.dumps(self.as_document(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def from_weight(self) -> int:
        return self.before.weight if self.before else 0


Approval = approval.Approval
NOBODY_ASKED = ("nobody has asked the proxies",)


@dataclass(frozen=True, slots=True)
class Card:
    """The one message of an operation: channel and timestamp; empty until it was posted."""

    channel: str = ""
    ts: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One plan's life. `revision` grows by every change; buttons carry it, the store compares it.

    `timeline`: (when, sentence) of everything that happened, the thread's content; `because`: the newest sentence. `run`: id of
    the ladder whose step it is; empty: somebody asked for it. `standing`: id of the standing approval that it rests on; empty: it
    is approved by itself.
    """

    id: str
    plan: Plan
    requester: str
    requester_shown: str
    reason: str
    requested_at: datetime
    expires_at: datetime
    phase: Phase
    place: messages.Place = field(default_factory=messages.Place)
    source: messages.Source = messages.Source.SLACK
    approvals: tuple[Approval, ...] = ()
    approvals_needed: int = 1
    confirmed_at: datetime | None = None
    generation: int = 0  # of the record this operation wrote; 0: not yet
    outcome: Outcome = Outcome.OPEN
    because: str = ""
    rejected_by: str = ""
    card: Card = field(default_factory=Card)
    revision: int = 1
    timeline: tuple[tuple[datetime, str], ...] = ()
    run: str = ""
    standing: str = ""
    kept: str = ""  # JSON object: fields that a newer version wrote and this one does not know; never dropped

    def moved(self, **changes: Any) -> "Operation":
        """A new value with these changes, one revision on."""
        return replace(self, revision=self.revision + 1, **changes)


@dataclass(frozen=True, slots=True)
class Together:
    """How much of all waves moves at once: `members` at most, and at most `traffic` percent of the requests of all services."""

    members: int = 3
    traffic: int = 20


@dataclass(frozen=True, slots=True)
class Trust:
    """The approval policy. `lasts`: how long a request stays open. `largest_step`: percent points one raise may add.

    `approvers`: (from this weight on, so many distinct persons); the highest line that applies counts, never less than one.
    `soak`: no raise by hand before the weight in force has soaked. `freeze`: when nothing is raised. `protected`: services that
    nobody raises. `standing`: the longest that a standing approval lasts. `wave`: its limits.
    """

    lasts: timedelta = timedelta(hours=1)
    approvers: tuple[tuple[int, int], ...] = ((0, 1),)
    largest_step: int = 100
    soak: bool = False
    freeze: tuple[freezes.Freeze, ...] = ()
    protected: frozenset[str] = frozenset()
    standing: timedelta = timedelta(days=30)
    wave: Together = field(default_factory=Together)

    def persons(self, weight: int) -> int:
        return max([1, *(persons for least, persons in self.approvers if weight >= least)])


@dataclass(frozen=True, slots=True)
class Migration:
    """What `decide` looks at: the cluster's truth about a service, and its operation if one is under way.

    `exposure`, `generation`: of the record in force; `wrote`: id of the change that wrote it. `wish`: the document's weight.
    `holds`: ids that stand, in the cluster or reported by an agent. `latest`: the latest time anybody has seen; time never runs
    backwards.
    `blockers`: sentences that forbid any raise now (alerts firing, no eyes, cluster not in sync, agents not adopted).
    For a proposal `plan_now` is the plan of what is proposed, and `arrangement` the dry run of its objects. `trust`: the approval
    policy that applies. `record_finished`: the record in force is finished. `members`: of a wave, each as it is now.
    `wave`: the one that this service is a member of, as it was confirmed and signed; `turn`: why it is not its turn there, a
    clause; empty: it is; None: nobody knows.
    """

    service: str
    phase: Phase
    exposure: model.Exposure | None = None
    generation: int = 0
    wish: int = 0
    holds: tuple[str, ...] = ()
    operation: Operation | None = None
    latest: datetime | None = None
    blockers: tuple[str, ...] = ()
    plan_now: Plan | None = None  # the same change planned again from the live cluster, for the drift check
    trust: Trust = field(default_factory=Trust)
    still_firing: tuple[str, ...] = ()  # those of `holds` whose cause still fires: they cannot be released
    last: Operation | None = None  # the newest decided operation: late clicks are answered from it
    journey: journeys.Journey | None = None  # None: nothing is written yet
    entry: entry_change.EntryView = field(default_factory=entry_change.EntryView)
    judgement: gates.Judgement = field(default_factory=gates.Judgement)
    arrangement: entry_change.Arrangement | None = None  # None: the plan names no objects, or nobody could make the dry run
    record_finished: bool = False
    wished: model.Service | None = None  # the document's entry: ladder, soak, backup, gates
    wrote: str = ""
    open_ends: tuple[str, ...] = NOBODY_ASKED  # proxies that may still send something to old, a clause each
    members: tuple["Migration", ...] = ()
    wave: Operation | None = None
    turn: str | None = None
    certain: bool = True  # False: the cluster or the record cannot be read, so `exposure` may not be what proxies serve

    @property
    def weight(self) -> int:
        return self.exposure.weight if self.exposure else 0

    @property
    def finished(self) -> bool:
        """There is no old to go to any more: the record says so, or the whole end was reached."""
        return (self.record_finished and not self.ending) or (self.journey is not None and self.journey.finished is not None)

    @property
    def ending(self) -> bool:
        """The finished record is written and the end not reached: until then old is there, and a hold takes the record back."""
        end = self.operation or self.last
        if not self.record_finished or self.journey is None or self.journey.finished is not None or end is None:
            return False
        wrote = self.generation in (end.generation, end.plan.generation + 1)  # nobody may have reported that it was written
        return end.plan.kind is Kind.FINISH and end.outcome in (Outcome.OPEN, Outcome.FAILED) and wrote
