"""The network policy of one service: the ways its traffic needs, beside the shipped ones that deny everything else. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from k8s import model
from k8s.entries import documents
from k8s.entries import entry_names as names
from k8s.entries.entry_names import EntrySettings, Json, Place

_NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def service_policy(
    service: model.Service, settings: EntrySettings, live: Mapping[Place, Mapping[str, Any]], backends: Iterable[model.Backend]
) -> Json:
    """From the proxies: names, the old backends, the new load balancer, the API server.

    `live`: the Services of the old cluster: most networks judge a packet by the port of the pod that it ends at, not of the
    Service, so both are let through.
    """
    egress = [_names(settings), *_old(backends, live), _new(service, settings)]
    if settings.api_cidrs:
        egress.append({"to": _blocks(settings.api_cidrs), "ports": [_tcp(443), _tcp(6443)]})
    spec = {
        "podSelector": {"matchLabels": dict(settings.proxy_labels)},
        "policyTypes": ["Egress"],
        "egress": egress,
    }
    where = Place(settings.namespace, names.proxies_of(service.name))
    return documents.document("networking.k8s.io/v1", "NetworkPolicy", where, service.name, spec=spec)


def _names(settings: EntrySettings) -> Json:
    return {
        "to": [_namespace(settings.dns_namespace)],
        "ports": [{"protocol": "UDP", "port": 53}, _tcp(53)],
    }


def _old(backends: Iterable[model.Backend], live: Mapping[Place, Mapping[str, Any]]) -> list[Json]:
    rules = []
    for backend in dict.fromkeys(backends):
        place = names.place_of(backend)
        if place is None:
            continue
        ports = [port for port in (live.get(place, {}).get("spec") or {}).get("ports") or () if port.get("port") == backend.port]
        open_ports = dict.fromkeys([backend.port, *(port.get("targetPort", backend.port) for port in ports)])
        rules.append({"to": [_namespace(place.namespace)], "ports": [_tcp(port) for port in open_ports]})
    return rules


def _new(service: model.Service, settings: EntrySettings) -> Json:
    networks = settings.load_balancers or ("0.0.0.0/0",)
    return {"to": _blocks(networks), "ports": [_tcp(service.exposure.new_port)]}


def _namespace(name: str) -> Json:
    return {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: name}}}


def _blocks(networks: Iterable[str]) -> list[Json]:
    return [{"ipBlock": {"cidr": network}} for network in networks]


def _tcp(port: int | str) -> Json:
    return {"protocol": "TCP", "port": port}
