"""How long this process itself stood still: what is measured here cannot be finer, and a long pause explains a late figure."""

import asyncio
import time

_EVERY = 0.002


class Pauses:
    """An async context manager. `longest`: seconds by which the event loop was late, at most, since it was entered."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Pauses":
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(_EVERY)
            self.longest = max(self.longest, time.monotonic() - began - _EVERY)
