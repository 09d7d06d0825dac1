"""The process dies at every single call that a confirmation leads to, before it and after it: one record, never two."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from handlers import outside
from handlers.rules import migration
from tests.handlers.world import World

SEAMS = ("pending", "seen", "records", "wishes", "holds", "chat", "audit")


class Dying:
    """Counts calls over all seams; at the `last` one everything stops, before or after that call is made."""

    def __init__(self, last: int, *, after: bool) -> None:
        self.last = last
        self.after = after
        self.calls = 0
        self.dead = asyncio.Event()

    async def meet(self, call: Callable[[], Awaitable[Any]]) -> Any:
        self.calls += 1
        if self.calls < self.last:
            return await call()
        if self.calls == self.last and self.after:
            await call()
        self.dead.set()
        return await asyncio.Event().wait()


class Seam:
    def __init__(self, behind: Any, dying: Dying) -> None:
        self._behind = behind
        self._dying = dying

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._behind, name)

        async def called(*given: Any, **named: Any) -> Any:
            return await self._dying.meet(lambda: method(*given, **named))

        return called


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
async def test_whatever_call_is_the_last_one_the_raise_is_completed_once(world: World, *, after: bool) -> None:
    safe, quiet = world.outside, replace(world.limits, tick=60.0, listen=60.0)  # only the confirmation makes calls
    call, crashed = 0, True
    while crashed:
        call += 1
        world.outside, world.limits = safe, outside.Limits(verify=0.05, ask=0.01, tick=0.05)
        await world.restart()
        operation = await world.approved(call)
        await world.front.stop()
        dying = Dying(call, after=after)
        world.outside = replace(safe, **{name: Seam(getattr(safe, name), dying) for name in SEAMS})
        world.limits = quiet
        world.front = world.new_front()
        crashed = await dies_in(world, operation, dying)
        world.outside, world.limits = safe, outside.Limits(verify=0.05, ask=0.01, tick=0.05)
        await world.restart()
        if crashed and world.pending.known[operation.id].phase is migration.Phase.APPROVED:
            await world.confirm(operation)  # nothing of the click was kept: the person clicks again
        assert (await world.closed(operation)).outcome is migration.Outcome.DONE
        await world.until(lambda: (world.weight(), world.wish()) == (call, call))  # noqa: B023  looked at in this very round
        record = world.record()
        assert record is not None
        assert (record.operation, record.generation) == (operation.id, call)
        assert world.agents.served("shop") == [call, call]
    assert call > 15  # it came through without dying: every call before was the last one once
    assert await world.book.verify("shop") == ()


async def dies_in(world: World, operation: migration.Operation, dying: Dying) -> bool:
    """True when the process died; False when the operation was completed before that."""
    confirming = asyncio.create_task(world.confirm(operation))
    died = asyncio.create_task(dying.dead.wait())
    done = asyncio.create_task(world.closed(operation))
    await asyncio.wait({died, done}, return_when=asyncio.FIRST_COMPLETED)
    crashed = dying.dead.is_set()
    await world.front.stop()
    for task in (confirming, died, done):
        task.cancel()
    await asyncio.gather(confirming, died, done, return_exceptions=True)
    return crashed
