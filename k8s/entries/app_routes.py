"""Reading the Ingresses of a cluster: which paths lead to a service's old application, and who else says so. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from k8s import model
from k8s.entries import entry_names as names
from k8s.entries.entry_names import Place

PREFIX = "nginx.ingress.kubernetes.io/"
_OLD_CLASS = "kubernetes.io/ingress.class"
# Those that keep an Ingress as its source says, again and again: what is changed behind their back comes back.
_SYNCING = ("argocd", "flux", "kustomize-controller", "helm-controller", "fleet", "rancher")


@dataclass(frozen=True, slots=True)
class Route:
    """One path of one host of an Ingress, and the Service it leads to."""

    ingress: Mapping[str, Any]
    host: str
    path: Mapping[str, Any]

    @property
    def where(self) -> Place:
        """The Ingress."""
        return names.place(self.ingress)

    @property
    def target(self) -> Place:
        """The Service."""
        return Place(self.where.namespace, str(_service(self.path).get("name") or ""))

    @property
    def port(self) -> object:
        """Number or name, as the Ingress says it."""
        port = _service(self.path).get("port") or {}
        return port.get("number") or port.get("name") or 0

    @property
    def upstream(self) -> tuple[Place, str]:
        """What ingress-nginx makes one upstream of: who shares it shares its canary."""
        return self.target, str(self.port)

    @property
    def key(self) -> tuple[str, str, str]:
        """Host, path, pathType: what a canary must meet."""
        return self.host, str(self.path.get("path") or ""), str(self.path.get("pathType") or "")


def routes(ingresses: Iterable[Mapping[str, Any]], *, canaries: bool = False) -> Iterator[Route]:
    """Every path of every Ingress that is (or with `canaries` is not) an application's."""
    for item in ingresses:
        if is_canary(item) != canaries:
            continue
        for rule in (item.get("spec") or {}).get("rules") or ():
            for path in (rule.get("http") or {}).get("paths") or ():
                yield Route(item, str(rule.get("host") or ""), path)


def is_canary(item: Mapping[str, Any]) -> bool:
    return annotation(item, PREFIX + "canary") == "true"


def annotation(item: Mapping[str, Any], name: str) -> str:
    return str(((item.get("metadata") or {}).get("annotations") or {}).get(name, ""))


def of_class(item: Mapping[str, Any]) -> str:
    """The Ingress class, either way of saying it; empty: none."""
    return str((item.get("spec") or {}).get("ingressClassName") or annotation(item, _OLD_CLASS))


def backends(service: model.Service) -> tuple[model.Backend, ...]:
    """Where the old application answers this service's host, each once."""
    return tuple(dict.fromkeys([service.old_backend, *(one.backend for one in service.paths)]))


def leads_to(route: Route, backend: model.Backend, services: Mapping[Place, Mapping[str, Any]]) -> bool:
    """Whether the path ends at this backend; a port's name is looked up in the Service."""
    if route.target != names.place_of(backend):
        return False
    ports = (services.get(route.target, {}).get("spec") or {}).get("ports") or ()
    return route.port == backend.port or any(one.get("name") == route.port and one.get("port") == backend.port for one in ports)


def ours(service: str) -> set[str]:
    """Names of Services in the application's namespace that an Ingress leads to only because of Ferry."""
    return {names.way_in(service), names.way_on(), names.way_on(service)}


def routes_of(
    ingresses: Iterable[Mapping[str, Any]], service: model.Service, services: Mapping[Place, Mapping[str, Any]]
) -> list[Route]:
    """The paths of the service's host that lead to its old application, or where Ferry leads them."""
    return [route for route in routes(ingresses) if is_meant(route, service, services)]


def owners_of_rules(item: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Who says what the rules are: those that will say it again by themselves, and those that may."""
    again: list[str] = []
    once: list[str] = []
    for entry in (item.get("metadata") or {}).get("managedFields") or ():
        manager = str(entry.get("manager") or "")
        if manager == names.MANAGER or "f:rules" not in ((entry.get("fieldsV1") or {}).get("f:spec") or {}):
            continue
        syncs = entry.get("operation") == "Apply" or any(word in manager.lower() for word in _SYNCING)
        (again if syncs else once).append(manager)
    return again, once


def is_meant(route: Route, service: model.Service, services: Mapping[Place, Mapping[str, Any]]) -> bool:
    if route.host != service.exposure.old_host or announces(route.path, service):
        return False
    place = names.place_of(service.old_backend)
    if place is not None and route.target.namespace == place.namespace and route.target.name in ours(service.name):
        return True
    return any(leads_to(route, backend, services) for backend in backends(service))


def announces(path: Mapping[str, Any], service: model.Service) -> bool:
    said, stem = str(path.get("path") or ""), names.announced_path(service.name)
    return said == stem or said.startswith(stem + "/")


def _service(path: Mapping[str, Any]) -> Mapping[str, Any]:
    found = (path.get("backend") or {}).get("service") or {}
    return found if isinstance(found, Mapping) else {}
