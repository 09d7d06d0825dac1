"""One message at a time per service: load, decide, perform; what was performed reports back and is decided on in turn.

Two replicas meet in the store's compare-and-set and in the cluster's: who loses loads again and decides again.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from handlers import (
    answers,
    arranging,
    converge,
    errors,
    journey_messages,
    loading,
    messages,
    outside,
    perform,
    remembered,
    speaking,
    tasks,
    verify,
)
from handlers.rules import approvals, decide, decision, effects, migration, readiness, refusals, running, stepping

_log = structlog.get_logger("ferry.dispatch")
_TRIES = 5


class Dispatcher:
    def __init__(
        self,
        world: outside.Outside,
        *,
        memory: remembered.Remembered,
        loader: loading.Loader,
        performer: perform.Performer,
        converging: converge.Converging,
        verifying: verify.Verifying,
        arranges: arranging.Arranging,
        work: tasks.Tasks,
        pause: float,
    ) -> None:
        """`pause`: seconds between two looks at a store that is away."""
        self._world = world
        self._memory = memory
        self._loader = loader
        self._performer = performer
        self._converging = converging
        self._verifying = verifying
        self._arranging = arranges
        self._tasks = work
        self._pause = pause
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def feed(self, message: messages.Message) -> None:
        """Told in its own time; its faults are logged and stay alone."""
        self._tasks.start(self.tell(message), name=f"{type(message).__name__} {message.service}")

    def works_on(self, service: str) -> bool:
        """Somebody is deciding, or waiting for the proxies, for this service in this replica."""
        return self._locks[service].locked() or any(self._tasks.runs(key) for key in (_watch_key(service), _objects_key(service)))

    async def tell(self, message: messages.Message) -> answers.Answer:
        """What became of it, after everything that followed at once."""
        async with self._locks[message.service]:
            first = await self._decide(message)
            final = await self._follow(first)
        return _answer(message, first.decided, final.decided)

    async def resume(self, service: str) -> str:
        """Puts a running operation back to work, after a crash or for a replica that died. Answers what was done."""
        async with self._locks[service]:
            loaded = await self._loader.load(service)
            of = loaded.of
            if of.operation is None or of.phase not in migration.RUNNING:
                return "nothing runs"
            if others := tuple(
                hold for hold in self._world.cluster.service(service).holds if hold.id not in of.operation.plan.clears
            ):
                said = messages.HoldsStand(id=f"resume/{service}", at=self._world.clock.now(), service=service, holds=others)
                await self._follow(await self._decide(said))
                return "held"
            against, marks = await self._forbidden(of.operation) if _asks_again(of) else ("", ())
            if against:
                await self._follow(await self._decide(_not_done(of, of.operation, self._world.clock.now(), against)))
                return against
            try:
                done = await self._performer.perform((*marks, *running.resume(of)))
            except (perform.LostRaceError, errors.Away) as error:
                return f"not resumed ({error}); it is tried again"
            self._watch(done.watches, of.operation)
            await self._follow(_Told(decision.Decision(of), done.answers))
            return f"resumed at {of.phase}"

    async def _forbidden(self, operation: migration.Operation) -> tuple[str, tuple[effects.Effect, ...]]:
        """A confirmed raise whose record was not written before the crash, or a removal that is not over: all is asked once more.
        Why not, or what is to be kept before."""
        plan = operation.plan
        record = self._world.cluster.service(plan.service).record
        if plan.kind in migration.UNAPPROVED or (record is not None and record.operation == operation.id):
            return "", ()
        nobody = messages.Person(operation.requester, operation.requester_shown)
        asked = messages.Confirm(
            id=f"resume/{operation.id}", at=self._world.clock.now(), service=plan.service, actor=nobody, operation=operation.id
        )
        of = (await self._loader.load(plan.service, asked)).of
        now = self._memory.saw(self._world.clock.now())
        refusal = approvals.forbids_raise(readiness.seen_by(of, plan), plan, now)
        if refusal is None and plan.kind is migration.Kind.REMOVE:
            refusal = readiness.removal_refused(of)
        marks = stepping.used_again(of, operation)
        if marks is None:
            return "Ferry was restarted before it was written, and its standing approval counts no more", ()
        return (f"Ferry was restarted before it was written, and now: {refusal.why}", ()) if refusal else ("", marks)

    async def _follow(self, told: "_Told") -> "_Told":
        """Decides on what was reported, until nothing more is; the last decision that was no refusal."""
        reports, final = deque(told.reports), told
        while reports:
            answered = await self._decide(reports.popleft())
            reports.extend(answered.reports)
            if answered.decided.refusal is None:
                final = answered
        return final

    async def _decide(self, message: messages.Message) -> "_Told":
        for _ in range(_TRIES):
            loaded = await self._loader.load(message.service, message)
            if loaded.void is not None:
                await self._void(loaded.void, loaded.why)
                continue  # what is asked is about what is left
            decided = decide.decide(loaded.of, message, self._memory.saw(self._world.clock.now()))
            try:
                done = await self._performer.perform(decided.effects)
            except perform.LostRaceError:
                continue
            except errors.Away as error:
                self._doubt(decided, str(error))
                return await self._blocked(loaded.of, message, str(error))
            self._watch(done.watches, decided.next.operation)
            if decided.next.operation is None or decided.next.phase is not loaded.of.phase:
                self._stop_watching(decided.next, done.watches)
            _log.info(type(message).__name__, service=message.service, because=decided.because, phase=str(decided.next.phase))
            return _Told(decided, done.answers)
        why = f"somebody else changed the request of {message.service} {_TRIES} times meanwhile"
        return await self._blocked(loaded.of, message, why)

    def _doubt(self, decided: decision.Decision, why: str) -> None:
        """The confirmation was refused because the store gave no answer, and may be in it all the same."""
        operation = decided.next.operation
        if operation is not None and operation.phase is migration.Phase.APPLYING:
            self._tasks.start(self._withdraw(operation, why), name=f"withdraw {operation.id}")

    async def _withdraw(self, operation: migration.Operation, why: str) -> None:
        """What the person was told was refused must not begin later, when somebody finds it in the store."""
        while True:
            await self._world.clock.sleep(self._pause)
            try:
                stored = await self._world.pending.load(operation.plan.service)
            except errors.Away:
                continue
            if stored == operation:
                self.feed(
                    messages.RecordNotWritten(
                        id=f"{operation.id}/withdraw",
                        at=self._world.clock.now(),
                        service=operation.plan.service,
                        operation=operation.id,
                        why=f"the store did not answer the confirmation ({why.strip().rstrip('.')})",
                    )
                )
            return

    async def _blocked(self, of: migration.Migration, message: messages.Message, why: str) -> "_Told":
        """Nothing was done, and why; that somebody tried is on record."""
        plain = why.strip().rstrip(".")
        refusal = refusals.refuse(refusals.Reason.BLOCKED, service=of.service, blockers=plain)
        if isinstance(message, messages.Command):
            tried = decision.event(of, effects.EventKind.REFUSED, refusal.sentence, actor=message.actor)
            await self._performer.perform((tried,))
        return _Told(decision.refused(of, refusal), [])

    def _watch(self, watches: Sequence[perform.Watch], operation: migration.Operation | None) -> None:
        for watch in watches:
            if isinstance(watch, effects.ArrangeObjects):
                # Never cancelled: half of the objects is worse than all, and meanwhile messages about the service are heard.
                key = _objects_key(watch.operation.plan.service)
                self._tasks.start(self._arranged(watch), key="" if self._tasks.runs(key) else key)
            elif operation is not None:
                self._tasks.start(self._watched(watch, operation), key=_watch_key(operation.plan.service))

    async def _arranged(self, effect: effects.ArrangeObjects) -> None:
        known = self._memory.find(effect.operation.id)
        if known is not None and known.outcome is not migration.Outcome.OPEN:
            return  # a hold was faster
        self.feed(await self._arranging.carry_out(effect))

    def _stop_watching(self, of: migration.Migration, started: Sequence[perform.Watch]) -> None:
        """What was waited for does not matter any more."""
        if not started:
            self._tasks.cancel(_watch_key(of.service))

    async def _watched(self, watch: effects.WatchConvergence | effects.WatchHealth, operation: migration.Operation) -> None:
        async def progress(sentence: str) -> None:
            current = self._memory.open(operation.plan.service) or operation
            if current.id == operation.id:
                await speaking.spoken(self._world.chat.show(replace(current, because=sentence)))

        report: messages.Message
        if isinstance(watch, effects.WatchConvergence):
            report = await self._converging.served(watch, operation, progress)
        else:
            report = await self._verifying.watched(watch.operation, progress)
        self.feed(report)

    async def _void(self, operation: migration.Operation, because: str) -> None:
        """It counts no more: said on its card, once."""
        now = self._memory.saw(self._world.clock.now())
        of = migration.Migration(operation.plan.service, operation.phase, operation=operation)
        closed = decision.closed(of, migration.Outcome.VOID, because, now=now)
        await self._performer.perform(closed.effects)


def _asks_again(of: migration.Migration) -> bool:
    """Before a record, and before more of the old application goes; what else was begun is better brought to its end."""
    removes = of.operation is not None and of.operation.plan.kind is migration.Kind.REMOVE
    return of.phase is migration.Phase.APPLYING or (of.phase is migration.Phase.ARRANGING and removes)


def _not_done(of: migration.Migration, operation: migration.Operation, at: datetime, why: str) -> messages.Message:
    name, service = f"resume/{of.service}", of.service
    if of.phase is migration.Phase.ARRANGING:
        return journey_messages.ObjectsNotArranged(id=name, at=at, service=service, operation=operation.id, why=why)
    return messages.RecordNotWritten(id=name, at=at, service=service, operation=operation.id, why=why)


class _Told:
    """A decision that was performed, and what it reported."""

    def __init__(self, decided: decision.Decision, reports: Sequence[messages.Message]) -> None:
        self.decided = decided
        self.reports = reports


def _answer(message: messages.Message, first: decision.Decision, final: decision.Decision) -> answers.Answer:
    """With the operation that the message is about, as it is now."""
    operation, last = final.next.operation, final.next.last
    if operation is None and last is not None:
        closed = any(isinstance(one, effects.DropOperation) for one in (*first.effects, *final.effects))
        operation = last if closed or last.id == getattr(message, "operation", "") else None
    if first.refusal is not None:
        return answers.Answer(first.refusal.sentence, first.refusal, operation)
    return answers.Answer(final.because, None, operation)


def _objects_key(service: str) -> str:
    return f"objects of {service}"


def _watch_key(service: str) -> str:
    return f"watch {service}"
