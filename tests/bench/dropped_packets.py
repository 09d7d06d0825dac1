"""A new cluster whose packets can be made to vanish: no refusal, no reset, only silence, also on open connections.

As root it is an nginx in a network namespace of its own, which then routes every answer into a black hole. Otherwise its port
is taken over by a listener whose queue is full: new connections get no answer to their first packet.
"""

import asyncio
import contextlib
import os
import shutil
import socket
from pathlib import Path

from deploy.playground.world import certificates, new_cluster
from tests.bench import nginx_servers
from tests.integration import one_proxy


def namespaces_work() -> bool:
    return os.geteuid() == 0 and shutil.which("ip") is not None


class FarCluster:
    """In a namespace. `address` is reachable from here over a veth pair of 10.213.x.0/30, which ends with it."""

    def __init__(self, folder: Path) -> None:
        mark = os.getpid() % 60000
        self._name = f"ferry{mark}"
        self._here, self.address = f"10.213.{mark % 250}.1", f"10.213.{mark % 250}.2"
        self.port = 8443
        leaf = certificates.Authority(folder / "ca").server("far-cluster", [one_proxy.NEW_HOST])
        text = nginx_servers.server_text(
            folder / "far",
            f"""server {{ listen {self.address}:{self.port} ssl; ssl_certificate {leaf.certificate};
              ssl_certificate_key {leaf.key}; location / {{ return 200 "new"; }} }}""",
        )
        before = ("ip", "netns", "exec", self._name)
        self._server = nginx_servers.NginxServer(folder / "far", text, port=self.port, address=self.address, before=before)

    async def start(self) -> None:
        inside = ("netns", "exec", self._name, "ip")
        await _ip("netns", "add", self._name)
        await _ip("link", "add", self._name, "type", "veth", "peer", "name", "far0", "netns", self._name)
        await _ip("addr", "add", f"{self._here}/30", "dev", self._name)
        await _ip("link", "set", self._name, "up")
        await _ip(*inside, "addr", "add", f"{self.address}/30", "dev", "far0")
        await _ip(*inside, "link", "set", "far0", "up")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()
        with contextlib.suppress(RuntimeError):
            await _ip("netns", "del", self._name)

    async def drop(self, dropping: bool) -> None:
        """Its answers go nowhere, or come again."""
        await _ip("netns", "exec", self._name, "ip", "route", "add" if dropping else "del", "blackhole", f"{self._here}/32")


class DeafCluster(new_cluster.NewCluster):
    """Without root: its port does not answer new connections; open ones are reset, which is milder than silence."""

    _deaf: list[socket.socket]

    async def drop(self, dropping: bool) -> None:
        if not dropping:
            for one in self._deaf:
                one.close()
            await self.turn(new_cluster.Reach.UP)
            return
        await self.turn(new_cluster.Reach.DOWN)
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.address, self.port))
        listener.listen(0)
        self._deaf = [listener]
        for _ in range(4):  # more than its queue takes
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect((self.address, self.port))
            self._deaf.append(filler)


async def _ip(*words: str) -> None:
    process = await asyncio.create_subprocess_exec("ip", *words, stderr=asyncio.subprocess.PIPE)
    _, complaint = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {complaint.decode().strip()}")
