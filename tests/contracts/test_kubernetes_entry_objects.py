"""Autoscalers, budgets, policies, Ingresses and endpoints as the API keeps, rehearses and removes them."""

from typing import Any

import pytest

from tests.contracts.kubernetes_cluster import APPLY, MERGE, Answer, Cluster

Json = dict[str, Any]
SCALER = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 3}


def scalers(cluster: Cluster, name: str = "") -> str:
    home = f"/apis/autoscaling/v2/namespaces/{cluster.namespace}/horizontalpodautoscalers"
    return f"{home}/{name}" if name else home


async def test_an_autoscaler_is_filled_in_and_is_served_as_v2(cluster: Cluster) -> None:
    made = await cluster.call("POST", scalers(cluster), {"metadata": {"name": "web"}, "spec": SCALER})
    assert (made.code, made.body["spec"]["minReplicas"]) == (201, 1), made.body
    assert made.body["spec"]["metrics"][0]["resource"]["name"] == "cpu"
    groups = {one["name"]: one for one in (await cluster.call("GET", "/apis")).body["groups"]}
    assert groups["autoscaling"]["preferredVersion"]["groupVersion"] == "autoscaling/v2"
    listed = await cluster.call("GET", "/apis/autoscaling/v2")
    assert "horizontalpodautoscalers" in {one["name"] for one in listed.body["resources"]}
    assert (await cluster.call("DELETE", scalers(cluster, "web"))).code == 200
    assert (await cluster.call("GET", scalers(cluster, "web"))).code == 404


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"maxReplicas": 0}, "spec.maxReplicas"),
        ({"minReplicas": 4}, "spec.maxReplicas"),
        ({"scaleTargetRef": {"kind": "Deployment", "name": ""}}, "spec.scaleTargetRef.name"),
    ],
)
async def test_autoscalers_that_cannot_work_are_refused(cluster: Cluster, change: Json, where: str) -> None:
    refused = await cluster.call("POST", scalers(cluster), {"metadata": {"name": "web"}, "spec": {**SCALER, **change}})
    assert (refused.code, where in refused.body["message"]) == (422, True), refused.body


def ingress(backend: str, **annotations: str) -> Json:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": backend, "port": {"number": 80}}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "annotations": annotations},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "web.example.com", "http": {"paths": [path]}}]},
    }


async def applied(cluster: Cluster, item: Json, manager: str, **query: str) -> Answer:
    path = cluster.path("ingresses", "web", group="networking.k8s.io")
    return await cluster.call("PATCH", path, item, APPLY, fieldManager=manager, **query)


async def test_the_rules_of_an_ingress_are_owned_as_a_whole(cluster: Cluster) -> None:
    assert (await applied(cluster, ingress("old"), "team")).code == 201
    refused = await applied(cluster, ingress("new"), "bot")
    assert refused.code == 409
    assert refused.body["message"] == 'Apply failed with 1 conflict: conflict with "team": .spec.rules'
    marked = {**ingress("old"), "spec": {}, "metadata": {"name": "web", "annotations": {"bot/was": "old"}}}
    assert (await applied(cluster, marked, "bot")).body["metadata"]["annotations"] == {"bot/was": "old"}


async def test_a_rehearsed_merge_patch_of_rules_changes_nothing_and_a_stale_one_is_a_conflict(cluster: Cluster) -> None:
    made = await cluster.create("ingresses", ingress("old"), group="networking.k8s.io", fieldManager="helm")
    path = cluster.path("ingresses", "web", group="networking.k8s.io")
    change = {"spec": {"rules": ingress("new")["spec"]["rules"]}}
    rehearsed = await cluster.call("PATCH", path, change, MERGE, fieldManager="bot", dryRun="All")
    assert (rehearsed.code, rehearsed.body["spec"]["rules"]) == (200, change["spec"]["rules"])
    assert (await cluster.call("GET", path)).version == made.version
    done = await cluster.call("PATCH", path, change, MERGE, fieldManager="bot")
    assert done.code == 200
    owners = {one["manager"]: one["fieldsV1"].get("f:spec", {}) for one in done.body["metadata"]["managedFields"]}
    assert "f:rules" in owners["bot"]
    assert "f:rules" not in owners["helm"]
    stale = {"metadata": {"resourceVersion": made.version}, **change}
    assert (await cluster.call("PATCH", path, stale, MERGE)).code == 409


@pytest.mark.parametrize(
    ("plural", "group", "body"),
    [
        ("networkpolicies", "networking.k8s.io", {"spec": {"podSelector": {}, "policyTypes": ["Egress"]}}),
        ("poddisruptionbudgets", "policy", {"spec": {"maxUnavailable": 1, "selector": {}}}),
        ("endpointslices", "discovery.k8s.io", {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]}),
        ("ingresses", "networking.k8s.io", {"spec": ingress("old")["spec"]}),
    ],
)
async def test_a_rehearsed_deletion_leaves_the_object(cluster: Cluster, plural: str, group: str, body: Json) -> None:
    made = await cluster.create(plural, {"metadata": {"name": "a"}, **body}, group=group)
    assert made.code == 201, made.body
    path = cluster.path(plural, "a", group=group)
    assert (await cluster.call("DELETE", path, dryRun="All")).code == 200
    assert (await cluster.call("GET", path)).version == made.version
    stranger = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    assert (await cluster.call("DELETE", path, stranger)).code == 409
    assert (await cluster.call("DELETE", path)).code == 200
    assert (await cluster.call("GET", path)).code == 404
