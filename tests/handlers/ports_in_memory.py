"""The ports that are not the cluster, in memory: small, honest, with a switch for being away."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from handlers import errors, messages
from handlers.rules import effects, gates, migration
from k8s import entry_change, model
from k8s import errors as cluster_errors

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


class Stir:
    """Something happened: whoever waits for a condition looks again."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def happened(self) -> None:
        told, self._event = self._event, asyncio.Event()
        told.set()

    async def until(self, met: Callable[[], Any], *, what: str = "") -> Any:
        """Raises TimeoutError after a long while. Looks again after everything that happens."""
        async with asyncio.timeout(20):
            while not (found := met()):
                await self._event.wait()
        return found


class Clock:
    """Noon plus what the test adds; waiting is real."""

    def __init__(self) -> None:
        self.later = timedelta()

    def now(self) -> datetime:
        return NOON + self.later

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Pending:
    def __init__(self, stir: Stir) -> None:
        self.stir = stir
        self.away = False
        self.faults = 0  # so many times it breaks in a way that nobody thought of
        self.loses_answers = False  # it does what it is asked, and goes away before it says so
        self.open: dict[str, migration.Operation] = {}
        self.known: dict[str, migration.Operation] = {}

    def _reach(self) -> None:
        if self.away:
            raise errors.Away("Redis at 127.0.0.1 does not answer; see that it runs.")

    async def load(self, service: str) -> migration.Operation | None:
        self._reach()
        if self.faults:
            self.faults -= 1
            raise RuntimeError("a mistake of ours")
        return self.open.get(service)

    async def find(self, operation_id: str) -> migration.Operation | None:
        self._reach()
        return self.known.get(operation_id)

    async def save(self, operation: migration.Operation, expected_revision: int) -> bool:
        self._reach()
        found = self.open.get(operation.plan.service)
        if found is None and expected_revision:
            return False
        if found is not None and (found.revision != expected_revision or found.id != operation.id):
            return False
        self.open[operation.plan.service] = self.known[operation.id] = operation
        self.stir.happened()
        if self.loses_answers:
            self.away = True
            self._reach()
        return True

    async def drop(self, operation: migration.Operation) -> None:
        self._reach()
        if (found := self.open.get(operation.plan.service)) and found.id == operation.id:
            del self.open[operation.plan.service]
        self.known[operation.id] = operation
        self.stir.happened()


class Seen:
    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self.ids: set[str] = set()

    async def first_time(self, message_id: str) -> bool:
        self._pending._reach()
        new = message_id not in self.ids
        self.ids.add(message_id)
        return new


class Chat:
    def __init__(self, stir: Stir) -> None:
        self.stir = stir
        self.cards: dict[str, migration.Operation] = {}
        self.lines: list[str] = []
        self.pages: list[str] = []
        self.alerts: list[messages.Alert] = []
        self.phases: list[str] = []
        self.broken = False

    def _speak(self) -> None:
        self.stir.happened()
        if self.broken:
            raise RuntimeError("Slack is on fire")

    async def show(self, operation: migration.Operation) -> None:
        self.cards[operation.id] = operation
        said = str(operation.phase if operation.outcome is migration.Outcome.OPEN else operation.outcome)
        if not self.phases or self.phases[-1] != said:
            self.phases.append(said)
        self._speak()

    async def say(self, operation: migration.Operation, sentence: str) -> None:
        self.lines.append(sentence)
        self._speak()

    async def alert(self, alert: messages.Alert) -> None:
        self.alerts.append(alert)
        self._speak()

    async def page(self, service: str, sentence: str, *, held: bool = False) -> None:
        self.pages.append(sentence)
        self._speak()


class Notices:
    """What is told on cards that call nobody, with the service it is about."""

    def __init__(self, stir: Stir) -> None:
        self.stir = stir
        self.told: list[tuple[str, str]] = []

    async def tell(self, service: str, sentence: str) -> None:
        self.told.append((service, sentence))
        self.stir.happened()


class Audit:
    def __init__(self, stir: Stir) -> None:
        self.stir = stir
        self.events: list[effects.AuditEvent] = []

    def kinds(self) -> list[str]:
        return [str(event.kind) for event in self.events]

    async def record(self, event: effects.AuditEvent) -> None:
        self.events.append(event)
        self.stir.happened()


