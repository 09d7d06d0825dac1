"""Every stage, carried out with the rights that are shipped, leaves exactly the objects of a list written by hand."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from deploy.playground.kubernetes.faults import Match
from k8s import entry_change, errors
from k8s.entries import entry_kinds
from k8s.entry_change import Stage
from tests.edges.entries import world as old
from tests.edges.entries.world import HOME, REPLACED, SERVICE, TEAM, World

Json = dict[str, Any]
DIRECT = {"forward": "direct", "ca_secret": "new-cluster-ca"}


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with old.old_cluster() as made:
        yield made


def key(item: Json) -> tuple[str, str, str]:
    return item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]


async def of_ferry(world: World) -> list[Json]:
    """What Ferry made, and the application's own Ingress."""
    found = await world.objects("Ingress", "Service", "NetworkPolicy")
    ours = [one for one in found if one["metadata"].get("labels", {}).get("ferry.migration/service")]
    return sorted([*ours, *(one for one in found if key(one) == ("Ingress", TEAM, "shop"))], key=key)


def listed(name: str) -> list[Json]:
    return sorted(({**one, "apiVersion": one["apiVersion"]} for one in old.expected(name)), key=key)


async def check(world: World, name: str) -> None:
    found = await of_ferry(world)
    assert found == [{name: value for name, value in one.items() if name != "apiVersion"} for one in listed(name)]


async def test_prepare_by_a_canary(world: World) -> None:
    told = await world.stage(Stage.PREPARE)
    await check(world, "prepare-canary")
    assert told.endswith("Ingress migration-system/migration-proxy-shop applied")


async def test_prepare_by_replacing_the_backend(world: World) -> None:
    await world.stage(Stage.PREPARE, REPLACED)
    await check(world, "prepare-replace")


@pytest.mark.parametrize("service", [SERVICE, REPLACED], ids=["canary", "replace"])
@pytest.mark.parametrize(("settings", "name"), [({}, "forward-proxy"), (DIRECT, "forward-direct")])
async def test_the_end_is_a_forward(world: World, service: Any, settings: Json, name: str) -> None:
    await world.stage(Stage.PREPARE, service)
    await world.proxies_ready()
    await world.stage(Stage.FORWARD, service, **settings)
    await check(world, name)


@pytest.mark.parametrize("service", [SERVICE, REPLACED], ids=["canary", "replace"])
async def test_a_bypass_puts_the_original_back(world: World, service: Any) -> None:
    await world.stage(Stage.PREPARE, service)
    await world.stage(Stage.BYPASS, service)
    await check(world, "bypass" if service is SERVICE else "bypass-of-a-forward")
    await world.stage(Stage.PREPARE, service)
    await check(world, "prepare-canary" if service is SERVICE else "prepare-replace")


@pytest.mark.parametrize("settings", [{}, DIRECT], ids=["proxy", "direct"])
async def test_a_bypass_of_a_forward_puts_the_original_back(world: World, settings: Json) -> None:
    await world.stage(Stage.PREPARE)
    await world.proxies_ready()
    await world.stage(Stage.FORWARD, **settings)
    await world.stage(Stage.BYPASS, **settings)
    await check(world, "bypass-of-a-forward")


async def finished(world: World) -> None:
    await world.stage(Stage.PREPARE)
    await world.proxies_ready()
    await world.stage(Stage.FORWARD)


