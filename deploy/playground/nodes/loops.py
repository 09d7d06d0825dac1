"""A controller's loop: one step after every change, again after a failure, never two at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger("playground.nodes")


class Loop:
    """Runs `step` after each `poke`. A step that fails is told in the log, once, and done again after a pause."""

    def __init__(self, name: str, step: Callable[[], Awaitable[None]], *, again: float = 0.2) -> None:
        self._name = name
        self._step = step
        self._again = again
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def poke(self) -> None:
        """Something changed."""
        self._poked.set()

    def start(self) -> None:
        """With a first step at once."""
        self._poked.set()
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Ends after what is under way was cancelled."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        complaint = ""
        while True:
            await self._poked.wait()
            self._poked.clear()
            try:
                await self._step()
            except Exception as error:  # noqa: BLE001 one odd object must not stop the node for all others
                if str(error) != complaint:
                    log.warning("%s: %s: %s", self._name, type(error).__name__, error)
                complaint = str(error)
                self._poked.set()
                await asyncio.sleep(self._again)
            else:
                complaint = ""
