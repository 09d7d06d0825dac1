"""A listener that can be closed and opened again on the same port while it runs, with every connection it has."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable

from deploy.playground.world import wire

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Serves each connection with `serve` until it returns. `port` 0 picks a free one, kept over close and open."""

    def __init__(self, serve: Serve, *, address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._serve = serve
        self.address = address
        self._port = port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def port(self) -> int:
        """Known after the first start."""
        if not self._port:
            raise RuntimeError("The listener has no port yet: await start() first")
        return self._port

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._connections)

    @property
    def listening(self) -> bool:
        """Whether new connections are accepted."""
        return self._server is not None

    async def start(self) -> None:
        """Begins to listen; does nothing when it does already. Raises OSError when the port is taken."""
        if self._server is not None:
            return
        self._server = await asyncio.start_server(
            self._connected, self.address, self._port, ssl=self._tls, limit=wire.LONGEST_HEAD, backlog=1024
        )
        self._port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Refuses new connections and cuts the open ones. May be started again."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.cut()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if server is not None:
            await server.wait_closed()

    def fall_silent(self) -> None:
        """Listens no more and reads nothing more; open connections stay open, and nobody is told. `stop` ends them."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in self._connections.values():
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # every transport of a server can; typeshed is coarser

    def cut(self) -> None:
        """Resets every open connection, and goes on listening."""
        for writer in self._connections.values():
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A connection is served outside any task: start the listener inside a running loop")
        self._connections[task] = writer
        try:
            # A client that goes away, or a stop, is the ordinary end of a connection here.
            with contextlib.suppress(OSError, wire.BrokenMessage, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            del self._connections[task]
            writer.close()


class AtListener:
    """Whatever can be reached where its listener listens."""

    _listener: Listener

    @property
    def address(self) -> str:
        """The IP it listens on."""
        return self._listener.address

    @property
    def port(self) -> int:
        """Known after the first start."""
        return self._listener.port
