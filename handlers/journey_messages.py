"""Messages of a service's whole journey: objects, ladder, the end. Those of a single shift stand in `handlers.messages`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from handlers import messages
from k8s import entry_change


class Mode(StrEnum):
    """How a ladder climbs. ASK: every step is approved and confirmed by itself. AUTO: on a standing approval of all steps."""

    ASK = "ask"
    AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeObjects(messages.Command):
    """`prepare`, `bypass`, removal: change the objects around the service. BYPASS needs no approval: it leads to old.

    Stage FORWARD is part of `ProposeFinish` and of nothing else.
    """

    stage: entry_change.Stage
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeFinish(messages.Command):
    """The entry becomes a forward for good and the record is finished. Needs 100% and the whole backup time."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeRun(messages.Command):
    """Climb the ladder. AUTO is a standing approval: the steps that remain, each once, until `until` (None: as settings say)."""

    mode: Mode = Mode.ASK
    until: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRun(messages.Command):
    """No step until somebody resumes. Any member may."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRun(messages.Command):
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipSoak(messages.Command):
    """The ladder's next step now, although its soak is not served: a raise whose plan names what is skipped. Needs a reason."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeWave(messages.Command):
    """Several services to one weight, in one plan and one approval. `service`: `waves.name` of the message's id."""

    services: tuple[str, ...]
    weight: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinWave(messages.Message):
    """The wave was confirmed: its member `service` gets its part of the approval, and waits for its turn."""

    wave: str
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveWave(messages.Message):
    """The wave is over: nothing of it is left at `service`. `operation`: its id; `why`: how it ended, a clause."""

    wave: str
    operation: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveEnded(messages.Message):
    """To the wave itself: every member is there, or it is `halted`, a clause that names the member; empty: it is not.

    `moved`: how many members are at the new weight.
    """

    operation: str
    moved: int
    halted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDue(messages.Message):
    """The clock: soak served and gates passed, so the run's next step is due."""

    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInterrupted(messages.Message):
    """An alert, drift or a failing gate: the run pauses, and what was soaked counts no more where `resets` says so.

    `of_all`: what concerns all services, so that people are called for once over all of them; empty: it is this service's own.
    """

    why: str
    resets: bool = True
    of_all: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectsArranged(messages.Message):
    """Every object is as the plan says. `told`: one sentence about what was done."""

    operation: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectsNotArranged(messages.Message):
    """Some object could not be changed; `why` names it and what was done before."""

    operation: str
    why: str
