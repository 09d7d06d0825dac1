"""The seams: what the use cases need of the outside, as Protocols of at most four methods.

The edges satisfy them structurally and do not import this file. Errors of the cluster are `k8s.errors`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from handlers import messages
from handlers.rules import effects, gates, migration
from k8s import entry_change, model, protocol, views, wish_change


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC time."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Pending(Protocol):
    """Operations under way, by service. Convenient, not needed for safety: it may come back empty, or old.

    Raises handlers.errors.Away when it cannot be reached within its limit.
    """

    async def load(self, service: str) -> migration.Operation | None:
        """The service's operation, if one is stored."""

    async def find(self, operation_id: str) -> migration.Operation | None:
        """The operation with this id, whatever its service; decided ones for a while."""

    async def save(self, operation: migration.Operation, expected_revision: int) -> bool:
        """Store over exactly this revision (0: nothing may be there). False: somebody else was first, nothing is stored."""

    async def drop(self, operation: migration.Operation) -> None:
        """It is decided: no longer the service's operation. Twice is once."""


class Seen(Protocol):
    """Raises handlers.errors.Away when it cannot be reached within its limit."""

    async def first_time(self, message_id: str) -> bool:
        """True exactly once for each id, over all replicas, for as long as deliveries may repeat."""


class Cluster(Protocol):
    """The old cluster as the watches have it."""

    def view(self) -> views.ClusterView:
        """Everything, as of the last event; a value, at no cost."""

    def service(self, name: str) -> views.ServiceView:
        """One service; an empty view for one that nobody named."""

    async def changed(self) -> None:
        """Returns after the next change of the view."""


class Records(Protocol):
    async def write(self, change: views.RecordChange) -> protocol.Record:
        """Revision, then record, by compare-and-set. Raises errors.Conflict; finding its own operation id is success."""

    async def note(self, service: str, operation: Mapping[str, Any]) -> None:
        """Sign and keep the operation's document beside the record."""

    async def history(self, service: str) -> tuple[views.Revision, ...]:
        """Newest first."""


class Wishes(Protocol):
    async def write(self, change: wish_change.WishChange) -> str:
        """Into `migration.yaml`, comments kept, over what the change expects. Raises errors.Conflict if a person edited it.

        Answers why strategy and rules were left as they are, in one sentence; empty: all of it stands there.
        """


class Documents(Protocol):
    """`migration.yaml` as a whole. Raises errors.ClusterError; Conflict: somebody wrote it in between."""

    async def put(self, text: str, *, over: str, told: str, refused: str = "") -> None:
        """In place of the version `over` (empty: it is missing). `told`: noted beside it; `refused`: kept for its writer."""

    async def last_whole(self) -> views.Document:
        """The last whole text that was kept; empty where there is none."""

    async def keep(self, document: views.Document) -> None:
        """For the time after a restart, unless a later one is kept."""


class Holds(Protocol):
    async def place(self, hold: model.Hold) -> None:
        """One merge patch; reads nothing first. The same id twice is once."""

    async def adopt(self, hold: model.Hold) -> bool:
        """Write down what only agents know of; a key that stands already is left as it is (False)."""

    async def remove(self, holds: tuple[model.Hold, ...]) -> None:
        """Take the keys away after a signed record cleared their ids."""


class Agents(Protocol):
    async def push(self, hold: model.Hold) -> tuple[views.PushAnswer, ...]:
        """To every agent at once, terminating ones too; one answer each."""

    async def fleet(self) -> views.Fleet:
        """Ask every agent what it serves and holds."""


class Chat(Protocol):
    """Everything here is handed over at once and said as soon as Slack lets it: no call waits for Slack, none fails."""

    async def show(self, operation: migration.Operation) -> None:
        """Post the operation's card, or update it where it was posted; a newer form overtakes one that still waits."""

    async def say(self, operation: migration.Operation, sentence: str) -> None:
        """One line in the thread of its card."""

    async def alert(self, alert: messages.Alert) -> None:
        """Post the card of an alert that no operation's thread tells of: a warning, or its end. Nobody is called."""

    async def page(self, service: str, sentence: str, *, held: bool = False) -> None:
        """Reach the people who must act now. `held`: it is at 100% old already, the way on is a release."""


class Notices(Protocol):
    """What people may read when they look, and nobody is called for. Handed over at once, as `Chat`."""

    async def tell(self, service: str, sentence: str) -> None:
        """On the one card of the service's notices, which is updated where it was posted; nobody is mentioned."""


class AuditLog(Protocol):
    async def record(self, event: effects.AuditEvent) -> None:
        """Append to this replica's chain."""


class Alerts(Protocol):
    async def firing(self, service: str) -> tuple[messages.Alert, ...]:
        """What fires for the service now. Raises handlers.errors.Away when nobody can say: unknown is not quiet."""

    async def blind(self) -> str:
        """Why nobody watches (Watchdog missing, Alertmanager away), as one sentence; empty: eyes are open."""


class Journeys(Protocol):
    async def keep(self, service: str, journey: Mapping[str, Any], expected_revision: int) -> bool:
        """Sign it and put it beside the service's record. False: another revision stands there. Raises errors.ClusterError."""


class Entries(Protocol):
    """The objects around a service: Ingresses, Services, network policies, the old application."""

    async def plan(self, service: model.Service, stage: entry_change.Stage) -> entry_change.Arrangement:
        """By a dry run: nothing is changed. Raises errors.ClusterError."""

    async def arrange(self, service: model.Service, stage: entry_change.Stage, objects: tuple[tuple[str, str], ...]) -> str:
        """Exactly these (`Arrangement.objects`), in order; what is so already is left. Answers what was done, one sentence.

        Raises errors.Conflict when somebody owns, or has moved, what is to be changed; other errors.ClusterError.
        """

    def view(self, service: str) -> entry_change.EntryView:
        """As of the last look, some seconds ago; at no cost."""


class Measures(Protocol):
    def look(self) -> gates.Look:
        """As of the last look; at no cost. `trouble` where there is none that counts."""
