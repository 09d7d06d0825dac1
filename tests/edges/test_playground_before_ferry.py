"""The clusters before Ferry: an application whose pods are processes that count, and a new cluster that may be read."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from bot import cluster_access
from deploy.playground import before_ferry, objects
from deploy.playground.kubernetes import server as kubernetes
from deploy.playground.nodes import kubelet, node_client
from deploy.playground.world import addresses, certificates, ingress, names, tally_file, traffic
from k8s import client, credentials, errors

APP = objects.FIRST


@dataclass
class Clusters:
    """The old cluster with its application behind its ingress, and the new one's API."""

    before: before_ferry.BeforeFerry
    node: kubelet.Kubelet
    front: ingress.Ingress

    def processes(self) -> list[int]:
        return [child.pid for pod in self.node.running() for child in pod.processes.values()]

    def reader(self) -> client.ClusterClient:
        return client.ClusterClient(cluster_access.Kubeconfig(self.before.api.kubeconfig), agent="test")


@pytest_asyncio.fixture
async def clusters(tmp_path: Path) -> AsyncIterator[Clusters]:
    cluster, network, dns = kubernetes.KubernetesStandIn(), addresses.PodNetwork(), names.NameServer()
    before = before_ferry.BeforeFerry(certificates.Authority(tmp_path / "ca"), tmp_path)
    network.start()
    await asyncio.gather(cluster.start(), dns.start(), before.start())
    access = credentials.Explicit(cluster.url, token=cluster.admin_token)
    node = kubelet.Kubelet(access, network=network, folder=tmp_path / "node", images=[before.program], dns=dns)
    front = ingress.Ingress(url=cluster.url, token=cluster.admin_token)
    try:
        await asyncio.gather(node.start(), front.start())
        await node.api.create(node_client.NAMESPACES, "", objects.namespace(APP.namespace))
        await before.install(node.api)
        await node.rolled_out(APP.namespace, APP.service)
        yield Clusters(before, node, front)
    finally:
        await asyncio.gather(front.stop(), node.stop(), before.stop())
        await asyncio.gather(cluster.stop(), dns.stop())
        network.stop()


async def test_its_pods_answer_behind_the_ingress_count_and_end_when_their_deployment_is_deleted(clusters: Clusters) -> None:
    async with asyncio.timeout(20):
        await clusters.front.until(lambda table: (at := table.location(APP.old_host, "/")) is not None and at.upstream.usable)
    asking = traffic.Traffic(clusters.front.address, clusters.front.port, [traffic.Target(APP.old_host)])
    burst = await asking.burst(200)
    assert (burst.old, burst.new, burst.failed) == (200, 0, 0)
    assert clusters.before.served().total == 200
    assert clusters.before.served().last > 0
    processes = clusters.processes()
    assert len(processes) == before_ferry.REPLICAS
    await clusters.node.api.delete(client.DEPLOYMENTS, APP.namespace, APP.service)
    async with asyncio.timeout(20):
        await clusters.node.until(lambda running: not running)
    for one in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(one, 0)
    assert clusters.before.served().total == 200, "what was counted stays known"


async def test_the_application_is_somebody_elses(clusters: Clusters) -> None:
    for resource in (client.DEPLOYMENTS, before_ferry.INGRESSES, node_client.SERVICES):
        found = await clusters.node.api.get(resource, APP.namespace, APP.service)
        fields = [one for one in found["metadata"]["managedFields"] if one["manager"] != "playground-node"]
        assert [(one["manager"], one["operation"]) for one in fields] == [(before_ferry.OWNER, "Update")]


async def test_the_new_cluster_can_be_read_with_its_kubeconfig_and_not_written(clusters: Clusters) -> None:
    reader, where = clusters.reader(), before_ferry.NEW_NAMESPACE
    try:
        listed = await reader.list(node_client.ENDPOINT_SLICES, where)
        ready = {one["metadata"]["labels"]["kubernetes.io/service-name"] for one in listed["items"]}
        assert ready == {app.service for app in objects.APPS}
        rules = [one["spec"]["rules"][0]["host"] for one in (await reader.list(before_ferry.INGRESSES, where))["items"]]
        assert sorted(rules) == sorted(app.new_host for app in objects.APPS)
        roles = client.Resource("roles", "rbac.authorization.k8s.io/v1")
        here = (await clusters.node.api.get(roles, APP.namespace, "bbdm-reader"))["rules"]
        assert (await reader.get(roles, where, "bbdm-reader"))["rules"] == here
        with pytest.raises(errors.Forbidden):
            await reader.delete(before_ferry.INGRESSES, where, APP.service)
        with pytest.raises(errors.Forbidden):
            await reader.list(node_client.SECRETS, where)
    finally:
        await reader.close()


def test_tallies_of_several_processes_add_up(tmp_path: Path) -> None:
    assert tally_file.read(tmp_path) == tally_file.Seen()
    with tally_file.Writer(tmp_path, "app-1") as one, tally_file.Writer(tmp_path, "app-2") as two:
        one.write(tally_file.Seen(3, 1, 0, 7.5))
        two.write(tally_file.Seen(4, 0, 2, 7.25))
        assert tally_file.read(tmp_path, beginning="app-") == tally_file.Seen(7, 1, 2, 7.5)
    assert tally_file.read(tmp_path, beginning="other-") == tally_file.Seen()
