"""What the server refuses to keep: names, values, sizes, and changes of what may not change."""

from typing import Any

import pytest

from tests.contracts.kubernetes_cluster import MERGE, Cluster

Json = dict[str, Any]


async def _refused(cluster: Cluster, plural: str, body: Json, *, group: str = "") -> str:
    answer = await cluster.create(plural, body, group=group)
    assert (answer.code, answer.body.get("reason")) == (422, "Invalid"), answer.body
    return str(answer.body["message"])


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "dot.", "a" * 254, ""])
async def test_names_are_lower_case_subdomains(cluster: Cluster, name: str) -> None:
    assert "metadata.name" in await _refused(cluster, "configmaps", {"metadata": {"name": name}})


async def test_labels_and_annotations_have_rules(cluster: Cluster) -> None:
    for labels in ({"a b": "c"}, {"a": "b c"}, {"a": "x" * 64}, {"/a": "b"}):
        assert "metadata.labels" in await _refused(cluster, "configmaps", {"metadata": {"name": "a", "labels": labels}})
    long = {"metadata": {"name": "a", "annotations": {"a": "x" * (256 * 1024)}}}
    assert "may not be more than 262144 bytes" in await _refused(cluster, "configmaps", long)


@pytest.mark.parametrize("key", ["a b", "a/b", "..", "..a", "ü", ""])
async def test_keys_of_a_config_map_have_a_rule(cluster: Cluster, key: str) -> None:
    assert "data[" in await _refused(cluster, "configmaps", {"metadata": {"name": "a"}, "data": {key: "1"}})


async def test_values_of_a_config_map_are_texts(cluster: Cluster) -> None:
    mistyped = await cluster.create("configmaps", {"metadata": {"name": "a"}, "data": {"k": 1}})
    assert (mistyped.code, mistyped.body["reason"]) == (400, "BadRequest")
    assert "cannot unmarshal number into Go struct field ConfigMap.data" in mistyped.body["message"]
    empty = await cluster.create("configmaps", {"metadata": {"name": "a"}, "data": {"k": None}})
    assert (empty.code, empty.body["data"]) == (201, {"k": ""})


async def test_unknown_fields_are_dropped_or_refused_as_asked(cluster: Cluster) -> None:
    body = {"metadata": {"name": "a"}, "data": {}, "surprise": 1}
    warned = await cluster.create("configmaps", body)
    assert (warned.code, "surprise" in warned.body) == (201, False)
    assert 'unknown field "surprise"' in warned.headers["Warning"].replace("\\", "")
    strict = await cluster.create("configmaps", {**body, "metadata": {"name": "b"}}, fieldValidation="Strict")
    assert (strict.code, 'strict decoding error: unknown field "surprise"' in strict.body["message"]) == (400, True)


async def test_a_config_map_holds_one_mebibyte(cluster: Cluster) -> None:
    assert (await cluster.create("configmaps", {"metadata": {"name": "a"}, "data": {"k": "x" * (1024 * 1024)}})).code == 201
    more = {"metadata": {"name": "b"}, "data": {"k": "x" * (1024 * 1024 + 1)}}
    assert "may not be more than 1048576 bytes" in await _refused(cluster, "configmaps", more)


async def test_a_request_holds_three_mebibytes(cluster: Cluster) -> None:
    body = {"metadata": {"name": "a"}, "data": {"k": "x" * (3 * 1024 * 1024)}}
    large = await cluster.create("configmaps", body)
    assert (large.code, large.body["reason"]) == (413, "RequestEntityTooLarge")


