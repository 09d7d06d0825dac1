"""Tells everybody who waits that something in the workspace is different now."""

import asyncio


class Changes:
    """A counter to wait on. Whoever waits may miss intermediate values, never the last one."""

    def __init__(self) -> None:
        self.version = 0
        self._changed = asyncio.Event()

    def notify(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, version: int) -> int:
        """Returns as soon as the counter is above `version`; the counter."""
        while self.version <= version:
            await self._changed.wait()
        return self.version
