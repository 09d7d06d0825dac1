"""The playground's node: real processes for pods, over the API stand-in; the decisions of its controllers, pure."""

import asyncio
import base64
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from hypothesis import given
from hypothesis import strategies as some

from deploy.playground.kubernetes import failures, faults
from deploy.playground.kubernetes import server as kubernetes
from deploy.playground.nodes import (
    endpoints,
    in_pod,
    kubelet,
    manifests,
    node_client,
    pod_status,
    pods,
    programs,
    rollout,
    volumes,
)
from deploy.playground.world import addresses, names
from k8s import client, credentials, errors

Json = dict[str, Any]
HOME = "home"
# Answers every request with its own name and the text of a file; `/end` ends it, as a crash would.
SERVER = """
import http.server, os, pathlib, signal, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/end":
            os._exit(3)
        ready = self.path != "/ready" or pathlib.Path(sys.argv[3]).exists()
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write((os.environ["WHO"] + " " + pathlib.Path(sys.argv[3]).read_text()).encode() if ready else b"")
    def log_message(self, *words):
        pass
if "STUBBORN" in os.environ:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Page).serve_forever()
"""


@dataclass
class Small:
    """A cluster whose only node runs the program above for the image `page`."""

    cluster: kubernetes.KubernetesStandIn
    node: kubelet.Kubelet
    network: addresses.PodNetwork
    dns: names.NameServer
    folder: Path

    @property
    def api(self) -> node_client.NodeClient:
        return self.node.api

    async def says(self, text: str) -> None:
        """Writes the ConfigMap that the pods mount."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "words"}, "data": {"text": text}}
        kind = client.PatchKind.APPLY
        await self.api.patch(client.CONFIG_MAPS, HOME, "words", body, kind=kind, field_manager="test")

    async def pod(self, name: str) -> Json:
        return await self.api.get(client.PODS, HOME, name)

    async def pods(self, count: int) -> tuple[kubelet.Running, ...]:
        """Waits until exactly so many are there and ready, and none is leaving."""
        async with asyncio.timeout(30):
            return await self.node.until(
                lambda now: len(now) == count and all(pod.ready and not pod.leaving for pod in now),
            )


def page(*, replicas: int = 1, name: str = "page", env: list[Json] | None = None, grace: int = 30) -> Json:
    container = {
        "name": "web",
        "image": "registry.example/page:1",
        "command": ["page", "0.0.0.0", "8080", "/etc/words/text"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, *(env or [])],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1, "timeoutSeconds": 5},
        "volumeMounts": [{"name": "words", "mountPath": "/etc/words"}],
    }
    labels = {"app": name}
    pod_spec = {
        "containers": [container],
        "volumes": [{"name": "words", "configMap": {"name": "words"}}],
        "terminationGracePeriodSeconds": grace,
        "automountServiceAccountToken": False,
    }
    return {
        "metadata": {"name": name, "namespace": HOME},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec},
        },
    }


async def asked(address: str, path: str = "/", *, port: int = 8080) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}:{port}{path}") as answer:
        return await answer.text()


@pytest_asyncio.fixture
async def small(tmp_path: Path) -> AsyncIterator[Small]:
    (tmp_path / "server.py").write_text(SERVER)
    cluster, network, dns = kubernetes.KubernetesStandIn(), addresses.PodNetwork(), names.NameServer()
    network.start()
    await cluster.start()
    await dns.start()
    node = kubelet.Kubelet(
        credentials.Explicit(cluster.url, token=cluster.admin_token),
        network=network,
        folder=tmp_path / "node",
        images=[programs.Program("page:*", executables={"page": (sys.executable, "-S", str(tmp_path / "server.py"))})],
        dns=dns,
        limits=pods.Limits(grace=0.5, probe_every=0.05),
    )
    one = Small(cluster, node, network, dns, tmp_path / "node")
    try:
        await node.start()
        await node.api.create(node_client.NAMESPACES, "", {"metadata": {"name": HOME}})
        yield one
    finally:
        await node.stop()
        await dns.stop()
        await cluster.stop()
        network.stop()


async def test_a_pod_waits_for_what_it_mounts_and_starts_when_it_appears(small: Small) -> None:
    await small.api.create(client.DEPLOYMENTS, HOME, page())
    with pytest.raises(kubelet.NotRolledOut, match="ConfigMap home/words does not exist; create it"):
        await small.node.rolled_out(HOME, "page", within=1.0)
    (listed,) = (await small.api.list(client.PODS, HOME))["items"]
    assert listed["status"]["phase"] == "Pending"
    await small.says("hello")
    await small.node.rolled_out(HOME, "page")
    (pod,) = small.node.running()
    assert await asked(pod.address) == f"{pod.name} hello"
    deployment = await small.api.get(client.DEPLOYMENTS, HOME, "page")
    assert deployment["status"]["readyReplicas"] == deployment["status"]["observedGeneration"] == 1


async def test_a_missing_secret_is_named_and_an_optional_one_is_not_missed(small: Small) -> None:
    await small.says("x")
    reference = {"name": "keys", "key": "token"}
    variables = [
        {"name": "MAYBE", "valueFrom": {"secretKeyRef": {**reference, "optional": True}}},
        {"name": "SURELY", "valueFrom": {"secretKeyRef": reference}},
    ]
    await small.api.create(client.DEPLOYMENTS, HOME, page(env=variables))
    async with asyncio.timeout(20):
        while not _waiting(await small.api.list(client.PODS, HOME)):  # noqa: ASYNC110 the status is all there is to see
            await asyncio.sleep(0.02)
    assert "Secret home/keys does not exist" in _waiting(await small.api.list(client.PODS, HOME))
    secret = {"metadata": {"name": "keys"}, "data": {"token": base64.b64encode(b"abc").decode()}}
    await small.api.create(node_client.SECRETS, HOME, secret)
    await small.node.rolled_out(HOME, "page")


def _waiting(listed: Json) -> str:
    states = [one["state"] for pod in listed["items"] for one in pod.get("status", {}).get("containerStatuses", ())]
    return " ".join(state["waiting"].get("message", "") for state in states if state.get("waiting", {}).get("message"))


async def test_a_container_that_ends_is_started_again_and_its_end_is_told(small: Small) -> None:
    await small.says("x")
    await small.api.create(client.DEPLOYMENTS, HOME, page())
    (pod,) = await small.pods(1)
    process = pod.processes["web"]
    with pytest.raises(aiohttp.ClientError):
        await asked(pod.address, "/end")
    await process.wait()
    async with asyncio.timeout(20):
        await small.node.until(lambda now: bool(now[0].processes) and now[0].processes["web"] is not process)
    await small.pods(1)
    (status,) = (await small.pod(pod.name))["status"]["containerStatuses"]
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert (await asked(pod.address)).startswith(pod.name)


async def test_a_deleted_pod_is_seen_leaving_is_killed_after_its_grace_and_replaced(small: Small) -> None:
    await small.says("x")
    await small.api.create(client.DEPLOYMENTS, HOME, page(env=[{"name": "STUBBORN", "value": "1"}]))
    (pod,) = await small.pods(1)
    process = pod.processes["web"]
    await small.api.delete(client.PODS, HOME, pod.name)
    assert (await small.pod(pod.name))["metadata"]["deletionTimestamp"]
    async with asyncio.timeout(20):
        await small.node.until(lambda now: any(one.leaving for one in now))
    assert process.running
    assert await process.wait() < 0
    async with asyncio.timeout(20):
        await small.node.until(lambda now: pod.name not in {one.name for one in now})
    (replaced,) = await small.pods(1)
    assert replaced.name != pod.name
    with pytest.raises(errors.Missing):
        await small.pod(pod.name)


async def test_a_pod_that_the_api_lost_ends_at_once(small: Small) -> None:
    await small.says("x")
    await small.api.create(client.DEPLOYMENTS, HOME, page(replicas=0))
    lone = {"metadata": {"name": "lone"}, "spec": {**page()["spec"]["template"]["spec"], "nodeName": "playground"}}
    await small.api.create(client.PODS, HOME, lone)
    (pod,) = await small.pods(1)
    process = pod.processes["web"]
    await small.api.remove(client.PODS, HOME, "lone")
    assert await process.wait() < 0
    async with asyncio.timeout(20):
        await small.node.until(lambda now: not now)


async def test_mounted_files_follow_their_object_while_the_pod_runs(small: Small) -> None:
    await small.says("before 0.0.0.0, not 0.0.0.0/0")
    await small.api.create(client.DEPLOYMENTS, HOME, page())
    (pod,) = await small.pods(1)
    assert await asked(pod.address) == f"{pod.name} before {pod.address}, not 0.0.0.0/0"
    await small.says("after")
    async with asyncio.timeout(20):
        while await asked(pod.address) != f"{pod.name} after":  # noqa: ASYNC110 a file tells nobody
            await asyncio.sleep(0.02)
    (same,) = small.node.running()
    assert same.name == pod.name


async def test_a_service_has_an_address_and_names_and_shares_connections_over_ready_pods(small: Small) -> None:
    await small.says("x")
    await small.api.create(client.DEPLOYMENTS, HOME, page(replicas=2))
    selector = {"app": "page"}
    ports = [{"name": "http", "port": 8123, "targetPort": "http"}]
    await small.api.create(
        node_client.SERVICES, HOME, {"metadata": {"name": "page"}, "spec": {"selector": selector, "ports": ports}}
    )
    headless = {"selector": selector, "ports": ports, "clusterIP": "None"}
    await small.api.create(node_client.SERVICES, HOME, {"metadata": {"name": "each"}, "spec": headless})
    both = await small.pods(2)
    async with asyncio.timeout(20):
        while len(small.dns.addresses("each.home.svc")) < 2:  # noqa: ASYNC110 a name server tells nobody
            await asyncio.sleep(0.02)
    assert set(small.dns.addresses("each.home.svc.cluster.local")) == {pod.address for pod in both}
    (address,) = small.dns.addresses("page.home.svc.cluster.local")
    assert address == small.node.service_address(HOME, "page")
    answers = {(await asked(address, port=8123)).split()[0] for _ in range(4)}
    assert answers == {pod.name for pod in both}
    await small.api.delete(node_client.SERVICES, HOME, "page")
    async with asyncio.timeout(20):
        while small.dns.addresses("page.home.svc"):  # noqa: ASYNC110 a name server tells nobody
            await asyncio.sleep(0.02)
    with pytest.raises(aiohttp.ClientError):
        await asked(address, port=8123)


async def test_where_the_api_refuses_loopback_addresses_slices_carry_the_pods_host_names(small: Small) -> None:
    await small.says("x")
    refusal = failures.ApiFailure(422, "Invalid", "endpoints[0].addresses[0]: may not be in the loopback range (127.0.0.0/8)")
    small.cluster.faults.refuse(refusal, faults.Match(verb="create", resource="endpointslices"), times=1)
    ports = [{"name": "http", "port": 8123, "targetPort": "http"}]
    service = {"metadata": {"name": "page"}, "spec": {"selector": {"app": "page"}, "ports": ports}}
    await small.api.create(node_client.SERVICES, HOME, service)
    await small.api.create(client.DEPLOYMENTS, HOME, page())
    (pod,) = await small.pods(1)
    host = endpoints.pod_host(HOME, pod.address)
    async with asyncio.timeout(20):
        while small.dns.addresses(host) != (pod.address,):  # noqa: ASYNC110 a name server tells nobody
            await asyncio.sleep(0.02)
    (written,) = (await small.api.list(node_client.ENDPOINT_SLICES, HOME))["items"]
    assert (written["addressType"], written["endpoints"][0]["addresses"]) == ("FQDN", [host])
    assert (await asked(small.node.service_address(HOME, "page"), port=8123)).startswith(pod.name)


async def test_a_stateful_set_keeps_names_and_claims(small: Small) -> None:
    await small.says("x")
    wanted = page(replicas=2, name="store")
    del wanted["spec"]["strategy"]
    wanted["spec"]["serviceName"] = "store"
    wanted["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]
    container = wanted["spec"]["template"]["spec"]["containers"][0]
    container["volumeMounts"].append({"name": "data", "mountPath": "/data"})
    container["env"].append({"name": "WHERE", "value": "/data/kept"})
    await small.api.create(node_client.STATEFUL_SETS, HOME, wanted)
    await small.node.rolled_out(HOME, "store")
    assert {pod.name for pod in small.node.running()} == {"store-0", "store-1"}
    kept = small.folder / "claims" / HOME / "data-store-0" / "kept"
    kept.write_text("still here")
    await small.api.delete(client.PODS, HOME, "store-0")
    async with asyncio.timeout(20):
        await small.node.until(lambda now: any(pod.leaving for pod in now))
    await small.pods(2)
    assert kept.read_text() == "still here"


async def test_with_the_api_gone_containers_still_run_and_are_started_again(small: Small) -> None:
    await small.says("x")
    await small.api.create(client.DEPLOYMENTS, HOME, page())
    (pod,) = await small.pods(1)
    await small.cluster.stop()
    with pytest.raises(aiohttp.ClientError):
        await asked(pod.address, "/end")
    async with asyncio.timeout(20):
        while True:
            try:
                assert (await asked(pod.address)).startswith(pod.name)
                break
            except aiohttp.ClientError:
                await asyncio.sleep(0.02)
    await small.cluster.start()
    async with asyncio.timeout(20):
        while (await small.pod(pod.name))["status"]["containerStatuses"][0]["restartCount"] != 1:  # noqa: ASYNC110 told when it can be
            await asyncio.sleep(0.02)


async def test_stop_leaves_no_process_no_folder_and_no_pod_and_a_new_node_removes_what_a_dead_one_left(small: Small) -> None:
    await small.says("x")
    await small.api.create(client.DEPLOYMENTS, HOME, page(replicas=2))
    both = await small.pods(2)
    children = [pod.processes["web"] for pod in both]
    pids = [child.pid for child in children]
    await small.node.stop()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not (small.folder / "pods").exists()
    async with node_client.NodeClient(credentials.Explicit(small.cluster.url, token=small.cluster.admin_token)) as api:
        assert (await api.list(client.PODS, HOME))["items"] == []
        left = {"metadata": {"name": "left"}, "spec": {**page()["spec"]["template"]["spec"], "nodeName": "playground"}}
        await api.create(client.PODS, HOME, left)
        next_node = kubelet.Kubelet(
            credentials.Explicit(small.cluster.url, token=small.cluster.admin_token),
            network=small.network, folder=small.folder, images=(), dns=small.dns,
        )  # fmt: skip
        await next_node.start()
        with pytest.raises(errors.Missing):
            await api.get(client.PODS, HOME, "left")
        await next_node.stop()


async def test_a_folder_of_manifests_is_applied_in_order_and_unknown_kinds_are_told(small: Small, tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    objects = [
        {**page(replicas=0), "apiVersion": "apps/v1", "kind": "Deployment"},
        {"apiVersion": "example.org/v1", "kind": "Dream", "metadata": {"name": "one"}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}},
    ]
    (folder / "all.yaml").write_text(yaml.safe_dump_all(objects))
    (folder / "kustomization.yaml").write_text("namespace: elsewhere\nresources: [all.yaml]\n")
    applied = await manifests.apply(small.api, folder)
    assert applied.objects == ("Namespace /elsewhere", "Deployment elsewhere/page")
    assert applied.skipped == ("Dream elsewhere/one was left out: this API server has no Dream in example.org/v1",)
    assert (await manifests.apply(small.api, folder, namespace="third")).objects[0] == "Namespace /third"
    (folder / "kustomization.yaml").write_text("resources: [all.yaml]\npatches: []\n")
    with pytest.raises(manifests.ManifestError, match="patches needs kustomize itself"):
        manifests.read(folder)


def test_only_whole_paths_of_mounts_are_translated_and_only_once() -> None:
    translation = in_pod.InPod({"/run/ferry": Path("/tmp/x/run"), "/tmp": Path("/tmp/x/scratch")}, "127.1.2.3")
    command = "until [ -s /run/ferry/nginx.conf ]; do :; done; nginx -c /run/ferry/nginx.conf"
    assert translation.text(command) == command.replace("/run/ferry", "/tmp/x/run")
    assert translation.text("/run/ferry-more /var/tmp /tmp=/tmp/a") == "/run/ferry-more /var/tmp /tmp/x/scratch=/tmp/x/scratch/a"
    assert translation.text("0.0.0.0:80 0.0.0.0/0 10.0.0.0") == "127.1.2.3:80 0.0.0.0/0 10.0.0.0"
    assert in_pod.expanded("$(A) $(B) $$(A)", {"A": "1"}) == "1 $(B) $(A)"


def test_all_files_of_a_volume_change_in_one_step(tmp_path: Path) -> None:
    volumes.publish(tmp_path, {"a": (b"1", 0o644), "deep/b": (b"1", 0o600)})
    before = (tmp_path / "..data").readlink()
    volumes.publish(tmp_path, {"a": (b"2", 0o644), "c": (b"2", 0o644)})
    assert (tmp_path / "..data").readlink() != before
    assert (tmp_path / "a").read_text() == (tmp_path / "c").read_text() == "2"
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith("..")} == {"a", "c"}
    assert not (tmp_path / before).exists()


def made(workload: Json, name: str, *, ready: bool, leaving: bool = False, current: bool = True) -> Json:
    labels = {
        rollout.HASH: rollout.template_hash(workload) if current else "older",
        **workload["spec"]["template"]["metadata"]["labels"],
    }
    metadata = {"name": name, "namespace": HOME, "uid": name, "labels": labels}
    if leaving:
        metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "metadata": metadata,
        "spec": workload["spec"]["template"]["spec"],
        "status": {"podIP": "127.0.0.9", "conditions": conditions},
    }


@given(replicas=some.integers(0, 5), surge=some.integers(0, 2), missing=some.integers(0, 2), order=some.randoms())
def test_a_rolling_change_keeps_its_bounds_and_ends_with_only_new_pods(
    replicas: int, surge: int, missing: int, order: Any
) -> None:
    workload = page(replicas=replicas)
    workload["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": surge, "maxUnavailable": missing}
    there = [made(workload, f"old-{number}", ready=True, current=False) for number in range(replicas)]
    least = replicas - (missing or (0 if surge else 1))
    for turn in range(60):
        step = rollout.deployment_step(workload, there)
        gone = {pod["metadata"]["name"] for pod in step.delete}
        there = [pod for pod in there if pod["metadata"]["name"] not in gone]
        there += [made(workload, f"new-{turn}-{number}", ready=False) for number in range(len(step.create))]
        assert len(there) <= replicas + surge
        assert sum(1 for pod in there if pod_status.is_ready(pod)) >= min(least, replicas)
        unready = [number for number, pod in enumerate(there) if not pod_status.is_ready(pod)]
        if unready:
            number = order.choice(unready)
            there[number] = made(workload, there[number]["metadata"]["name"], ready=True)
        elif not step.create and not step.delete:
            break
    assert len(there) == replicas
    assert all(rollout.is_current(workload, pod) for pod in there)


def test_pods_that_leave_or_are_not_ready_are_in_the_slice_but_take_no_traffic_unless_the_service_says_so() -> None:
    workload = page()
    service: Json = {
        "metadata": {"name": "page", "namespace": HOME, "uid": "s"},
        "spec": {"selector": {"app": "page"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }
    found = [
        made(workload, "a", ready=True), made(workload, "b", ready=False), made(workload, "c", ready=True, leaving=True),
    ]  # fmt: skip
    (plain,) = endpoints.slices(service, found)
    assert plain["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert [one["conditions"]["ready"] for one in plain["endpoints"]] == [True, False, False]
    assert [one["conditions"]["terminating"] for one in plain["endpoints"]] == [False, False, True]
    service["spec"]["publishNotReadyAddresses"] = True
    (every,) = endpoints.slices(service, found)
    assert [one["conditions"]["ready"] for one in every["endpoints"]] == [True, True, True]
