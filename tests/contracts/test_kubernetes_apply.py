"""Server-side apply: who owns which field, and what happens when two want the same."""

from typing import Any

from tests.contracts.kubernetes_cluster import APPLY, MERGE, Answer, Cluster

Json = dict[str, Any]


async def _apply(cluster: Cluster, plural: str, body: Json, *, group: str = "", manager: str = "bot", **query: str) -> Answer:
    name = body["metadata"]["name"]
    kinds = {"configmaps": "ConfigMap", "services": "Service", "deployments": "Deployment", "networkpolicies": "NetworkPolicy"}
    version = f"{group}/v1" if group else "v1"
    whole = {"apiVersion": version, "kind": kinds[plural], **body}
    return await cluster.call("PATCH", cluster.path(plural, name, group=group), whole, APPLY, fieldManager=manager, **query)


def _config(**data: str) -> Json:
    return {"metadata": {"name": "a"}, "data": data}


def _owned(answer: Answer, manager: str, operation: str = "Apply") -> Json:
    entries = answer.body["metadata"]["managedFields"]
    found: Json = next(one for one in entries if (one["manager"], one["operation"]) == (manager, operation))["fieldsV1"]
    return found


async def test_apply_creates_then_updates_then_leaves_alone(cluster: Cluster) -> None:
    first = await _apply(cluster, "configmaps", _config(k="1"))
    assert (first.code, first.body["data"]) == (201, {"k": "1"})
    second = await _apply(cluster, "configmaps", _config(k="2"))
    assert (second.code, second.body["data"]) == (200, {"k": "2"})
    same = await _apply(cluster, "configmaps", _config(k="2"))
    assert same.version == second.version


async def test_apply_needs_a_field_manager(cluster: Cluster) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", **_config(k="1")}
    refused = await cluster.call("PATCH", cluster.path("configmaps", "a"), body, APPLY)
    assert (refused.code, refused.body["reason"]) == (422, "Invalid")
    assert "fieldManager: Required value: is required for apply patch" in refused.body["message"]


async def test_fields_of_another_manager_are_a_conflict_that_names_it(cluster: Cluster) -> None:
    await _apply(cluster, "configmaps", _config(k="1"), manager="helm")
    refused = await _apply(cluster, "configmaps", _config(k="2"))
    assert (refused.code, refused.body["reason"]) == (409, "Conflict")
    assert refused.body["message"] == 'Apply failed with 1 conflict: conflict with "helm": .data.k'
    assert refused.body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "helm"', "field": ".data.k"}
    ]
    forced = await _apply(cluster, "configmaps", _config(k="2"), force="true")
    assert (forced.code, forced.body["data"]) == (200, {"k": "2"})
    assert _owned(forced, "bot") == {"f:data": {"f:k": {}}}
    assert not any(one["manager"] == "helm" and one.get("fieldsV1") for one in forced.body["metadata"]["managedFields"])


async def test_several_contested_fields_are_all_named(cluster: Cluster) -> None:
    await _apply(cluster, "configmaps", _config(j="1", k="1"), manager="helm")
    refused = await _apply(cluster, "configmaps", _config(j="2", k="2"))
    assert refused.body["message"].startswith('Apply failed with 2 conflicts: conflicts with "helm":\n- .data.')
    assert {cause["field"] for cause in refused.body["details"]["causes"]} == {".data.j", ".data.k"}


async def test_the_same_value_is_shared_and_stays_until_both_let_go(cluster: Cluster) -> None:
    await _apply(cluster, "configmaps", _config(k="1"), manager="helm")
    shared = await _apply(cluster, "configmaps", _config(k="1", mine="2"))
    assert shared.code == 200
    assert (await _apply(cluster, "configmaps", {"metadata": {"name": "a"}})).body["data"] == {"k": "1"}
    assert "data" not in (await _apply(cluster, "configmaps", {"metadata": {"name": "a"}}, manager="helm")).body


async def test_an_update_takes_the_fields_it_changes(cluster: Cluster) -> None:
    await _apply(cluster, "configmaps", _config(j="1", k="1"))
    edited = await cluster.call(
        "PATCH", cluster.path("configmaps", "a"), {"data": {"k": "2"}}, MERGE, fieldManager="kubectl-edit"
    )
    assert _owned(edited, "kubectl-edit", "Update") == {"f:data": {"f:k": {}}}
    refused = await _apply(cluster, "configmaps", _config(j="1", k="1"))
    assert (refused.code, refused.body["message"]) == (
        409,
        'Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: .data.k',
    )


async def test_whoever_creates_owns_the_defaults_too(cluster: Cluster) -> None:
    body = {"metadata": {"name": "s"}, "spec": {"selector": {"app": "x"}, "ports": [{"name": "http", "port": 80}]}}
    made = await cluster.create("services", body, fieldManager="helm")
    assert made.body["spec"]["type"] == "ClusterIP"
    wanted = {"metadata": {"name": "s"}, "spec": {"type": "ExternalName", "externalName": "new.example.com"}}
    refused = await _apply(cluster, "services", wanted)
    assert (refused.code, refused.body["message"]) == (
        409,
        'Apply failed with 1 conflict: conflict with "helm" using v1: .spec.type',
    )
    forced = await _apply(cluster, "services", wanted, force="true")
    assert forced.code == 200, forced.body
    spec = forced.body["spec"]
    assert (spec["type"], spec["externalName"], spec["selector"]) == ("ExternalName", "new.example.com", {"app": "x"})
    assert spec["ports"][0]["port"] == 80
    assert not spec.get("clusterIP")


