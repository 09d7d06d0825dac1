"""Creating, reading, replacing, listing and deleting objects: the rules every client relies on."""

import re
from typing import Any

import pytest

from tests.contracts.kubernetes_cluster import MERGE, Cluster

Json = dict[str, Any]

DEPLOYMENT: Json = {
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": "example.com/app:1", "ports": [{"containerPort": 80}]}]},
        },
    },
}


async def test_a_new_object_carries_what_the_server_gives_it(cluster: Cluster) -> None:
    made = await cluster.config_map("a", k="v")
    metadata = made.body["metadata"]
    assert (made.body["kind"], made.body["apiVersion"]) == ("ConfigMap", "v1")
    assert metadata["namespace"] == cluster.namespace
    assert re.fullmatch(r"[0-9a-f-]{36}", metadata["uid"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["creationTimestamp"])
    assert int(metadata["resourceVersion"]) > 0
    assert metadata["managedFields"][0]["manager"] == "contract"
    assert "generation" not in metadata


async def test_a_name_is_taken_once_and_missing_names_are_not_found(cluster: Cluster) -> None:
    await cluster.config_map("a")
    again = await cluster.create("configmaps", {"metadata": {"name": "a"}})
    assert (again.code, again.body["reason"], again.body["message"]) == (409, "AlreadyExists", 'configmaps "a" already exists')
    missing = await cluster.call("GET", cluster.path("configmaps", "b"))
    assert (missing.code, missing.body["reason"]) == (404, "NotFound")
    assert missing.body["details"] == {"name": "b", "kind": "configmaps"}


async def test_generated_names_extend_the_prefix(cluster: Cluster) -> None:
    made = await cluster.create("configmaps", {"metadata": {"generateName": "run-"}})
    assert re.fullmatch(r"run-[a-z0-9]{5}", made.body["metadata"]["name"])


async def test_replacing_from_an_old_version_is_a_conflict(cluster: Cluster) -> None:
    first = await cluster.config_map("a", k="1")
    second = await cluster.call("PUT", cluster.path("configmaps", "a"), {**first.body, "data": {"k": "2"}})
    assert second.code == 200
    assert int(second.version) > int(first.version)
    stale = await cluster.call("PUT", cluster.path("configmaps", "a"), {**first.body, "data": {"k": "3"}})
    assert (stale.code, stale.body["reason"]) == (409, "Conflict")
    assert stale.body["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


async def test_replacing_without_a_version_overwrites_a_config_map_but_never_a_lease(cluster: Cluster) -> None:
    await cluster.config_map("a", k="1")
    plain = await cluster.call("PUT", cluster.path("configmaps", "a"), {"metadata": {"name": "a"}, "data": {"k": "2"}})
    assert (plain.code, plain.body["data"]) == (200, {"k": "2"})
    group = "coordination.k8s.io"
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "one"}}
    assert (await cluster.create("leases", lease, group=group)).code == 201
    refused = await cluster.call("PUT", cluster.path("leases", "l", group=group), lease)
    assert (refused.code, refused.body["reason"]) == (422, "Invalid")
    assert "metadata.resourceVersion" in refused.body["message"]


async def test_an_object_of_another_uid_is_never_overwritten(cluster: Cluster) -> None:
    first = await cluster.config_map("a", k="1")
    await cluster.call("DELETE", cluster.path("configmaps", "a"))
    await cluster.config_map("a", k="2")
    body = {"metadata": {"name": "a", "uid": first.body["metadata"]["uid"]}, "data": {"k": "3"}}
    refused = await cluster.call("PUT", cluster.path("configmaps", "a"), body)
    assert (refused.code, refused.body["reason"]) == (409, "Conflict")


async def test_a_restored_copy_gets_a_new_uid_and_may_not_carry_a_version(cluster: Cluster) -> None:
    first = await cluster.config_map("a", k="1")
    await cluster.call("DELETE", cluster.path("configmaps", "a"))
    refused = await cluster.create("configmaps", first.body)
    assert (refused.code, refused.body["message"]) == (400, "resourceVersion should not be set on objects to be created")
    metadata = {name: value for name, value in first.body["metadata"].items() if name != "resourceVersion"}
    restored = await cluster.create("configmaps", {**first.body, "metadata": metadata})
    assert restored.code == 201
    assert restored.body["metadata"]["uid"] != first.body["metadata"]["uid"]


async def test_a_write_that_changes_nothing_makes_no_new_version(cluster: Cluster) -> None:
    first = await cluster.config_map("a", k="1")
    same = await cluster.call("PUT", cluster.path("configmaps", "a"), first.body)
    assert same.version == first.version


