"""From Kubernetes objects to routes, by the rules of ingress-nginx. Pure: objects in, a table out."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Endpoint = tuple[str, int]
ANNOTATION = "nginx.ingress.kubernetes.io/"
_OLD_CLASS = "kubernetes.io/ingress.class"


@dataclass(slots=True)
class Upstream:
    """One Service and port. `alternatives`: canaries merged into it; only the first is ever used.

    `external` instead of `endpoints`: an ExternalName and its port, resolved when used.
    """

    name: str
    endpoints: tuple[Endpoint, ...] = ()
    external: Endpoint | None = None
    alternatives: "list[Upstream]" = field(default_factory=list)
    weight: int = 0  # of this upstream, when it is an alternative
    weight_total: int = 100
    turn: int = 0

    @property
    def usable(self) -> bool:
        """Whether it has somewhere to send to."""
        return bool(self.endpoints or self.external)

    def chosen(self) -> "Upstream":
        """This one, or its canary: by weight, and only when the canary has endpoints.

        Without endpoints of its own nothing is there that could ask the canary (issue 8212): 503, whatever the weight.
        """
        if not self.usable or not self.alternatives or not self.alternatives[0].usable:
            return self
        canary = self.alternatives[0]
        return canary if random.randint(1, max(canary.weight_total, 1)) <= canary.weight else self

    def targets(self) -> list[Endpoint]:
        """Every endpoint once, beginning with the next in turn."""
        if self.external is not None:
            return [self.external]
        if not self.endpoints:
            return []
        self.turn = (self.turn + 1) % len(self.endpoints)
        return [*self.endpoints[self.turn :], *self.endpoints[: self.turn]]


@dataclass(frozen=True, slots=True)
class Location:
    """A host's path. A canary inherits all of this from the app's Ingress: what its own annotations say is ignored."""

    path: str
    path_type: str
    upstream: Upstream
    https: bool = False  # backend-protocol: HTTPS
    vhost: str = ""  # upstream-vhost
    tls_name: str = ""  # proxy-ssl-name

    def matches(self, path: str) -> bool:
        """Whether a request for `path` (without query) is meant."""
        if self.path_type == "Exact":
            return path == self.path
        if self.path_type == "Prefix":
            stem = self.path.rstrip("/")
            return path == stem or path.startswith(stem + "/")
        return path.startswith(self.path)


@dataclass(frozen=True, slots=True)
class Table:
    """What the ingress serves. `dropped`: why canaries were left out, one sentence each."""

    hosts: dict[str, list[Location]] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    def location(self, host: str, path: str) -> Location | None:
        """Where a request belongs: the host itself, then a wildcard, then the Ingress without host; the longest path wins."""
        locations = self.hosts.get(host)
        rest = host
        while locations is None and "." in rest:
            rest = rest.partition(".")[2]
            locations = self.hosts.get("*." + rest)
        if locations is None:
            locations = self.hosts.get("", [])
        return next((location for location in locations if location.matches(path)), None)

    def canary(self, host: str, path: str = "/") -> Upstream | None:
        """The canary that serves this host and path at present, if any: with endpoints and a weight, over a usable upstream."""
        location = self.location(host, path)
        if location is None or not location.upstream.alternatives or not location.upstream.usable:
            return None
        first = location.upstream.alternatives[0]
        return first if first.usable and first.weight else None


@dataclass(frozen=True, slots=True)
class Objects:
    """What the cluster holds, by kind."""

    ingresses: Iterable[Json]
    services: Iterable[Json]
    slices: Iterable[Json]
    endpoints: Iterable[Json]


def build(objects: Objects, *, ingress_class: str = "nginx") -> Table:
    """The table of these objects. An Ingress of another class is not ours; one without a class is."""
    upstreams = _Upstreams(objects)
    ours = sorted((item for item in objects.ingresses if _class(item) in {"", ingress_class}), key=_age)
    hosts: dict[str, list[Location]] = {}
    for item in ours:
        if not _is_canary(item):
            _add(hosts, item, upstreams)
    dropped = [why for item in ours if _is_canary(item) for why in _merge(hosts, item, upstreams)]
    for locations in hosts.values():
        locations.sort(key=lambda location: (location.path_type != "Exact", -len(location.path)))
    return Table(hosts, tuple(dropped))


def _add(hosts: dict[str, list[Location]], item: Json, upstreams: "_Upstreams") -> None:
    """The oldest Ingress with a host, path and pathType keeps it."""
    for host, path, path_type, backend in _rules(item):
        locations = hosts.setdefault(host, [])
        if any((known.path, known.path_type) == (path, path_type) for known in locations):
            continue
        upstream = upstreams.of(item["metadata"]["namespace"], backend)
        vhost = _annotation(item, "upstream-vhost")
        https = _annotation(item, "backend-protocol").upper() == "HTTPS"
        tls_name = _annotation(item, "proxy-ssl-name") or vhost or host
        locations.append(Location(path, path_type, upstream, https=https, vhost=vhost, tls_name=tls_name))


def _merge(hosts: dict[str, list[Location]], item: Json, upstreams: "_Upstreams") -> Iterator[str]:
    """Hangs a canary on the upstream of the app: same host, path, pathType, whatever the namespace. Yields refusals."""
    namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
    for host, path, path_type, backend in _rules(item):
        found = next((known for known in hosts.get(host, ()) if (known.path, known.path_type) == (path, path_type)), None)
        if found is None:
            yield f"Canary {namespace}/{name}: no Ingress has {host}{path} ({path_type}) yet; it must exist first"
            continue
        canary = upstreams.of(namespace, backend)
        if canary is found.upstream or canary in found.upstream.alternatives:
            continue
        canary.weight = _whole(_annotation(item, "canary-weight"), 0)
        canary.weight_total = _whole(_annotation(item, "canary-weight-total"), 100)
        found.upstream.alternatives.append(canary)


class _Upstreams:
    """One upstream for each Service and port, made when first asked for: who shares a Service shares its canary."""

    def __init__(self, objects: Objects) -> None:
        self._services = {_place(item): item for item in objects.services}
        self._slices: dict[tuple[str, str], list[Json]] = {}
        for item in objects.slices:
            owner = (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "")
            self._slices.setdefault((item["metadata"]["namespace"], owner), []).append(item)
        self._endpoints = {_place(item): item for item in objects.endpoints}
        self._made: dict[tuple[str, str, str], Upstream] = {}

    def of(self, namespace: str, backend: Json) -> Upstream:
        service, port = backend.get("service", {}), backend.get("service", {}).get("port", {})
        wanted = port.get("name") or port.get("number") or 0
        key = (namespace, service.get("name", ""), str(wanted))
        if key not in self._made:
            self._made[key] = self._make(key, wanted)
        return self._made[key]

    def _make(self, key: tuple[str, str, str], wanted: object) -> Upstream:
        upstream = Upstream("-".join(key))
        spec = self._services.get(key[:2], {}).get("spec", {})
        ports = spec.get("ports") or []
        port = next((port for port in ports if wanted in {port.get("name"), port.get("port")}), None)
        if spec.get("type") == "ExternalName":
            number = port.get("targetPort", port["port"]) if port else wanted
            if isinstance(number, int) and number:
                upstream.external = (spec["externalName"], number)
        elif port is not None:
            upstream.endpoints = tuple(sorted(set(self._ready(key[:2], port.get("name") or ""))))
        return upstream

    def _ready(self, place: tuple[str, str], port_name: str) -> Iterator[Endpoint]:
        if place in self._slices:
            for item in self._slices[place]:
                addresses = [
                    address
                    for endpoint in item.get("endpoints") or ()
                    if (endpoint.get("conditions") or {}).get("ready") is not False
                    for address in endpoint["addresses"]
                ]
                yield from _paired(addresses, item.get("ports"), port_name)
            return
        for subset in self._endpoints.get(place, {}).get("subsets") or ():
            yield from _paired([address["ip"] for address in subset.get("addresses") or ()], subset.get("ports"), port_name)


def _paired(addresses: list[str], ports: list[Json] | None, name: str) -> Iterator[Endpoint]:
    for port in ports or ():
        if (port.get("name") or "") == name:
            yield from ((address, int(port["port"])) for address in addresses)


def _rules(item: Json) -> Iterator[tuple[str, str, str, Json]]:
    spec = item["spec"]
    if spec.get("defaultBackend") and not spec.get("rules"):
        yield "", "/", "Prefix", spec["defaultBackend"]
    for rule in spec.get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            yield rule.get("host", "").lower(), path.get("path") or "/", path["pathType"], path["backend"]


def _annotation(item: Json, name: str) -> str:
    return str((item["metadata"].get("annotations") or {}).get(ANNOTATION + name, ""))


def _is_canary(item: Json) -> bool:
    return _annotation(item, "canary") == "true"


def _class(item: Json) -> str:
    return str(item["spec"].get("ingressClassName") or (item["metadata"].get("annotations") or {}).get(_OLD_CLASS, ""))


def _age(item: Json) -> tuple[str, str, str]:
    meta = item["metadata"]
    return meta.get("creationTimestamp") or "", meta["namespace"], meta["name"]


def _place(item: Json) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() else otherwise
