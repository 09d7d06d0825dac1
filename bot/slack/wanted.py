"""What somebody can ask for in words, as values: one for each meaning of a command. Pure; `parsing` makes them from text.

Everywhere here a service may be given by name or by its old host, as it was typed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.slack import strategy_text
from handlers import journey_messages
from k8s import entry_change, model

Mode = journey_messages.Mode
Stage = entry_change.Stage


@dataclass(frozen=True, slots=True)
class Help:
    """`verb` empty: of all of them."""

    verb: str = ""


@dataclass(frozen=True, slots=True)
class WhoAmI:
    pass


@dataclass(frozen=True, slots=True)
class ListServices:
    pass


@dataclass(frozen=True, slots=True)
class Status:
    """`service` empty: all of them."""

    service: str = ""


@dataclass(frozen=True, slots=True)
class Shift:
    """`weight` in percent. `strategy` None: as migration.yaml says. `only_plan`: show it, ask for nothing."""

    service: str
    weight: int
    reason: str
    strategy: strategy_text.StrategyAsked | None = None
    only_plan: bool = False


@dataclass(frozen=True, slots=True)
class Wave:
    """Several services to `weight` percent, in one plan and one approval; in the order of their turns."""

    services: tuple[str, ...]
    weight: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rollback:
    """`to`: down to that percent. `generation`: to what was in force then. Both None: 100% old, by a hold."""

    service: str
    to: int | None = None
    reason: str = ""
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class SafeMode:
    """`service` is a service or `all`."""

    on: bool
    service: str = model.ALL_SERVICES
    reason: str = ""


@dataclass(frozen=True, slots=True)
class History:
    service: str


@dataclass(frozen=True, slots=True)
class Audit:
    """Who tried what, refusals too. `service` empty: of all."""

    service: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """What differs from what was approved. `service` empty: of all."""

    service: str = ""


@dataclass(frozen=True, slots=True)
class Preflight:
    service: str


@dataclass(frozen=True, slots=True)
class Discover:
    """`part`: what names or hosts must have in them; empty: everything that is found."""

    part: str = ""


@dataclass(frozen=True, slots=True)
class Objects:
    """`prepare`, `bypass`, `finish … remove`: change the objects around a service."""

    stage: entry_change.Stage
    service: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Finish:
    service: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """Climb the ladder. The end of a standing approval is `until` (aware), or `lasts` from now; both None: as settings say."""

    service: str
    mode: journey_messages.Mode = journey_messages.Mode.ASK
    until: datetime | None = None
    lasts: timedelta | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Skip:
    """The ladder's next step now, although its soak is not served."""

    service: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    service: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    service: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ConfirmAsked:
    """`service` empty: the operation of the thread it was typed in."""

    service: str = ""


@dataclass(frozen=True, slots=True)
class ApproveAsked:
    """`service` empty: the operation of the thread it was typed in."""

    service: str = ""


Reading = Help | WhoAmI | ListServices | Status | History | Audit | Drift | Preflight | Discover
Asked = (
    Reading | Shift | Wave | Rollback | SafeMode | Objects | Finish | Run | Skip | Pause | Resume | ConfirmAsked | ApproveAsked
)  # fmt: skip
