"""What runs beside the callers: watches, settling, following a hold. All of it is known, and all of it ends with `stop`."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

Answer = TypeVar("Answer")
_log = structlog.get_logger("ferry.tasks")


class Tasks:
    def __init__(self) -> None:
        self._all: set[asyncio.Task[Any]] = set()
        self._keyed: dict[str, asyncio.Task[Any]] = {}

    def start(self, work: Coroutine[Any, Any, Answer], *, key: str = "", name: str = "") -> asyncio.Task[Answer]:
        """Runs it. A `key` has one task: the one before is cancelled."""
        task = asyncio.create_task(work, name=name or key or None)
        self._all.add(task)
        task.add_done_callback(self._ended)
        if key:
            self.cancel(key)
            self._keyed[key] = task
        return task

    def runs(self, key: str) -> bool:
        task = self._keyed.get(key)
        return task is not None and not task.done()

    def cancel(self, key: str) -> None:
        task = self._keyed.pop(key, None)
        if task is not None and not task.done():
            task.cancel()

    async def stop(self) -> None:
        """Cancels everything, also what is started meanwhile, and waits until it has ended."""
        while self._all:
            waiting = list(self._all)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            self._all.difference_update(waiting)
        self._keyed.clear()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._all.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task failed", task=task.get_name(), error=f"{type(error).__name__}: {error}", exc_info=error)
