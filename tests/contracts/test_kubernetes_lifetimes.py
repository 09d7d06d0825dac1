"""What goes together with what: namespaces with their contents, owners with their dependents; and discovery."""

from pathlib import Path
from typing import Any

from tests.contracts.kubernetes_cluster import APPLY, KNOWN_DIFFERENCES, Cluster

Json = dict[str, Any]


def _owned_by(owner: Json, name: str) -> Json:
    metadata = owner["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": metadata["name"], "uid": metadata["uid"]}
    return {"metadata": {"name": name, "ownerReferences": [reference]}}


async def test_a_namespace_takes_its_contents_along(cluster: Cluster) -> None:
    cluster.differs("namespaces go at once")
    await cluster.config_map("a")
    gone = await cluster.call("DELETE", f"/api/v1/namespaces/{cluster.namespace}")
    assert (gone.code, gone.body["status"]["phase"]) == (200, "Terminating")
    assert (await cluster.call("GET", f"/api/v1/namespaces/{cluster.namespace}")).code == 404
    assert (await cluster.call("GET", cluster.path("configmaps", "a"))).code == 404


async def test_a_namespace_waits_for_finalizers_and_takes_nothing_new(cluster: Cluster) -> None:
    held = {"metadata": {"name": "a", "finalizers": ["example.com/wait"]}}
    await cluster.create("configmaps", held)
    await cluster.call("DELETE", f"/api/v1/namespaces/{cluster.namespace}")
    refused = await cluster.create("configmaps", {"metadata": {"name": "b"}})
    assert refused.code == 403
    assert refused.body["message"].endswith(
        f"unable to create new content in namespace {cluster.namespace} because it is being terminated"
    )
    path = cluster.path("configmaps", "a")
    live = await cluster.call("GET", path)
    live.body["metadata"].pop("finalizers")
    assert (await cluster.call("PUT", path, live.body)).code == 200


async def test_dependents_go_with_their_last_owner(cluster: Cluster) -> None:
    cluster.differs("dependents go at once")
    owner = await cluster.config_map("owner")
    await cluster.create("secrets", _owned_by(owner.body, "child"))
    both = _owned_by(owner.body, "shared")
    other = await cluster.config_map("other")
    both["metadata"]["ownerReferences"] += _owned_by(other.body, "x")["metadata"]["ownerReferences"]
    await cluster.create("secrets", both)
    await cluster.call("DELETE", cluster.path("configmaps", "owner"))
    assert (await cluster.call("GET", cluster.path("secrets", "child"))).code == 404
    assert (await cluster.call("GET", cluster.path("secrets", "shared"))).code == 200
    await cluster.call("DELETE", cluster.path("configmaps", "other"))
    assert (await cluster.call("GET", cluster.path("secrets", "shared"))).code == 404


async def test_orphans_stay_without_their_owner(cluster: Cluster) -> None:
    cluster.differs("dependents go at once")
    owner = await cluster.config_map("owner")
    await cluster.create("secrets", _owned_by(owner.body, "child"))
    await cluster.call("DELETE", cluster.path("configmaps", "owner"), {"propagationPolicy": "Orphan"})
    orphan = await cluster.call("GET", cluster.path("secrets", "child"))
    assert "ownerReferences" not in orphan.body["metadata"]


async def test_foreground_deletion_does_not_wait(cluster: Cluster) -> None:
    cluster.differs("foreground is background")
    owner = await cluster.config_map("owner")
    await cluster.create("secrets", {**_owned_by(owner.body, "child")})
    await cluster.call("DELETE", cluster.path("configmaps", "owner"), {"propagationPolicy": "Foreground"})
    assert (await cluster.call("GET", cluster.path("configmaps", "owner"))).code == 404


async def test_discovery_names_every_kind_with_its_verbs(cluster: Cluster) -> None:
    core = await cluster.call("GET", "/api/v1")
    found = {one["name"]: one for one in core.body["resources"]}
    assert {"configmaps", "secrets", "services", "pods", "pods/status", "namespaces", "serviceaccounts/token"} <= set(found)
    assert {"create", "get", "list", "patch", "update", "watch", "delete", "deletecollection"} <= set(
        found["configmaps"]["verbs"]
    )
    groups = {one["name"] for one in (await cluster.call("GET", "/apis")).body["groups"]}
    assert {"apps", "networking.k8s.io", "coordination.k8s.io", "rbac.authorization.k8s.io", "discovery.k8s.io"} <= groups
    apps = {one["name"] for one in (await cluster.call("GET", "/apis/apps/v1")).body["resources"]}
    assert {"deployments", "deployments/scale", "deployments/status", "controllerrevisions"} <= apps
    assert (await cluster.call("GET", "/version")).body["major"] == "1"
    assert (await cluster.call("GET", "/readyz")).body["text"] == "ok"


async def test_there_are_no_columns(cluster: Cluster) -> None:
    cluster.differs("columns")
    cluster.headers = {**cluster.headers, "Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    assert (await cluster.call("GET", cluster.path("configmaps"))).body["kind"] == "ConfigMapList"


async def test_a_mistyped_apply_is_a_failure_to_type(cluster: Cluster) -> None:
    cluster.differs("wrong types on apply")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": 1}}
    refused = await cluster.call("PATCH", cluster.path("configmaps", "a"), body, APPLY, fieldManager="bot")
    assert (refused.code, "failed to create typed patch object" in refused.body["message"]) == (500, True)


def test_every_known_difference_is_asserted_somewhere() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_kubernetes_*.py"))
    assert [name for name in KNOWN_DIFFERENCES if f'cluster.differs("{name}")' not in tests] == []
