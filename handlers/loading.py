"""Everything a decision looks at, gathered: the cluster's truth, the operation under way, and what forbids a raise now."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from handlers import (
    adopting,
    arranging,
    blockers,
    errors,
    journey_keeping,
    journey_messages,
    judged,
    messages,
    operation_document,
    outside,
    planned,
    remembered,
)
from handlers.rules import effects, gates, migration
from k8s import entry_change, views
from k8s import errors as cluster_errors

_OPEN = migration.Outcome.OPEN
_OVERTAKEN = "another change was recorded meanwhile; this one is void"
_LOST = "the store of requests came back without it, and with it went what was said to it; ask again if it is still wanted"
_RAISES = (
    messages.ProposeShift,
    messages.ProposeRelease,
    messages.Approve,
    messages.Confirm,
    journey_messages.ProposeObjects,
    journey_messages.ProposeFinish,
    journey_messages.ProposeRun,
    journey_messages.SkipSoak,
    journey_messages.StepDue,
    journey_messages.ObjectsArranged,
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """`void`: an operation that was under way and counts no more; `why`: what became of it, a clause."""

    of: migration.Migration
    void: migration.Operation | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """`operation`: the open one. `void`, `why`: as in `Loaded`. `away`: why the store gave no answer; empty: it did."""

    operation: migration.Operation | None = None
    void: migration.Operation | None = None
    why: str = ""
    away: str = ""


@dataclass(frozen=True, slots=True)
class _Objects:
    """What a stage would change; `trouble`: why nobody knows, one sentence."""

    arrangement: entry_change.Arrangement | None = None
    trouble: str = ""


class Loader:
    def __init__(
        self,
        world: outside.Outside,
        memory: remembered.Remembered,
        *,
        gather: blockers.Blockers,
        trust: migration.Trust,
        ways: journey_keeping.Journeys,
        arranges: arranging.Arranging,
    ) -> None:
        self._world = world
        self._memory = memory
        self._blockers = gather
        self._trust = trust
        self._journeys = ways
        self._arranging = arranges

    async def load(self, service: str, message: messages.Message | None = None) -> Loaded:
        """For this message. Only what may raise asks proxies and alerts; nothing here fails because a part is away."""
        found = await self.find(service)
        last = await self._last(service, message, found)
        view = self._world.cluster.service(service)
        objects = await self._objects(message, service, found.operation)
        plan = self._plan(message, view, found.operation, objects)
        against, judgement = blockers.NOTHING, gates.Judgement()
        if message is not None and _may_raise(message, plan, found.operation):
            against = await self._blockers.now(view, found.away)
            await adopting.adopt(self._world, against.reported)
            view = self._world.cluster.service(service)
            standing = {hold.id for hold in view.holds}
            more = tuple(hold for hold in against.reported if hold.id not in standing)
            view = replace(view, highest=max(view.highest, against.generation), holds=(*view.holds, *more))
            plan = self._plan(message, view, found.operation, objects)
            judgement = self._judgement(view, against)
        holds = {*(hold.id for hold in view.holds), *self._ordered(view)}
        rest = migration.Phase.HELD if holds else migration.Phase.STEADY
        finished, untold = await self._finished(view, message, against)
        unread = (objects.trouble, self._journeys.trouble(view), untold)
        return Loaded(
            migration.Migration(
                service=service,
                phase=found.operation.phase if found.operation else rest,
                exposure=view.in_force,
                generation=view.generation,
                wish=view.wish,
                holds=tuple(sorted(holds)),
                operation=found.operation,
                latest=self._memory.saw(self._world.clock.now()),
                blockers=(*against.sentences, *(one.strip().rstrip(".") for one in unread if one)),
                plan_now=plan,
                trust=self._trust,
                still_firing=against.still_firing,
                last=last,
                journey=self._journeys.newest(view),
                entry=self._arranging.view(service),
                judgement=judgement,
                arrangement=objects.arrangement,
                record_finished=finished,
                wished=view.wished,
                wrote=view.record.operation if view.record is not None else "",
                open_ends=against.open_ends,
                certain=self._world.cluster.view().synced and not (view.record_trouble or view.stale),
            ),
            found.void,
            found.why,
        )

    def _plan(
        self,
        message: messages.Message | None,
        view: views.ServiceView,
        operation: migration.Operation | None,
        objects: _Objects,
    ) -> migration.Plan | None:
        if message is None:
            return None
        now = self._memory.saw(self._world.clock.now())
        return planned.plan_for(message, view, operation, planned.Asked(now, self._trust.standing, objects.arrangement))

    async def _objects(self, message: messages.Message | None, service: str, operation: migration.Operation | None) -> _Objects:
        """By a dry run, where the plan is about objects; it is made again at each step of the way."""
        stage = planned.stage_of(message, operation) if message is not None else None
        if stage is None:
            return _Objects()
        try:
            return _Objects(await self._arranging.preview(service, stage))
        except cluster_errors.ClusterError as error:
            why = planned.unplannable(stage, error)
            if isinstance(message, messages.Approve | messages.Confirm):
                return _Objects(trouble=why)  # what was approved still waits, and counts when it can be planned again
            return _Objects(entry_change.Arrangement(stage, service, troubles=(why,)))

    def _judgement(self, view: views.ServiceView, against: blockers.Against) -> gates.Judgement:
        journey = self._journeys.newest(view)
        return judged.judgement(judged.look(self._world), view, journey, firing=against.firing, blind=against.blind)

    async def _finished(
        self, view: views.ServiceView, message: messages.Message | None, against: blockers.Against
    ) -> tuple[bool, str]:
        """Whether the record in force is finished; of one that is gone whether the newest that was signed was, or a proxy goes on
        with it: the end is not undone by deleting it. And why nobody can say, one sentence.
        """
        if view.record is not None and (view.record.finished or not view.stale):
            return view.record.finished, ""
        if against.ended:
            return True, ""
        if view.record is not None or not isinstance(message, _RAISES) or not self._world.cluster.view().synced:
            return False, ""
        try:
            history = await self._world.records.history(view.name)
        except cluster_errors.ClusterError as error:
            return False, f"nobody can read whether it was finished: {error}"
        return bool(history) and history[0].record.finished, ""

    async def operation(self, service: str) -> migration.Operation | None:
        """The service's open operation, wherever it is known; memory follows."""
        return (await self.find(service)).operation

    def _ordered(self, view: views.ServiceView) -> tuple[str, ...]:
        """Holds that were ordered here and that neither the cluster shows nor a record ended."""
        ended = view.record.clears if view.record else ()
        return tuple(hold.id for hold in self._memory.ordered(view.name) if hold.id not in ended)

    async def find(self, service: str) -> Found:
        """What is under way, from all who know of it. For a request that waits memory counts only while the store agrees."""
        view = self._world.cluster.service(service)
        mine, noted, known = self._memory.open(service), self._noted(view), []
        stored, away = None, ""
        try:
            stored = await self._world.pending.load(service)
            known.append(stored)
            others = {one.id for one in (mine, noted) if one is not None} - {stored.id if stored else ""}
            known += [await self._world.pending.find(other) for other in others]
        except errors.Away as error:
            away = str(error)
        lowers = mine is not None and mine.plan.kind in migration.UNAPPROVED
        if mine is not None and (away or lowers or mine.phase in migration.RUNNING):
            known.append(mine)
        if noted is not None:
            known.append(noted)
        newest = self._newest(one for one in known if one is not None)
        for one in newest.values():
            self._memory.keep(one)
        await self._dropped(stored, newest)
        candidates = [one for one in newest.values() if one.outcome is _OPEN]
        operation = max(candidates, key=lambda one: (one.phase in migration.RUNNING, one.requested_at), default=None)
        if operation is not None and overtaken(operation, view):
            return Found(None, operation, _OVERTAKEN, away)
        if mine is not None and mine.id not in newest:
            return Found(operation, mine, _LOST, away)
        return Found(operation, away=away)

    def _noted(self, view: views.ServiceView) -> migration.Operation | None:
        """The operation that the cluster itself names."""
        return signed(view)

    async def _dropped(self, stored: migration.Operation | None, newest: Mapping[str, migration.Operation]) -> None:
        """The store missed that it was decided (it was away then, or came back old): it would block the next request."""
        if stored is not None and newest[stored.id].outcome is not migration.Outcome.OPEN:
            with contextlib.suppress(errors.Away):
                await self._world.pending.drop(newest[stored.id])

    def _newest(self, known: Iterable[migration.Operation]) -> dict[str, migration.Operation]:
        """By id: of several forms the one with the highest revision, decided ones that memory has included."""
        newest: dict[str, migration.Operation] = {}
        for one in known:
            remembers = self._memory.find(one.id)
            forms = [one, newest.get(one.id, one)]
            if remembers is not None and remembers.outcome is not migration.Outcome.OPEN:
                forms.append(remembers)
            newest[one.id] = max(forms, key=lambda form: (form.revision, form.outcome is not _OPEN))
        return newest

    async def _last(self, service: str, message: messages.Message | None, found: Found) -> migration.Operation | None:
        """The decided operation that a late click is about, or the newest one."""
        match message:
            case messages.Approve() | messages.Reject() | messages.Confirm():
                wanted = message.operation
            case _:
                return self._memory.last(service)
        if found.operation is not None and found.operation.id == wanted:
            return self._memory.last(service)
        known = self._memory.find(wanted)
        if known is None and not found.away:
            try:
                known = await self._world.pending.find(wanted)
            except errors.Away:
                known = None
        decided = known is not None and known.outcome is not migration.Outcome.OPEN and known.plan.service == service
        return known if decided else self._memory.last(service)

    async def known(self, operation_id: str) -> migration.Operation | None:
        """Open or decided."""
        known = self._memory.find(operation_id)
        try:
            stored = await self._world.pending.find(operation_id)
        except errors.Away:
            stored = None
        found = [one for one in (known, stored) if one is not None]
        if not found:
            in_view = self._world.cluster.view().services.values()
            found = [one for one in map(signed, in_view) if one is not None and one.id == operation_id]
        return max(found, key=lambda one: one.revision, default=None)

    async def all_open(self) -> dict[str, migration.Operation]:
        """Every service's open operation. Memory answers for what the store cannot say."""
        names = sorted(self._world.cluster.view().services)
        found = await asyncio.gather(*(self.operation(name) for name in names))
        return {name: one for name, one in zip(names, found, strict=True) if one is not None}


