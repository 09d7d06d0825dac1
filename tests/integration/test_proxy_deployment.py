"""The shipped proxy, installed as people install it: the manifests applied, the pods run by the playground's node.

Real agents and nginx, two replicas, against the API stand-in with the shipped RBAC. Requests are counted at the backends.
"""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from deploy.playground.kubernetes import server as kubernetes
from deploy.playground.nodes import kubelet, manifests, node_client, programs
from deploy.playground.world import addresses, backends, certificates, ingress, names, new_cluster
from k8s import client, credentials, signing

BASE = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "base"
HOME, PROXY, TOKEN = "migration-system", "migration-proxy", "an-agent-token"
OLD_HOST, NEW_HOST = "api.old.example", "api.new.example"


class Installed:
    """A cluster with Ferry's proxy in it; the bot and its Redis are scaled to nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = kubernetes.KubernetesStandIn()
        self.network = addresses.PodNetwork()
        self.dns = names.NameServer()
        self.old = backends.CountingBackend()
        self.new = new_cluster.NewCluster(certificates.Authority(folder / "ca"), [NEW_HOST])
        self.signer = signing.Signer.generate()

    async def start(self) -> None:
        self.network.start()
        for part in (self.cluster, self.dns, self.old, self.new):
            await part.start()
        self.dns.put(NEW_HOST, [self.new.address])
        self.dns.put("app.team.svc.cluster.local", [self.old.address])
        self.access = credentials.Explicit(self.cluster.url, token=self.cluster.admin_token)
        self.node = kubelet.Kubelet(
            self.access,
            network=self.network,
            folder=self.folder / "node",
            dns=self.dns,
            images=programs.shipped(
                api_scheme="http",
                resolver=f"127.0.0.1:{self.dns.port}",
                default_ca=self.folder / "ca" / "ca.pem",
                ca_folder=self.folder / "ca",
            ),
        )
        await self.node.start()
        self.ingress = ingress.Ingress(url=self.cluster.url, token=self.cluster.admin_token)
        await self.ingress.start()

    async def stop(self) -> None:
        await self.ingress.stop()
        await self.node.stop()
        for part in (self.new, self.old, self.dns, self.cluster):
            await part.stop()
        self.network.stop()

    async def install(self) -> manifests.Applied:
        applied = await manifests.apply(self.node.api, BASE)
        for kind, name in ((client.DEPLOYMENTS, "ferry-bot"), (node_client.STATEFUL_SETS, "ferry-redis")):
            await self.node.api.patch(kind, HOME, name, {"spec": {"replicas": 0}})
        return applied

    async def provide(self) -> None:
        """What the manifests refer to and a person makes."""
        public = {f"{self.signer.key_id}.pem": self.signer.public_pem().decode()}
        await self.node.api.create(client.CONFIG_MAPS, HOME, {"metadata": {"name": "ferry-public-keys"}, "data": public})
        token = {"token": base64.b64encode(TOKEN.encode()).decode()}
        await self.node.api.create(node_client.SECRETS, HOME, {"metadata": {"name": "ferry-agent-token"}, "data": token})
        document = (
            f"services:\n  - name: api\n    old_host: {OLD_HOST}\n    new_host: {NEW_HOST}\n    new_port: {self.new.port}\n"
            f"    old_backend: app.team.svc.cluster.local:{self.old.port}\n    migration_percentage: 0\n"
        )
        wish = {"metadata": {"name": "migration-config"}, "data": {"migration.yaml": document}}
        await self.node.api.create(client.CONFIG_MAPS, HOME, wish)

    async def rolled_out(self) -> None:
        async with asyncio.timeout(60):
            await self.node.rolled_out(HOME, PROXY)

    async def ready_addresses(self, service: str) -> set[str]:
        found = await self.node.api.list(node_client.ENDPOINT_SLICES, HOME, labels=f"kubernetes.io/service-name={service}")
        endpoints = [endpoint for item in found["items"] for endpoint in item["endpoints"]]
        return {address for endpoint in endpoints if endpoint["conditions"]["ready"] for address in endpoint["addresses"]}


@pytest_asyncio.fixture
async def installed(tmp_path: Path) -> AsyncIterator[Installed]:
    one = Installed(tmp_path)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def status(address: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"http://{address}:9080/status") as answer:
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
        return found


async def test_two_proxies_become_ready_are_replaced_and_scaled_and_leave_nothing(installed: Installed) -> None:
    await installed.install()
    await installed.provide()
    await installed.rolled_out()
    pods = installed.node.running()
    assert len(pods) == 2
