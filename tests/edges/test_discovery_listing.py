"""What discovery reads of an API server: the version it has, and what may be missing without hiding the rest."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deploy.playground.kubernetes.server import KubernetesStandIn
from k8s import client, credentials, errors
from k8s.discovery import listing

OLD_SHAPE = {
    "metadata": {"name": "old", "namespace": "default"},
    "spec": {"rules": [{"host": "a.example", "http": {"paths": [{"backend": {"serviceName": "app", "servicePort": 80}}]}}]},
}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[client.ClusterClient]:
    server = KubernetesStandIn()
    await server.start()
    async with client.ClusterClient(credentials.Explicit(server.url, token=server.admin_token)) as one:
        body = {"metadata": {"name": "app"}, "spec": {"ports": [{"port": 80}]}}
        await one.create(listing.SERVICES, "default", body)
        yield one
    await server.stop()


async def test_a_kind_that_this_server_does_not_have_is_missing_and_an_older_one_is_asked(
    api: client.ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(errors.Missing):
        await api.list(listing.INGRESSES[-1], "")
    listed, asked = api.list, []

    async def old(resource: client.Resource, namespace: str, **how: Any) -> client.Json:
        asked.append(resource.group_version)
        if resource.plural == "ingresses":
            if resource.group_version == "extensions/v1beta1":
                return {"items": [OLD_SHAPE]}
            raise errors.Missing("the server could not find the requested resource")
        return await listed(resource, namespace, **how)

    monkeypatch.setattr(api, "list", old)
    found = await listing.Listing(api, own_namespace="migration-system").objects()
    assert [(one.host, one.service, one.port) for one in found.table.routes] == [("a.example", "app", 80)]
    assert found.behind.behind("default", "app", 80).ready == 0
    assert [one for one in asked if one.startswith(("networking", "extensions"))] == [
        one.group_version for one in listing.INGRESSES
    ]


async def test_slices_that_nobody_may_read_leave_readiness_unknown_and_say_so(
    api: client.ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = api.list

    async def refused(resource: client.Resource, namespace: str, **how: Any) -> client.Json:
        if resource.plural == "endpointslices":
            raise errors.Forbidden("endpointslices is forbidden")
        return await listed(resource, namespace, **how)

    monkeypatch.setattr(api, "list", refused)
    found = await listing.Listing(api, own_namespace="migration-system").objects()
    assert found.behind.behind("default", "app", 80).ready is None
    assert "bot-discovery-rbac.yaml" in found.trouble[0]


async def test_without_services_nothing_is_known(api: client.ClusterClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any, **__: Any) -> client.Json:
        raise errors.Unreachable("no connection")

    monkeypatch.setattr(api, "list", away)
    with pytest.raises(errors.Unreachable):
        await listing.Listing(api, own_namespace="migration-system").objects()
