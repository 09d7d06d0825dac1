"""How an entry stands, and what somebody else changed of it, as soon as the API server says so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from k8s.entries import cluster_entries
from k8s.entry_change import EntryState, EntryView, Stage
from tests.edges.entries import world as old
from tests.edges.entries.world import HOME, HOST, REPLACED, SERVICE, TEAM, World

Json = dict[str, Any]
MARK = "ferry.migration/entry"


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with old.old_cluster() as made:
        yield made


@pytest_asyncio.fixture
async def entries(world: World) -> AsyncIterator[cluster_entries.Entries]:
    made = world.entries()
    made.start()
    try:
        yield made
    finally:
        await made.stop()


async def until(entries: cluster_entries.Entries, holds: Callable[[EntryView], bool]) -> EntryView:
    """The first view that is as wanted."""
    seen = EntryView()
    try:
        async with asyncio.timeout(30):
            while not holds(seen):
                await asyncio.sleep(0.02)
                seen = entries.view("shop")
    except TimeoutError:
        pytest.fail(f"it stays at {seen}")
    return seen


async def state(entries: cluster_entries.Entries, wanted: EntryState) -> EntryView:
    return await until(entries, lambda view: view.state is wanted)


async def test_unknown_before_anybody_looked_and_without_rights(world: World) -> None:
    assert world.entries().view("shop") == EntryView(sentence="the ingresses of the cluster were not read yet")
    assert "not in migration.yaml" in world.entries().view("other").sentence
    await world.delete("ClusterRoleBinding", "", "ferry-bot-discovery")
    blind = world.entries()
    blind.start()
    told = await until(blind, lambda view: "cannot be watched" in view.sentence)
    await blind.stop()
    assert (told.state, told.old_ready) == (EntryState.UNKNOWN, None)


@pytest.mark.parametrize("service", [SERVICE, REPLACED], ids=["canary", "replace"])
async def test_the_whole_way(world: World, entries: cluster_entries.Entries, service: Any) -> None:
    world.wished["shop"] = service
    direct = await state(entries, EntryState.DIRECT)
    assert (direct.drift, direct.old_ready) == ((), 2), "the fewest of its backends"
    await world.stage(Stage.PREPARE, service)
    waiting = await state(entries, EntryState.BROKEN)
    assert (waiting.drift, "no proxy is ready" in waiting.sentence) == ((), True)
    await world.proxies_ready()
    assert (await state(entries, EntryState.ENTERED)).drift == ()
    await world.stage(Stage.BYPASS, service)
    assert "passes the proxies by" in (await state(entries, EntryState.DIRECT)).sentence
    await world.stage(Stage.PREPARE, service)
    await state(entries, EntryState.ENTERED)
    await world.stage(Stage.FORWARD, service)
    assert "through the proxies" in (await state(entries, EntryState.FORWARD)).sentence
    await world.stage(Stage.REMOVE, service)
    await world.delete("EndpointSlice", TEAM, "shop-1")
    removed = await until(entries, lambda view: view.old_ready == 0)
    assert (removed.state, removed.drift) == (EntryState.FORWARD, ())


async def test_a_direct_forward_needs_no_proxy(world: World) -> None:
    settings: Json = {"forward": "direct", "ca_secret": "ca"}
    entries = world.entries(**settings)
    entries.start()
    await world.stage(Stage.PREPARE)
    await world.proxies_ready()
    await world.stage(Stage.FORWARD, **settings)
    await world.delete("EndpointSlice", HOME, "migration-proxy-shop-1")
    assert "by the ingress itself" in (await state(entries, EntryState.FORWARD)).sentence
    named = "nginx.ingress.kubernetes.io/upstream-vhost"
    await world.patch("Ingress", TEAM, "shop", {"metadata": {"annotations": {named: "else.example.com"}}})
    broken = await state(entries, EntryState.BROKEN)
    assert f"Ingress aibang/shop: {named} changed (by kubectl-edit, " in broken.drift[0]
    await entries.stop()


@pytest_asyncio.fixture
async def entered(world: World, entries: cluster_entries.Entries) -> cluster_entries.Entries:
    await world.stage(Stage.PREPARE)
    await world.proxies_ready()
    await state(entries, EntryState.ENTERED)
    return entries


@pytest.mark.parametrize(
    ("kind", "namespace", "name"),
    [("Ingress", HOME, "migration-proxy-shop"), ("Service", HOME, "migration-proxy-shop"), ("Ingress", TEAM, "shop")],
)
async def test_a_deleted_object_is_seen(
    world: World, entered: cluster_entries.Entries, kind: str, namespace: str, name: str
) -> None:
    await world.delete(kind, namespace, name)
    view = await state(entered, EntryState.BROKEN)
    told = "no Ingress leads" if namespace == TEAM else f"{kind} {namespace}/{name} is gone"
    assert view.drift[0].startswith(told)
    assert view.past is (kind == "Ingress" and namespace == HOME), "without the canary everything goes to old"


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("Ingress", {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary-weight": "10"}}}, "canary-weight"),
        ("Ingress", {"spec": {"ingressClassName": "other"}}, "spec.ingressClassName"),
        ("Service", {"spec": {"selector": {"app": "else"}}}, "spec.selector.app.kubernetes.io/name"),
        ("Service", {"metadata": {"annotations": {MARK: "nonsense"}}}, "was changed"),
    ],
)
async def test_an_edited_object_names_its_field_and_who_did_it(
    world: World, entered: cluster_entries.Entries, kind: str, body: Json, field: str
) -> None:
    if "selector" in body.get("spec", {}):
        body = {"spec": {"selector": {"app.kubernetes.io/name": None, "app": "else"}}}
    await world.patch(kind, HOME, "migration-proxy-shop", body, manager="somebody")
    view = await state(entered, EntryState.BROKEN)
    (drift,) = view.drift
    assert (view.past, view.meant is EntryState.ENTERED) == (field == "canary-weight", field != "was changed")
    assert field in drift
    assert "(by somebody, 20" in drift


async def test_a_path_that_came_later_is_not_covered(world: World, entered: cluster_entries.Entries) -> None:
    rules = (await world.live("Ingress", TEAM, "shop"))["spec"]["rules"]
    paths = rules[0]["http"]["paths"]
    rules[0]["http"]["paths"] = [{**paths[0], "path": "/api"}, *paths]
    await world.patch("Ingress", TEAM, "shop", {"spec": {"rules": rules}})
    view = await state(entered, EntryState.BROKEN)
    assert "spec.rules[0].http.paths changed" in view.drift[0]
    await world.stage(Stage.PREPARE)
    assert (await state(entered, EntryState.ENTERED)).drift == ()


async def test_an_ingress_that_its_owner_put_back_is_seen(world: World, entries: cluster_entries.Entries) -> None:
    world.wished["shop"] = REPLACED
    await world.stage(Stage.PREPARE, REPLACED)
    await world.proxies_ready()
    await state(entries, EntryState.ENTERED)
    rules = next(one for one in old.expected("application") if one["kind"] == "Ingress")["spec"]["rules"]
    await world.patch("Ingress", TEAM, "shop", {"spec": {"rules": rules}}, manager="helm")
    view = await state(entries, EntryState.BROKEN)
    assert view.drift[0].startswith("Ingress aibang/shop leads shop.team.example.com/ to shop (by helm, ")
    await world.stage(Stage.PREPARE, REPLACED)
    await state(entries, EntryState.ENTERED)


async def test_another_services_drift_is_not_ours(world: World, entered: cluster_entries.Entries) -> None:
    world.wished["till"] = replace(
        SERVICE, name="till", exposure=replace(SERVICE.exposure, old_host="till.example.com"), paths=()
    )
    await world.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x", "namespace": TEAM}, "spec": {
        "type": "ExternalName", "externalName": "x.example.com"}})  # fmt: skip
    assert entered.view("shop").state is EntryState.ENTERED
    assert entered.view("till").state is EntryState.DIRECT


async def test_watches_that_break_are_taken_up_again(world: World, entered: cluster_entries.Entries) -> None:
    world.server.faults.close_watches(cleanly=False)
    await world.stage(Stage.BYPASS)
    assert HOST in (await state(entered, EntryState.DIRECT)).sentence
    world.server.faults.expire_watches()
    await world.stage(Stage.PREPARE)
    await state(entered, EntryState.ENTERED)
