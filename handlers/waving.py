"""Waves on their way: members join, whoever is done or halted is seen, and what is over is cleaned up.

It holds nothing that a crash could take: each look reads the waves from the journeys of their members again, whoever began them.
Steps are not taken here: a member's turn is one more thing that its ladder asks for (`handlers.laddering`).
"""

from dataclasses import replace

import structlog

from handlers import dispatch, journey_messages, loading, messages, outside, remembered, speaking, tasks, wave_keeping
from handlers.rules import approvals, migration, refusals, waves

_log = structlog.get_logger("ferry.waves")
_OPEN = migration.Outcome.OPEN
_PASSING = frozenset({refusals.Reason.NOT_CHECKED, refusals.Reason.BLOCKED, refusals.Reason.UNREAD})


class Waving:
    def __init__(
        self,
        world: outside.Outside,
        limits: outside.Limits,
        *,
        memory: remembered.Remembered,
        loader: loading.Loader,
        dispatcher: dispatch.Dispatcher,
        keeps: wave_keeping.Waves,
        work: tasks.Tasks,
    ) -> None:
        self._world = world
        self._limits = limits
        self._memory = memory
        self._loader = loader
        self._dispatcher = dispatcher
        self._waves = keeps
        self._tasks = work
        self._told: dict[str, str] = {}  # by wave: what its card says
        self._doubts: dict[str, str] = {}  # members of waves that the last look did not find

    async def run(self) -> None:
        """Until it is cancelled."""
        if self._world.journeys is None:
            return
        while True:
            try:
                self.look()
            except Exception:  # noqa: BLE001  waves outlive every fault: what halts them must be seen
                _log.exception("a look at the waves failed; the next one looks again")
            await self._world.clock.sleep(self._limits.ladder)

    def look(self) -> None:
        """What is to be done is done beside it, one thing at a time for each wave."""
        if not self._world.cluster.view().synced:
            return
        carried = self._waves.carried()
        for name, wave in carried.items():
            if not self._tasks.runs(_key(name)):
                self._tasks.start(self._tend(wave), key=_key(name))
        now = self._memory.saw(self._world.clock.now())
        for name, one in self._memory.all_open().items():
            if not waves.is_wave(name) or name in carried or self._dispatcher.works_on(name):
                continue
            if one.phase in migration.RUNNING and not self._tasks.runs(_key(name)):
                self._tasks.start(
                    self._end(one, 0, f"{one.plan.members[0].service}: its journey carries the wave no more"), key=_key(name)
                )
            elif one.phase not in migration.RUNNING and approvals.expired(one, now):
                self._dispatcher.feed(messages.TimePassed(id=f"wave/time/{one.id}", at=now, service=name))
        self._orphans()

    def open(self) -> tuple[waves.Wave, ...]:
        """All that wait or are under way, the newest first."""
        known = {one.id: one for name, one in self._memory.all_open().items() if waves.is_wave(name)}
        known |= {one.id: one for one in self._waves.carried().values() if one.outcome is _OPEN}
        newest = sorted(known.values(), key=lambda one: one.requested_at, reverse=True)
        return tuple(self._waves.read(one) for one in newest)

    async def status(self, name: str) -> waves.Wave | None:
        """By its name or its operation's id."""
        found = await self._loader.operation(name) if waves.is_wave(name) else await self._loader.known(name)
        if found is None and waves.is_wave(name):
            found = self._memory.last(name)
        return self._waves.read(found) if found is not None and found.plan.kind is migration.Kind.WAVE else None

    async def _tend(self, wave: migration.Operation) -> None:
        """`wave`: as its first member's journey carries it."""
        if wave.outcome is not _OPEN:
            await self._clean_up(wave)
            return
        found = await self._loader.find(wave.plan.service)  # memory follows: a restart does not know it yet
        if found.operation is None or found.operation.id != wave.id:
            return  # decided elsewhere: the next look sees that
        how = self._waves.read(wave)
        done = len(how.of(waves.State.DONE))
        if how.halted or done == len(how.members):
            await self._end(wave, done, how.halted)
            return
        for one in how.of(waves.State.PLANNED):
            if why := await self._join(wave, one):
                await self._end(wave, done, f"{one.service}: {why}")
                return
        await self._show(wave, how)

    async def _join(self, wave: migration.Operation, member: waves.Member) -> str:
        """Why the wave cannot go on with it, a clause; empty: it has joined, or it is tried again."""
        now = self._world.clock.now()
        message = journey_messages.JoinWave(
            id=f"wave/{wave.id}/join/{member.service}",
            at=now,
            service=member.service,
            wave=wave.plan.service,
            weight=member.after,
        )
        refusal = (await self._dispatcher.tell(message)).refusal
        if refusal is None or refusal.reason in _PASSING:
            return ""
        return str(refusal.facts.get("why") or refusal.why).strip().rstrip(".")

    async def _end(self, wave: migration.Operation, moved: int, halted: str) -> None:
        now = self._world.clock.now()
        message = journey_messages.WaveEnded(
            id=f"wave/{wave.id}/end", at=now, service=wave.plan.service, operation=wave.id, moved=moved, halted=halted
        )
        await self._dispatcher.tell(message)

    async def _clean_up(self, wave: migration.Operation) -> None:
        """The member that carries it comes last: until then a crash finds that it is over."""
        self._told.pop(wave.plan.service, None)
        self._memory.keep(wave)
        *members, carrier = self._waves.left(wave) or ("",)
        for one in members:
            await self._leave(one, wave.plan.service, wave.id, wave.because)
        if carrier and self._waves.left(wave) == (carrier,):
            await self._leave(carrier, wave.plan.service, wave.id, wave.because)

    async def _leave(self, service: str, wave: str, operation: str, why: str) -> None:
        now = self._world.clock.now()
        message = journey_messages.LeaveWave(
            id=f"wave/{wave}/leave/{service}", at=now, service=service, wave=wave, operation=operation, why=why
        )
        await self._dispatcher.tell(message)

    def _orphans(self) -> None:
        """Twice in a row: the journey that carries a wave may be seen a moment later than that of a member."""
        found = self._waves.orphans()
        for service, wave in found.items():
            key = f"orphan {service}"
            if self._doubts.get(service) == wave and not self._tasks.runs(key):
                self._tasks.start(self._leave(service, wave, "", "nobody carries that wave any more"), key=key)
        self._doubts = found

    async def _show(self, wave: migration.Operation, how: waves.Wave) -> None:
        """Its card follows; nothing is kept of that."""
        said = how.sentence
        if self._told.get(how.name) == said:
            return
        self._told[how.name] = said
        current = self._memory.open(how.name) or wave
        await speaking.spoken(self._world.chat.show(replace(current, because=said)))


def _key(name: str) -> str:
    return f"wave {name}"
