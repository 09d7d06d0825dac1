"""Asking all proxies, shared: many who ask at the same time get one answer, so that a storm is not multiplied."""

import asyncio

from handlers import ports
from k8s import errors, views


class Fleets:
    def __init__(self, agents: ports.Agents) -> None:
        self._agents = agents
        self._asking: asyncio.Task[views.Fleet] | None = None

    async def ask(self) -> views.Fleet:
        """What every proxy says; what was asked just before may be answered with it. Never raises: nobody knows is an answer."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._agents.fleet(), name="ask the proxies")
        try:
            return await asyncio.shield(self._asking)
        except errors.ClusterError as error:
            return views.Fleet(expected=0, reports=(), silent=(f"(the proxies cannot be asked: {error})",))

    async def stop(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)


def highest_generation(fleet: views.Fleet, service: str) -> int:
    """The highest that any proxy reports for the service: a new record must be above it."""
    return max([0, *(report.services[service].generation for report in fleet.reports if service in report.services)])
