"""What an entry is refused for, whom it belongs to, and what removal leaves: each with what to do."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from k8s import client, errors, model
from k8s.entries import entry_kinds
from k8s.entry_change import Stage
from tests.edges.entries import world as old
from tests.edges.entries.world import HOME, HOST, REPLACED, SERVICE, TEAM, World

Json = dict[str, Any]
NGINX = "nginx.ingress.kubernetes.io/"


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with old.old_cluster() as made:
        yield made


async def troubles(world: World, stage: Stage, service: model.Service = SERVICE, **settings: Any) -> str:
    plan = await world.entries(**settings).plan(service, stage)
    with pytest.raises(errors.Conflict):
        await world.entries(**settings).arrange(service, stage, plan.objects)
    return "\n".join(plan.troubles)


async def annotate(world: World, **marks: str) -> None:
    named = {NGINX + name.replace("_", "-"): value for name, value in marks.items()}
    await world.patch("Ingress", TEAM, "shop", {"metadata": {"annotations": named}})


def ingress(name: str, host: str, service: str, path: str = "/", **marks: str) -> Json:
    backend = {"service": {"name": service, "port": {"number": 8078}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": TEAM, "annotations": {NGINX + key: value for key, value in marks.items()}},
        "spec": {"rules": [{"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}]},
    }


@pytest.mark.parametrize(
    ("service", "told"),
    [
        (replace(SERVICE, old_backend=model.Backend("shop.example.com", 80), paths=()), "is no Service of this cluster"),
        (replace(SERVICE, old_backend=model.Backend("gone.aibang.svc", 80), paths=()), "there is no Service aibang/gone"),
        (
            replace(SERVICE, old_backend=model.Backend("files.aibang.svc", 8078), paths=()),
            "leads to aibang/files:http, aibang/shop",
        ),
        (replace(SERVICE, exposure=replace(SERVICE.exposure, old_host="other.example.com")), "no Ingress has the host"),
    ],
)
async def test_a_host_that_cannot_be_handed_over(world: World, service: model.Service, told: str) -> None:
    assert told in await troubles(world, Stage.PREPARE, service)


@pytest.mark.parametrize(
    ("mark", "value", "told"),
    [
        ("backend_protocol", "HTTPS", "speaks HTTPS to its backend"),
        ("upstream_vhost", "inside", "changes the host to inside"),
        ("ssl_passthrough", "true", "passes TLS through"),
        ("affinity", "cookie", "affinity-canary-behavior: legacy"),
    ],
)
async def test_an_ingress_that_says_what_proxies_cannot_do(world: World, mark: str, value: str, told: str) -> None:
    await annotate(world, **{mark: value})
    assert told in await troubles(world, Stage.PREPARE)


async def test_affinity_with_the_older_behaviour_is_no_trouble(world: World) -> None:
    await annotate(world, affinity="cookie", affinity_canary_behavior="legacy")
    assert (await world.entries().plan(SERVICE, Stage.PREPARE)).troubles == ()


async def test_another_class_of_ingress(world: World) -> None:
    assert "entry.ingress_class" in await troubles(world, Stage.PREPARE, ingress_class="traefik")


async def test_a_host_that_shares_the_service_would_go_along(world: World) -> None:
    await world.create(ingress("other", "other.example.com", "shop"))
    assert "other.example.com (Ingress aibang/other) leads to aibang/shop, too" in await troubles(world, Stage.PREPARE)
    assert (await world.entries().plan(REPLACED, Stage.PREPARE)).troubles == ()
    world.wished["other"] = replace(
        SERVICE, name="other", exposure=replace(SERVICE.exposure, old_host="other.example.com"), paths=()
    )
    assert (await world.entries().plan(SERVICE, Stage.PREPARE)).troubles == (), "the proxies know it"


async def test_a_canary_of_somebody_else_is_in_the_way(world: World) -> None:
    await world.create(ingress("try", HOST, "shop", canary="true"))
    assert "Ingress aibang/try is a canary for shop.team.example.com/ already" in await troubles(world, Stage.PREPARE)


async def test_a_path_that_nobody_named_is_told(world: World) -> None:
    await world.create(ingress("admin", HOST, "mail", "/admin"))
    left = "\n".join((await world.entries(load_balancers=()).plan(SERVICE, Stage.PREPARE)).left)
    assert "shop.team.example.com/admin leads to aibang/mail" in left
    assert "entry.load_balancers" in left


async def test_a_service_of_helm_is_never_taken(world: World) -> None:
    await world.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "new-cluster-proxy", "namespace": TEAM},
            "spec": {"selector": {"app": "x"}, "ports": [{"port": 443}]},
        },
        manager="helm",
    )
    plan = await world.entries().plan(SERVICE, Stage.PREPARE)
    (conflict,) = plan.conflicts
    assert "Service aibang/new-cluster-proxy belongs to somebody else" in conflict
    assert 'conflict with "helm" using v1: .spec.type' in conflict
    with pytest.raises(errors.Conflict, match="helm"):
        await world.entries().arrange(SERVICE, Stage.PREPARE, plan.objects)
    assert (await world.live("Service", TEAM, "new-cluster-proxy"))["spec"]["type"] == "ClusterIP"


async def own_rules(world: World, manager: str, *, apply: bool) -> None:
    item = await world.live("Ingress", TEAM, "shop")
    await world.delete("Ingress", TEAM, "shop")
    plain = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "shop", "namespace": TEAM}}
    body = {**plain, "spec": item["spec"]}
    if apply:
        kind = client.PatchKind.APPLY
        await world.api.patch(entry_kinds.INGRESSES, TEAM, "shop", body, kind=kind, field_manager=manager)
    else:
        await world.create(body, manager=manager)


@pytest.mark.parametrize(("manager", "apply"), [("somebody", True), ("argocd-controller", False)])
async def test_rules_that_would_come_back_are_a_conflict_but_not_on_the_way_to_old(
    world: World, manager: str, apply: bool
) -> None:
    await own_rules(world, manager, apply=apply)
    plan = await world.entries().plan(REPLACED, Stage.PREPARE)
    assert f"the rules of Ingress aibang/shop belong to {manager}" in plan.conflicts[0]
    with pytest.raises(errors.Conflict):
        await world.entries().arrange(REPLACED, Stage.PREPARE, plan.objects)
    assert (await world.entries().plan(SERVICE, Stage.PREPARE)).conflicts == (), "a canary leaves the Ingress as it is"
    await world.stage(Stage.PREPARE)
    await world.proxies_ready()
    forwarded = old.expected("forward-proxy")[-1]["spec"]["rules"]
    await world.patch("Ingress", TEAM, "shop", {"spec": {"rules": forwarded}}, manager=manager)
    assert await world.stage(Stage.BYPASS)
    backend = (await world.live("Ingress", TEAM, "shop"))["spec"]["rules"][0]["http"]["paths"][0]["backend"]
    assert backend["service"] == {"name": "shop", "port": {"number": 8078}}


async def test_a_bypass_without_a_believable_original_goes_where_the_document_says(world: World) -> None:
    await world.stage(Stage.PREPARE, REPLACED)
    mark = "shop.entry.ferry.migration/original"
    await world.patch("Ingress", TEAM, "shop", {"metadata": {"annotations": {mark: '{"paths": [], "annotations": {}}'}}})
    plan = await world.entries().plan(REPLACED, Stage.BYPASS)
    assert "does not fit its digest: what migration.yaml names as old_backend is put there" in plan.left[0]
    await world.stage(Stage.BYPASS, REPLACED)
    paths = (await world.live("Ingress", TEAM, "shop"))["spec"]["rules"][0]["http"]["paths"]
    assert [(one["path"], one["backend"]["service"]) for one in paths] == [
        ("/", {"name": "shop", "port": {"number": 8078}}),
        ("/static", {"name": "files", "port": {"number": 80}}),
    ]


async def test_a_bypass_needs_an_old_service_and_says_that_nothing_answers(world: World) -> None:
    await world.stage(Stage.PREPARE)
    await world.delete("EndpointSlice", TEAM, "shop-1")
    assert "nothing is ready behind Service aibang/shop" in "\n".join((await world.entries().plan(SERVICE, Stage.BYPASS)).left)
    await world.delete("Service", TEAM, "shop")
    assert "Service aibang/shop is gone" in await troubles(world, Stage.BYPASS)


async def test_a_bypass_marks_the_service_even_if_somebody_took_it(world: World) -> None:
    await world.stage(Stage.PREPARE)
    taken = {"metadata": {"annotations": {"ferry.migration/entry": "canary", "x": "y"}}}
    await world.patch("Service", HOME, "migration-proxy-shop", {"metadata": {"annotations": {"ferry.migration/entry": "proxy"}}})
    await world.patch("Service", HOME, "migration-proxy-shop", taken)
    await world.stage(Stage.BYPASS)
    live = await world.live("Service", HOME, "migration-proxy-shop")
    assert live["metadata"]["annotations"]["ferry.migration/entry"] == "bypassed"


async def test_a_forward_needs_an_entry_ready_proxies_and_an_ingress_of_its_own(world: World) -> None:
    assert "/migrate prepare shop first" in await troubles(world, Stage.FORWARD)
    await world.stage(Stage.PREPARE)
    assert "no proxy is ready behind Service migration-system/migration-proxy-shop" in await troubles(world, Stage.FORWARD)
    await world.proxies_ready()
    assert "entry.ca_secret" in await troubles(world, Stage.FORWARD, forward="direct")
    rules = (await world.live("Ingress", TEAM, "shop"))["spec"]["rules"]
    await world.patch("Ingress", TEAM, "shop", {"spec": {"rules": [*rules, {**rules[0], "host": "other.example.com"}]}})
    told = await troubles(world, Stage.FORWARD, forward="direct", ca_secret="ca")
    assert "serves other.example.com/, other.example.com/static, too" in told
    plan = await world.entries().plan(SERVICE, Stage.FORWARD)
    assert plan.troubles == ()
    assert "its rules come from kubectl-edit; whoever applies that source again puts the old backend back" in plan.left[0]


async def test_an_entry_changes_its_way_only_over_a_bypass(world: World) -> None:
    await world.stage(Stage.PREPARE)
    assert "/migrate bypass shop first" in await troubles(world, Stage.PREPARE, REPLACED)
    await world.stage(Stage.BYPASS)
    await world.stage(Stage.PREPARE, REPLACED)
    assert "/migrate bypass shop first" in await troubles(world, Stage.PREPARE, SERVICE)
    await world.proxies_ready()
    await world.stage(Stage.FORWARD, REPLACED)
    assert "is forwarded for good" in await troubles(world, Stage.PREPARE, REPLACED)


async def test_removal_comes_after_the_forward_only(world: World) -> None:
    told = await troubles(world, Stage.REMOVE)
    assert "is not forwarded for good" in told
    assert "Ingress aibang/shop leads shop.team.example.com/ to Service aibang/shop: /migrate finish shop first" in told


async def finished(world: World) -> None:
    await world.stage(Stage.PREPARE)
    await world.proxies_ready()
    await world.stage(Stage.FORWARD)


async def test_removal_leaves_what_others_use(world: World) -> None:
    await finished(world)
    other = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "inside", "namespace": TEAM}}
    await world.create({**other, "spec": {"selector": {"tier": "web"}, "ports": [{"port": 80}]}})
    plan = await world.entries().plan(SERVICE, Stage.REMOVE)
    assert "delete Deployment aibang/shop" not in dict(plan.objects)
    assert "delete HorizontalPodAutoscaler aibang/shop" not in dict(plan.objects)
    assert "Deployment aibang/shop stays, because Service aibang/inside leads to its pods, too" in plan.left
    await world.create(ingress("late", "late.example.com", "files"))
    assert "Ingress aibang/late leads late.example.com/ to Service aibang/files" in await troubles(world, Stage.REMOVE)


async def test_removal_waits_for_another_service_of_the_same_application(world: World) -> None:
    await finished(world)
    host = "till.team.example.com"
    till = replace(SERVICE, name="till", exposure=replace(SERVICE.exposure, old_host=host), paths=())
    world.wished["till"] = till
    await world.create(ingress("till", host, "shop"))
    told = await troubles(world, Stage.REMOVE)
    assert "service till has the same old Service aibang/shop and is not finished" in told


async def test_what_was_created_again_under_the_same_name_is_not_what_was_approved_to_go(world: World) -> None:
    await finished(world)
    plan = await world.entries().plan(SERVICE, Stage.REMOVE)
    assert len({digest for _, digest in plan.objects} - {""}) == len(plan.objects)
    budget = await world.live("PodDisruptionBudget", TEAM, "shop")
    await world.delete("PodDisruptionBudget", TEAM, "shop")
    await world.create(old.cleaned(budget))
    with pytest.raises(errors.Conflict, match=r"PodDisruptionBudget aibang/shop would become something else than was approved"):
        await world.entries().arrange(SERVICE, Stage.REMOVE, plan.objects)
    assert await world.live("Service", TEAM, "shop"), "nothing went"


async def test_removal_leaves_pods_of_strangers_and_waits_for_those_that_end(world: World) -> None:
    await finished(world)
    box = {"containers": [{"name": "app", "image": "x:1"}]}
    labels = {"app": "shop", "tier": "web", "made": "by-hand"}
    metadata = {"name": "hand-made", "namespace": TEAM, "labels": labels}
    await world.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": box})
    plan = await world.entries().plan(SERVICE, Stage.REMOVE)
    assert not [one for one in plan.left if "hand-made" in one], "the Deployment's selector takes it for its own"
    with pytest.raises(errors.Busy, match=r"still there in aibang .* done before: HorizontalPodAutoscaler aibang/shop deleted"):
        await world.entries().arrange(SERVICE, Stage.REMOVE, plan.objects)
    assert await world.live("Service", TEAM, "shop"), "Services go last"
    again = await world.entries().plan(SERVICE, Stage.REMOVE)
    assert "pod aibang/hand-made stays: it belongs to nobody, which Ferry does not remove" in again.left
    await world.entries().arrange(SERVICE, Stage.REMOVE, plan.objects)
    with pytest.raises(errors.Missing):
        await world.live("PodDisruptionBudget", TEAM, "shop")