async def test_an_immutable_config_map_stays_as_it_is(cluster: Cluster) -> None:
    await cluster.create("configmaps", {"metadata": {"name": "a"}, "data": {"k": "1"}, "immutable": True})
    path = cluster.path("configmaps", "a")
    changed = await cluster.call("PATCH", path, {"data": {"k": "2"}}, MERGE)
    assert (changed.code, "field is immutable when `immutable` is set" in changed.body["message"]) == (422, True)
    assert (await cluster.call("PATCH", path, {"immutable": None}, MERGE)).code == 422
    assert (await cluster.call("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, MERGE)).code == 200


async def test_the_data_of_a_controller_revision_never_changes(cluster: Cluster) -> None:
    body = {"metadata": {"name": "r"}, "revision": 1, "data": {"record": "x", "nested": {"empty": {}, "nothing": None}}}
    made = await cluster.create("controllerrevisions", body, group="apps")
    assert made.code == 201, made.body
    path = cluster.path("controllerrevisions", "r", group="apps")
    assert (await cluster.call("PATCH", path, {"revision": 2}, MERGE)).code == 200
    changed = await cluster.call("PATCH", path, {"data": {"record": "y"}}, MERGE)
    assert (changed.code, "field is immutable" in changed.body["message"]) == (422, True)
    assert "revision" in await _refused(
        cluster, "controllerrevisions", {**body, "metadata": {"name": "s"}, "revision": -1}, group="apps"
    )


async def test_a_service_keeps_its_address(cluster: Cluster) -> None:
    made = await cluster.create("services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    spec = made.body["spec"]
    assert (spec["type"], spec["ports"][0]["targetPort"], spec["ports"][0]["protocol"]) == ("ClusterIP", 80, "TCP")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    path = cluster.path("services", "s")
    moved = await cluster.call("PATCH", path, {"spec": {"clusterIP": "10.96.77.77", "clusterIPs": ["10.96.77.77"]}}, MERGE)
    assert moved.code == 422
    replaced = await cluster.call("PUT", path, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 81}]}})
    assert replaced.body["spec"]["clusterIP"] == spec["clusterIP"]
    headless = await cluster.create("services", {"metadata": {"name": "h"}, "spec": {"clusterIP": "None"}})
    assert headless.body["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({}, "spec.ports"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port"),
        ({"ports": [{"port": 1}, {"port": 2}]}, "spec.ports[0].name"),
        ({"type": "ExternalName"}, "spec.externalName"),
        ({"type": "ExternalName", "externalName": "not a host"}, "spec.externalName"),
        ({"type": "Nonsense", "ports": [{"port": 80}]}, "spec.type"),
    ],
)
async def test_services_that_cannot_work_are_refused(cluster: Cluster, spec: Json, where: str) -> None:
    assert where in await _refused(cluster, "services", {"metadata": {"name": "s"}, "spec": spec})


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ({"path": "/"}, "pathType"),
        ({"path": "relative", "pathType": "Prefix"}, "path"),
        ({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s"}}}, "port"),
        ({"path": "/", "pathType": "Sometimes"}, "pathType"),
    ],
)
async def test_ingresses_that_cannot_work_are_refused(cluster: Cluster, path: Json, where: str) -> None:
    whole = {"backend": {"service": {"name": "s", "port": {"number": 80}}}, **path}
    body = {"metadata": {"name": "i"}, "spec": {"rules": [{"host": "a.example.com", "http": {"paths": [whole]}}]}}
    message = await _refused(cluster, "ingresses", body, group="networking.k8s.io")
    assert f"spec.rules[0].http.paths[0].{where}" in message or where in message


async def test_workloads_must_fit_themselves(cluster: Cluster) -> None:
    pod = {"metadata": {"labels": {"app": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    other = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": pod}}
    assert "selector" in await _refused(cluster, "deployments", other, group="apps")
    right = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"app": "b"}}, "template": pod}}
    made = await cluster.create("deployments", right, group="apps")
    assert made.body["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": "25%", "maxSurge": "25%"}
    assert made.body["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    path = cluster.path("deployments", "d", group="apps")
    moved = {"spec": {"selector": {"matchLabels": {"app": "b", "x": "y"}}, "template": {"metadata": {"labels": {"x": "y"}}}}}
    assert "field is immutable" in (await cluster.call("PATCH", path, moved, MERGE)).body["message"]
    mount = {"containers": [{"name": "c", "image": "i:1", "volumeMounts": [{"name": "none", "mountPath": "/x"}]}]}
    assert (await cluster.call("PATCH", path, {"spec": {"template": {"spec": mount}}}, MERGE)).code == 422


async def test_a_binding_keeps_its_role(cluster: Cluster) -> None:
    group = "rbac.authorization.k8s.io"
    ref = {"apiGroup": group, "kind": "Role", "name": "one"}
    await cluster.create("rolebindings", {"metadata": {"name": "b"}, "roleRef": ref}, group=group)
    changed = await cluster.call("PATCH", cluster.path("rolebindings", "b", group=group), {"roleRef": {"name": "two"}}, MERGE)
    assert (changed.code, "cannot change roleRef" in changed.body["message"]) == (422, True)
