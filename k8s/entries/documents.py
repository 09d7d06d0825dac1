"""What Ferry makes for one service, as documents for a server-side apply: exactly the fields it wants to own. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from k8s import model, record_document
from k8s.entries import entry_names as names
from k8s.entries.entry_names import EntrySettings, Json, Place

CANARY: Mapping[str, str] = {
    "nginx.ingress.kubernetes.io/canary": "true",
    "nginx.ingress.kubernetes.io/canary-weight": "100",
}


def proxies_service(service: model.Service, settings: EntrySettings, mode: str) -> Json:
    """A Service of its own for each service, so that each is on and off by itself; real endpoints let the ingress fall back.

    `mode` is what the entry is meant to be (`standing.Mode`): whoever looks later compares with it.
    """
    spec = {
        "type": "ClusterIP",
        "selector": dict(settings.proxy_labels),
        "ports": [{"name": "http", "port": 80, "targetPort": settings.port, "protocol": "TCP"}],
    }
    where = Place(settings.namespace, names.proxies_of(service.name))
    return document("v1", "Service", where, service.name, annotations={names.MODE: str(mode)}, spec=spec)


def canary_ingress(service: model.Service, settings: EntrySettings, paths: Iterable[Mapping[str, Any]]) -> Json:
    """`paths`: those of the application's Ingress, whose path and pathType must be met to the letter."""
    name = names.proxies_of(service.name)
    backend = {"service": {"name": name, "port": {"number": 80}}}
    rules = [
        {
            "host": service.exposure.old_host,
            "http": {"paths": [{**_matched(path), "backend": backend} for path in paths]},
        }
    ]
    spec = {"ingressClassName": settings.ingress_class, "rules": rules}
    where = Place(settings.namespace, name)
    return document("networking.k8s.io/v1", "Ingress", where, service.name, annotations=CANARY, spec=spec)


def way_in(service: model.Service, settings: EntrySettings, namespace: str) -> Json:
    """From the application's namespace to the proxies."""
    target = f"{names.proxies_of(service.name)}.{settings.namespace}.svc.cluster.local"
    return _external_name(service, Place(namespace, names.way_in(service.name)), target, "http", 80)


def way_on(service: model.Service, place: Place) -> Json:
    """The customer's `new-cluster-proxy`: the new cluster under a name of the application's namespace."""
    return _external_name(service, place, service.exposure.new_host, "https", service.exposure.new_port)


def document(
    version: str, kind: str, where: Place, service: str, *, spec: Json, annotations: Mapping[str, str] | None = None
) -> Json:
    """An object of Ferry's, marked with the service it is for."""
    metadata: Json = {
        "name": where.name,
        "namespace": where.namespace,
        "labels": {"app.kubernetes.io/part-of": "ferry", **record_document.labels(service, kind=names.KIND)},
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _external_name(service: model.Service, where: Place, target: str, port_name: str, port: int) -> Json:
    spec = {
        "type": "ExternalName",
        "externalName": target,
        "ports": [{"name": port_name, "port": port, "targetPort": port, "protocol": "TCP"}],
    }
    return document("v1", "Service", where, service.name, spec=spec)


def _matched(path: Mapping[str, Any]) -> Json:
    return {name: path[name] for name in ("path", "pathType") if name in path}