async def test_removal_takes_the_old_application_in_order_and_nothing_else(world: World) -> None:
    await finished(world)
    everything = ("Deployment", "StatefulSet", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service")
    before = {key(one) for one in await world.objects(*everything)}
    plan = await world.entries().plan(SERVICE, Stage.REMOVE)
    assert [name for name, _ in plan.objects] == [
        "delete HorizontalPodAutoscaler aibang/shop",
        "delete Deployment aibang/shop",
        "delete StatefulSet aibang/files",
        "delete PodDisruptionBudget aibang/shop",
        "delete Service aibang/shop",
        "delete Service aibang/files",
        "delete Service aibang/files-pods",
    ]
    assert plan.left == (
        "Ingress aibang/shop stays: it is the forward, and DNS points at its load balancer",
        "ConfigMap shop-settings of Deployment aibang/shop stays: others may use it, and data is never deleted here",
        "Secret shop-database of Deployment aibang/shop stays: others may use it, and data is never deleted here",
        "PersistentVolumeClaims disk-… of StatefulSet aibang/files stays: others may use it, and data is never deleted here",
    )
    await world.entries().arrange(SERVICE, Stage.REMOVE, plan.objects)
    gone = before - {key(one) for one in await world.objects(*everything)}
    assert gone == {(kind, TEAM, name) for kind, name in (
        ("HorizontalPodAutoscaler", "shop"), ("Deployment", "shop"), ("StatefulSet", "files"), ("PodDisruptionBudget", "shop"),
        ("Service", "shop"), ("Service", "files"), ("Service", "files-pods"),
    )}  # fmt: skip
    await check(world, "forward-proxy")
    assert await world.entries().arrange(SERVICE, Stage.REMOVE, plan.objects) == "everything was so already"


async def versions(world: World) -> list[str]:
    return [
        one["metadata"]["resourceVersion"]
        for resource in (entry_kinds.SERVICES, entry_kinds.INGRESSES, entry_kinds.POLICIES)
        for one in (await world.api.list(resource, ""))["items"]
    ]


async def test_a_rehearsal_changes_nothing(world: World) -> None:
    everything = ("Ingress", "Service", "NetworkPolicy")
    before = await world.objects(*everything)
    for service, settings in ((SERVICE, {}), (REPLACED, {}), (SERVICE, DIRECT)):
        for stage in Stage:
            await world.entries(**settings).plan(service, stage)
    assert await world.objects(*everything) == before


@pytest.mark.parametrize("service", [SERVICE, REPLACED], ids=["canary", "replace"])
async def test_what_is_so_already_is_left(world: World, service: Any) -> None:
    entries = world.entries()
    plan = await entries.plan(service, Stage.PREPARE)
    await entries.arrange(service, Stage.PREPARE, plan.objects)
    before = await versions(world)
    assert await entries.arrange(service, Stage.PREPARE, plan.objects) == "everything was so already"
    again = await entries.plan(service, Stage.PREPARE)
    assert again.diff == ""
    assert await versions(world) == before


async def test_services_that_share_a_namespace_have_a_new_cluster_proxy_each(world: World) -> None:
    world.wished["till"] = replace(
        SERVICE,
        name="till",
        exposure=replace(SERVICE.exposure, old_host="till.team.example.com", new_host="till.kong.example.com"),
        paths=(),
    )
    await world.stage(Stage.PREPARE)
    live = await world.live("Service", TEAM, "new-cluster-proxy-shop")
    assert live["spec"]["externalName"] == "shop.kong.example.com"
    del world.wished["till"]
    plan = await world.entries().plan(SERVICE, Stage.PREPARE)
    assert plan.diff == "", "a name that is taken stays"


async def test_an_arrangement_that_would_become_something_else_is_not_made(world: World) -> None:
    plan = await world.entries().plan(SERVICE, Stage.PREPARE)
    ingress = await world.live("Ingress", TEAM, "shop")
    rules = ingress["spec"]["rules"]
    rules[0]["http"]["paths"].append({**rules[0]["http"]["paths"][0], "path": "/more"})
    await world.patch("Ingress", TEAM, "shop", {"spec": {"rules": rules}})
    with pytest.raises(errors.Conflict, match="apply Ingress migration-system/migration-proxy-shop would become something else"):
        await world.entries().arrange(SERVICE, Stage.PREPARE, plan.objects)
    assert [key(one) for one in await of_ferry(world)] == [("Ingress", TEAM, "shop")]


async def test_a_failure_in_the_middle_says_what_was_done_and_can_be_taken_up_again(world: World) -> None:
    plan = await world.entries().plan(REPLACED, Stage.PREPARE)
    role = await world.live("ClusterRole", "", "ferry-entries")
    await world.patch("ClusterRole", "", "ferry-entries", {"rules": role["rules"][1:]})
    with pytest.raises(errors.Forbidden) as caught:
        await world.entries().plan(REPLACED, Stage.PREPARE)
    assert "services" in str(caught.value)
    await world.patch("ClusterRole", "", "ferry-entries", {"rules": role["rules"]})
    world.server.faults.forbid(Match(verb="get", resource="ingresses"), times=1)
    with pytest.raises(errors.Forbidden, match="done before: NetworkPolicy migration-system/migration-proxy-shop applied"):
        await world.entries().arrange(REPLACED, Stage.PREPARE, plan.objects)
    await world.entries().arrange(REPLACED, Stage.PREPARE, plan.objects)
    await check(world, "prepare-replace")


async def test_the_proxies_service_is_home_before_any_ingress_leads_to_it(world: World) -> None:
    for service in (SERVICE, REPLACED):
        plan = await world.entries().plan(service, Stage.PREPARE)
        kinds = [change.kind for change in plan.changes]
        assert kinds.index("Ingress") > kinds.index("Service")
        assert "Service" not in kinds[kinds.index("Ingress") :]
        assert plan.changes[0].verb is entry_change.Verb.APPLY
    assert HOME in plan.diff
