"""Objects of Ferry's around a service that somebody changed by hand.

What leads (more) to the old application is accepted: the record follows it to 0. Everything else is put back, to exactly the
objects that were approved, never over somebody else's field.
"""

from dataclasses import dataclass

import structlog

from handlers import answers, arranging, hold, journey_keeping, loading, messages, outside, tasks
from handlers.drift_notes import Busy, DriftNotes, Noted
from handlers.rules import effects, journeys
from k8s import entry_change, errors, views

_SLICE = 250  # services that are looked at in one round: a thousand take four of them
_AGAIN = 5.0  # seconds between two tries of what failed, or of a record that is to follow
_log = structlog.get_logger("ferry.drift")
State = entry_change.EntryState
Stage = entry_change.Stage
_STAGES = {State.ENTERED: Stage.PREPARE, State.FORWARD: Stage.FORWARD, State.DIRECT: Stage.BYPASS}
_VERBS = {Stage.PREPARE: "prepare", Stage.FORWARD: "finish", Stage.BYPASS: "bypass"}


@dataclass(frozen=True, slots=True)
class _Seen:
    """`past`: it leads to old, though it is not meant to. `stage`: what would put it back; None: nothing that was approved."""

    what: tuple[str, ...]
    past: bool
    stage: entry_change.Stage | None
    objects: tuple[tuple[str, str], ...] = ()


