"""Probes of a container: really asked, counted against their thresholds, each verdict told once it is reached."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import aiohttp

Json = dict[str, Any]


class Prober:
    """Asks the containers of one pod at its address. `session`: shared, not closed here."""

    def __init__(self, session: aiohttp.ClientSession, pod_ip: str, ports: Mapping[str, int]) -> None:
        self._session = session
        self._ip = pod_ip
        self._ports = ports

    async def verdicts(self, probe: Json, *, every: float = float("inf")) -> AsyncGenerator[bool, None]:
        """True or False whenever enough answers in a row say so. `every`: at most so many seconds between two questions."""
        period = min(float(probe.get("periodSeconds") or 10), every)
        needed = {True: int(probe.get("successThreshold") or 1), False: int(probe.get("failureThreshold") or 3)}
        row, last = 0, False
        await asyncio.sleep(min(float(probe.get("initialDelaySeconds") or 0), every))
        while True:
            good = await self._ask(probe)
            row = row + 1 if good is last else 1
            last = good
            if row == needed[good]:
                yield good
            await asyncio.sleep(period)

    async def _ask(self, probe: Json) -> bool:
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(float(probe.get("timeoutSeconds") or 1)):
                if "httpGet" in probe:
                    return await self._get(probe["httpGet"])
                if "tcpSocket" in probe:
                    return await self._connect(self._port(probe["tcpSocket"]["port"]))
        return False

    async def _get(self, wanted: Json) -> bool:
        scheme = (wanted.get("scheme") or "HTTP").lower()
        url = f"{scheme}://{wanted.get('host') or self._ip}:{self._port(wanted['port'])}{wanted.get('path') or '/'}"
        headers = {header["name"]: header["value"] for header in wanted.get("httpHeaders") or ()}
        async with self._session.get(url, headers=headers, ssl=False, allow_redirects=False) as answer:
            return 200 <= answer.status < 400

    async def _connect(self, port: int) -> bool:
        _, writer = await asyncio.open_connection(self._ip, port)
        writer.transport.abort()
        return True

    def _port(self, port: int | str) -> int:
        return port if isinstance(port, int) else self._ports.get(port, 0)


def named_ports(containers: Sequence[Json]) -> dict[str, int]:
    """containerPort by name, of all containers of a pod."""
    return {port["name"]: port["containerPort"] for one in containers for port in one.get("ports") or () if "name" in port}
