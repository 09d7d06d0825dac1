"""Why an entry cannot be made as things stand, a sentence each with what to do. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from k8s import model
from k8s.entries import app_ingress, app_routes
from k8s.entries import entry_names as names
from k8s.entries.app_routes import PREFIX, Route
from k8s.entries.steps import Found


def of_host(service: model.Service, found: Found, routes: list[Route]) -> Iterator[str]:
    """Whether there is anything to hand over at all."""
    host = service.exposure.old_host
    for backend in app_routes.backends(service):
        place = names.place_of(backend)
        if place is None:
            yield f"{backend} is no Service of this cluster (<service>.<namespace>.svc…): name it so in migration.yaml"
        elif place not in found.services:
            yield f"there is no Service {place}, which migration.yaml names as the old backend of {service.name}: correct it"
    if not routes:
        seen = sorted({f"{route.target}:{route.port}" for route in app_routes.routes(found.ingresses) if route.host == host})
        if seen:
            yield (
                f"the Ingress of {host} leads to {', '.join(seen)} and not to {service.old_backend}: make old_backend (or "
                "paths) in migration.yaml say what the Ingress says"
            )
        else:
            yield (
                f"no Ingress has the host {host} by name: create it for the application first (a wildcard alone is not enough "
                "for a canary)"
            )
    for where, item in _ingresses(routes).items():
        of_class = app_routes.of_class(item)
        if of_class not in ("", found.settings.ingress_class):
            yield (
                f"Ingress {where} is of the class {of_class}, Ferry is set to {found.settings.ingress_class}: correct "
                "entry.ingress_class in the settings"
            )


def of_annotations(routes: list[Route]) -> Iterator[str]:
    """What an Ingress says about its backend counts for the proxies, too: they speak plain HTTP and need the host."""
    for where, item in _ingresses(routes).items():
        protocol = app_routes.annotation(item, PREFIX + "backend-protocol").upper()
        if protocol not in ("", "HTTP"):
            yield (
                f"Ingress {where} speaks {protocol} to its backend ({PREFIX}backend-protocol), and would to the proxies, which "
                "speak HTTP: let the old application serve HTTP to the ingress, and take the annotation away"
            )
        if vhost := app_routes.annotation(item, PREFIX + "upstream-vhost"):
            yield (
                f"Ingress {where} changes the host to {vhost} ({PREFIX}upstream-vhost), by which the proxies would not know "
                "the service: take the annotation away"
            )
        if app_routes.annotation(item, PREFIX + "ssl-passthrough") == "true":
            yield (
                f"Ingress {where} passes TLS through ({PREFIX}ssl-passthrough), so that nothing in between sees a request: end "
                "TLS at the ingress"
            )


def of_canary(service: model.Service, found: Found, routes: list[Route]) -> Iterator[str]:
    """A canary belongs to the application's Service: what else leads there goes the same way."""
    hosts = {one.exposure.old_host for one in found.wished.values()}
    upstreams = {route.upstream: route for route in routes}
    for other in app_routes.routes(found.ingresses):
        if other.upstream in upstreams and other.host != service.exposure.old_host and other.host not in hosts:
            yield (
                f"{other.host or 'an Ingress without a host'} (Ingress {other.where}) leads to {other.target}, too, and would "
                "go to the proxies, which do not know it: give it a Service of its own, add it to migration.yaml, or use "
                "entry: replace"
            )
    keys = {route.key for route in routes}
    home = names.Place(found.settings.namespace, names.proxies_of(service.name))
    for other in app_routes.routes(found.ingresses, canaries=True):
        if other.where != home and other.key in keys:
            yield (
                f"Ingress {other.where} is a canary for {other.host}{other.key[1]} already, and an ingress has one canary for a "
                "path: take it away first"
            )
    for where, item in _ingresses(routes).items():
        sticky = app_routes.annotation(item, PREFIX + "affinity") == "cookie"
        if sticky and app_routes.annotation(item, PREFIX + "affinity-canary-behavior") != "legacy":
            yield (
                f"Ingress {where} keeps clients at one pod by a cookie ({PREFIX}affinity), and those would pass the proxies by: "
                f"set {PREFIX}affinity-canary-behavior: legacy on it"
            )


def of_forward(service: model.Service, found: Found, routes: list[Route]) -> Iterator[str]:
    """Whether the host can be handed over for good."""
    proxies = found.proxies(service)
    if proxies is None:
        yield f"nothing hands {service.exposure.old_host} to the proxies yet: /migrate prepare {service.name} first"
    elif not found.ready.get(names.place(proxies)):
        yield f"no proxy is ready behind Service {names.place(proxies)}: look at the pods of migration-proxy first"
    if found.settings.forward != "direct":
        return
    if not found.settings.ca_secret:
        yield (
            "entry.forward is direct, and ingress-nginx verifies nobody without a Secret with the CA: name it in the settings "
            "(entry.ca_secret), or use entry.forward: proxy"
        )
    meant = {route.key for route in routes}
    for where, item in _ingresses(routes).items():
        strange = [
            route
            for route in app_routes.routes([item])
            if route.key not in meant and not app_routes.announces(route.path, service)
        ]
        if strange:
            told = ", ".join(f"{route.host}{route.key[1]}" for route in strange)
            yield (
                f"Ingress {where} serves {told}, too, and its annotations would send that to the new cluster: split the Ingress, "
                "or use entry.forward: proxy"
            )


def of_bypass(service: model.Service, found: Found) -> Iterator[str]:
    """Old must be there; that nothing answers behind it is said, and blocks nothing."""
    for backend in app_routes.backends(service):
        place = names.place_of(backend)
        if place is not None and place not in found.services:
            yield (
                f"Service {place} is gone, and the old application with it: without the proxies every request of "
                f"{service.exposure.old_host} would fail. Create the Service again first"
            )


def _ingresses(routes: list[Route]) -> Mapping[names.Place, Mapping[str, Any]]:
    return {route.where: route.ingress for route in routes}


def kept_by_others(routes: list[Route], rewritten: Mapping[names.Place, app_ingress.Rewritten]) -> Iterator[str]:
    """Who may put the old rules back one day."""
    for where, item in _ingresses(routes).items():
        _, once = app_routes.owners_of_rules(item)
        if once and where in rewritten:
            yield (
                f"Ingress {where}: its rules come from {', '.join(sorted(set(once)))}; whoever applies that source again puts "
                "the old backend back: change it there, too"
            )
