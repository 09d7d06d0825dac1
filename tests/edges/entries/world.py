"""An old cluster on the stand-in API: an application with everything around it, and what Ferry does there."""

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from deploy.playground.kubernetes.server import KubernetesStandIn
from k8s import client, credentials, entry_change, model
from k8s.entries import cluster_entries
from k8s.entries.entry_kinds import RESOURCES
from k8s.entries.entry_names import EntrySettings

Json = dict[str, Any]
HERE = Path(__file__).resolve().parent
BASE = HERE.parents[2] / "deploy" / "kubernetes" / "base"
HOME, TEAM = "migration-system", "aibang"
HOST = "shop.team.example.com"
SERVICE = model.Service(
    "shop",
    model.Exposure(100, HOST, "shop.kong.example.com"),
    model.Backend("shop.aibang.svc.cluster.local", 8078),
    paths=(model.PathBackend("/static", model.Backend("files.aibang.svc.cluster.local", 80)),),
)
REPLACED = replace(SERVICE, entry="replace")
_KEPT_BY_THE_SERVER = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp")
_GIVEN_OUT = ("clusterIP", "clusterIPs", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy", "sessionAffinity")
_RBAC = "rbac.authorization.k8s.io/v1"
_PLURAL = {
    **RESOURCES,
    "Namespace": client.Resource("namespaces"),
    "ServiceAccount": client.Resource("serviceaccounts"),
    "Pod": client.PODS,
    "EndpointSlice": client.Resource("endpointslices", "discovery.k8s.io/v1"),
    "Role": client.Resource("roles", _RBAC),
    "RoleBinding": client.Resource("rolebindings", _RBAC),
    "ClusterRole": client.Resource("clusterroles", _RBAC),
    "ClusterRoleBinding": client.Resource("clusterrolebindings", _RBAC),
}


@dataclass(slots=True)
class World:
    """`api` asks as an administrator, `bot` with the rights that are shipped."""

    server: KubernetesStandIn
    api: client.ClusterClient
    bot: client.ClusterClient
    wished: dict[str, model.Service]

    async def give_rights(self) -> None:
        """The shipped manifests, and what the owner of the application's namespace gives."""
        files = [BASE / f"{name}.yaml" for name in ("bot-rbac", "bot-discovery-rbac", "bot-entries-rbac")]
        for file in [*files, BASE.parent / "examples" / "application-namespace.yaml"]:
            for item in yaml.safe_load_all(file.read_text().replace("aibang-1111111111-bbdm", TEAM)):
                await self.create(item)

    def entries(self, **settings: Any) -> cluster_entries.Entries:
        told = EntrySettings(**{"load_balancers": ("10.9.0.0/24",), **settings})
        return cluster_entries.Entries(self.bot, told, lambda: self.wished, settle=0, pods_gone=0.3, look_again=0.02)

    async def create(self, item: Json, *, manager: str = "kubectl-create") -> Json:
        resource = _PLURAL[item["kind"]]
        return await self.api.create(resource, item["metadata"].get("namespace", ""), item, field_manager=manager)

    async def live(self, kind: str, namespace: str, name: str) -> Json:
        return await self.api.get(_PLURAL[kind], namespace, name)

    async def patch(self, kind: str, namespace: str, name: str, body: Json, *, manager: str = "kubectl-edit") -> Json:
        return await self.api.patch(_PLURAL[kind], namespace, name, body, field_manager=manager)

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        await self.api.delete(_PLURAL[kind], namespace, name)

    async def objects(self, *kinds: str) -> list[Json]:
        """Everything of these kinds, without what the server keeps or gives out."""
        found: list[Json] = []
        for kind in kinds:
            listed = await self.api.list(_PLURAL[kind], "")
            found += [cleaned({"kind": kind, **item}) for item in listed["items"]]
        return found

    async def stage(self, stage: entry_change.Stage, service: model.Service = SERVICE, **settings: Any) -> str:
        """Planned and carried out."""
        entries = self.entries(**settings)
        plan = await entries.plan(service, stage)
        assert (plan.troubles, plan.conflicts) == ((), ())
        return await entries.arrange(service, stage, plan.objects)

    async def proxies_ready(self) -> None:
        """As the endpoint controller would say once the proxies' Service stands."""
        await self.create(endpoints(HOME, "migration-proxy-shop", "10.1.0.9"))


def endpoints(namespace: str, service: str, *addresses: str) -> Json:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8078}],
        "endpoints": [{"addresses": [one], "conditions": {"ready": True}} for one in addresses],
    }


def cleaned(item: Json) -> Json:
    shown = copy.deepcopy(item)
    shown.pop("status", None)
    for name in _KEPT_BY_THE_SERVER:
        shown["metadata"].pop(name, None)
    if shown["kind"] == "Service":
        for name in _GIVEN_OUT:
            shown["spec"].pop(name, None)
    return shown


def expected(name: str) -> list[Json]:
    """A list of objects written by hand."""
    return [one for one in yaml.safe_load_all((HERE / f"{name}.yaml").read_text()) if one]


@asynccontextmanager
async def old_cluster() -> AsyncIterator[World]:
    server = KubernetesStandIn()
    await server.start()
    access = credentials.Explicit(server.url, token=server.admin_token)
    try:
        async with client.ClusterClient(access, limit=30) as api:
            world = World(server, api, api, {"shop": SERVICE})
            for item in expected("application"):
                await world.create(item, manager="helm")
            await world.give_rights()
            async with client.ClusterClient(
                credentials.Explicit(server.url, token=server.service_account_token(HOME, "ferry-bot")), limit=30
            ) as world.bot:
                yield world
    finally:
        await server.stop()
