"""Writing a record and its wish: tries again what may have been lost, waits until the watch shows it, never raises by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from handlers import outside
from k8s import errors, protocol, views

Answer = TypeVar("Answer")
_TRIES = 3
_UNTIL_SEEN = 1.0  # seconds; a watch that lags delays no operation longer than this


class Writing:
    def __init__(self, world: outside.Outside, limits: outside.Limits) -> None:
        self._world = world
        self._limits = limits

    async def record(self, change: views.RecordChange, *, patience: float) -> protocol.Record:
        """In `patience` seconds. Raises errors.ClusterError; Unreachable: the outcome is unknown."""
        try:
            async with asyncio.timeout(patience):
                record = await self._again(lambda: self._world.records.write(change))
        except TimeoutError:
            raise errors.Unreachable(f"the record of {change.service} was not answered within {patience:g} s") from None
        await self._seen(lambda: self._world.cluster.service(change.service).generation >= record.generation)
        return record

    async def wish_up(self, service: str, *, weight: int, expected: int) -> None:
        """Only over `expected`. Raises errors.ClusterError; Conflict: a person edited it in between."""
        await self._again(lambda: self._world.wishes.set_weight(service, weight, expected))
        await self._seen(lambda: self._world.cluster.service(service).wish == weight)

    async def wish_down(self, service: str, weight: int) -> str:
        """The document follows the record down. Answers why it does not; empty: it says at most `weight`."""
        why = ""
        for _ in range(_TRIES):
            view = self._world.cluster.service(service)
            if view.wished is None or view.wish <= weight:
                return ""
            seen = view.wish
            try:
                await self._again(lambda seen=seen: self._world.wishes.set_weight(service, weight, seen))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            except errors.Conflict as error:
                why = str(error)
                await self._seen(lambda seen=seen: self._world.cluster.service(service).wish != seen)  # type: ignore[misc]  # the same
            except errors.ClusterError as error:
                return str(error)
            else:
                await self._seen(lambda: self._world.cluster.service(service).wish <= weight)
                return ""
        return why

    async def changed(self) -> None:
        """Until the next change of the view, for a moment at most."""
        try:
            async with asyncio.timeout(_UNTIL_SEEN):
                await self._world.cluster.changed()
        except TimeoutError:
            return

    async def _seen(self, met: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(_UNTIL_SEEN):
                while not met():
                    await self._world.cluster.changed()
        except TimeoutError:
            return  # the watch lags; what was written is written

    async def _again(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """A lost answer or a busy server is asked again: every write here may be repeated."""
        for attempt in range(_TRIES):
            try:
                return await call()
            except errors.Conflict:
                raise
            except errors.ClusterError as error:
                if not error.retryable or attempt == _TRIES - 1:
                    raise
                await self._world.clock.sleep(self._limits.ask)
        raise AssertionError("the last try answers or raises")
