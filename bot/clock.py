"""The real clock. Everything else is told the time."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """`handlers.ports.Clock` over this machine."""

    def now(self) -> datetime:
        """Aware UTC time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait; other tasks go on."""
        await asyncio.sleep(seconds)
