"""Where effects become calls, in the order given, each safe to repeat. Nothing else acts on a decision.

What speaks never blocks and never fails anything. What takes long is handed back to be watched.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

import structlog

from handlers import apply, errors, hold, journey_keeping, messages, operation_document, outside, remembered, settle, speaking
from handlers.rules import effects, journeys, migration
from k8s import errors as cluster_errors
from k8s import model

_log = structlog.get_logger("ferry.perform")
Watch = effects.WatchConvergence | effects.WatchHealth | effects.ArrangeObjects
_ENDS = (effects.RevertRecord, effects.WriteHold, effects.DropOperation)
_Kept = tuple[journeys.Journey, journeys.Journey]  # before, after
_Speech = effects.ShowCard | effects.Say | effects.RecordEvent | effects.PageSomebody | effects.TellAlert


class LostRaceError(Exception):
    """Somebody else moved the operation on since it was loaded: load and decide again."""


@dataclass(slots=True)
class Performed:
    """`answers`: what the effects reported, to be decided on. `watches`: long work to be started."""

    answers: list[messages.Message] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)


class Performer:
    def __init__(
        self,
        world: outside.Outside,
        memory: remembered.Remembered,
        *,
        lane: hold.HoldLane,
        applying: apply.Applying,
        settling: settle.Settling,
        ways: journey_keeping.Journeys,
    ) -> None:
        self._world = world
        self._memory = memory
        self._lane = lane
        self._applying = applying
        self._settling = settling
        self._journeys = ways

    async def perform(self, todo: Sequence[effects.Effect]) -> Performed:
        """Raises LostRaceError, and errors.Away when a raise, or a step of the way, cannot be kept: nothing was changed then.

        A step that is used up is kept before the operation that uses it is saved: a crash between the two must not do it twice.
        """
        done, kept = Performed(), None
        for effect in _in_order(todo):
            try:
                if isinstance(effect, effects.KeepJourney):
                    kept = await self._keep(effect, must=not _ends(todo, effect)) or kept
                else:
                    await self._one(effect, done)
            except LostRaceError:
                if kept is not None and isinstance(effect, effects.SaveOperation):
                    await self._give_back(effect.operation, *kept)
                raise
        return done

    async def _one(self, effect: effects.Effect, done: Performed) -> None:
        match effect:
            case effects.SaveOperation(operation, expected):
                await self._save(operation, expected)
            case effects.DropOperation(operation):
                await self._drop(operation)
            case effects.WriteRecord():
                done.answers += await self._applying.apply(effect)
            case effects.RevertRecord():
                done.answers += await self._settling.lower(effect)
            case effects.WriteHold():
                await self._hold(effect)
            case effects.NoteOperation(operation):
                await self._note(operation)
            case effects.KeepJourney():
                await self._keep(effect, must=True)
            case effects.WatchConvergence() | effects.WatchHealth() | effects.ArrangeObjects():
                done.watches.append(effect)
            case _:
                await speaking.spoken(self._said(effect))

    async def _said(self, effect: _Speech) -> None:
        match effect:
            case effects.ShowCard(operation):
                await self._world.chat.show(operation)
            case effects.Say(operation, sentence):
                await self._world.chat.say(operation, sentence)
            case effects.RecordEvent(event):
                await self._world.audit.record(event)
            case effects.PageSomebody(service, sentence, once):
                await speaking.page(self._world, service, sentence, once=once)
            case effects.TellAlert(alert):
                await self._world.chat.alert(alert)
            case _:
                assert_never(effect)

    async def _save(self, operation: migration.Operation, expected: int) -> None:
        """A raise that begins must be in the store; what lowers, and what runs already, goes on without it."""
        beyond = operation.phase is not migration.Phase.ARRANGING and operation.plan.kind in migration.OBJECTS
        runs = operation.phase in migration.RUNNING and (operation.generation > 0 or beyond)
        free = runs or operation.plan.kind in migration.UNAPPROVED or operation.phase is migration.Phase.REVERTING
        try:
            kept = await self._kept(operation, expected, over_empty=free)
        except errors.Away as error:
            if not free:
                raise
            _log.warning("the operation is kept in memory only", operation=operation.id, because=str(error))
            kept = True
        if not kept:
            raise LostRaceError(operation.id)
        self._memory.keep(operation)

    async def _kept(self, operation: migration.Operation, expected: int, *, over_empty: bool) -> bool:
        """`over_empty`: a store that came back empty, or old, is brought up to date."""
        pending = self._world.pending
        if await pending.save(operation, expected):
            return True
        if not over_empty:
            return False
        stored = await pending.load(operation.plan.service)
        if stored is None:
            known = await pending.find(operation.id)
            gone = known is None or known.revision < operation.revision
            return gone and await pending.save(operation, 0)
        if stored.id == operation.id and stored.revision < operation.revision:
            return await pending.save(operation, stored.revision)
        return False

    async def _drop(self, operation: migration.Operation) -> None:
        self._memory.keep(operation)
        try:
            await self._world.pending.drop(operation)
        except errors.Away as error:
            _log.warning("a decided operation stays in the store", operation=operation.id, because=str(error))

    async def _note(self, operation: migration.Operation) -> None:
        """Beside the record it wrote; where another record stands already, there is nothing to note."""
        service = operation.plan.service
        try:
            await self._world.records.note(service, operation_document.to_document(operation))
        except cluster_errors.ClusterError as error:
            _log.info("the operation was not noted", operation=operation.id, because=str(error))

    async def _keep(self, effect: effects.KeepJourney, *, must: bool) -> _Kept | None:
        """`must`: what comes after it counts on it. What takes traffic back, or is at its end, goes on without."""
        service = effect.journey.service
        before = self._journeys.newest(self._world.cluster.service(service)) or journeys.Journey(service)
        try:
            kept = await self._journeys.keep(effect.journey, effect.expected_revision)
        except cluster_errors.ClusterError as error:
            if must:
                raise errors.Away(f"the journey of {service} could not be kept: {error}") from None
            _log.warning("the journey was not kept", service=service, because=str(error))
            return None
        if not kept:
            raise LostRaceError(service)
        return before, effect.journey

    async def _give_back(self, lost: migration.Operation, before: journeys.Journey, after: journeys.Journey) -> None:
        """Another operation was there first: nothing was used up. But the same one, begun by another replica, uses what both have
        kept alike, and a wave that was not confirmed there has not begun. Where nobody can say, or it cannot be kept, the step
        stays used.
        """
        with contextlib.suppress(cluster_errors.ClusterError, errors.Away):
            stored = await self._world.pending.find(lost.id)
            if stored is not None and (stored.confirmed_at is not None or stored.plan.kind is not migration.Kind.WAVE):
                return
            await self._journeys.keep(replace(before, revision=after.revision + 1), after.revision)

    async def _hold(self, effect: effects.WriteHold) -> None:
        """The id comes from what is held and why: performing twice writes one hold."""
        generation = self._world.cluster.service(effect.service).generation
        ordered = model.Hold(
            effect.service,
            f"ferry-{effects.digest(effect.service, effect.reason, effect.by, str(generation))}",
            reason=effect.reason,
            by=effect.by,
            since=self._world.clock.now().isoformat(timespec="seconds"),
        )
        await self._lane.place(ordered)


def _ends(todo: Sequence[effects.Effect], effect: effects.Effect) -> bool:
    """Something before it takes traffic back, or ends the operation."""
    return any(isinstance(one, _ENDS) for one in todo[: todo.index(effect)])


def _in_order(todo: Sequence[effects.Effect]) -> list[effects.Effect]:
    first = [one for one in todo if isinstance(one, effects.KeepJourney) and not _ends(todo, one)]
    return [*first, *(one for one in todo if one not in first)]
