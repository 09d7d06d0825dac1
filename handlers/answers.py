"""What the use cases answer: values that cards, the command line and the API show. No words of Slack here."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from handlers.rules import gates, journeys, key_outlook, migration, refusals
from k8s import entry_change, hold_document, model, suppression, views


@dataclass(frozen=True, slots=True)
class Answer:
    """To one message. `sentence` says what happened, or the whole refusal. `operation`: as it is now, if there is one."""

    sentence: str
    refusal: refusals.Refusal | None = None
    operation: migration.Operation | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A hold that was ordered. `written`: it stands in the cluster. `pushes`: what each agent said. `trouble`: what failed.

    `seconds`: from the order until both were answered.
    """

    hold: model.Hold
    written: bool
    pushes: tuple[views.PushAnswer, ...]
    seconds: float
    trouble: str = ""

    @property
    def safe(self) -> bool:
        """It will be obeyed: it stands in the cluster, or every agent that is known holds it."""
        return self.written or (bool(self.pushes) and all(push.held for push in self.pushes))


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of the alerts of one webhook call. `lost`: neither written nor held anywhere; ask for them again (503)."""

    acted: int
    told: int
    lost: tuple[str, ...] = ()


class Maker(StrEnum):
    """Who made a hold, as its id tells: a proxy's breaker that latched, a broken `migration.yaml`, or anybody else."""

    BREAKER = "latch"
    DOCUMENT = "document"
    OTHER = "other"


def maker(hold: model.Hold) -> Maker:
    if hold.id.startswith(hold_document.LATCH_PREFIX):
        return Maker.BREAKER
    return Maker.DOCUMENT if hold.id.startswith(hold_document.DOCUMENT_PREFIX) else Maker.OTHER


@dataclass(frozen=True, slots=True)
class ProxyLine:
    """What one proxy says of a service. `served` None: it gives no answer; `because` says why it serves that."""

    pod: str
    ready: bool
    served: int | None
    generation: int
    because: str


class Stage(StrEnum):
    """Where a service is on its whole way. BACKUP: at 100%, the old application stays in case; FINISHABLE: long enough."""

    NEW = "new"
    PREPARED = "prepared"
    MOVING = "moving"
    BACKUP = "backup"
    FINISHABLE = "finishable"
    FINISHED = "finished"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class JourneyStatus:
    """A service's whole way. `soak`: with what is counted since it was kept; `soak_needed`: seconds, of the weight in force (at
    100%: or the backup time). `next_step`: percent; None: there is none. `waits_for`: why it is not due, a clause each.
    `backup_left`: seconds at 100% until it may be finished; None: it is not there, or finished.
    """

    service: str
    stage: Stage
    weight: int
    soak: journeys.Soak | None
    soak_needed: float
    next_step: int | None
    waits_for: tuple[str, ...]
    run: journeys.Run | None
    standing: journeys.Standing | None
    entry: entry_change.EntryView
    judgement: gates.Judgement
    backup_left: float | None
    journey: journeys.Journey | None


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service, everything a person on call wants to know. `served`: proxies' sentence, k of n."""

    name: str
    phase: migration.Phase
    exposure: model.Exposure | None  # of the record in force
    generation: int
    wish: int
    wished: model.Service | None
    holds: tuple[model.Hold, ...]
    operation: migration.Operation | None
    last: migration.Operation | None
    proxies: tuple[ProxyLine, ...]
    expected: int
    served: str
    firing: tuple[str, ...]
    trouble: tuple[str, ...]
    synced: bool = True  # False: the cluster cannot be read completely, so this may be old
    suppressed: suppression.Suppressed | None = None  # proxies keep what was approved from new by themselves
    journey: JourneyStatus | None = None

    @property
    def weight(self) -> int:
        return self.exposure.weight if self.exposure else 0


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One line of the list."""

    name: str
    phase: migration.Phase
    weight: int
    wish: int
    old_host: str
    holds: tuple[str, ...]
    operation: migration.Operation | None
    suppressed: suppression.Suppressed | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """All services, and what is wrong with the whole. `synced` False: the cluster cannot be read completely."""

    services: tuple[ServiceLine, ...]
    trouble: tuple[str, ...]
    synced: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan that nobody asked for yet. `refusal`: why it would be refused now; None: it would be accepted.

    `keys`: what its weight means for the keys that the proxies see; None: no key decides.
    """

    plan: migration.Plan
    refusal: refusals.Refusal | None
    keys: key_outlook.Outlook | key_outlook.Unseen | None = None


class Became(StrEnum):
    """What became of a change by hand. WAITS: it is put back in a moment, or when what is under way has ended."""

    WAITS = "waits"
    PUT_BACK = "put_back"
    ACCEPTED = "accepted"
    STANDS = "stands"


@dataclass(frozen=True, slots=True)
class DriftLine:
    """One thing that was changed by hand. `what`: a clause; `todo`: a sentence. `since`: when it was seen first. `by`: the field
    manager that wrote it last, empty where nobody knows, or `what` says it.
    """

    service: str
    what: str
    since: datetime
    by: str
    became: Became
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """What differs from what was approved, and after it what was put back or accepted lately, newest first.

    `unseen`: of what nobody can tell, a sentence each. `synced` False: the cluster cannot be read completely.
    """

    lines: tuple[DriftLine, ...]
    unseen: tuple[str, ...] = ()
    synced: bool = True

    @property
    def standing(self) -> tuple[DriftLine, ...]:
        """What differs now."""
        return tuple(line for line in self.lines if line.became in (Became.WAITS, Became.STANDS))


@dataclass(frozen=True, slots=True)
class Past:
    """One change that was made. `approved_by`: shown names. `before` None: the first one, or not known.

    `reason`: what its requester gave; `plan`: the hash that was approved. Both empty where Ferry settled something by itself.
    """

    generation: int
    at: datetime | None
    who: str
    sentence: str
    before: int | None
    weight: int
    approved_by: tuple[str, ...]
    operation: str
    hash: str
    reason: str = ""
    plan: str = ""
