"""Asks a part again and again whether it is there: one line in the log when that changes, a sentence for readiness."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot import background
from handlers import errors

_LOG = structlog.get_logger(__name__)


class Heartbeat:
    """`ask` raises errors.Away with a sentence when the part cannot be used. `every`: seconds between questions."""

    def __init__(self, name: str, ask: Callable[[], Awaitable[None]], *, every: float = 5.0) -> None:
        self._name = name
        self._ask = ask
        self._every = every
        self._trouble = f"{name} has not been asked yet: the bot has just started; it is asked in a moment"
        self._task: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str:
        """Why it cannot be used, empty when it can."""
        return self._trouble

    async def start(self) -> None:
        """Returns after the first answer."""
        await self._beat()
        self._task = asyncio.create_task(self._run(), name=f"heartbeat {self._name}")

    async def stop(self) -> None:
        task, self._task = self._task, None
        await background.end(task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self._beat()

    async def _beat(self) -> None:
        before = self._trouble
        try:
            await self._ask()
        except errors.Away as error:
            self._trouble = str(error)
            if self._trouble != before:
                _LOG.warning(f"{self._name} is away", trouble=self._trouble)
            return
        self._trouble = ""
        if before:
            _LOG.info(f"{self._name} answers")
