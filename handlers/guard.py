"""The background: what the cluster shows and what the clock says becomes messages, without anybody asking.

Holds that stand are settled, hand edits downwards are followed, requests expire, operations nobody works on any more are
resumed. It only ever tells the dispatcher; what it missed it sees again in the next round.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from handlers import (
    bypassing,
    dispatch,
    document_trouble,
    drifting,
    exposed,
    hold,
    listening,
    loading,
    messages,
    outside,
    remembered,
    restoring,
    speaking,
    tasks,
)
from handlers.rules import approvals, decision, migration
from k8s import hold_document, model, views

_log = structlog.get_logger("ferry.guard")
_SWEPT = 25  # services whose stored operation is looked at in one tick
_TOLD_AGAIN = timedelta(minutes=10)  # after a start, cards of what was decided since are shown once more
_OURS = frozenset({"alertmanager", decision.FERRY})  # who signs holds that Ferry places by itself
_LONGEST_PAUSE = 30.0  # seconds between two tries of what does not succeed


@dataclass(frozen=True, slots=True)
class _Fed:
    """What was last told for a service, and when it may be told again."""

    signature: tuple[object, ...]
    again: float
    pause: float


class Guard:
    def __init__(
        self,
        world: outside.Outside,
        limits: outside.Limits,
        *,
        memory: remembered.Remembered,
        loader: loading.Loader,
        dispatcher: dispatch.Dispatcher,
        exposures: exposed.FirstExposures,
        ears: listening.Listening,
        lane: hold.HoldLane,
        bypass: bypassing.Bypassing,
        drift: drifting.Drifting,
        work: tasks.Tasks,
    ) -> None:
        self._world = world
        self._limits = limits
        self._memory = memory
        self._loader = loader
        self._dispatcher = dispatcher
        self._exposures = exposures
        self._listening = ears
        self._tasks = work
        self._document = document_trouble.DocumentTrouble(world, limits)
        self._restoring = restoring.Restoring(world, limits, lane=lane, work=work)
        self._bypassing = bypass
        self._drifting = drift
        self._fed: dict[str, _Fed] = {}
        self._holds: dict[str, frozenset[str]] = {}
        self._announced: set[str] = set()
        self._stalled: dict[str, tuple[int, float]] = {}  # by operation: revision, since when
        self._next = 0
        self._listened = -limits.listen
        self._began = False

    async def run(self) -> None:
        """Until it is cancelled."""
        swept = self._world.clock.monotonic()
        while True:
            change = asyncio.ensure_future(self._world.cluster.changed())
            tick = asyncio.ensure_future(self._world.clock.sleep(self._limits.tick))
            try:
                await self.begin()
                self._round()
                looked = self._world.clock.monotonic()
                await asyncio.wait({change, tick}, return_when=asyncio.FIRST_COMPLETED)
                if (early := self._limits.ask - (self._world.clock.monotonic() - looked)) > 0:
                    await self._world.clock.sleep(early)  # a storm of changes is looked at once
                self._listen()
                if self._world.clock.monotonic() - swept >= self._limits.tick:
                    swept = self._world.clock.monotonic()
                    await self._sweep()
            except Exception:  # noqa: BLE001  the guard outlives every fault, it is what settles holds
                _log.exception("a round of the guard failed; the next one looks again")
                await self._world.clock.sleep(self._limits.tick)
            finally:
                change.cancel()
                tick.cancel()
                await asyncio.gather(change, tick, return_exceptions=True)

    async def begin(self) -> None:
        """Once, as soon as the cluster has been read: what runs goes on."""
        if self._began or not self._world.cluster.view().synced:
            return
        self._began = True
        for service, operation in (await self._loader.all_open()).items():
            if operation.phase in migration.RUNNING:
                self._tasks.start(self._dispatcher.resume(service), name=f"resume {service}")
        now = self._world.clock.now()
        for service in self._world.cluster.view().services:
            last = self._memory.last(service)
            if last is not None and last.timeline and now - last.timeline[-1][0] < _TOLD_AGAIN:
                await speaking.spoken(self._world.chat.show(last))  # the crash may have come just before its last word

    def _round(self) -> None:
        view = self._world.cluster.view()
        if not view.synced:
            return
        if self._document.look(view) and not self._tasks.runs("document"):
            self._tasks.start(self._document.say(view), key="document")
        self._restoring.look(view)
        self._bypassing.look(view)
        self._drifting.look(view)
        for name, one in view.services.items():
            message = self._due(one)
            if isinstance(message, messages.WishLowered):
                self._drifting.lowered(one, view)
            if message is not None:
                self._feed(message, one)
            key = f"first exposure of {name}"
            if self._exposures.wants(one) and not self._tasks.runs(key):  # begun anew each time, a slow answer would never come
                self._tasks.start(self._exposures.learn(one), key=key)

    def _due(self, one: views.ServiceView) -> messages.Message | None:
        now = self._world.clock.now()
        operation = self._memory.open(one.name)
        in_force = one.in_force.weight if one.record is not None and one.in_force is not None and not _ended(one) else 0
        ids = frozenset(hold.id for hold in one.holds)
        new = ids - self._holds.get(one.name, frozenset())
        if new and (one.name in self._holds or in_force > 0):  # what stood before this replica began was said before
            self._announce([hold for hold in one.holds if hold.id in new])
        self._holds[one.name] = ids
        if ids and (new or in_force > 0 or (operation is not None and not ids <= set(operation.plan.clears))):
            return messages.HoldsStand(id=f"guard/holds/{one.name}", at=now, service=one.name, holds=one.holds)
        if one.stale:
            return messages.RecordRestored(
                id=f"guard/restored/{one.name}", at=now, service=one.name, generation=one.generation, highest=one.highest
            )
        if not ids and one.wish < in_force:
            return messages.WishLowered(id=f"guard/wish/{one.name}", at=now, service=one.name, weight=one.wish)
        if operation is not None:
            waits = operation.phase not in migration.RUNNING
            if (waits and approvals.expired(operation, self._memory.saw(now))) or loading.overtaken(operation, one):
                return messages.TimePassed(id=f"guard/time/{operation.id}", at=now, service=one.name)
        return None

    def _announce(self, holds: Sequence[model.Hold]) -> None:
        """Orders that did not come through Ferry: everybody shall know. Those that did are told where they were given."""
        for one in holds:
            if one.by in _OURS or one.by.startswith("slack:") or one.key in self._announced:
                continue
            self._announced.add(one.key)  # what is held for all is seen at every service
            what = "All services are" if one.service == model.ALL_SERVICES else f"{one.service} is"
            if _by_a_proxy(one):
                sentence = f"{what} held at 100% old by the proxies themselves ({one.by}): {one.reason.rstrip('.') or one.id}."
            else:
                reason = f" ({one.reason})" if one.reason else ""
                sentence = f"{what} held at 100% old: hold {one.id} was placed without Ferry{reason}."
            sentence = f"{sentence} {hold.NOTHING_FORWARD}"
            self._tasks.start(speaking.page(self._world, one.service, sentence, once=one.key, held=True))

    def _feed(self, message: messages.Message, one: views.ServiceView) -> None:
        """The same again only after a pause that grows: what does not succeed is not hammered."""
        operation = self._memory.open(one.name)
        ids = frozenset(hold.id for hold in one.holds)
        signature = (type(message), one.generation, ids, one.wish, operation.revision if operation else 0)
        now, fed = self._world.clock.monotonic(), self._fed.get(one.name)
        if fed is not None and fed.signature == signature:
            if now < fed.again:
                return
            pause = min(fed.pause * 2, _LONGEST_PAUSE)
        else:
            pause = self._limits.tick
        self._fed[one.name] = _Fed(signature, now + pause, pause)
        self._dispatcher.feed(message)

    def _listen(self) -> None:
        """What the proxies know and the cluster does not, every few seconds."""
        now = self._world.clock.monotonic()
        if now - self._listened >= self._limits.listen and not self._tasks.runs("listen"):
            self._listened = now
            self._tasks.start(self._listening.listen(), key="listen")

    async def _sweep(self) -> None:
        """A few services each time: requests that another replica accepted, or that are lost, operations nobody works on."""
        names = sorted(self._world.cluster.view().services)
        for _ in range(min(_SWEPT, len(names))):
            self._next = (self._next + 1) % len(names)
            name = names[self._next]
            found = await self._loader.find(name)
            if found.void is not None:
                now = self._world.clock.now()
                self._dispatcher.feed(messages.TimePassed(id=f"guard/void/{found.void.id}", at=now, service=name))
            elif found.operation is not None and found.operation.phase in migration.RUNNING:
                self._resume_if_stalled(name, found.operation)

    def _resume_if_stalled(self, service: str, operation: migration.Operation) -> None:
        """Longer without a step than any phase may last, and not in our hands: its replica is gone."""
        now = self._world.clock.monotonic()
        revision, since = self._stalled.get(operation.id, (0, now))
        if revision != operation.revision or self._dispatcher.works_on(service):
            self._stalled = {operation.id: (operation.revision, now), **self._others(operation)}
            return
        if now - since >= self._limits.converge + self._limits.verify:
            self._stalled.pop(operation.id)
            self._tasks.start(self._dispatcher.resume(service), name=f"resume {service}")

    def _others(self, operation: migration.Operation) -> dict[str, tuple[int, float]]:
        """Of operations that are still open; the others need no memory."""
        still = {one.id for one in self._memory.all_open().values()} - {operation.id}
        return {one: seen for one, seen in self._stalled.items() if one in still}


def _ended(one: views.ServiceView) -> bool:
    """Finished, and the end was reached, as far as anybody can say: then nothing is lowered any more."""
    reached = one.journey is None or one.journey.get("finished") is not None
    return one.record is not None and one.record.finished and reached


def _by_a_proxy(one: model.Hold) -> bool:
    """An agent placed it by itself: a latch, or because of a document that nobody could read."""
    own = one.id.startswith((hold_document.LATCH_PREFIX, hold_document.DOCUMENT_PREFIX))
    return one.by.startswith(("agent/", "ferry-agent")) or (own and bool(one.by))