class EntryDrift:
    """`look` at every view in turn."""

    def __init__(
        self,
        world: outside.Outside,
        limits: outside.Limits,
        *,
        loader: loading.Loader,
        ways: journey_keeping.Journeys,
        arranges: arranging.Arranging,
        notes: DriftNotes,
        work: tasks.Tasks,
        feed: hold.Feed,
        busy: Busy,
    ) -> None:
        self._world = world
        self._limits = limits
        self._loader = loader
        self._journeys = ways
        self._arranging = arranges
        self._notes = notes
        self._tasks = work
        self._feed = feed
        self._busy = busy
        self._next = 0
        self._seen: dict[str, _Seen] = {}
        self._noted: dict[str, Noted] = {}
        self._put: dict[str, float] = {}  # monotonic: when its objects were put back last
        self._followed: dict[str, float] = {}  # monotonic: when the record was last asked to follow

    @property
    def lines(self) -> tuple[answers.DriftLine, ...]:
        return tuple(noted.line for noted in self._noted.values() if noted.became is not answers.Became.PUT_BACK)

    def look(self, view: views.ClusterView) -> None:
        """At some services each time, so that all of them are seen within seconds."""
        if self._world.entries is None:
            return
        now, names = self._world.clock.monotonic(), list(view.services)
        first = self._next if self._next < len(names) else 0
        self._next = first + _SLICE
        for name in names[first : first + _SLICE]:
            self._one(view.services[name], now)
        for name in [name for name in self._noted if name not in view.services]:
            self._end(name)

    def unseen(self, service: str) -> str:
        """Why nobody can tell, a sentence; empty: somebody can."""
        entry = self._arranging.view(service)
        return (entry.sentence or "nobody looks at it") if entry.state is State.UNKNOWN else ""

    def _one(self, one: views.ServiceView, now: float) -> None:
        entry = self._arranging.view(one.name)
        if entry.state is State.UNKNOWN or one.wished is None:
            return  # nobody can tell: what is noted stays
        self._follow(one, entry, now)
        seen = self._judged(one, entry)
        if seen is None or seen != self._seen.get(one.name):
            self._end(one.name)
        if seen is None:
            return
        if one.name not in self._noted:
            self._seen[one.name] = seen
            what = "; ".join(part.rstrip(".") for part in seen.what)
            once = effects.digest(one.name, str(one.generation), what, one.record_version)
            self._noted[one.name] = Noted(one.name, what, self._world.clock.now(), now, once)
        noted, key = self._noted[one.name], _key(one.name)
        if noted.became is answers.Became.PUT_BACK and now - self._put[one.name] >= self._limits.drift:
            noted.became = answers.Became.WAITS  # it is not so, or not any more
        due = noted.became is answers.Became.WAITS and now >= max(noted.seen + self._limits.drift, noted.again)
        if due and not self._busy(one.name) and not self._tasks.runs(key):
            self._tasks.start(self._act(noted, seen), key=key)

    def _judged(self, one: views.ServiceView, entry: entry_change.EntryView) -> _Seen | None:
        journey = self._journeys.newest(one)
        arranged = journey.arranged if journey is not None else None
        stage = _STAGES.get(entry.meant, arranged.stage if arranged is not None else None)
        if entry.drift:
            mine = stage if stage is Stage.BYPASS or (arranged is not None and arranged.stage is stage) else None
            objects = arranged.objects if arranged is not None and mine is arranged.stage else ()
            return _Seen(entry.drift, entry.past, mine, objects)
        if arranged is not None and entry.state is State.DIRECT and entry.meant is State.UNKNOWN:
            return _Seen((_gone(one.name, arranged),), past=True, stage=None)
        return None

    def _follow(self, one: views.ServiceView, entry: entry_change.EntryView, now: float) -> None:
        """What leads to old by its objects may not come back with them by surprise: the way up begins at 0."""
        journey = self._journeys.newest(one)
        arranged = journey is not None and journey.arranged is not None
        leads = entry.past or (entry.state is State.DIRECT and (arranged or entry.meant is State.DIRECT))
        exposed = one.in_force is not None and one.in_force.weight > 0 and not one.stale
        ended = one.record is not None and one.record.finished
        if not leads or not exposed or ended or self._busy(one.name) or loading.runs(one):
            self._followed.pop(one.name, None)
            return
        since = self._followed.setdefault(one.name, now - _AGAIN + self._limits.drift)
        if now - since >= _AGAIN:
            self._followed[one.name] = now
            how = f"the entry of {one.name} leads past the proxies to the old application"
            self._feed(
                messages.WishLowered(
                    id=f"drift/{one.name}/{one.generation}", at=self._world.clock.now(), service=one.name, weight=0, how=how
                )
            )

    async def _act(self, noted: Noted, seen: _Seen) -> None:
        name, now = noted.service, self._world.clock.monotonic()
        if await self._loader.operation(name) is not None:
            noted.again = now + self._limits.tick
            return
        if seen.past:
            todo = f"`/migrate prepare {name}` leads it through the proxies again."
            told = f"{name}: {noted.what}. It leads to the old application, so that it is accepted; an approved share ends at 0%"
            await self._notes.settled(noted, answers.Became.ACCEPTED, told=told, todo=todo)
        elif seen.stage is None:
            await self._stands(noted, seen, "what was approved for it is not known, so that Ferry leaves it")
        elif name in self._put and now - self._put[name] < self._limits.drift_again:
            await self._stands(noted, seen, "it was changed again after Ferry had put it back, so that it is left")
        else:
            await self._put_back(noted, seen, seen.stage)

    async def _put_back(self, noted: Noted, seen: _Seen, stage: entry_change.Stage) -> None:
        name = noted.service
        try:
            done = await self._arranging.arrange(name, stage, seen.objects)
        except errors.ClusterError as error:
            if isinstance(error, errors.Conflict) or not error.retryable:
                await self._stands(noted, seen, f"Ferry cannot put it back: {error}")
                return
            noted.again = self._world.clock.monotonic() + _AGAIN
            _log.warning("objects are not put back yet", service=name, because=str(error))
            return
        self._put[name] = self._world.clock.monotonic()
        told = f"{name}: {noted.what}. Ferry put it back as it was approved ({done.rstrip('.')})"
        todo = f"Change it with `/migrate {_VERBS[stage]} {name}`, or correct it where it is written from."
        await self._notes.settled(noted, answers.Became.PUT_BACK, told=told, todo=todo)

    async def _stands(self, noted: Noted, seen: _Seen, why: str) -> None:
        verb = _VERBS.get(seen.stage, "prepare") if seen.stage is not None else "prepare"
        told = f"{noted.service}: {noted.what}; {why.rstrip('.')}"
        todo = f"`/migrate {verb} {noted.service}` shows what would put it right."
        await self._notes.settled(noted, answers.Became.STANDS, told=told, todo=todo)

    def _end(self, name: str) -> None:
        self._seen.pop(name, None)
        noted = self._noted.pop(name, None)
        if noted is None:
            return
        if noted.became is answers.Became.WAITS and self._world.clock.monotonic() - noted.seen >= self._limits.drift / 2:
            self._put[name] = self._world.clock.monotonic()  # most likely by another replica: both count it
        if noted.became is answers.Became.STANDS:
            told = self._notes.tell(name, f"{name}: its entry is as it must be again.", once=f"{noted.once}/ended")
            self._tasks.start(told, name=f"drift of {name} ended")


def _gone(service: str, arranged: journeys.Arranged) -> str:
    return f"Ferry's objects around {service} are gone, which `/migrate {_VERBS[arranged.stage]}` had made"


def _key(name: str) -> str:
    return f"entry drift of {name}"