class Alerts:
    def __init__(self) -> None:
        self.fires: list[messages.Alert] = []
        self.away = False
        self.eyes_shut = ""

    async def firing(self, service: str) -> tuple[messages.Alert, ...]:
        if self.away:
            raise errors.Away("Alertmanager cannot be asked; see that it runs.")
        return tuple(one for one in self.fires if one.service in {service, model.ALL_SERVICES})

    async def blind(self) -> str:
        return self.eyes_shut


class Entries:
    """Objects by service as a single Ingress. `moved`: what somebody did to the objects, so that every dry run differs.

    `drift`, `meant`, `past`: what `view` says besides; arranging ends it. `troubles`: by stage. `refuses`:
    raised instead of arranging. `done`: service and stage of what was carried out.
    """

    def __init__(self, stir: Stir) -> None:
        self.stir = stir
        self.states: dict[str, entry_change.EntryState] = {}
        self.drift: tuple[str, ...] = ()
        self.meant = entry_change.EntryState.UNKNOWN
        self.past = False
        self.old_ready: int | None = 2
        self.moved = ""
        self.troubles: dict[entry_change.Stage, tuple[str, ...]] = {}
        self.refuses: list[cluster_errors.ClusterError] = []
        self.done: list[tuple[str, str]] = []
        self.wait: asyncio.Event | None = None

    async def plan(self, service: model.Service, stage: entry_change.Stage) -> entry_change.Arrangement:
        verb = entry_change.Verb.DELETE if stage is entry_change.Stage.REMOVE else entry_change.Verb.APPLY
        digest = entry_change.digest({"stage": stage, "moved": self.moved})
        one = entry_change.ObjectChange(verb, "Ingress", "team", service.name, digest, f"+ {stage}")
        return entry_change.Arrangement(stage, service.name, (one,), troubles=self.troubles.get(stage, ()))

    async def arrange(self, service: model.Service, stage: entry_change.Stage, objects: tuple[tuple[str, str], ...]) -> str:
        if self.wait is not None:
            await self.wait.wait()
        if self.refuses:
            raise self.refuses.pop(0)
        if objects != (await self.plan(service, stage)).objects:
            raise cluster_errors.Conflict("Ingress team/shop was changed since; plan it again")
        become = {
            entry_change.Stage.PREPARE: entry_change.EntryState.ENTERED,
            entry_change.Stage.BYPASS: entry_change.EntryState.DIRECT,
            entry_change.Stage.FORWARD: entry_change.EntryState.FORWARD,
        }
        self.states[service.name] = become.get(stage, self.states.get(service.name, entry_change.EntryState.DIRECT))
        self.drift, self.past, self.meant = (), False, self.states[service.name]
        self.done.append((service.name, str(stage)))
        self.stir.happened()
        return f"Ingress team/{service.name} is as {stage} says"

    def view(self, service: str) -> entry_change.EntryView:
        state = self.states.get(service, entry_change.EntryState.DIRECT)
        if service not in self.states:
            return entry_change.EntryView(state, str(state), old_ready=self.old_ready)
        return entry_change.EntryView(state, str(state), self.drift, self.old_ready, self.meant, self.past)


class Measures:
    """Numbers of a service that is well at whatever weight is in force. `requests`: at each side. `failed`: of those at new."""

    def __init__(self, clock: Clock, weights: Callable[[], Mapping[str, int]]) -> None:
        self._clock = clock
        self._weights = weights
        self.requests = 100_000.0
        self.failed = 0.0
        self.trouble = ""

    def look(self) -> gates.Look:
        of, at = gates.Reading.of, self._clock.now()
        if self.trouble:
            return gates.Look(at, trouble=self.trouble)
        well = gates.Side(of(self.requests), of(0.0), of(0.010), of(0.050))
        services = {
            name: gates.Measured(
                new=replace(well, failed=of(self.failed)),
                old=well if weight < 100 else replace(well, requests=of(0.0)),
                requests=of(2 * self.requests),
                share=of(weight / 100),
                available=of(1.0),
                changes=of(0.0),
                served=of(float(weight)),
                window=600.0,
            )
            for name, weight in self._weights().items()
        }
        return gates.Look(at, services, cpu=of(0.1), memory=of(0.1))
