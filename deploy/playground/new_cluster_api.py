"""The new cluster's API server: a second stand-in, with what stands ready there for the services that will come.

Ferry may only look, with a service account of its own: nothing it does may change anything there.
"""

from pathlib import Path
from typing import Any

import yaml

from deploy.playground.kubernetes import server
from deploy.playground.world import certificates
from k8s import client, credentials

Json = dict[str, Any]
READER_NAMESPACE, READER = "ferry-reader", "ferry"
_POD = "10.1.0.7"  # nobody sends anything there: requests enter by the new cluster's ingress
_READ = {
    "": ["namespaces", "services", "endpoints", "pods"],
    "apps": ["deployments"],
    "discovery.k8s.io": ["endpointslices"],
    "networking.k8s.io": ["ingresses"],
    "rbac.authorization.k8s.io": ["roles", "rolebindings"],
}
_RESOURCES = {
    "Namespace": client.Resource("namespaces"),
    "Service": client.Resource("services"),
    "ServiceAccount": client.Resource("serviceaccounts"),
    "EndpointSlice": client.Resource("endpointslices", "discovery.k8s.io/v1"),
    "Ingress": client.Resource("ingresses", "networking.k8s.io/v1"),
    "Role": client.Resource("roles", "rbac.authorization.k8s.io/v1"),
    "RoleBinding": client.Resource("rolebindings", "rbac.authorization.k8s.io/v1"),
    "ClusterRole": client.Resource("clusterroles", "rbac.authorization.k8s.io/v1"),
    "ClusterRoleBinding": client.Resource("clusterrolebindings", "rbac.authorization.k8s.io/v1"),
}


class NewClusterApi:
    """`kubeconfig`: of the account that may look; written by `start`, in `folder`."""

    def __init__(self, authority: certificates.Authority, folder: Path) -> None:
        self._authority = authority
        self.kubeconfig = folder / "new-cluster.kubeconfig"
        tls = authority.server("new-api-server", ["127.0.0.1", "localhost"]).server_context()
        self.stand_in = server.KubernetesStandIn(tls=tls)

    async def start(self) -> None:
        """Listens, with the account and its rights."""
        await self.stand_in.start()
        await self.put(*_reader())
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(self._kubeconfig()))

    async def stop(self) -> None:
        await self.stand_in.stop()

    async def put(self, *items: Json) -> None:
        """As whoever runs the new cluster. Raises errors.ClusterError."""
        authority = self._authority.certificate.read_text()
        access = credentials.Explicit(self.stand_in.url, token=self.stand_in.admin_token, ca=authority)
        api = client.ClusterClient(access, agent="new-cluster")
        try:
            for item in items:
                metadata, kind = item["metadata"], client.PatchKind.APPLY
                place, name = metadata.get("namespace", ""), metadata["name"]
                await api.patch(_RESOURCES[item["kind"]], place, name, item, kind=kind, field_manager="kubectl")
        finally:
            await api.close()

    def _kubeconfig(self) -> Json:
        token = self.stand_in.service_account_token(READER_NAMESPACE, READER)
        cluster = {"server": self.stand_in.url, "certificate-authority": str(self._authority.certificate)}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "new", "cluster": cluster}],
            "users": [{"name": "ferry", "user": {"token": token}}],
            "contexts": [{"name": "new", "context": {"cluster": "new", "user": "ferry"}}],
            "current-context": "new",
        }


def migrated(service: str, namespace: str, host: str, *, port: int) -> list[Json]:
    """A service that waits for its users: ready, and named by the new cluster's Ingress."""
    ports = [{"name": "http", "port": port, "protocol": "TCP"}]
    backend = {"service": {"name": service, "port": {"number": port}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    where = {"name": service, "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "Service", "metadata": where, "spec": {"selector": {"app": service}, "ports": ports}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**where, "name": f"{service}-1", "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "ports": ports,
            "endpoints": [{"addresses": [_POD], "conditions": {"ready": True, "serving": True, "terminating": False}}],
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": where,
            "spec": {"ingressClassName": "kong", "rules": [{"host": host, "http": {"paths": [path]}}]},
        },
    ]


def rights(namespace: str) -> list[Json]:
    """Who may do what in a namespace of the application: the same in both clusters."""
    group = "rbac.authorization.k8s.io"
    return [
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": {"name": "bbdm-reader", "namespace": namespace},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "bbdm-reader", "namespace": namespace},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "bbdm-reader"},
            "subjects": [{"apiGroup": group, "kind": "Group", "name": "team-bbdm"}],
        },
    ]


def _reader() -> list[Json]:
    group, name = "rbac.authorization.k8s.io", "ferry-reader"
    rules = [{"apiGroups": [one], "resources": kinds, "verbs": ["get", "list", "watch"]} for one, kinds in _READ.items()]
    account = {"kind": "ServiceAccount", "namespace": READER_NAMESPACE, "name": READER}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": READER_NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": READER_NAMESPACE, "name": READER}},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [account],
        },
    ]