def signed(view: views.ServiceView) -> migration.Operation | None:
    """The signed operation beside the record that it wrote, or that took it back."""
    if view.operation is None or view.record is None:
        return None
    try:
        operation = operation_document.from_document(view.operation)
    except operation_document.UnreadableOperationError:
        return None
    own = view.record.operation in {operation.id, effects.revert_id(operation.id)}
    decided = operation.outcome is not migration.Outcome.OPEN
    return operation if decided or (own and operation.phase in migration.RUNNING) else None


def runs(view: views.ServiceView) -> bool:
    """The operation beside the record is on its way, whichever replica has it in hand."""
    operation = signed(view)
    return operation is not None and operation.outcome is _OPEN and operation.phase in migration.RUNNING


def overtaken(operation: migration.Operation, view: views.ServiceView) -> bool:
    """Another record than its own came into force after it: what it was made from is gone.

    A lowering that waits is judged when it is confirmed: what is still lower then is still wanted.
    """
    record = view.record
    if operation.plan.kind in migration.UNAPPROVED and operation.phase not in migration.RUNNING:
        return False
    if record is None or record.operation in {operation.id, effects.revert_id(operation.id)}:
        return False
    return record.generation > max(operation.generation, operation.plan.generation)


def _may_raise(message: messages.Message, plan: migration.Plan | None, operation: migration.Operation | None) -> bool:
    """Lowering is never delayed by questions to proxies and alerts."""
    if not isinstance(message, _RAISES):
        return False
    match message:
        case messages.Approve() | messages.Confirm():
            return operation is None or operation.plan.kind not in migration.UNAPPROVED
        case journey_messages.ObjectsArranged():
            return operation is not None and operation.plan.kind is migration.Kind.FINISH
        case messages.ProposeShift():
            return plan is not None and plan.kind is not migration.Kind.LOWER
        case journey_messages.ProposeObjects():
            return message.stage is not entry_change.Stage.BYPASS
        case _:
            return True
