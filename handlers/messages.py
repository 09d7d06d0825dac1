"""Typed messages: every stimulus becomes one of these before anything is decided.

Commands come from a person and are answered to that person; events come from the cluster, an alert or the clock and
fail alone. `id` makes a message idempotent: the same id is acted on once. `at` is an aware UTC time.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from k8s import model


class Source(StrEnum):
    """How a person or a thing reached Ferry; part of the audit entry."""

    SLACK = "slack"
    CLI = "cli"
    API = "api"
    ALERTMANAGER = "alertmanager"
    AGENT = "agent"
    CLUSTER = "cluster"
    FERRY = "ferry"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asks. `id` is the person, however they came (`slack:T0/U0`); `shown` is how cards name them.

    `refused`: why this person may do nothing that raises (guest, other workspace, bot, not listed); empty: may ask.
    `member`: one of us, who may always take traffic back; guests, bots and people of other workspaces may not even that.
    `approver`: may approve what somebody else asked for.
    """

    id: str
    shown: str
    source: Source = Source.SLACK
    approver: bool = False
    refused: str = ""
    locale: str = "en"
    member: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where the answer belongs: a channel and, for a mention, its thread. Opaque to everything but the chat."""

    channel: str = ""
    thread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """`service` is the one it is about; the dispatcher runs one operation a service."""

    id: str
    at: datetime
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Message):
    actor: Person
    place: Place = field(default_factory=Place)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeShift(Command):
    """Change the exposure to `target` (whole, weight included)."""

    target: model.Exposure
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeRelease(Command):
    """`safe-mode off`: clear the holds that stand now. A raise in kind; it leaves the weight at 0."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve(Command):
    operation: str
    revision: int  # of the card that was clicked


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject(Command):
    """By an approver: rejected. By the requester: withdrawn."""

    operation: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm(Command):
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceHold(Command):
    """`rollback`, `safe-mode on`, a red button: 100% old, now. Goes through `handlers.hold`, never through `decide`.

    `service` may be `all`.
    """

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed(Message):
    """The clock, for one service with something pending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordWritten(Message):
    """`told`: what of it migration.yaml does not say, one sentence; empty: nothing."""

    operation: str
    generation: int
    told: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordNotWritten(Message):
    """Nothing was changed: somebody else was first, the plan drifted, the API server refused.

    `unknown`: no answer came, so it may be written all the same, now or in a moment.
    """

    operation: str
    why: str
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Converged(Message):
    operation: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotConverged(Message):
    """The limit passed; `why` says k of n and who lags."""

    operation: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified(Message):
    operation: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotVerified(Message):
    operation: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsStand(Message):
    """The cluster, an agent or the short lane says that these holds stand for the service. They void whatever runs."""

    holds: tuple[model.Hold, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WishLowered(Message):
    """Somebody lowered the service by hand: the record follows. `how`: what was done, a clause; empty: `migration.yaml` was
    edited.
    """

    weight: int
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRestored(Message):
    """The record that stands is older than one that was seen: somebody put it back by hand, and no proxy obeys it.

    `generation`: of the record that stands. `highest`: of the one that was seen.
    """

    generation: int
    highest: int


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Message):
    """One alert of a webhook or of a poll. `service` is empty where it maps to none.

    `cause` is fingerprint + startsAt: the alert's identity. `about_new`: it speaks of the new cluster itself.
    """

    name: str
    cause: str
    severity: Severity
    firing: bool
    started: datetime
    summary: str = ""
    about_new: bool = False

    @property
    def worth_a_card(self) -> bool:
        """A warning, or the end of anything loud. A critical one that fires takes traffic back or calls people instead."""
        return self.severity is Severity.WARNING or (self.severity is Severity.CRITICAL and not self.firing)
