"""What kube-proxy and the cluster's DNS do: an address for each Service that leads to its ready endpoints, and its names.

The clusterIP that the API gives out is not routed on this machine; DNS answers with an address of the pod network instead, on
which a small forwarder listens. Headless Services have the addresses of their pods.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

from deploy.playground.nodes import endpoints
from deploy.playground.world import addresses, cluster_mirror, listening, names

Json = dict[str, Any]
Place = tuple[str, str]
Wires = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_CONNECT_SECONDS = 2.0


@dataclass(slots=True)
class _Front:
    """The forwarders of one Service, by port number."""

    address: str
    ports: dict[int, "_Forwarder"] = field(default_factory=dict)


class _Forwarder:
    """One port of a Service: each connection to the next ready endpoint."""

    def __init__(self, address: str, port: int) -> None:
        self.targets: tuple[tuple[str, int], ...] = ()
        self.listener = listening.Listener(self._serve, address=address, port=port)
        self._turn = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(len(self.targets)):
            self._turn = (self._turn + 1) % len(self.targets)
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    there = await asyncio.open_connection(*self.targets[self._turn])
            except OSError:
                continue
            await _joined((reader, writer), there)
            return
        writer.transport.abort()


class ServiceProxy:
    """`step` follows Services and EndpointSlices, whoever wrote them. `trouble`: ports that cannot be listened on, by Service."""

    def __init__(self, mirror: cluster_mirror.ClusterMirror, network: addresses.PodNetwork, server: names.NameServer) -> None:
        self._mirror = mirror
        self._network = network
        self._names = server
        self._fronts: dict[Place, _Front] = {}
        self._named: set[str] = set()
        self.trouble: dict[str, str] = {}

    def address(self, namespace: str, name: str) -> str:
        """Where a Service with a clusterIP answers on this machine; empty for others."""
        front = self._fronts.get((namespace, name))
        return front.address if front else ""

    async def step(self) -> None:
        """Brings listeners and names to what the objects say now."""
        services = {_place(item): item for item in self._mirror.of(endpoints.SERVICES)}
        slices: dict[Place, list[Json]] = {}
        for item in self._mirror.of(endpoints.SLICES):
            owner = (item["metadata"].get("labels") or {}).get(endpoints.SERVICE_NAME, "")
            slices.setdefault((item["metadata"]["namespace"], owner), []).append(item)
        for place in [place for place in self._fronts if place not in services or not _has_address(services[place])]:
            await self._close(place)
        named: set[str] = set()
        for place, service in services.items():
            found = slices.get(place, [])
            if _has_address(service):
                await self._follow(place, service, found)
                answer = [self._fronts[place].address]
            elif service["spec"].get("type") == "ExternalName":
                answer = list(self._names.addresses(service["spec"]["externalName"]))
            else:
                answer = sorted({address for address, _ in _ready(found, None)})
            for host in _pod_hosts(found):
                self._names.put(host, [endpoints.address_of(host)])
                named.add(host)
            for name in _spelled(*place):
                self._names.put(name, answer)
                named.add(name)
        for name in self._named - named:
            self._names.remove(name)
        self._named = named

    async def stop(self) -> None:
        """Closes every listener, forgets every name."""
        for place in list(self._fronts):
            await self._close(place)
        for name in self._named:
            self._names.remove(name)
        self._named = set()

    async def _follow(self, place: Place, service: Json, slices: list[Json]) -> None:
        if place not in self._fronts:
            self._fronts[place] = _Front(self._network.next_pod_ip())
        front = self._fronts[place]
        ports = {port["port"]: port for port in service["spec"].get("ports") or () if port.get("protocol", "TCP") == "TCP"}
        for number in front.ports.keys() - ports.keys():
            await front.ports.pop(number).listener.stop()
        for number, port in ports.items():
            if number not in front.ports:
                front.ports[number] = _Forwarder(front.address, number)
            front.ports[number].targets = tuple(sorted(set(_ready(slices, port.get("name") or ""))))
            await self._listen("/".join(place), front.ports[number])

    async def _listen(self, service: str, forwarder: _Forwarder) -> None:
        port = f"{service}:{forwarder.listener.port}"
        try:
            await forwarder.listener.start()
        except OSError as error:
            where = forwarder.listener.address
            self.trouble[port] = f"Service {port} cannot be reached at {where} ({error.strerror}); ask its pods instead"
        else:
            self.trouble.pop(port, None)

    async def _close(self, place: Place) -> None:
        front = self._fronts.pop(place)
        for forwarder in front.ports.values():
            await forwarder.listener.stop()
        self._network.give_back(front.address)


async def _joined(one: Wires, other: Wires) -> None:
    """Bytes both ways until both ends have said all; a half-closed connection still answers."""
    try:
        async with asyncio.TaskGroup() as ways:
            ways.create_task(_copy(one[0], other[1]))
            ways.create_task(_copy(other[0], one[1]))
    except* OSError:
        pass
    finally:
        other[1].transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


def _ready(slices: list[Json], port_name: str | None) -> list[tuple[str, int]]:
    """Address and port of every endpoint that takes traffic. `port_name` None: the address alone counts."""
    return [
        (endpoints.address_of(address), int(port["port"]) if port else 0)
        for item in slices
        for port in (
            [{}] if port_name is None else [one for one in item.get("ports") or () if (one.get("name") or "") == port_name]
        )
        for endpoint in item.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"]
    ]


def _pod_hosts(slices: list[Json]) -> set[str]:
    """The host names of pods that stand in slices instead of addresses."""
    said = {address for item in slices for endpoint in item.get("endpoints") or () for address in endpoint["addresses"]}
    return {address for address in said if endpoints.address_of(address) != address}


def _has_address(service: Json) -> bool:
    spec = service["spec"]
    return spec.get("type") != "ExternalName" and spec.get("clusterIP") not in {None, "", "None"}


def _spelled(namespace: str, name: str) -> tuple[str, ...]:
    return f"{name}.{namespace}", f"{name}.{namespace}.svc", f"{name}.{namespace}.svc.cluster.local"


def _place(item: Json) -> Place:
    return item["metadata"]["namespace"], item["metadata"]["name"]
