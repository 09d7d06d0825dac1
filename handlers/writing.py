"""Writing a record and its wish: tries again what may have been lost, waits until the watch shows it, never raises by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from handlers import outside, planned
from handlers.rules import migration
from k8s import errors, model, protocol, views, wish_change

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

    async def wish_up(self, plan: migration.Plan) -> str:
        """The document says what is planned, only over what it said then. Raises errors.ClusterError; Conflict: a person edited
        it in between. Answers what of it could not be written, in one sentence; empty: nothing.
        """
        change = wish_change.WishChange(plan.service, plan.after, expected=plan.wish, over=planned.wished_rules(plan))
        told = await self._again(lambda: self._world.wishes.write(change))
        rules = bool(change.over) and not told

        def shown() -> bool:
            view = self._world.cluster.service(plan.service)
            return view.wish == plan.after.weight and (not rules or _names_rules(view, plan.after))

        await self._seen(shown)
        return told

    async def wish_down(self, service: str, exposure: model.Exposure, *, plan: migration.Plan | None = None) -> str:
        """The document follows the record down to `exposure`: its number, and its strategy and rules where they are those of
        `plan`, from before or as it wrote them; others are a person's, for the next shift.

        Answers what of it could not be written and why; empty: it says at most this.
        """
        why = ""
        for left in reversed(range(_TRIES)):
            view = self._world.cluster.service(service)
            change = _lowering(view, exposure, plan if left else None)  # in the end the number alone: it is what counts
            if change is None:
                return ""
            try:
                told = await self._again(lambda change=change: self._world.wishes.write(change))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            except errors.Conflict as error:
                why = str(error)
                await self._seen(lambda view=view: self._world.cluster.service(service).wished != view.wished)  # type: ignore[misc]  # the same
            except errors.ClusterError as error:
                return str(error)
            else:
                rules = bool(change.over) and not told
                await self._seen(lambda rules=rules: self._low(service, exposure, rules=rules))  # type: ignore[misc]  # the same
                return told
        return why

    def _low(self, service: str, exposure: model.Exposure, *, rules: bool) -> bool:
        view = self._world.cluster.service(service)
        return view.wish <= exposure.weight and (not rules or _names_rules(view, exposure))

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


def _names_rules(view: views.ServiceView, exposure: model.Exposure) -> bool:
    return view.wished is not None and wish_change.same_rules(view.wished.exposure, exposure)


def _lowering(view: views.ServiceView, exposure: model.Exposure, plan: migration.Plan | None) -> wish_change.WishChange | None:
    """What is to be written; None: nothing. A weight that is low enough stays, and so do rules that are not the plan's."""
    if view.wished is None:
        return None
    entry, lower = view.wished.exposure, view.wish > exposure.weight
    over = ""
    if plan is not None and not view.refused and not wish_change.same_rules(entry, exposure):
        digest = wish_change.digest(entry)
        over = digest if digest == planned.wished_rules(plan) or wish_change.same_rules(entry, plan.after) else ""
    if not lower and not over:
        return None
    expected = view.wish if lower else entry.weight
    return wish_change.WishChange(view.name, exposure.at(exposure.weight if lower else entry.weight), expected, over)
