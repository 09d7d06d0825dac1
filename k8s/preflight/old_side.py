"""The old side of a service: its host leads to the old load balancer and ends TLS there, and the old application is alive."""

import asyncio
import ipaddress
import re
import ssl
from collections.abc import Iterable, Sequence
from pathlib import Path

from k8s import discovery, model
from k8s.agent import probe_answer, probe_line, probe_trust, resolving
from k8s.discovery import Level, backends, listing, routes
from k8s.preflight import certificates
from k8s.preflight.report import Check, no, unknown, yes
from k8s.preflight.seen import Certificate

LOAD_BALANCER, ENDS_TLS, BACKEND, ENTRY = "old host's DNS", "TLS of the old host", "old application", "old Ingress"
NAMES = (LOAD_BALANCER, ENDS_TLS, BACKEND, ENTRY)
_CLUSTER_NAME = re.compile(r"([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)\.([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)\.svc(?:\..+)?")
_MOST_ADDRESSES = 4
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_READ_RIGHTS = "Give the bot the rights of bot-discovery-rbac.yaml, then look again."


class OldDoor:
    """DNS and TLS as the bot sees them, which runs in the old cluster. `port`: of HTTPS. `limit`: seconds for one question."""

    def __init__(self, *, dns_server: str = "", port: int = 443, limit: float = 3.0) -> None:
        self._dns_server = dns_server
        self._port = port
        self._limit = limit
        self._trust = probe_trust.Trust(ca_folder=Path(), default_ca=Path()).unchecked  # only looked at, nothing is believed

    async def addresses(self, host: str) -> tuple[str, ...]:
        """IP addresses, sorted. Raises OSError, saying why there are none."""
        resolver = resolving.Resolver(self._dns_server, limit=self._limit)
        await resolver.addresses(host, self._port)
        if not (found := resolver.last_good.get(host, ())):
            raise OSError(f"{host} does not resolve ({resolver.failing(host) or 'it has no address'})")
        return found

    async def certificate(self, address: str, host: str) -> Certificate | None:
        """What is shown there for this host; None: nothing that can be read. Raises OSError, saying why."""
        place = f"[{address}]:{self._port}" if ":" in address else f"{address}:{self._port}"
        try:
            async with asyncio.timeout(self._limit), probe_line.connected(place) as connected:
                line = probe_line.Line(connected, self._trust, host)
                await line.handshake()
                return certificates.shown(line.certificate)
        except TimeoutError:
            raise OSError(f"{place}: no TLS handshake is done within {self._limit:g} s") from None
        except ssl.SSLError as error:
            raise OSError(f"{place}: {probe_answer.reason(error)}") from None
        except OSError as error:
            raise OSError(f"{place}: {probe_answer.plain(error)}") from None


async def load_balancer(service: model.Service, listed: listing.Listed, door: OldDoor, expected: Sequence[str]) -> Check:
    """`expected`: addresses, networks or names of the old load balancer by settings; none: what its Ingress's status says."""
    host = service.exposure.old_host
    named = set(expected) or {address for route in _routes(host, listed) for address in route.addresses}
    wanted = await _networks(named, door)
    found = await door.addresses(host)
    shown = ", ".join(found)
    if not wanted:
        return unknown(
            LOAD_BALANCER,
            f"{host} is {shown}, and nobody knows the old load balancer: the status of its Ingress names no address.",
            "Compare the address with the load balancer's by hand, or name that one in the settings.",
        )
    strange = [one for one in found if not any(ipaddress.ip_address(one) in network for network in wanted)]
    if not strange:
        return yes(LOAD_BALANCER, f"{host} is {shown}: the old load balancer.")
    return no(
        LOAD_BALANCER,
        f"{host} is {shown}, and {', '.join(strange)} is not the old load balancer ({', '.join(sorted(named))}).",
        "Let its DNS lead to the old load balancer alone: what goes elsewhere never meets the proxies.",
    )


