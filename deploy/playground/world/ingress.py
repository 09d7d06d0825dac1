"""The old cluster's front: a miniature ingress-nginx that serves what the Ingresses of a Kubernetes API say.

It does what `ingress_routes` knows of the real one's canary rules; canaries by header or cookie, rewrites and affinity it does
not do. Every request of the playground enters here: the address of the load balancer that DNS points at.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable

from deploy.playground.world import cluster_mirror, ingress_forward, ingress_routes, listening, wire
from deploy.playground.world.ingress_routes import Table

_INGRESSES = "/apis/networking.k8s.io/v1/ingresses"
_SERVICES = "/api/v1/services"
_SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
_ENDPOINTS = "/api/v1/endpoints"


class Ingress(listening.AtListener):
    """Serves HTTP (or HTTPS with `tls`) on `address`:`port`, 0 picks a free one.

    `sync_interval`: at least so many seconds between two looks at the objects (the real one: 3.3). `resolve`: the addresses of an
    ExternalName, the system's resolver by default. `upstream_tls`: for Ingresses with backend-protocol HTTPS.
    """

    def __init__(
        self,
        *,
        url: str,
        token: str,
        api_tls: ssl.SSLContext | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        upstream_tls: ssl.SSLContext | None = None,
        resolve: ingress_forward.Resolve | None = None,
        sync_interval: float = 0.05,
        ingress_class: str = "nginx",
    ) -> None:
        self._sync_interval = sync_interval
        self._class = ingress_class
        self._listener = listening.Listener(self._serve, address=address, port=port, tls=tls)
        self._forward = ingress_forward.Forwarder(scheme="https" if tls else "http", upstream_tls=upstream_tls, resolve=resolve)
        self._dirty = asyncio.Event()
        self._mirror = cluster_mirror.ClusterMirror(
            url=url, token=token, tls=api_tls, collections=(_INGRESSES, _SERVICES, _SLICES, _ENDPOINTS), changed=self._dirty.set
        )
        self._synced = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self.table = Table()
        self.syncs = 0

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"{self._forward.scheme}://{self.address}:{self.port}"

    async def start(self) -> None:
        """Listens and begins to follow the API, which need not be up yet. Raises OSError when the port is taken."""
        if self._task is None:
            await self._listener.start()
            await self._mirror.start()
            self._task = asyncio.create_task(self._sync())

    async def stop(self) -> None:
        """Ends every connection, on both sides."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._mirror.stop()
        await self._listener.stop()
        self._forward.close()

    async def until(self, holds: Callable[[Table], bool]) -> Table:
        """Waits until the table it serves is as wanted. Give it a limit with `asyncio.timeout`."""
        async with self._synced:
            await self._synced.wait_for(lambda: holds(self.table))
            return self.table

    async def _sync(self) -> None:
        await self._mirror.listed.wait()
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            objects = ingress_routes.Objects(*map(self._mirror.of, (_INGRESSES, _SERVICES, _SLICES, _ENDPOINTS)))
            self.table = ingress_routes.build(objects, ingress_class=self._class)
            self.syncs += 1
            async with self._synced:
                self._synced.notify_all()
            await asyncio.sleep(self._sync_interval)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str(writer.get_extra_info("peername")[0])
        while True:
            try:
                head = await wire.read_head(reader)
                if head is None:
                    return
                framing = wire.request_framing(head)
            except wire.BrokenMessage:
                writer.write(wire.answer(400, b"400 Bad Request\n", close=True))
                await writer.drain()
                return
            exchange = ingress_forward.Exchange(head, framing, reader, writer, peer)
            location = self.table.location(head.host, head.path)
            if not await self._forward.serve(exchange, location):
                return
