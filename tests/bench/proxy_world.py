"""One proxy pod whole, its agent too, between two clusters that are nginx: fast enough for full load."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from k8s.agent import links
from tests.bench import nginx_servers
from tests.integration import one_proxy


class Standing:
    """A cluster of `nginx_servers.clusters` as OneProxy sees one: an address and a port. `owner`: started by this one."""

    def __init__(self, server: nginx_servers.NginxServer, port: int, *, owner: bool) -> None:
        self.address, self.port = server.address, port
        self._server, self._owner = server, owner

    async def start(self) -> None:
        if self._owner:
            await self._server.start()

    async def stop(self) -> None:
        if self._owner:
            await self._server.stop()


class FastProxy(one_proxy.OneProxy):
    """OneProxy with clusters that keep up."""

    new: Any
    old: Any

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        both = nginx_servers.clusters(folder, core=None)
        self.new = Standing(both.server, both.new_port, owner=True)
        self.old = Standing(both.server, both.old_port, owner=False)
        self.stack = [self.cluster, self.new, self.old, self.dns]

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.ports['proxy']}/x"


@contextlib.asynccontextmanager
async def torn_down(world: one_proxy.OneProxy) -> AsyncIterator[None]:
    """Whatever of it was started has ended afterwards, however far it came."""
    try:
        yield
    finally:
        await world.stop_processes()
        with contextlib.suppress(AttributeError):  # it never came as far as its client
            await world.api.close()
        for part in reversed(world.stack):
            await part.stop()


def demand_alive(world: one_proxy.OneProxy) -> None:
    """Raises RuntimeError when the agent ended meanwhile: what was measured was a proxy without one."""
    if world.agent.returncode is not None:
        said = (world.folder / "agent.log").read_text()[-500:]
        raise RuntimeError(f"the agent ended ({world.agent.returncode}) while it was measured; it last said: {said}")


async def moved(world: one_proxy.OneProxy, services: Sequence[str], weight: int, *, limit: float) -> float | None:
    """Seconds until every link is at this weight, as read from disk; None: not within `limit` seconds."""
    files = links.Links(world.folder / "run")
    began = time.monotonic()
    waiting = list(services)
    while waiting := [name for name in waiting if files.served(name) != weight]:
        if time.monotonic() - began > limit:
            return None
        await asyncio.sleep(0.002)
    return time.monotonic() - began