async def _networks(named: Iterable[str], door: OldDoor) -> list[_Network]:
    """Addresses and networks as they are, names as what they resolve to. Raises OSError."""
    found: list[_Network] = []
    for one in sorted(named):
        try:
            found.append(ipaddress.ip_network(one, strict=False))
        except ValueError:
            found += [ipaddress.ip_network(address) for address in await door.addresses(one)]
    return found


async def ends_tls(service: model.Service, listed: listing.Listed, door: OldDoor, *, now: float) -> Check:
    """`now`: Unix seconds."""
    host = service.exposure.old_host
    addresses = (await door.addresses(host))[:_MOST_ADDRESSES]
    shown = await asyncio.gather(*(door.certificate(address, host) for address in addresses), return_exceptions=True)
    promised = any(route.tls for route in _routes(host, listed))
    faults = [str(one) for one in shown if isinstance(one, OSError)]
    for one in shown:
        if isinstance(one, BaseException) and not isinstance(one, OSError):
            raise one
    known = [one for one in shown if isinstance(one, Certificate)]
    fit = [one for one in known if certificates.names_host(one, host) and one.expires > now]
    if len(fit) == len(addresses):
        return yes(ENDS_TLS, f"{', '.join(addresses)} shows a certificate for {host}.")
    if not promised and not fit:
        return yes(ENDS_TLS, f"Its Ingress serves {host} without TLS, so nothing ends there.")
    ended = [one for one in known if certificates.names_host(one, host)]
    why = "; ".join(faults) or ("its certificate has ended" if ended else "the certificate that is shown is not for this host")
    return no(
        ENDS_TLS,
        f"TLS of {host} does not end well at the old load balancer: {why}.",
        "Repair the certificate of the old Ingress: its clients meet it as long as DNS leads there.",
    )


def backend(service: model.Service, behind: backends.Backends) -> Check:
    """Every backend that requests may go back to has ready endpoints."""
    told, dead, strange = [], [], []
    for one in dict.fromkeys((service.old_backend, *(each.backend for each in service.paths))):
        place = _CLUSTER_NAME.fullmatch(one.host)
        if place is None:
            strange.append(f"{one} is no Service of this cluster")
            continue
        name, namespace = place[1], place[2]
        ready = behind.ready(namespace, name)
        if (namespace, name) not in behind.services:
            dead.append(f"the Service {namespace}/{name} does not exist")
        elif ready is None:
            strange.append(f"EndpointSlices of {namespace}/{name} cannot be read")
        elif not ready:
            dead.append(f"no endpoint of {namespace}/{name} is ready")
        else:
            told.append(f"{namespace}/{name} has {ready} ready endpoint{'' if ready == 1 else 's'}")
    if dead:
        return no(BACKEND, _sentence(dead), "Bring the old application back first: it is where everything falls back to.")
    if strange:
        return unknown(BACKEND, _sentence(strange), "See by hand that it answers; " + _READ_RIGHTS[0].lower() + _READ_RIGHTS[1:])
    return yes(BACKEND, _sentence(told))


def entry(service: model.Service, listed: listing.Listed, *, ingress_class: str = "nginx") -> Check:
    """Whether the old Ingress can hand this host to the proxies; what warns is told, too."""
    host = service.exposure.old_host
    notes = discovery.notes_of(host, listed.table, listed.behind, ingress_class=ingress_class)
    if notes is None:
        return no(ENTRY, f"No Ingress of the old cluster names {host}.", "Correct old_host, or create its Ingress first.")
    stops = [note for note in notes if note.level is Level.STOP]
    if stops:
        return no(ENTRY, " ".join(note.sentence for note in stops), " ".join(dict.fromkeys(note.remedy for note in stops)))
    warns = [note.sentence for note in notes if note.level is Level.WARNING]
    return yes(ENTRY, " ".join([f"Nothing of its Ingress stops {host} at the proxies.", *warns]))


def _routes(host: str, listed: listing.Listed) -> list[routes.Route]:
    return [one for one in listed.table.routes if one.host == host]


def _sentence(parts: list[str]) -> str:
    whole = "; ".join(parts)
    return whole[:1].upper() + whole[1:] + "."
