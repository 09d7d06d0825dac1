"""Whether everything is there before a service's traffic moves. Every part looks at the same time and fails alone.

It reads, and asks; nothing is changed, and what could not be looked at is unknown, which is no yes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from handlers import discovering, ports
from handlers.rules import gates
from k8s import errors, model, views, wish_document
from k8s.discovery import listing
from k8s.preflight import Check, Report, agents, new_side, old_side, rights, seen
from k8s.preflight.report import no, unknown, yes

LIMIT = 10.0  # seconds for all of it
PROXIES, MONITORING, NAMED = "proxies", "monitoring", "migration.yaml"
_AGAIN = "Look again in a minute; if it stays so, see the bot's log."
_log = structlog.get_logger("ferry.preflight")
Checks = tuple[Check, ...]


class Agents(Protocol):
    async def preflight(self, targets: Sequence[seen.Target]) -> Mapping[str, tuple[seen.Seen, ...] | str]:
        """What each proxy sees of these new hosts, by pod. Raises errors.ClusterError."""

    async def fleet(self) -> views.Fleet:
        """Every proxy's report."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Where it looks. `origins`: where the proxies' connections come from, for the firewall."""

    listing: discovering.Listing
    door: old_side.OldDoor
    new: new_side.NewSide
    rights: rights.Rights
    origins: Callable[[], Awaitable[tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """As settings say. `old_addresses`: of the old load balancer; none: what its Ingresses' status says. `new_networks`: of the
    new one, the only ones that the proxies may reach; none: any.
    """

    old_addresses: tuple[str, ...] = ()
    new_networks: tuple[str, ...] = ()
    ingress_class: str = "nginx"


class Preflighting:
    def __init__(
        self,
        clock: ports.Clock,
        cluster: ports.Cluster,
        proxies: Agents,
        sides: Sides,
        *,
        measures: ports.Measures | None = None,
        around: Surroundings | None = None,
        limit: float = LIMIT,
    ) -> None:
        self._clock = clock
        self._cluster = cluster
        self._proxies = proxies
        self._sides = sides
        self._measures = measures
        self._around = around or Surroundings()
        self._limit = limit

    async def preflight(self, name: str) -> Report:
        """Within the limit, whatever hangs; raises nothing."""
        service = self._cluster.service(name).wished
        if service is None:
            why = self._cluster.service(name).refused or f"migration.yaml names no service {name}"
            return Report(
                name, (no(NAMED, f"{why.rstrip('.')}.", "Correct it there, or add the service with `/migrate discover`."),)
            )
        exposure = service.exposure
        target = seen.Target(name, exposure.new_host, exposure.new_port, exposure.tls, service.health.path)
        looking = _Looking(
            service,
            target,
            self._sides,
            self._around,
            now=self._clock.now().timestamp(),
            listed=asyncio.ensure_future(self._sides.listing.objects()),
            answers=asyncio.ensure_future(self._proxies.preflight([target])),
            mapping=asyncio.ensure_future(asyncio.to_thread(_mapping, service, self._cluster.view().document.text)),
        )
        try:
            parts = await asyncio.gather(*self._parts(looking))
            firewall = agents.firewall(target, looking.answered(), await self._origins())
        finally:
            await looking.stop()
        return Report(name, tuple(check for part in parts for check in part), firewall)

    def _parts(self, looking: "_Looking") -> list[Awaitable[Checks]]:
        """In the order in which they are shown."""
        return [
            self._part(agents.NAMES, looking.ahead),
            self._one(old_side.ENTRY, looking.entry),
            self._one(old_side.LOAD_BALANCER, looking.load_balancer),
            self._one(old_side.ENDS_TLS, looking.ends_tls),
            self._one(old_side.BACKEND, looking.backend),
            self._one(new_side.SERVICE, looking.new_service),
            self._one(new_side.INGRESS, looking.new_ingress),
            self._one(new_side.ROLES, looking.roles),
            self._part(rights.NAMES, looking.rights),
            self._one(PROXIES, self._ready),
            self._one(MONITORING, self._watched(looking.service.name)),
        ]

    def _watched(self, service: str) -> Callable[[], Awaitable[Check]]:
        async def look() -> Check:
            return seen_by_monitoring(self._measures.look() if self._measures is not None else None, service)

        return look

    async def _one(self, name: str, look: Callable[[], Awaitable[Check]]) -> Checks:
        async def alone() -> Checks:
            return (await look(),)

        return await self._part((name,), alone)

    async def _part(self, names: Sequence[str], look: Callable[[], Awaitable[Checks]]) -> Checks:
        """What it finds; every fault of it is a check that is unknown."""
        try:
            async with asyncio.timeout(self._limit):
                return await look()
        except TimeoutError:
            why = f"It was not known within {self._limit:g} s"
        except (errors.ClusterError, OSError) as error:
            why = f"It could not be looked at: {str(error).rstrip('.')}"
        except Exception as error:  # noqa: BLE001  one part's fault must not hide what the others found
            _log.error("a part of preflight failed", part=names[0], error=f"{type(error).__name__}: {error}", exc_info=error)
            why = f"Ferry itself failed at it ({type(error).__name__})"
        return tuple(unknown(name, f"{why}.", _AGAIN) for name in names)

    async def _ready(self) -> Check:
        fleet = await self._proxies.fleet()
        ready = sum(1 for one in fleet.reports if one.ready and not one.terminating)
        remedy = "See `kubectl -n migration-system get pods` and what their agents say."
        if fleet.silent:
            return no(
                PROXIES, f"{ready} of {fleet.expected} are ready, and {', '.join(fleet.silent[:3])} gives no answer.", remedy
            )
        if not fleet.expected or ready < fleet.expected:
            return no(PROXIES, f"{ready} of {fleet.expected} proxies are ready.", remedy)
        return yes(PROXIES, f"{ready} of {fleet.expected} proxies are ready.")

    async def _origins(self) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(2.0):
                return await self._sides.origins()
        except (errors.ClusterError, TimeoutError):
            return ()


@dataclass(frozen=True, slots=True)
class _Looking:
    """One run. What several parts need is asked once; a part whose time is over leaves it to the others. `now`: Unix seconds."""

    service: model.Service
    target: seen.Target
    sides: Sides
    around: Surroundings
    now: float
    listed: asyncio.Future[listing.Listed]
    answers: asyncio.Future[agents.Answers]
    mapping: asyncio.Future[model.ServiceMapping | None]

    async def ahead(self) -> Checks:
        return agents.checks(self.target, await asyncio.shield(self.answers), now=self.now, allowed=self.around.new_networks)

    async def entry(self) -> Check:
        return old_side.entry(self.service, await asyncio.shield(self.listed), ingress_class=self.around.ingress_class)

    async def backend(self) -> Check:
        return old_side.backend(self.service, (await asyncio.shield(self.listed)).behind)

    async def load_balancer(self) -> Check:
        listed = await asyncio.shield(self.listed)
        return await old_side.load_balancer(self.service, listed, self.sides.door, self.around.old_addresses)

    async def ends_tls(self) -> Check:
        return await old_side.ends_tls(self.service, await asyncio.shield(self.listed), self.sides.door, now=self.now)

    async def new_service(self) -> Check:
        return await self.sides.new.service(await asyncio.shield(self.mapping))

    async def new_ingress(self) -> Check:
        return await self.sides.new.ingress(await asyncio.shield(self.mapping), self.service.exposure.new_host)

    async def roles(self) -> Check:
        return await self.sides.new.roles(await asyncio.shield(self.mapping))

    async def rights(self) -> Checks:
        return await self.sides.rights.checks(self.service)

    def answered(self) -> agents.Answers:
        """What is there already: the parts have waited for it as long as they may."""
        if not self.answers.done() or self.answers.cancelled() or self.answers.exception() is not None:
            return {}
        return self.answers.result()

    async def stop(self) -> None:
        waiting: tuple[asyncio.Future[Any], ...] = (self.listed, self.answers, self.mapping)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _mapping(service: model.Service, document: str) -> model.ServiceMapping | None:
    """The one that agrees with the service in both: its old Service and its new host."""
    try:
        mappings = wish_document.read_entries(document).wish.mappings
    except wish_document.WishError:
        return None
    host = service.old_backend.host
    return next((one for one in mappings if _is_about(one, host, service.exposure.new_host)), None)


def _is_about(mapping: model.ServiceMapping, old_host: str, new_host: str) -> bool:
    old = f"{mapping.old_service}.{mapping.old_namespace}"
    return mapping.new_cluster_endpoint == new_host and (old_host == old or old_host.startswith(f"{old}.svc"))


def seen_by_monitoring(look: gates.Look | None, service: str) -> Check:
    """Whether both sides have numbers. A side that was asked nothing yet has none: that is told, and is unknown."""
    remedy = "See that Prometheus scrapes the agents (service-monitor.yaml), and that some requests pass the proxies."
    if look is None:
        return unknown(
            MONITORING, "No Prometheus is configured, so gates cannot be judged.", "Set prometheus.url in the settings."
        )
    if look.trouble:
        return unknown(MONITORING, f"{look.trouble.rstrip('.')}.", remedy)
    measured = look.services.get(service)
    if measured is None:
        return unknown(MONITORING, f"Prometheus has no series of {service}.", remedy)
    blind = [
        f"{side} ({reading.trouble})"
        for side, reading in (("old", measured.old.requests), ("new", measured.new.requests))
        if reading.value is None
    ]
    if blind:
        return unknown(MONITORING, f"Prometheus does not see {' and '.join(blind)}.", remedy)
    return yes(MONITORING, "Prometheus sees both sides.")
