"""The short lane: 100% old, now. Decided from memory, written and pushed at the same time.

It needs no inbox, no lock, no store, no leader, and no API server as long as the agents can be reached. Everything else
(record, operation, cards, audit) learns of it afterwards.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from handlers import answers, fleets, messages, outside, ports, remembered, speaking, tasks
from handlers.rules import decision, effects
from k8s import convergence, errors, model, views

NOTHING_FORWARD = "Nothing goes forward by itself; `/migrate safe-mode off` asks for a release."
_AGAIN = 1.0  # seconds between two orders while the cluster does not show it
Answer = TypeVar("Answer")
Feed = Callable[[messages.Message], None]


class HoldLane:
    """`feed`: hands a message to the dispatcher and returns at once."""

    def __init__(
        self,
        world: outside.Outside,
        limits: outside.Limits,
        *,
        memory: remembered.Remembered,
        running: tasks.Tasks,
        asked: fleets.Fleets,
        feed: Feed,
    ) -> None:
        self._world = world
        self._limits = limits
        self._memory = memory
        self._tasks = running
        self._fleets = asked
        self._feed = feed

    async def order(self, message: messages.PlaceHold) -> answers.Placed:
        """A person's: `rollback`, `safe-mode on`, a red button. The same message twice is one hold."""
        because = message.reason or f"{message.actor.shown} orders 100% old"
        hold = model.Hold(
            message.service,
            f"order-{effects.digest('order', message.id)}",
            reason=because,
            by=message.actor.id,
            since=_stamp(self._world.clock),
        )
        what = "All services are" if message.service == model.ALL_SERVICES else f"{message.service} is"
        said = f"{message.actor.shown} has ordered it" + (f": {message.reason}" if message.reason else "")
        return await self.place(hold, actor=message.actor, page=f"{what} held at 100% old, {said}. {NOTHING_FORWARD}")

    async def place(
        self, hold: model.Hold, *, actor: messages.Person | None = None, page: str = "", once: str = "", early: bool = False
    ) -> answers.Placed:
        """Within `limits.order`. `early`: answers as soon as it will be obeyed. `page`: said to who must act, afterwards, and
        only once for `once` (the hold's own key, if empty)."""
        clock = self._world.clock
        started = clock.monotonic()
        self._memory.order(hold)
        writes = self._tasks.start(self._written(hold), name=f"place {hold.key}")
        pushes = self._tasks.start(self._world.agents.push(hold), name=f"push {hold.key}")
        waiting: set[asyncio.Task[Any]] = {writes, pushes}
        until = asyncio.get_running_loop().time() + self._limits.order
        while waiting and (left := until - asyncio.get_running_loop().time()) > 0:
            _, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if early and _placed(hold, writes, pushes).safe:
                break
        placed = replace(_placed(hold, writes, pushes), seconds=clock.monotonic() - started)
        if placed.safe:
            self._memory.landed(hold)
        self._tasks.start(self._afterwards(placed, actor, page, once), name=f"after {hold.key}")
        return placed

    async def _written(self, hold: model.Hold) -> str:
        """Why it was not; empty: it stands in the cluster."""
        try:
            await self._world.holds.place(hold)
        except errors.ClusterError as error:
            return str(error)
        return ""

    async def _afterwards(self, placed: answers.Placed, actor: messages.Person | None, page: str, once: str) -> None:
        hold = placed.hold
        for service in self.affected(hold):
            self._feed(
                messages.HoldsStand(id=f"hold/{hold.key}/{service}", at=self._world.clock.now(), service=service, holds=(hold,))
            )
        sentence = f"held at 100% old: {hold.reason}" + (f" ({placed.trouble})" if placed.trouble else "")
        event = effects.AuditEvent(
            kind=effects.EventKind.HELD,
            who=actor.id if actor else hold.by or decision.FERRY,
            service=hold.service,
            operation="",
            sentence=sentence,
            source=actor.source if actor else messages.Source.FERRY,
        )
        self._tasks.start(self.follow(hold), key=f"follow {hold.key}")
        await speaking.spoken(self._world.audit.record(event))
        if not placed.safe:
            lost = f"The hold of {hold.service} is in force nowhere yet ({placed.trouble}). Ferry goes on trying; look now."
            await speaking.page(self._world, hold.service, lost)
        elif page:
            await speaking.page(self._world, hold.service, page, once=once or hold.key, held=True)

    def affected(self, hold: model.Hold) -> tuple[str, ...]:
        if hold.service != model.ALL_SERVICES:
            return (hold.service,)
        return tuple(name for name in sorted(self._world.cluster.view().services) if name != model.ALL_SERVICES)

    async def follow(self, hold: model.Hold) -> None:
        """Until the cluster shows it and every live proxy serves it: written and pushed again, to new pods too.

        After the limit somebody is called, once; what is not in the cluster yet is tried on.
        """
        clock = self._world.clock
        until, paged, last = clock.monotonic() + self._limits.hold, False, clock.monotonic()
        while not self._ended(hold):
            standing = self._stands(hold)
            if standing:
                self._memory.forget([hold])
            elif clock.monotonic() - last >= _AGAIN:
                last = clock.monotonic()
                await self._again(hold)
            verdict = convergence.of_lowering(await self._fleets.ask(), hold.service, hold=hold.id)
            served = isinstance(verdict, convergence.Converged)
            if standing and (served or paged):
                return
            if not served and not paged and clock.monotonic() >= until:
                paged = True
                lags = f"The hold {hold.id} of {hold.service} is not served everywhere after {self._limits.hold:g} s"
                sentence = f"{lags}: {verdict.sentence}. Look at the proxies that lag."
                await speaking.spoken(self._world.chat.page(hold.service, sentence))
            await clock.sleep(self._limits.ask)

    async def _again(self, hold: model.Hold) -> None:
        """Whether it is in force is known anew: a later record may have ended it where we cannot look."""
        writes = asyncio.ensure_future(self._written(hold))
        pushes = asyncio.ensure_future(self._world.agents.push(hold))
        await asyncio.gather(writes, pushes, return_exceptions=True)
        self._memory.landed(hold, safe=_placed(hold, writes, pushes).safe)

    def _stands(self, hold: model.Hold) -> bool:
        return any(
            one.id == hold.id and one.service == hold.service
            for service in self.affected(hold)
            for one in self._world.cluster.service(service).holds
        )

    def _ended(self, hold: model.Hold) -> bool:
        """A record ended it meanwhile: it must not come back."""
        if self._stands(hold):
            return False
        records = (self._world.cluster.service(service).record for service in self.affected(hold))
        ended = any(record is not None and hold.id in record.clears for record in records)
        if ended:
            self._memory.forget([hold])
        return ended


def _stamp(clock: ports.Clock) -> str:
    return clock.now().isoformat(timespec="seconds")


def _placed(
    hold: model.Hold, writes: asyncio.Future[str], pushes: asyncio.Future[tuple[views.PushAnswer, ...]]
) -> answers.Placed:
    """As far as it is known now: what has not answered yet is neither written nor held."""
    why = _answer(writes, lambda error: error)
    pushed = _answer(pushes, lambda _: ())
    troubles = [f"not written into the cluster: {why}"] if why else []
    if not pushed:
        troubles.append("no proxy has answered the push")
    troubles += [f"{one.pod or 'the proxies'}: {one.trouble or 'does not hold'}" for one in pushed if not one.held]
    return answers.Placed(hold, why == "", pushed, 0.0, "; ".join(troubles))


def _answer(task: asyncio.Future[Answer], otherwise: Callable[[str], Answer]) -> Answer:
    """What it answered; what stands for it where it did not."""
    if not task.done() or task.cancelled():
        return otherwise("no answer in time")
    error = task.exception()
    return otherwise(f"{type(error).__name__}: {error}") if error is not None else task.result()
