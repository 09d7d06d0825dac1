"""Asks the new cluster's host of every service with a record whether it is there: over TLS, as nginx would.

A service that names a health path is asked for it. One that does not (the path is `/`) is only connected to, certificate
and all: nobody has said that its front page may be asked for at any time, and the application sees no request of ours.
Down only after as many failures in a row as the service says, up again with the first answer. While it fails, and when
requests fail, it asks sooner.
"""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from k8s import model
from k8s.agent import resolving

SOONEST = 2.0  # seconds between two questions while something fails
LIMIT = 3.0  # seconds for one question
NO_PATH = model.Health().path


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for one service. `health`: `path`, `interval` (seconds) and `failures` as in the model's Health."""

    host: str
    port: int
    tls: model.Tls
    health: model.Health


class Probes:
    """`up` by service; absent: not known yet, or not asked. `follow` starts, changes and ends what is asked."""

    def __init__(self, resolver: resolving.Resolver, *, ca_folder: Path, default_ca: Path) -> None:
        self._resolver = resolver
        self._ca_folder = ca_folder
        self._default_ca = default_ca
        self._contexts: dict[tuple[bool, Path, int], ssl.SSLContext] = {}
        self._tasks: dict[str, tuple[Target, asyncio.Task[None]]] = {}
        self._sooner: dict[str, asyncio.Event] = {}
        self.up: dict[str, bool] = {}

    def follow(self, targets: Mapping[str, Target]) -> None:
        for name in [name for name, (target, _) in self._tasks.items() if targets.get(name) != target]:
            self._tasks.pop(name)[1].cancel()
            self.up.pop(name, None)
        for name in targets.keys() - self._tasks.keys():
            self._sooner[name] = asyncio.Event()
            self._tasks[name] = targets[name], asyncio.create_task(self._watch(name, targets[name]), name=f"probe {name}")

    def hurry(self, services: Iterable[str]) -> None:
        """Requests of these services failed at the new cluster: do not wait for the next round."""
        for name in services:
            if name in self._sooner:
                self._sooner[name].set()

    async def stop(self) -> None:
        tasks = [task for _, task in self._tasks.values()]
        self._tasks = {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, name: str, target: Target) -> None:
        failures = 0
        while True:
            self._sooner[name].clear()
            failures = 0 if await self.answers(target) else failures + 1
            if failures == 0 or failures >= target.health.failures:
                self.up[name] = failures == 0
            soonest = min(SOONEST, target.health.interval)
            await asyncio.sleep(soonest)
            if not failures:
                try:
                    async with asyncio.timeout(max(0.0, target.health.interval - soonest)):
                        await self._sooner[name].wait()
                except TimeoutError:
                    continue

    async def answers(self, target: Target) -> bool:
        """Whether any address of the host shakes hands, and answers the health path (if there is one) below 500."""
        for address in await self._resolver.addresses(target.host, target.port):
            try:
                if target.health.path == NO_PATH:
                    await self._connect(target, address)
                    return True
                if await self._status(target, address) < 500:
                    return True
            except (aiohttp.ClientError, OSError, ValueError):
                continue
        return False

    async def _connect(self, target: Target, address: str) -> None:
        host, _, port = address.rpartition(":")
        name = target.tls.server_name or target.host
        async with asyncio.timeout(LIMIT):
            _, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=self._context(target.tls), server_hostname=name
            )
            writer.transport.abort()

    async def _status(self, target: Target, address: str) -> int:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT)) as session,
            session.get(
                f"https://{address}{target.health.path}",
                headers={"Host": target.host, "User-Agent": "ferry-agent", "Connection": "close"},
                ssl=self._context(target.tls),
                server_hostname=target.tls.server_name or target.host,
                allow_redirects=False,
            ) as answer,
        ):
            return answer.status

    def _context(self, tls: model.Tls) -> ssl.SSLContext:
        """Reading the system's bundle takes long: once for each file as it is now."""
        path = self._ca_folder / tls.ca if tls.ca is not None else self._default_ca
        key = (tls.verify, path, path.stat().st_mtime_ns if tls.verify else 0)
        if key not in self._contexts:
            context = ssl.create_default_context(cafile=str(path)) if tls.verify else ssl.create_default_context()
            if not tls.verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE  # the service's own choice, approved with its record
            self._contexts = {old: one for old, one in self._contexts.items() if old[:2] != key[:2]}
            self._contexts[key] = context
        return self._contexts[key]
