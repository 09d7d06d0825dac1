"""What the API needs of the rest, as Protocols: `handlers.front.Front` satisfies them, and so does a test's stand-in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bot.slack import people, use_cases
from handlers import answers, ports
from handlers.rules import waves
from k8s import entry_change


class Persons(Protocol):
    """Who somebody of Slack is, and what they may do."""

    async def person_of(
        self, user: str, team: str, channel: str, *, fresh: bool = False, shared: bool = False
    ) -> people.Known: ...

    async def person_lowering(self, user: str, team: str) -> people.Known: ...


class Front(use_cases.Front, use_cases.Discovers, use_cases.Preflights, Protocol):
    """The one entrance to the use cases."""

    async def arrangement(self, service: str, stage: entry_change.Stage) -> entry_change.Arrangement: ...

    def drift(self, service: str | None = None) -> answers.Drift: ...

    async def wave(self, name: str) -> waves.Wave | None: ...

    def waves(self) -> tuple[waves.Wave, ...]: ...


@dataclass(frozen=True, slots=True)
class Behind:
    """`team`, `channel`: where a person's rights are those that they have here. `unread`: why the cluster cannot be read
    completely now, as one sentence; empty: what is not found does not exist.

    `events`: the newest of the audit, of a service (empty: of all) and so many; raises handlers.errors.Away. None: nobody can
    look there, and that is what is answered.
    """

    front: Front
    persons: Persons
    audit: ports.AuditLog
    clock: ports.Clock
    team: str
    channel: str
    unread: Callable[[], str]
    events: use_cases.Events | None = None
