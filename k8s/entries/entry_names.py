"""Settings, names and marks of the objects around a service. Pure."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from k8s import model

Json = dict[str, Any]
MANAGER = "ferry"  # Ferry's name among the owners of fields
KIND = "entry"  # of the label that record_document.KIND_LABEL names
MODE = "ferry.migration/entry"  # annotation on the proxies' Service: what the entry is meant to be
_LONGEST_NAME = 63  # a Service's name is one label of a DNS name
_CLUSTER_NAME = re.compile(r"([a-z0-9]([-a-z0-9]*[a-z0-9])?)\.([a-z0-9]([-a-z0-9]*[a-z0-9])?)\.svc(\..+)?")


class Place(NamedTuple):
    """Where an object lives."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class EntrySettings:
    """What the operator says once for all services.

    `namespace`: Ferry's own. `forward`: what FORWARD leaves behind, `proxy` (through the proxies) or `direct` (the ingress itself
    speaks HTTPS to the new cluster). `load_balancers`: networks of the new cluster's load balancer; none: any address.
    `api_cidrs`: networks of the old cluster's API server; none: the shipped policy's ports are all. `ca_secret`: the name of a
    Secret with `ca.crt` in each application's namespace, for `direct`. `port`: the proxies' container port.
    """

    namespace: str = "migration-system"
    ingress_class: str = "nginx"
    forward: str = "proxy"
    load_balancers: tuple[str, ...] = ()
    api_cidrs: tuple[str, ...] = ()
    dns_namespace: str = "kube-system"
    ca_secret: str = ""
    proxy_labels: Mapping[str, str] = field(default_factory=lambda: {"app.kubernetes.io/name": "migration-proxy"})
    port: int = 8080


def place_of(backend: model.Backend) -> Place | None:
    """The Service that `<service>.<namespace>.svc…` names; None: it is another kind of name."""
    found = _CLUSTER_NAME.fullmatch(backend.host)
    return Place(found[3], found[1]) if found else None


def proxies_of(service: str) -> str:
    """The proxies' Service, canary Ingress and network policy of one service, in Ferry's namespace."""
    return _short(f"migration-proxy-{service}")


def way_in(service: str) -> str:
    """The ExternalName Service that leads from the application's namespace to the proxies."""
    return _short(f"ferry-entry-{service}")


def way_on(service: str = "") -> str:
    """The ExternalName Service of the new cluster; with the service's name where a namespace has several."""
    return _short(f"new-cluster-proxy-{service}") if service else "new-cluster-proxy"


def original_mark(service: str) -> str:
    """The annotation on the application's Ingress with what stood there before Ferry, as JSON."""
    return f"{service}.entry.ferry.migration/original"


def digest_mark(service: str) -> str:
    """SHA-256, hex, of the text in `original_mark`."""
    return f"{service}.entry.ferry.migration/original-sha256"


def announced_path(service: str) -> str:
    """A path that nobody asks for: an ingress that has it knows the upstream before requests need it."""
    return f"/.well-known/ferry-entry/{service}"


def title(kind: str, place: Place) -> str:
    return f"{kind} {place}"


def place(item: Mapping[str, Any]) -> Place:
    """Where this object lives."""
    metadata = item.get("metadata") or {}
    return Place(str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))


def _short(name: str) -> str:
    """Names that would be too long end in a hash of the whole."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:54].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
