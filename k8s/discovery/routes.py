"""Ingress objects as routes: one for each host and path, whatever version of the API wrote them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from k8s.discovery.proposal import Skipped

Json = Mapping[str, Any]
ANNOTATION = "nginx.ingress.kubernetes.io/"
FIELD_MANAGER = "ferry"
_OLD_CLASS = "kubernetes.io/ingress.class"
_SOLVER = "acme.cert-manager.io/http01-solver"  # of cert-manager: there for a minute, to prove that the host is ours
_LABELS = {"app.kubernetes.io/part-of": "ferry", "app.kubernetes.io/managed-by": "ferry"}


@dataclass(frozen=True, slots=True)
class Route:
    """One path of one host. `port`: number or name, as the Ingress says. `notes`: ingress-nginx's annotations, without prefix.

    `tls`: the Ingress names this host under `tls`. `addresses`: of the load balancer, as the Ingress's status has them.
    """

    host: str
    path: str
    path_type: str
    namespace: str
    service: str
    port: int | str
    ingress: str
    ingress_class: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    tls: bool = False
    addresses: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        return f"Ingress {self.namespace}/{self.ingress}"


@dataclass(frozen=True, slots=True)
class Table:
    """`canaries`: by host, the canary Ingresses of others (`Ingress namespace/name`)."""

    routes: tuple[Route, ...]
    canaries: Mapping[str, tuple[str, ...]]
    skipped: tuple[Skipped, ...]


def table(ingresses: Iterable[Json], *, own_namespace: str) -> Table:
    """Every route but those of Ferry's own objects. Ingresses are taken in the order of their names."""
    routes: list[Route] = []
    canaries: dict[str, list[str]] = {}
    skipped: list[Skipped] = []
    for item in sorted(ingresses, key=_name):
        if _of_ferry(item, own_namespace) or _SOLVER in (_metadata(item).get("labels") or {}):
            continue
        if annotations(item).get("canary") == "true":
            for host in _hosts(item):
                canaries.setdefault(host, []).append(_source(item))
            continue
        for one in _routes(item):
            if isinstance(one, Route):
                routes.append(one)
            else:
                skipped.append(one)
    return Table(tuple(routes), {host: tuple(names) for host, names in canaries.items()}, tuple(dict.fromkeys(skipped)))


def annotations(item: Json) -> dict[str, str]:
    """Those of ingress-nginx, without their prefix."""
    found = _metadata(item).get("annotations") or {}
    return {key.removeprefix(ANNOTATION): str(value) for key, value in found.items() if key.startswith(ANNOTATION)}


def _routes(item: Json) -> Iterable[Route | Skipped]:
    spec = item.get("spec") or {}
    source = _source(item)
    if spec.get("defaultBackend") or spec.get("backend"):
        yield Skipped(
            "", source, "it has a default backend, for hosts that nothing else serves", "Add an entry for each such host by hand."
        )
    for rule in spec.get("rules") or ():
        host = str(rule.get("host") or "").lower().rstrip(".")
        paths = (rule.get("http") or {}).get("paths") or ()
        if not host:
            yield Skipped("", source, "a rule of it is for every host", "Add an entry for each host that is really used by hand.")
        elif host.startswith("*."):
            yield Skipped(
                host,
                source,
                "it is a wildcard, and the proxy knows each host by its own name",
                "Add an entry for each host below it that is really used; the old ingress keeps the rest.",
            )
        elif not paths:
            yield Skipped(
                host, source, "the rule has no path and so no backend", "Nothing to do; the old ingress serves no app there."
            )
        else:
            yield from (_route(item, host, path) for path in paths)


def _route(item: Json, host: str, path: Json) -> Route | Skipped:
    backend = path.get("backend") or {}
    service = backend.get("service") or {}
    port = service.get("port") or {}
    name = service.get("name") or backend.get("serviceName")
    number = port.get("number") or port.get("name") or backend.get("servicePort")
    if not isinstance(name, str) or not isinstance(number, int | str) or isinstance(number, bool):
        why = f"the path {path.get('path') or '/'} leads to something that is no Service"
        return Skipped(host, _source(item), why, "Add an entry by hand if requests of it are to move.")
    spec, metadata = item.get("spec") or {}, _metadata(item)
    return Route(
        host=host,
        path=str(path.get("path") or "/"),
        path_type=str(path.get("pathType") or "ImplementationSpecific"),
        namespace=str(metadata.get("namespace") or ""),
        service=name,
        port=int(number) if isinstance(number, str) and number.isdecimal() else number,
        ingress=str(metadata.get("name") or ""),
        ingress_class=str(spec.get("ingressClassName") or (metadata.get("annotations") or {}).get(_OLD_CLASS) or ""),
        annotations=annotations(item),
        tls=any(_covers(str(known).lower(), host) for one in spec.get("tls") or () for known in one.get("hosts") or ()),
        addresses=_addresses(item),
    )


def _addresses(item: Json) -> tuple[str, ...]:
    at = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return tuple(dict.fromkeys(str(one.get("ip") or one.get("hostname")) for one in at if one.get("ip") or one.get("hostname")))


def _covers(known: str, host: str) -> bool:
    return known == host or (known.startswith("*.") and host.partition(".")[2] == known[2:])


def _of_ferry(item: Json, own_namespace: str) -> bool:
    """Made by Ferry: by its namespace, its label, or because nobody but Ferry wrote anything of it."""
    metadata = _metadata(item)
    labels = metadata.get("labels") or {}
    if metadata.get("namespace") == own_namespace or any(labels.get(key) == value for key, value in _LABELS.items()):
        return True
    managers = {one.get("manager") for one in metadata.get("managedFields") or () if one.get("subresource") != "status"}
    return managers == {FIELD_MANAGER}


def _hosts(item: Json) -> list[str]:
    return [str(rule.get("host") or "").lower() for rule in (item.get("spec") or {}).get("rules") or ()]


def _metadata(item: Json) -> Json:
    found = item.get("metadata")
    return found if isinstance(found, Mapping) else {}


def _name(item: Json) -> tuple[str, str]:
    metadata = _metadata(item)
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def _source(item: Json) -> str:
    return "Ingress " + "/".join(_name(item))