def _deployment(*containers: Json, **spec: object) -> Json:
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": list(containers)}}
    return {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": pod, **spec}}


async def test_items_of_keyed_lists_are_owned_one_by_one(cluster: Cluster) -> None:
    app = {"name": "app", "image": "app:1", "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 80}]}
    made = await _apply(cluster, "deployments", _deployment(app), group="apps", manager="team")
    assert made.code == 201, made.body
    pod = _owned(made, "team")["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"app"}']
    assert "." in pod
    assert 'k:{"containerPort":80,"protocol":"TCP"}' in pod["f:ports"]
    side = {"metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}}
    both = await _apply(cluster, "deployments", side, group="apps")
    assert {one["name"] for one in both.body["spec"]["template"]["spec"]["containers"]} == {"app", "side"}
    without = {"metadata": {"name": "web"}, "spec": {"template": {"spec": {}}}}
    back = await _apply(cluster, "deployments", without, group="apps")
    assert back.code == 200, back.body
    assert [one["name"] for one in back.body["spec"]["template"]["spec"]["containers"]] == ["app"]
    twice = {"name": "app", "image": "app:1", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}
    refused = await _apply(cluster, "deployments", _deployment(twice), group="apps", manager="team")
    assert refused.code == 500
    assert "failed to create typed patch object" in refused.body["message"]


async def test_scaling_by_another_takes_the_replicas_away(cluster: Cluster) -> None:
    app = {"name": "app", "image": "app:1"}
    await _apply(cluster, "deployments", _deployment(app, replicas=2), group="apps", manager="team")
    path = cluster.path("deployments", "web", group="apps")
    await cluster.call("PATCH", f"{path}/scale", {"spec": {"replicas": 4}}, MERGE, fieldManager="scaler")
    refused = await _apply(cluster, "deployments", _deployment(app, replicas=2), group="apps", manager="team")
    assert (refused.code, refused.body["details"]["causes"][0]["field"]) == (409, ".spec.replicas")
    freed = await _apply(cluster, "deployments", _deployment(app), group="apps", manager="team")
    assert freed.body["spec"]["replicas"] == 4


async def test_unknown_and_mistyped_fields_are_refused(cluster: Cluster) -> None:
    unknown = await _apply(cluster, "deployments", _deployment({"name": "app", "image": "a:1"}, surprise=1), group="apps")
    assert unknown.code == 500
    assert "failed to create typed patch object" in unknown.body["message"]
    assert ".spec.surprise: field not declared in schema" in unknown.body["message"]


async def test_finalizers_of_two_managers_are_joined(cluster: Cluster) -> None:
    await _apply(cluster, "configmaps", {"metadata": {"name": "a", "finalizers": ["example.com/one"]}}, manager="helm")
    both = await _apply(cluster, "configmaps", {"metadata": {"name": "a", "finalizers": ["example.com/two"]}})
    assert set(both.body["metadata"]["finalizers"]) == {"example.com/one", "example.com/two"}
    await cluster.call("PATCH", cluster.path("configmaps", "a"), {"metadata": {"finalizers": None}}, MERGE)


async def test_apply_obeys_versions_rehearsals_and_refuses_owners(cluster: Cluster) -> None:
    first = await _apply(cluster, "configmaps", _config(k="1"))
    await _apply(cluster, "configmaps", _config(k="2"))
    old = {"metadata": {"name": "a", "resourceVersion": first.version}, "data": {"k": "3"}}
    assert (await _apply(cluster, "configmaps", old)).code == 409
    rehearsed = await _apply(cluster, "configmaps", _config(k="4"), dryRun="All")
    assert rehearsed.body["data"] == {"k": "4"}
    assert (await cluster.call("GET", cluster.path("configmaps", "a"))).body["data"] == {"k": "2"}
    owners = {"metadata": {"name": "a", "managedFields": [{"manager": "x", "operation": "Apply"}]}}
    assert (await _apply(cluster, "configmaps", owners)).code == 400
    stranger = {"metadata": {"name": "z", "uid": "00000000-0000-0000-0000-000000000000"}}
    assert (await _apply(cluster, "configmaps", stranger)).code == 409


async def test_owners_are_listed_without_the_dots_of_plain_maps(cluster: Cluster) -> None:
    cluster.differs("maps have no dot")
    made = await cluster.config_map("a", k="1")
    assert _owned(made, "contract", "Update") == {"f:data": {"f:k": {}}}


async def test_an_empty_list_of_rules_changes_nothing(cluster: Cluster) -> None:
    cluster.differs("empty rules")
    policy = {"metadata": {"name": "n"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}}
    first = await _apply(cluster, "networkpolicies", policy, group="networking.k8s.io")
    again = await _apply(cluster, "networkpolicies", policy, group="networking.k8s.io")
    assert again.version == first.version