async def test_renewing_a_lease_needs_the_version_that_was_read(cluster: Cluster) -> None:
    group = "coordination.k8s.io"
    spec = {"holderIdentity": "one", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}
    first = await cluster.create("leases", {"metadata": {"name": "l"}, "spec": spec}, group=group)
    path = cluster.path("leases", "l", group=group)
    renewed = await cluster.call("PUT", path, {**first.body, "spec": {**spec, "renewTime": "2026-01-01T00:00:05.000000Z"}})
    assert renewed.code == 200
    stolen = await cluster.call("PUT", path, {**first.body, "spec": {**spec, "holderIdentity": "two"}})
    assert stolen.code == 409
    imprecise = await cluster.call("PUT", path, {**renewed.body, "spec": {**spec, "renewTime": "2026-01-01T00:00:09Z"}})
    assert imprecise.code == 400


async def test_generation_counts_changes_of_the_spec_only(cluster: Cluster) -> None:
    made = await cluster.create("deployments", DEPLOYMENT, group="apps")
    assert made.body["metadata"]["generation"] == 1
    path = cluster.path("deployments", "web", group="apps")
    labelled = await cluster.call("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, MERGE)
    assert labelled.body["metadata"]["generation"] == 1
    scaled = await cluster.call("PATCH", path, {"spec": {"replicas": 3}}, MERGE)
    assert scaled.body["metadata"]["generation"] == 2


async def test_status_and_scale_are_apart_from_the_spec(cluster: Cluster) -> None:
    await cluster.create("deployments", {**DEPLOYMENT, "status": {"replicas": 9}}, group="apps")
    path = cluster.path("deployments", "web", group="apps")
    assert "replicas" not in (await cluster.call("GET", path)).body["status"]
    both = {"spec": {"replicas": 7}, "status": {"replicas": 2, "readyReplicas": 1}}
    by_status = await cluster.call("PATCH", f"{path}/status", both, MERGE)
    assert (by_status.body["spec"]["replicas"], by_status.body["status"]["replicas"]) == (1, 2)
    by_spec = await cluster.call("PATCH", path, {"spec": {"replicas": 2}, "status": {"replicas": 8}}, MERGE)
    assert (by_spec.body["spec"]["replicas"], by_spec.body["status"]["replicas"]) == (2, 2)
    by_scale = await cluster.call("PATCH", f"{path}/scale", {"spec": {"replicas": 5}}, MERGE)
    assert (by_scale.body["kind"], by_scale.body["spec"], by_scale.body["status"]["selector"]) == (
        "Scale",
        {"replicas": 5},
        "app=web",
    )
    assert (await cluster.call("GET", path)).body["spec"]["replicas"] == 5


async def test_a_rehearsal_changes_nothing(cluster: Cluster) -> None:
    made = await cluster.create("configmaps", {"metadata": {"name": "a"}, "data": {"k": "v"}}, dryRun="All")
    assert (made.code, made.body["data"]) == (201, {"k": "v"})
    assert (await cluster.call("GET", cluster.path("configmaps", "a"))).code == 404
    real = await cluster.config_map("b", k="1")
    await cluster.call("PATCH", cluster.path("configmaps", "b"), {"data": {"k": "2"}}, MERGE, dryRun="All")
    await cluster.call("DELETE", cluster.path("configmaps", "b"), dryRun="All")
    left = await cluster.call("GET", cluster.path("configmaps", "b"))
    assert (left.code, left.body["data"], left.version) == (200, {"k": "1"}, real.version)
    assert (await cluster.create("configmaps", {"metadata": {"name": "c"}}, dryRun="maybe")).code == 422


async def test_deletion_obeys_preconditions(cluster: Cluster) -> None:
    made = await cluster.config_map("a")
    path = cluster.path("configmaps", "a")
    other = await cluster.call("DELETE", path, {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}})
    assert (other.code, other.body["reason"]) == (409, "Conflict")
    older = await cluster.call("DELETE", path, {"preconditions": {"resourceVersion": "1"}})
    assert older.code == 409
    gone = await cluster.call("DELETE", path, {"preconditions": {"uid": made.body["metadata"]["uid"]}})
    assert (gone.code, gone.body["status"]) == (200, "Success")


async def test_finalizers_keep_an_object_until_the_last_is_gone(cluster: Cluster) -> None:
    path = cluster.path("configmaps", "a")
    await cluster.create("configmaps", {"metadata": {"name": "a", "finalizers": ["example.com/wait"]}})
    await cluster.call("DELETE", path)
    waiting = await cluster.call("GET", path)
    assert waiting.body["metadata"]["deletionTimestamp"]
    late = await cluster.call("PATCH", path, {"metadata": {"finalizers": ["example.com/wait", "example.com/more"]}}, MERGE)
    assert late.code == 422
    assert (await cluster.call("PATCH", path, {"metadata": {"finalizers": None}}, MERGE)).code == 200
    assert (await cluster.call("GET", path)).code == 404


