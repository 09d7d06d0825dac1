"""What the Slack side needs of the rest, as Protocols: `handlers.front.Front` satisfies them, and so does a test's stand-in."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.slack import card_writer
from handlers import answers, discovering, messages, ports
from handlers.rules import effects, key_outlook, migration, refusals
from k8s import discovery, model, preflight


class Reads(Protocol):
    def names(self) -> tuple[str, ...]: ...

    def find(self, name_or_host: str) -> str | None: ...

    async def status(self, service: str) -> answers.ServiceStatus | None: ...

    async def overview(self) -> answers.Overview: ...

    async def history(self, service: str) -> tuple[answers.Past, ...]: ...

    async def operation(self, operation_id: str) -> migration.Operation | None: ...

    async def waiting(self, service: str) -> migration.Operation | None: ...

    async def past_exposure(self, service: str, generation: int) -> model.Exposure | refusals.Refusal: ...

    def drift(self, service: str | None = None) -> answers.Drift: ...

    def keys(self, plan: migration.Plan) -> key_outlook.Outlook | key_outlook.Unseen | None: ...


class Changes(Protocol):
    def target(
        self,
        service: str,
        weight: int,
        *,
        strategy: model.Strategy | None = None,
        header: model.HeaderRule | None = None,
        cidrs: tuple[str, ...] = (),
        user: model.UserRule | None = None,
    ) -> model.Exposure | refusals.Refusal: ...

    async def preview(
        self, service: str, target: model.Exposure, actor: messages.Person
    ) -> answers.Preview | refusals.Refusal: ...

    async def handle(self, message: messages.Message) -> answers.Answer: ...

    async def hold(self, message: messages.PlaceHold) -> answers.Placed: ...


class Discovers(Protocol):
    """What the old cluster serves; `handlers.discovering.Discovering` satisfies it."""

    async def discover(self) -> discovery.Found: ...

    async def accept(self, asked: discovering.Accept) -> discovering.Accepted: ...


class Preflights(Protocol):
    """`handlers.preflighting.Preflighting` satisfies it."""

    async def preflight(self, service: str) -> preflight.Report: ...


class Front(Reads, Changes, Protocol):
    """The one entrance to the use cases."""


class Whole(Front, Discovers, Preflights, Protocol):
    """With what looks into the clusters: `handlers.front.Front` of an installed bot."""


Events = Callable[[str, int], Awaitable[Sequence[tuple[datetime, effects.AuditEvent]]]]


@dataclass(frozen=True, slots=True)
class Behind:
    """Everything behind the listeners, in one value. `namespace`: of the holds, for the kubectl line on cards.

    `unread`: why the cluster cannot be read completely now, as one sentence; empty: what is not found does not exist.
    `events`: the newest of the audit, of a service (empty: of all) and so many; raises handlers.errors.Away.
    None of these, of `discovers` and of `preflights`: nobody can look here, and that is what is answered.
    """

    front: Front
    cards: card_writer.Cards
    chat: ports.Chat
    seen: ports.Seen
    audit: ports.AuditLog
    clock: ports.Clock
    namespace: str
    unread: Callable[[], str]
    events: Events | None = None
    discovers: Discovers | None = None
    preflights: Preflights | None = None
