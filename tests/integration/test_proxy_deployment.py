"""The shipped proxy, installed as people install it: the manifests applied, the pods run by the playground's node.

Real agents and nginx, two replicas, against the API stand-in with the shipped RBAC. Requests are counted at the backends.
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio

from deploy.playground.kubernetes import server as kubernetes
from deploy.playground.nodes import kubelet, manifests, node_client, pods, programs
from deploy.playground.world import addresses, backends, certificates, ingress, names, new_cluster
from k8s import client, credentials, errors, model, records, signing, views

BASE = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "base"
HOME, PROXY, TOKEN = "migration-system", "migration-proxy", "an-agent-token"
OLD_HOST, NEW_HOST = "api.old.example", "api.new.example"
INGRESSES = client.Resource("ingresses", "networking.k8s.io/v1")


class Installed:
    """A cluster with Ferry's proxy in it; the bot is scaled to nothing."""

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
        self.access = credentials.Explicit(self.cluster.url, token=self.cluster.admin_token)
        self.node = kubelet.Kubelet(
            self.access,
            network=self.network,
            folder=self.folder / "node",
            limits=pods.Limits(grace=2.0),
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
        await self.node.api.patch(client.DEPLOYMENTS, HOME, "ferry-bot", {"spec": {"replicas": 0}})
        return applied

    async def provide(self) -> None:
        """What the manifests refer to and a person makes."""
        public = {f"{self.signer.key_id}.pem": self.signer.public_pem().decode()}
        await self.node.api.create(client.CONFIG_MAPS, HOME, {"metadata": {"name": "ferry-public-keys"}, "data": public})
        token = {"token": base64.b64encode(TOKEN.encode()).decode()}
        await self.node.api.create(node_client.SECRETS, HOME, {"metadata": {"name": "ferry-agent-token"}, "data": token})
        wish = {"metadata": {"name": "migration-config"}, "data": {"migration.yaml": self.document(0)}}
        await self.node.api.create(client.CONFIG_MAPS, HOME, wish)

    async def migrated_app(self) -> None:
        """An app with its Service and Ingress, and the canary that hands its host to the proxy."""
        api = self.node.api
        await api.create(node_client.NAMESPACES, "", {"metadata": {"name": "team"}})
        app = {"metadata": {"name": "app"}, "spec": {"ports": [{"port": self.old.port}]}}
        await api.create(node_client.SERVICES, "team", app)
        slices = {
            "metadata": {"name": "app-by-hand", "labels": {"kubernetes.io/service-name": "app"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [self.old.address], "conditions": {"ready": True}}],
            "ports": [{"name": "", "port": self.old.port, "protocol": "TCP"}],
        }
        await api.create(node_client.ENDPOINT_SLICES, "team", slices)
        await api.create(INGRESSES, "team", entry("app", self.old.port))
        canary = {"nginx.ingress.kubernetes.io/canary": "true", "nginx.ingress.kubernetes.io/canary-weight": "100"}
        await api.create(INGRESSES, HOME, entry(PROXY, 80, annotations=canary))
        await self.node.rolled_out(HOME, PROXY)
        async with asyncio.timeout(30):
            await self.ingress.until(lambda table: table.canary(OLD_HOST) is not None)

    async def raise_to(self, weight: int, *, expected: int) -> None:
        """What the bot does after an approval: the record, then the wish; then every proxy reports it."""
        exposure = model.Exposure(weight=weight, old_host=OLD_HOST, new_host=NEW_HOST, new_port=self.new.port)
        change = views.RecordChange(
            service="api",
            exposure=exposure,
            expected_generation=expected,
            operation_id=f"op-{expected}",
            operation={"id": f"op-{expected}", "revision": 1},
            audit={"who": "a test"},
        )
        await records.RecordBook(self.node.api, HOME, self.signer).write(change)
        await self.node.api.patch(
            client.CONFIG_MAPS, HOME, "migration-config", {"data": {"migration.yaml": self.document(weight)}}
        )
        async with asyncio.timeout(30):
            for pod in _proxies(self.node.running()):
                while (await status(pod.address))["services"]["api"]["served"] != weight:  # noqa: ASYNC110 agents do not push
                    await asyncio.sleep(0.05)

    def document(self, weight: int) -> str:
        return (
            f"services:\n  - name: api\n    old_host: {OLD_HOST}\n    new_host: {NEW_HOST}\n    new_port: {self.new.port}\n"
            f"    old_backend: app.team.svc.cluster.local:{self.old.port}\n    migration_percentage: {weight}\n"
        )

    async def ask(self, session: aiohttp.ClientSession) -> int:
        async with session.get(f"{self.ingress.url}/x", headers={"Host": OLD_HOST}) as answer:
            await answer.read()
            return answer.status

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


def entry(service: str, port: int, *, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": port}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    rules = [{"host": OLD_HOST, "http": {"paths": paths}}]
    metadata = {"name": f"{service}-entry", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"ingressClassName": "nginx", "rules": rules}}


def _proxies(found: tuple[kubelet.Running, ...]) -> tuple[kubelet.Running, ...]:
    return tuple(pod for pod in found if pod.name.startswith(PROXY))


def gone(pid: int) -> bool:
    """Ended and waited for: not even a zombie."""
    return not Path(f"/proc/{pid}").exists()


def pids(found: tuple[kubelet.Running, ...]) -> list[int]:
    return [child.pid for pod in found for child in pod.processes.values()]


async def status(address: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"http://{address}:9080/status") as answer:
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
        return found


async def test_two_proxies_wait_for_their_secrets_become_ready_and_are_replaced_and_scaled(installed: Installed) -> None:
    applied = await installed.install()
    assert "Deployment migration-system/migration-proxy" in applied.objects
    with contextlib.suppress(kubelet.NotRolledOut):
        await installed.node.rolled_out(HOME, PROXY, within=0.5)
        raise AssertionError("nobody has made the agents' keys yet")
    await installed.provide()
    await installed.node.rolled_out(HOME, PROXY)
    first = _proxies(installed.node.running())
    assert {pod.ready for pod in first} == {True}
    addresses_of = {pod.address for pod in first}
    assert len(addresses_of) == 2
    async with asyncio.timeout(30):  # slices follow pods, as everywhere
        while await installed.ready_addresses(PROXY) != addresses_of:  # noqa: ASYNC110 a list has no event
            await asyncio.sleep(0.05)
    assert set(installed.dns.addresses("ferry-agents.migration-system.svc")) == addresses_of
    assert {(await status(pod.address))["pod"] for pod in first} == {pod.name for pod in first}

    leaving = pids(first[:1])
    deleted = await installed.node.api.delete(client.PODS, HOME, first[0].name)
    assert deleted["metadata"]["deletionTimestamp"]
    async with asyncio.timeout(60):
        await installed.node.until(lambda now: first[0].name not in {pod.name for pod in now})
    await installed.node.rolled_out(HOME, PROXY)
    second = _proxies(installed.node.running())
    assert first[1].name in {pod.name for pod in second}
    assert await installed.ready_addresses(PROXY) == {pod.address for pod in second}
    assert len(leaving) == 2
    assert all(gone(pid) for pid in leaving)

    await installed.node.api.patch(client.DEPLOYMENTS, HOME, PROXY, {"spec": {"replicas": 1}}, subresource="scale")
    async with asyncio.timeout(60):
        last = await installed.node.until(lambda now: len(_proxies(now)) == 1)
    await installed.node.rolled_out(HOME, PROXY)
    processes = pids(_proxies(last))
    await installed.node.stop()
    assert len(processes) == 2
    assert all(gone(pid) for pid in processes)
    assert not list((installed.folder / "node").glob("pods/*"))
    assert installed.dns.addresses("ferry-agents.migration-system.svc") == ()


async def test_the_token_in_a_proxy_has_the_shipped_rights_and_no_more(installed: Installed) -> None:
    await installed.install()
    await installed.provide()
    await installed.node.rolled_out(HOME, PROXY)
    (token, _) = (installed.folder / "node" / "pods").glob("*/volumes/api-access/token")
    access = credentials.Explicit(installed.cluster.url, token=token.read_text())
    async with client.ClusterClient(access) as agent:
        assert (await agent.list(client.CONFIG_MAPS, HOME))["items"]
        for refused in (node_client.SECRETS, client.DEPLOYMENTS):
            try:
                await agent.list(refused, HOME)
            except errors.Forbidden:
                continue
            raise AssertionError(f"the agent may list {refused.plural}")


async def test_the_shipped_redis_is_reached_by_its_name_with_the_user_of_its_secret(installed: Installed) -> None:
    await installed.install()
    users = b"user default off\nuser ferry on >a-password ~* &* +@all\n"
    secret = {"metadata": {"name": "ferry-redis"}, "data": {"users.acl": base64.b64encode(users).decode()}}
    await installed.node.api.create(node_client.SECRETS, HOME, secret)
    await installed.node.rolled_out(HOME, "ferry-redis")
    async with asyncio.timeout(10):
        while not installed.dns.addresses("ferry-redis.migration-system.svc"):  # noqa: ASYNC110 a name server tells nobody
            await asyncio.sleep(0.02)
    (address,) = installed.dns.addresses("ferry-redis.migration-system.svc")
    reader, writer = await asyncio.open_connection(address, 6379)
    writer.write(b"PING\r\nAUTH ferry a-password\r\nPING\r\n")
    assert [(await reader.readline())[:7] for _ in range(3)] == [b"-NOAUTH", b"+OK\r\n", b"+PONG\r\n"]
    writer.close()
    await writer.wait_closed()


async def test_a_rolling_restart_of_the_proxies_loses_no_request(installed: Installed) -> None:
    await installed.install()
    await installed.provide()
    await installed.migrated_app()
    before = {pod.name for pod in _proxies(installed.node.running())}
    async with aiohttp.ClientSession() as session:
        assert {await installed.ask(session) for _ in range(20)} == {200}
        assert (installed.old.counts.total, installed.new.counts.total) == (20, 0)
        await installed.raise_to(100, expected=0)
        assert {await installed.ask(session) for _ in range(20)} == {200}
        assert (installed.old.counts.total, installed.new.counts.total) == (20, 20)

        template = {"spec": {"template": {"metadata": {"annotations": {"restarted": "by a test"}}}}}
        await installed.node.api.patch(client.DEPLOYMENTS, HOME, PROXY, template)
        restarted = asyncio.create_task(installed.node.rolled_out(HOME, PROXY))
        seen = [await installed.ask(session)]
        while not restarted.done():
            seen.append(await installed.ask(session))
        await restarted
        assert set(seen) == {200}
    assert len(seen) > 20
    assert not before & {pod.name for pod in _proxies(installed.node.running()) if not pod.leaving}
