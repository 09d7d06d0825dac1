"""The official Python client, which the bot's kubeconfig handling comes from, gets along with the server."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kubernetes.aio import client, watch

from tests.contracts.kubernetes_cluster import Cluster


@pytest_asyncio.fixture
async def api(cluster: Cluster, certificate: tuple[Path, Path]) -> AsyncIterator[client.ApiClient]:
    """The client, configured by hand."""
    if cluster.stand_in is None:
        pytest.skip("the raw requests of the other tests speak for a real server")
    configuration = client.Configuration(host=cluster.url)
    configuration.ssl_ca_cert = str(certificate[0])
    configuration.api_key = {"authorization": cluster.headers["Authorization"]}
    async with client.ApiClient(configuration) as made:
        yield made


async def test_objects_are_created_read_replaced_patched_listed_and_deleted(cluster: Cluster, api: client.ApiClient) -> None:
    core: Any = client.CoreV1Api(api)  # answers may be plain dicts, whatever the annotations say
    body = {"metadata": {"name": "a", "labels": {"x": "1"}}, "data": {"k": "1"}}
    made = await core.create_namespaced_config_map(cluster.namespace, body)
    assert made.metadata.uid
    made.data = {"k": "2"}
    replaced = await core.replace_namespaced_config_map("a", cluster.namespace, made)
    assert replaced.metadata.resource_version != made.metadata.resource_version
    with pytest.raises(client.ApiException) as stale:
        await core.replace_namespaced_config_map("a", cluster.namespace, made)
    assert stale.value.status == 409
    patched = await core.patch_namespaced_config_map("a", cluster.namespace, {"data": {"j": "3"}})
    assert patched.data == {"j": "3", "k": "2"}
    listed = await core.list_namespaced_config_map(cluster.namespace, label_selector="x=1")
    assert [one.metadata.name for one in listed.items] == ["a"]
    await core.delete_namespaced_config_map("a", cluster.namespace)
    with pytest.raises(client.ApiException) as missing:
        await core.read_namespaced_config_map("a", cluster.namespace)
    assert missing.value.status == 404


async def test_a_watch_follows_a_list(cluster: Cluster, api: client.ApiClient) -> None:
    core: Any = client.CoreV1Api(api)  # answers may be plain dicts, whatever the annotations say
    version = (await core.list_namespaced_config_map(cluster.namespace)).metadata.resource_version
    await core.create_namespaced_config_map(cluster.namespace, {"metadata": {"name": "a"}})
    stream: Any = watch.Watch()  # type: ignore[no-untyped-call]  # this part of the client has no annotations
    follow = stream.stream(core.list_namespaced_config_map, cluster.namespace, resource_version=version, timeout_seconds=5)
    async for event in follow:
        assert (event["type"], event["object"].metadata.name) == ("ADDED", "a")
        break
    await stream.close()


async def test_a_lease_is_renewed(cluster: Cluster, api: client.ApiClient) -> None:
    leases: Any = client.CoordinationV1Api(api)
    spec = client.V1LeaseSpec(
        holder_identity="one", lease_duration_seconds=15, renew_time=datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    )
    lease = await leases.create_namespaced_lease(cluster.namespace, {"metadata": {"name": "l"}, "spec": spec.to_dict()})
    lease.spec.renew_time = datetime(2026, 1, 1, 0, 0, 5, 1, tzinfo=UTC)
    renewed = await leases.replace_namespaced_lease("l", cluster.namespace, lease)
    assert renewed.spec.renew_time == lease.spec.renew_time


async def test_a_deployment_is_applied_scaled_and_its_token_asked_for(cluster: Cluster, api: client.ApiClient) -> None:
    apps: Any = client.AppsV1Api(api)
    core: Any = client.CoreV1Api(api)
    container = {"name": "c", "image": "i:1", "resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}
    pod = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [container]}}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"app": "d"}}, "template": pod},
    }
    made = await apps.create_namespaced_deployment(cluster.namespace, body)
    assert made.spec.template.spec.containers[0].resources.limits["cpu"] == "1"
    scaled = await apps.patch_namespaced_deployment_scale("d", cluster.namespace, {"spec": {"replicas": 3}})
    assert scaled.spec.replicas == 3
    await core.create_namespaced_service_account(cluster.namespace, {"metadata": {"name": "bot"}})
    issued = await core.create_namespaced_service_account_token("bot", cluster.namespace, {"spec": {"audiences": []}})
    claims = issued.status.token.split(".")[1]
    assert b"serviceaccount" in base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
