"""Asking all proxies, shared: many who ask at the same time get one answer, so that a storm is not multiplied.

The newest answer is kept for those who cannot wait for one.
"""

import asyncio

from handlers import ports
from k8s import errors, views


class Fleets:
    def __init__(self, agents: ports.Agents) -> None:
        self._agents = agents
        self._asking: asyncio.Task[views.Fleet] | None = None
        self._newest: views.Fleet | None = None

    @property
    def newest(self) -> views.Fleet | None:
        """What was answered last, a few seconds old at most while somebody listens; None: nobody has asked yet."""
        return self._newest

    async def ask(self) -> views.Fleet:
        """What every proxy says; what was asked just before may be answered with it. Never raises: nobody knows is an answer."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._agents.fleet(), name="ask the proxies")
        try:
            self._newest = await asyncio.shield(self._asking)
        except errors.ClusterError as error:
            self._newest = views.Fleet(expected=0, reports=(), silent=(f"(the proxies cannot be asked: {error})",))
        return self._newest

    async def stop(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)


def highest_generation(fleet: views.Fleet, service: str) -> int:
    """The highest that any proxy reports for the service: a new record must be above it."""
    return max([0, *(report.services[service].generation for report in fleet.reports if service in report.services)])


def serves(fleet: views.Fleet | None, service: str) -> bool:
    """A proxy says that it sends some of the service's requests to the new cluster."""
    reports = fleet.reports if fleet is not None else ()
    return any(service in report.services and report.services[service].served > 0 for report in reports)


def ended(fleet: views.Fleet, service: str) -> bool:
    """A proxy sends all of it to new for good."""
    return any(service in report.services and report.services[service].finished for report in fleet.reports)


def only_new_is_left(fleet: views.Fleet | None, service: str) -> bool:
    """Proven, by every proxy: the old cluster answers nobody, and the new one is well. Whoever is silent proves nothing."""
    if fleet is None or fleet.silent:
        return False
    live = [report for report in fleet.reports if not report.terminating]
    known = [report.services[service] for report in live if service in report.services]
    return bool(known) and len(known) == len(live) and all(one.old_dead and one.new_up for one in known)


def may_serve(fleet: views.Fleet | None, service: str) -> bool:
    """Nobody has proven that no proxy does: one of them gives no answer, or nobody has asked yet."""
    return fleet is None or bool(fleet.silent) or serves(fleet, service)
