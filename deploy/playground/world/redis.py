"""A real Redis on a free port, without persistence, so that a restart comes back empty."""

import asyncio
import contextlib
from pathlib import Path

from deploy.playground.world import addresses, processes


class Redis:
    """`url` is good after start and stays the same over stop and start. `child` has pause, proceed, kill."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = addresses.free_port()
        argv = [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", str(folder),
        ]  # fmt: skip
        self.child = processes.Child("redis", argv, folder=folder, ready=self._pong)

    @property
    def url(self) -> str:
        """`redis://127.0.0.1:PORT/0`."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Starts it and waits for PONG. Raises processes.NotReady."""
        self._folder.mkdir(parents=True, exist_ok=True)
        await self.child.start()

    async def stop(self) -> None:
        """Stops it; everything in it is gone."""
        await self.child.stop()

    async def _pong(self) -> bool:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(b"PING\r\n")
                return await reader.readline() == b"+PONG\r\n"
            finally:
                writer.close()
        return False
