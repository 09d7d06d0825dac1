"""The new cluster: an ingress over HTTPS that knows its hosts by SNI and Host, with the demo application behind it."""

import asyncio
import enum
import ssl
import weakref
from collections.abc import Iterable

from deploy.playground.world import certificates, full_queue, listening, wire
from deploy.playground.world.backends import Application, Counts, Knobs


class Reach(enum.Enum):
    """How the new cluster can be reached."""

    UP = "up"
    DOWN = "down"  # the port is closed: connections are refused
    UNREACHABLE = "unreachable"  # connections are accepted and nothing ever answers, not even TLS
    DROPPED = "dropped"  # packets are lost: no new connection comes about, open ones fall silent without an end


class NewCluster(listening.AtListener):
    """Serves `hosts` over HTTPS with a certificate for exactly these; another SNI meets a certificate of no use.

    A Host it does not have, or another than the SNI, gets 404 and is counted in `misdirected`, not in `counts`.
    """

    def __init__(
        self, authority: certificates.Authority, hosts: Iterable[str], *, address: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.hosts = {host.lower() for host in hosts}
        self.application = Application("new")
        self.misdirected = 0
        self._names: weakref.WeakKeyDictionary[ssl.SSLObject | ssl.SSLSocket, str] = weakref.WeakKeyDictionary()
        context = authority.server("new-cluster", sorted(self.hosts)).server_context()
        self._nobody = authority.server("new-cluster-nobody", ["ingress.local"]).server_context()
        context.sni_callback = self._choose
        self._listener = listening.Listener(self._serve, address=address, port=port, tls=context)
        self._hole: listening.Listener | None = None
        self._full: full_queue.FullQueue | None = None
        self.reach = Reach.DOWN

    @property
    def counts(self) -> Counts:
        """What has reached the application of the new cluster."""
        return self.application.counts

    @property
    def knobs(self) -> Knobs:
        """Slow, 5xx, hanging, resets."""
        return self.application.knobs

    async def start(self) -> None:
        """Listens. Raises OSError when the port is taken."""
        await self.turn(Reach.UP)

    async def stop(self) -> None:
        """Ends every connection; may be started again on the same port."""
        await self.turn(Reach.DOWN)

    async def turn(self, reach: Reach) -> None:
        """Makes it reachable in this way. Open connections are reset when it changes, unless packets are dropped from now on."""
        if reach is self.reach:
            return
        await self._open_again()
        if reach is Reach.DROPPED:
            self.application.audible.clear()
            self._listener.fall_silent()
            self._full = full_queue.FullQueue(self.address, self.port)
            self.reach = reach
            return
        await self._listener.stop()
        self.application.audible.set()
        if reach is Reach.UP:
            await self._listener.start()
        elif reach is Reach.UNREACHABLE:
            self._hole = listening.Listener(_swallow, address=self.address, port=self.port)
            await self._hole.start()
        self.reach = reach

    async def _open_again(self) -> None:
        """The port is free for another one."""
        hole, self._hole = self._hole, None
        if hole is not None:
            await hole.stop()
        full, self._full = self._full, None
        if full is not None:
            full.close()

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        name = (name or "").lower()
        self._names[connection] = name
        if name not in self.hosts:
            connection.context = self._nobody

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked_for = self._names.get(writer.get_extra_info("ssl_object"), "")
        while (head := await wire.read_head(reader)) is not None:
            if head.host in self.hosts and head.host == asked_for:
                alive = await self.application.answer(head, reader, writer)
            else:
                self.misdirected += 1
                await wire.body(reader, wire.request_framing(head), most=0)
                alive = wire.keeps_alive(head)
                writer.write(wire.answer(404, b"default backend - 404\n", bodiless=head.first == "HEAD", close=not alive))
            if not alive:
                return


async def _swallow(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass
