"""The three kinds of patch, and what a patch may not do."""

from typing import Any

import pytest

from tests.contracts.kubernetes_cluster import JSON_PATCH, MERGE, STRATEGIC, Cluster

Json = dict[str, Any]

WORKLOAD: Json = {
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "app",
                        "image": "app:1",
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "ports": [{"containerPort": 80}],
                        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                        "args": ["one", "two"],
                    }
                ],
                "volumes": [{"name": "v", "emptyDir": {}}],
            },
        },
    },
}


async def _workload(cluster: Cluster) -> str:
    made = await cluster.create("deployments", WORKLOAD, group="apps")
    assert made.code == 201, made.body
    return cluster.path("deployments", "web", group="apps")


def _container(body: Json, name: str = "app") -> Json:
    found: Json = next(one for one in body["spec"]["template"]["spec"]["containers"] if one["name"] == name)
    return found


async def test_a_merge_patch_sets_and_removes_keys_without_reading_first(cluster: Cluster) -> None:
    await cluster.config_map("a", keep="1", drop="2")
    path = cluster.path("configmaps", "a")
    patched = await cluster.call("PATCH", path, {"data": {"drop": None, "new": "3"}}, MERGE)
    assert (patched.code, patched.body["data"]) == (200, {"keep": "1", "new": "3"})
    emptied = await cluster.call("PATCH", path, {"data": {"keep": None, "new": None}}, MERGE)
    assert "data" not in emptied.body


async def test_a_patch_that_names_an_old_version_is_a_conflict(cluster: Cluster) -> None:
    first = await cluster.config_map("a", k="1")
    path = cluster.path("configmaps", "a")
    await cluster.call("PATCH", path, {"data": {"k": "2"}}, MERGE)
    for media in (MERGE, STRATEGIC):
        body = {"metadata": {"resourceVersion": first.version}, "data": {"k": "3"}}
        stale = await cluster.call("PATCH", path, body, media)
        assert (stale.code, stale.body["reason"]) == (409, "Conflict")
    assert (await cluster.call("GET", path)).body["data"] == {"k": "2"}


async def test_patches_of_missing_objects_are_not_found(cluster: Cluster) -> None:
    for media, body in ((MERGE, {"data": {}}), (STRATEGIC, {"data": {}}), (JSON_PATCH, [])):
        assert (await cluster.call("PATCH", cluster.path("configmaps", "none"), body, media)).code == 404


async def test_a_json_patch_is_all_or_nothing(cluster: Cluster) -> None:
    await cluster.config_map("a", k="1")
    path = cluster.path("configmaps", "a")
    good = [
        {"op": "test", "path": "/data/k", "value": "1"},
        {"op": "replace", "path": "/data/k", "value": "2"},
        {"op": "add", "path": "/data/x.y", "value": "3"},
        {"op": "copy", "from": "/data/k", "path": "/data/copied"},
        {"op": "move", "from": "/data/copied", "path": "/data/moved"},
    ]
    patched = await cluster.call("PATCH", path, good, JSON_PATCH)
    assert (patched.code, patched.body["data"]) == (200, {"k": "2", "x.y": "3", "moved": "2"})
    failing = [{"op": "replace", "path": "/data/k", "value": "9"}, {"op": "test", "path": "/data/k", "value": "1"}]
    refused = await cluster.call("PATCH", path, failing, JSON_PATCH)
    assert (refused.code, refused.body["reason"]) == (422, "Invalid")
    assert (await cluster.call("GET", path)).body["data"]["k"] == "2"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/data/none"},
        {"op": "replace", "path": "/data/none", "value": "1"},
        {"op": "add", "path": "/none/deep", "value": "1"},
    ],
)
async def test_a_json_patch_that_does_not_fit_is_refused(cluster: Cluster, operation: Json) -> None:
    await cluster.config_map("a", k="1")
    refused = await cluster.call("PATCH", cluster.path("configmaps", "a"), [operation], JSON_PATCH)
    assert (refused.code, refused.body["reason"]) == (422, "Invalid")


async def test_a_patch_of_the_wrong_shape_is_a_bad_request(cluster: Cluster) -> None:
    await cluster.config_map("a", k="1")
    path = cluster.path("configmaps", "a")
    assert (await cluster.call("PATCH", path, ["list"], MERGE)).code == 400
    assert (await cluster.call("PATCH", path, {"op": "add"}, JSON_PATCH)).code == 400
    assert (await cluster.call("PATCH", path, {}, "application/json")).code == 415
    assert (await cluster.call("PATCH", path, {"data": {}}, MERGE, force="true")).code == 422


async def test_a_strategic_patch_merges_lists_by_their_keys(cluster: Cluster) -> None:
    path = await _workload(cluster)
    change = {
        "env": [{"name": "B", "value": "changed"}, {"name": "C", "value": "3"}],
        "ports": [{"containerPort": 81}],
        "args": ["only"],
    }
    pod = {"containers": [{"name": "app", **change}, {"name": "side", "image": "side:1"}]}
    patched = await cluster.call("PATCH", path, {"spec": {"template": {"spec": pod}}}, STRATEGIC)
    assert patched.code == 200, patched.body
    app = _container(patched.body)
    assert {one["name"]: one["value"] for one in app["env"]} == {"A": "1", "B": "changed", "C": "3"}
    assert {one["containerPort"] for one in app["ports"]} == {80, 81}
    assert (app["args"], app["image"], app["volumeMounts"][0]["mountPath"]) == (["only"], "app:1", "/v")
    assert _container(patched.body, "side")["image"] == "side:1"


async def test_a_strategic_patch_has_directives(cluster: Cluster) -> None:
    path = await _workload(cluster)

    async def containers(*listed: Json) -> Json:
        body = {"spec": {"template": {"spec": {"containers": list(listed)}}}}
        patched = await cluster.call("PATCH", path, body, STRATEGIC)
        assert patched.code == 200, patched.body
        return patched.body

    body = await containers({"name": "app", "env": [{"name": "A", "$patch": "delete"}]})
    assert [one["name"] for one in _container(body)["env"]] == ["B"]
    body = await containers({"name": "app", "env": [{"name": "Z", "value": "1"}, {"$patch": "replace"}]})
    assert [one["name"] for one in _container(body)["env"]] == ["Z"]
    await containers({"name": "second", "image": "s:1"})
    swapped = {"containers": [], "$setElementOrder/containers": [{"name": "app"}, {"name": "second"}]}
    ordered = await cluster.call("PATCH", path, {"spec": {"template": {"spec": swapped}}}, STRATEGIC)
    assert [one["name"] for one in ordered.body["spec"]["template"]["spec"]["containers"]] == ["app", "second"]
    body = await containers({"name": "second", "$patch": "delete"})
    assert [one["name"] for one in body["spec"]["template"]["spec"]["containers"]] == ["app"]
    retained = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    recreated = await cluster.call("PATCH", path, {"spec": retained}, STRATEGIC)
    assert recreated.body["spec"]["strategy"] == {"type": "Recreate"}


async def test_a_strategic_patch_without_the_key_of_an_item_is_refused(cluster: Cluster) -> None:
    path = await _workload(cluster)
    body = {"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}
    refused = await cluster.call("PATCH", path, body, STRATEGIC)
    assert refused.code in {400, 500}
    assert "merge key: name" in refused.body["message"]


async def test_finalizers_merge_as_a_set(cluster: Cluster) -> None:
    await cluster.create("configmaps", {"metadata": {"name": "a", "finalizers": ["example.com/one"]}})
    path = cluster.path("configmaps", "a")
    both = await cluster.call("PATCH", path, {"metadata": {"finalizers": ["example.com/two"]}}, STRATEGIC)
    assert set(both.body["metadata"]["finalizers"]) == {"example.com/one", "example.com/two"}
    less = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/one"]}}
    assert (await cluster.call("PATCH", path, less, STRATEGIC)).body["metadata"]["finalizers"] == ["example.com/two"]
    await cluster.call("PATCH", path, {"metadata": {"finalizers": None}}, MERGE)


async def test_what_the_server_owns_is_not_patched(cluster: Cluster) -> None:
    made = await cluster.config_map("a")
    path = cluster.path("configmaps", "a")
    body = {"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z", "labels": {"x": "y"}}}
    patched = await cluster.call("PATCH", path, body, MERGE)
    assert patched.body["metadata"]["labels"] == {"x": "y"}
    assert patched.body["metadata"]["creationTimestamp"] == made.body["metadata"]["creationTimestamp"]
    assert (await cluster.call("PATCH", path, {"metadata": {"name": "b"}}, MERGE)).code in {400, 422}
    other = {"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}}
    assert (await cluster.call("PATCH", path, other, MERGE)).code in {409, 422}
