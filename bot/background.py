"""Ending what runs beside everything else."""

import asyncio
import contextlib


async def end(task: asyncio.Task[None] | None) -> None:
    """Cancels it and waits until it has ended; what it failed with is raised here. None: there is nothing to end."""
    if task is None:
        return
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
