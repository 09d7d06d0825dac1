"""`migration.yaml` raised by hand above the record: no proxy serves it, and after a moment it says again what the record says.

It waits for a second edit of whoever wrote it, and for the end of what is under way. What somebody writes again and again is put
back once, and then told and left: no proxy serves it either way.
"""

from dataclasses import dataclass

import structlog

from handlers import answers, loading, outside, tasks
from handlers.drift_notes import Busy, DriftNotes, Noted
from handlers.rules import drifts, effects
from k8s import errors, protocol, views, wish_change
from k8s import model as models

_AGAIN = 5.0  # seconds between two tries of a write that failed
_log = structlog.get_logger("ferry.drift")
_Judged = tuple[models.Service | None, protocol.Record | None, bool]


@dataclass(frozen=True, slots=True)
class _PutBack:
    above: drifts.Above
    at: float


class DocumentDrift:
    """`look` at every view in turn; `busy`: whether this replica works on a service."""

    def __init__(
        self,
        world: outside.Outside,
        limits: outside.Limits,
        *,
        loader: loading.Loader,
        notes: DriftNotes,
        work: tasks.Tasks,
        busy: Busy,
    ) -> None:
        self._world = world
        self._limits = limits
        self._loader = loader
        self._notes = notes
        self._tasks = work
        self._busy = busy
        self._judged: dict[str, _Judged] = {}  # what was judged last, by service
        self._above: dict[str, drifts.Above] = {}
        self._noted: dict[str, Noted] = {}
        self._put: dict[str, _PutBack] = {}

    @property
    def lines(self) -> tuple[answers.DriftLine, ...]:
        return tuple(noted.line for noted in self._noted.values() if noted.became is not answers.Became.PUT_BACK)

    def look(self, view: views.ClusterView) -> None:
        """Cheap: a service whose entry and record are as before is not judged again."""
        now = self._world.clock.monotonic()
        for name, one in view.services.items():
            judged = (one.wished, one.record, bool(one.refused or one.record_trouble or one.stale))
            before = self._judged.get(name)
            if before is None or any(a is not b for a, b in zip(judged, before, strict=True)):
                self._judged[name] = judged
                self._judge(one, before, view, now)
        for name in [name for name in self._judged if name not in view.services]:
            del self._judged[name]
            self._end(name, now)
        for name, noted in self._noted.items():
            due = noted.became is answers.Became.WAITS and now >= max(noted.seen + self._limits.drift, noted.again)
            if due and not self._busy(name) and not self._tasks.runs(_key(name)):
                self._tasks.start(self._act(noted, self._above[name]), key=_key(name))

    def _judge(self, one: views.ServiceView, before: _Judged | None, view: views.ClusterView, now: float) -> None:
        above = drifts.above(one)
        noted = self._noted.get(one.name)
        if above == self._above.get(one.name):
            if noted is not None and noted.became is answers.Became.PUT_BACK:
                noted.became, noted.seen, noted.again = answers.Became.WAITS, now, 0.0  # it was written again at once
            return
        self._end(one.name, now)
        if above is None:
            return
        fell = before is not None and before[0] is one.wished  # the record went down, and the document has not followed
        self._above[one.name] = above
        self._noted[one.name] = Noted(
            one.name,
            above.what,
            self._world.clock.now(),
            now,
            effects.digest(one.name, str(one.generation), above.what, one.wish_version),
            by="" if fell else view.document.writer,
            todo=f"{above.asks} asks for it.",
        )

    def _end(self, name: str, now: float) -> None:
        noted, above = self._noted.pop(name, None), self._above.pop(name, None)
        if noted is None or above is None:
            return
        if noted.became is answers.Became.WAITS and now - noted.seen >= self._limits.drift / 2:
            self._put[name] = _PutBack(above, now)  # most likely by another replica: both count it
        if noted.became is answers.Became.STANDS:
            told = self._notes.tell(name, f"{name}: what differed in migration.yaml differs no more.", once=f"{noted.once}/ended")
            self._tasks.start(told, name=f"drift of {name} ended")

    async def _act(self, noted: Noted, above: drifts.Above) -> None:
        name, now = noted.service, self._world.clock.monotonic()
        if await self._loader.operation(name) is not None:
            noted.again = now + self._limits.tick
            return
        before = self._put.get(name)
        soon = before is not None and now - before.at < self._limits.drift_again
        kept = self._world.cluster.view().document.controller
        if above.change is None:
            await self._stands(noted, "Ferry cannot put that back; no proxy serves it")
        elif before is not None and before.above == above and (soon or kept):
            await self._came_back(noted)
        elif before is not None and soon:
            noted.again = before.at + self._limits.drift_again
        else:
            await self._put_back(noted, above, above.change)

    async def _put_back(self, noted: Noted, above: drifts.Above, change: wish_change.WishChange) -> None:
        name = noted.service
        try:
            left = await self._world.wishes.write(change)
        except errors.Conflict as error:
            if noted.again:
                await self._stands(noted, f"it could not be put back: {error}")
            noted.again = self._world.clock.monotonic() + self._limits.tick  # somebody edits it: the next view says more
            return
        except errors.ClusterError as error:
            noted.again = self._world.clock.monotonic() + _AGAIN
            _log.warning("migration.yaml is not put back yet", service=name, because=str(error))
            return
        self._put[name] = _PutBack(above, self._world.clock.monotonic())
        _log.info("migration.yaml was put back to its record", service=name, was=above.what, by=noted.by)
        if left:
            await self._stands(noted, f"not all of it could be put back: {left}")
            return
        told = f"{name}: {noted.what}{noted.whose}. No proxy served it; Ferry put the document back to what the record says"
        await self._notes.settled(noted, answers.Became.PUT_BACK, told=told, todo=f"Ask for it with {above.asks}.")

    async def _came_back(self, noted: Noted) -> None:
        document = self._world.cluster.view().document
        who = document.controller or noted.by or "somebody"
        why = f"{who} wrote it again after Ferry had put it back, so that it is left; no proxy serves it"
        await self._stands(noted, why, f"Correct it where {who} takes it from, or ask with {self._asks(noted)}.")

    async def _stands(self, noted: Noted, why: str, todo: str = "") -> None:
        told = f"{noted.service}: {noted.what}{noted.whose}; {why}"
        todo = todo or f"Correct it by hand, or ask for it with {self._asks(noted)}."
        await self._notes.settled(noted, answers.Became.STANDS, told=told, todo=todo)

    def _asks(self, noted: Noted) -> str:
        above = self._above.get(noted.service)
        return above.asks if above is not None else f"`/migrate shift {noted.service} …`"


def _key(name: str) -> str:
    return f"document drift of {name}"