async def test_a_placed_pod_stays_terminating_until_it_is_deleted_by_force(cluster: Cluster) -> None:
    spec = {"nodeName": "nowhere", "terminationGracePeriodSeconds": 20, "containers": [{"name": "c", "image": "i:1"}]}
    made = await cluster.create("pods", {"metadata": {"name": "p"}, "spec": {**spec, "automountServiceAccountToken": False}})
    if made.code == 403:
        pytest.skip("this server makes pods only after their ServiceAccount exists, which is a controller's work")
    path = cluster.path("pods", "p")
    marked = await cluster.call("DELETE", path)
    assert marked.body["metadata"]["deletionGracePeriodSeconds"] == 20
    assert (await cluster.call("GET", path)).body["metadata"]["deletionTimestamp"]
    await cluster.call("DELETE", path, {"gracePeriodSeconds": 0})
    assert (await cluster.call("GET", path)).code == 404


async def test_lists_are_selected_by_labels_and_fields(cluster: Cluster) -> None:
    for name, labels in {"a": {"x": "1"}, "b": {"x": "2", "y": ""}, "c": {}}.items():
        await cluster.create("configmaps", {"metadata": {"name": name, "labels": labels}})

    async def names(**query: str) -> list[str]:
        found = await cluster.call("GET", cluster.path("configmaps"), **query)
        assert found.code == 200, found.body
        return [item["metadata"]["name"] for item in found.body["items"] if item["metadata"]["name"] in {"a", "b", "c"}]

    assert await names(labelSelector="x=1") == ["a"]
    assert await names(labelSelector="x!=1") == ["b", "c"]
    assert await names(labelSelector="x in (1, 2)") == ["a", "b"]
    assert await names(labelSelector="x notin (1)") == ["b", "c"]
    assert await names(labelSelector="x,!y") == ["a"]
    assert await names(fieldSelector="metadata.name=b") == ["b"]
    assert await names(fieldSelector="metadata.name!=b") == ["a", "c"]
    assert (await cluster.call("GET", cluster.path("configmaps"), fieldSelector="data.k=1")).code == 400
    assert (await cluster.call("GET", cluster.path("configmaps"), labelSelector="x in 1")).code == 400


async def test_pages_of_a_list_belong_to_one_version(cluster: Cluster) -> None:
    for number in range(5):
        await cluster.create("secrets", {"metadata": {"name": f"s{number}"}})
    path = cluster.path("secrets")
    first = await cluster.call("GET", path, limit="2")
    assert [item["metadata"]["name"] for item in first.body["items"]] == ["s0", "s1"]
    assert first.body["metadata"]["remainingItemCount"] == 3
    await cluster.call("DELETE", cluster.path("secrets", "s3"))
    second = await cluster.call("GET", path, limit="2", **{"continue": first.body["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in second.body["items"]] == ["s2", "s3"]
    assert second.version == first.version
    third = await cluster.call("GET", path, limit="2", **{"continue": second.body["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in third.body["items"]] == ["s4"]
    assert not third.body["metadata"].get("continue")


async def test_items_of_a_list_carry_no_kind(cluster: Cluster) -> None:
    await cluster.config_map("a")
    listed = await cluster.call("GET", cluster.path("configmaps"))
    assert (listed.body["kind"], listed.body["apiVersion"]) == ("ConfigMapList", "v1")
    assert all("kind" not in item and "apiVersion" not in item for item in listed.body["items"])


async def test_a_collection_is_deleted_by_selector(cluster: Cluster) -> None:
    await cluster.create("secrets", {"metadata": {"name": "a", "labels": {"x": "1"}}})
    await cluster.create("secrets", {"metadata": {"name": "b"}})
    assert (await cluster.call("DELETE", cluster.path("secrets"), labelSelector="x=1")).code == 200
    left = await cluster.call("GET", cluster.path("secrets"))
    assert [item["metadata"]["name"] for item in left.body["items"]] == ["b"]


async def test_unknown_kinds_paths_and_namespaces_are_not_found(cluster: Cluster) -> None:
    assert (await cluster.call("GET", "/apis/example.com/v1/things")).code == 404
    assert (await cluster.call("GET", cluster.path("things"))).code == 404
    nowhere = await cluster.call("POST", "/api/v1/namespaces/no-such-place/configmaps", {"metadata": {"name": "a"}})
    assert (nowhere.code, nowhere.body["message"]) == (404, 'namespaces "no-such-place" not found')
    empty = await cluster.call("GET", "/api/v1/namespaces/no-such-place/configmaps")
    assert (empty.code, empty.body["items"]) == (200, [])


async def test_url_and_body_must_agree(cluster: Cluster) -> None:
    await cluster.config_map("a")
    path = cluster.path("configmaps", "a")
    assert (await cluster.call("PUT", path, {"metadata": {"name": "b"}})).code == 400
    assert (await cluster.call("PUT", path, {"metadata": {"name": "a", "namespace": "elsewhere"}})).code == 400
    assert (await cluster.call("PUT", path, {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}})).code == 400
    assert (await cluster.call("POST", cluster.path("configmaps"), b"{")).code == 400
    assert (await cluster.call("POST", cluster.path("configmaps"), b"x", "text/plain")).code == 415
