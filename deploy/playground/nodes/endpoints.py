"""EndpointSlices for Services with a selector: the addresses of their pods, and which of them are ready.

A real API server refuses loopback addresses in slices, and those are all that pods have here. Then the slices carry names
instead (address type FQDN), those that a cluster's DNS has for every pod: `127-1-2-3.NAMESPACE.pod.cluster.local`.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from deploy.playground.nodes import node_client, pod_status, probes
from deploy.playground.world import cluster_mirror
from k8s import errors

Json = dict[str, Any]
SERVICES = "/api/v1/services"
PODS = "/api/v1/pods"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "ferry-playground"


class Endpoints:
    """`step` brings the slices to what pods and Services say now. Slices that somebody else wrote are left alone."""

    def __init__(self, api: node_client.NodeClient, mirror: cluster_mirror.ClusterMirror) -> None:
        self._api = api
        self._mirror = mirror
        self._by_name = False  # the API was found to refuse loopback addresses

    async def step(self) -> None:
        """Raises errors.ClusterError."""
        pods = self._mirror.of(PODS)
        wanted = {
            (item["metadata"]["namespace"], item["metadata"]["name"]): item
            for service in self._mirror.of(SERVICES)
            for item in slices(service, pods, by_name=self._by_name)
        }
        have = {(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in self._mirror.of(SLICES) if ours(item)}
        for place, item in wanted.items():
            if place not in have:
                await self._create(item)
            elif any(have[place].get(name) != item[name] for name in ("endpoints", "ports")):
                await self._change(item)
        for namespace, name in have.keys() - wanted.keys():
            await self.remove(namespace, name)

    async def remove(self, namespace: str, name: str) -> None:
        """One slice; gone already is as good."""
        try:
            await self._api.delete(node_client.ENDPOINT_SLICES, namespace, name)
        except errors.Missing:
            return

    async def _create(self, item: Json) -> None:
        try:
            await self._api.create(node_client.ENDPOINT_SLICES, item["metadata"]["namespace"], item)
        except errors.Invalid as error:
            self._by_name = self._by_name or "loopback" in str(error)
            raise  # a failed step is done again, then with names
        except errors.Conflict:
            return  # the mirror has not heard of it yet; its event brings the next step

    async def _change(self, item: Json) -> None:
        metadata, body = item["metadata"], {name: item[name] for name in ("endpoints", "ports")}
        try:
            await self._api.patch(node_client.ENDPOINT_SLICES, metadata["namespace"], metadata["name"], body)
        except errors.Missing:
            return


def ours(item: Json) -> bool:
    """Whether this controller wrote the slice."""
    return (item["metadata"].get("labels") or {}).get(MANAGED_BY) == MANAGER


def pod_host(namespace: str, address: str) -> str:
    """The name that DNS has for a pod's address."""
    return f"{address.replace('.', '-')}.{namespace}.pod.cluster.local"


def address_of(endpoint: str) -> str:
    """The address behind what a slice says: a pod's host name has it in its first part."""
    return endpoint.partition(".")[0].replace("-", ".") if endpoint.endswith(".pod.cluster.local") else endpoint


def slices(service: Json, pods: Iterable[Json], *, by_name: bool = False) -> list[Json]:
    """What a Service should have: one slice for each set of port numbers its pods resolve to."""
    spec, metadata = service["spec"], service["metadata"]
    selector = spec.get("selector")
    if not selector or spec.get("type") == "ExternalName":
        return []
    chosen: dict[bytes, tuple[list[Json], list[Json]]] = {}
    for pod in sorted(pods, key=lambda one: str(one["metadata"]["name"])):
        labels = pod["metadata"].get("labels") or {}
        if pod["metadata"]["namespace"] != metadata["namespace"] or not pod_status.ip(pod) or not _lives(pod):
            continue
        if all(labels.get(name) == value for name, value in selector.items()):
            ports = _ports(spec.get("ports") or (), pod)
            key = orjson.dumps(ports)
            chosen.setdefault(key, (ports, []))[1].append(
                _endpoint(pod, publish=bool(spec.get("publishNotReadyAddresses")), namespace=metadata["namespace"])
            )
    return [_slice(service, ports, found, by_name=by_name) for ports, found in chosen.values()]


def _slice(service: Json, ports: list[Json], found: list[Json], *, by_name: bool) -> Json:
    metadata = service["metadata"]
    if by_name:
        found = [{**one, "addresses": [pod_host(metadata["namespace"], each) for each in one["addresses"]]} for one in found]
    kind = "FQDN" if by_name else "IPv4"
    key = orjson.dumps([kind, ports])  # the type of a slice cannot change
    owner = {"apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{metadata['name']}-{hashlib.sha256(key).hexdigest()[:5]}",
            "namespace": metadata["namespace"],
            "labels": {**(metadata.get("labels") or {}), SERVICE_NAME: metadata["name"], MANAGED_BY: MANAGER},
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
        },
        "addressType": kind,
        "endpoints": found,
        "ports": ports,
    }


def _endpoint(pod: Json, *, publish: bool, namespace: str) -> Json:
    serving, leaving = pod_status.is_ready(pod), pod_status.is_leaving(pod)
    metadata = pod["metadata"]
    return {
        "addresses": [pod_status.ip(pod)],
        "conditions": {"ready": publish or (serving and not leaving), "serving": serving, "terminating": leaving},
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": {"kind": "Pod", "name": metadata["name"], "namespace": namespace, "uid": metadata["uid"]},
    }


def _ports(ports: Sequence[Json], pod: Json) -> list[Json]:
    named = probes.named_ports(pod["spec"]["containers"])
    found = []
    for port in ports:
        target = port.get("targetPort", port["port"])
        number = target if isinstance(target, int) else named.get(str(target))
        if number:
            found.append({"name": port.get("name") or "", "port": number, "protocol": port.get("protocol") or "TCP"})
    return found


def _lives(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}
