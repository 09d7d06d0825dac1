"""What the API needs of the rest, as Protocols: `handlers.front.Front` satisfies them, and so does a test's stand-in."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.slack import people, use_cases
from handlers import discovering, ports
from handlers.rules import effects, refusals
from k8s import discovery, entry_change, model, preflight

Events = Callable[[str, int], Awaitable[Sequence[tuple[datetime, effects.AuditEvent]]]]


class Persons(Protocol):
    """Who somebody of Slack is, and what they may do."""

    async def person_of(
        self, user: str, team: str, channel: str, *, fresh: bool = False, shared: bool = False
    ) -> people.Known: ...

    async def person_lowering(self, user: str, team: str) -> people.Known: ...


class Front(use_cases.Front, Protocol):
    """The one entrance to the use cases."""

    async def arrangement(self, service: str, stage: entry_change.Stage) -> entry_change.Arrangement: ...

    async def past_exposure(self, service: str, generation: int) -> model.Exposure | refusals.Refusal: ...


class Discovers(Protocol):
    """What the old cluster serves; `handlers.discovering.Discovering` satisfies it."""

    async def discover(self) -> discovery.Found: ...

    async def accept(self, asked: discovering.Accept) -> discovering.Accepted: ...


class Preflights(Protocol):
    """`handlers.preflighting.Preflighting` satisfies it."""

    async def preflight(self, service: str) -> preflight.Report: ...


@dataclass(frozen=True, slots=True)
class Behind:
    """`team`, `channel`: where a person's rights are those that they have here. `unread`: why the cluster cannot be read
    completely now, as one sentence; empty: what is not found does not exist.

    `events`: the newest of the audit, of a service (empty: of all) and so many; raises handlers.errors.Away. None of these, of
    `discovers` and of `preflights`: nobody can look here, and that is what is answered.
    """

    front: Front
    persons: Persons
    audit: ports.AuditLog
    clock: ports.Clock
    team: str
    channel: str
    unread: Callable[[], str]
    discovers: Discovers | None = None
    preflights: Preflights | None = None
    events: Events | None = None
