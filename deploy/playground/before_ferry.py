"""The clusters before anybody thought of Ferry, for stories that tell a whole journey.

The old application is a Deployment whose pods are processes of this machine: when it is deleted they end. It and its Ingress
belong to whoever installed them. The new cluster has an API server, which Ferry may read. migration.yaml lists nothing.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.playground import new_cluster_api, objects
from deploy.playground.nodes import node_client, programs
from deploy.playground.world import certificates, tally_file
from k8s import client

Json = dict[str, Any]
Sections = Mapping[str, Mapping[str, Any]]
OWNER = "helm"  # the field manager of all that is the application's
APP = objects.FIRST
NEW_NAMESPACE = "kong-bbdm"
REPLICAS = 2
_IMAGE = "demo-app:1"
_MODULE = "deploy.playground.world.demo_program"
INGRESSES = client.Resource("ingresses", "networking.k8s.io/v1")
_RESOURCES = {
    "Service": node_client.SERVICES,
    "Deployment": client.DEPLOYMENTS,
    "Ingress": INGRESSES,
    "Role": client.Resource("roles", "rbac.authorization.k8s.io/v1"),
    "RoleBinding": client.Resource("rolebindings", "rbac.authorization.k8s.io/v1"),
}


class BeforeFerry:
    """`api`: of the new cluster. `folder`: for tallies and the kubeconfig; must be there."""

    def __init__(self, authority: certificates.Authority, folder: Path) -> None:
        self.api = new_cluster_api.NewClusterApi(authority, folder)
        self._tallies = folder / "tallies"

    @property
    def program(self) -> programs.Program:
        """What the application's image runs here."""
        return programs.Program(
            "demo-app:*",
            executables={"demo-app": (sys.executable, "-m", _MODULE)},
            entrypoint=("demo-app",),
            machine={"DEMO_TALLIES": str(self._tallies), "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def served(self) -> tally_file.Seen:
        """What the old application's pods have counted, all together and from their begin."""
        return tally_file.read(self._tallies, beginning=f"{APP.service}-")

    def settings(self, given: Sections, *, prometheus: str, new_port: int) -> Sections:
        """The bot's own sections with the addresses of this machine. `new_port`: the new cluster's, which is a free one here."""
        rules = [{**rule, "new_port": new_port} for rule in given.get("discovery", {}).get("rules", ())]
        here: Sections = {
            "prometheus": {"url": prometheus},
            "new_cluster": {"kubeconfig": str(self.api.kubeconfig)},
            "discovery": {"rules": rules},
        }
        return {name: {**given.get(name, {}), **here.get(name, {})} for name in {**given, **here}}

    async def start(self) -> None:
        """The new cluster's API, and in it what waits for the application's users."""
        self._tallies.mkdir(exist_ok=True)
        await self.api.start()
        for app in objects.APPS:
            await self.api.put(*new_cluster_api.migrated(app.service, NEW_NAMESPACE, app.new_host, port=app.port))
        await self.api.put(*new_cluster_api.rights(NEW_NAMESPACE))

    async def stop(self) -> None:
        await self.api.stop()

    async def install(self, api: client.ClusterClient) -> None:
        """The old application, once, as its owners do it: nobody applies it again and again. Raises errors.ClusterError."""
        for item in application():
            await api.create(_RESOURCES[item["kind"]], item["metadata"]["namespace"], item, field_manager=OWNER)


def application() -> list[Json]:
    """Deployment, Service, Ingress, and who may do what in their namespace."""
    labels = {"app": APP.service}
    probe = {"tcpSocket": {"port": "http"}, "periodSeconds": 1}
    container = {
        "name": "app",
        "image": _IMAGE,
        "args": ["--address", "0.0.0.0", "--port", str(APP.port)],  # the node puts the pod's own address in its place
        "ports": [{"name": "http", "containerPort": APP.port, "protocol": "TCP"}],
        "readinessProbe": probe,
    }
    pod = {"containers": [container], "automountServiceAccountToken": False}
    template = {"metadata": {"labels": labels}, "spec": pod}
    where = {"name": APP.service, "namespace": APP.namespace, "labels": labels}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": where,
            "spec": {"replicas": REPLICAS, "selector": {"matchLabels": labels}, "template": template},
        },
        {**objects.service(APP), "metadata": where, "spec": {**objects.service(APP)["spec"], "selector": labels}},
        {**objects.ingress(APP), "metadata": where},
        *new_cluster_api.rights(APP.namespace),
    ]
