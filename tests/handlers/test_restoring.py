"""A broken document is put back as it was last whole; one that stays broken, or is broken again, means 100% old."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from handlers import adopting, hold, restoring, tasks
from handlers.rules import effects
from k8s import client, errors, hold_document, model, protocol, proxy_report, views, wish
from tests.handlers.world import LIMITS, NAMESPACE, World, document

BAD = document(shop=25).replace(
    'strategy: "weight"\n    enabled: true\n', 'strategy: "weight"\n    enabled: maybe\n', 1
)  # of cart
STATES = views.DocumentState


async def mends(world: World, **limits: float) -> None:
    """The bot begins anew with short times."""
    world.limits = replace(LIMITS, **({"put_back": 0.05, "severe": 60.0} | limits))
    await world.restart()


async def text(world: World) -> str:
    found = await world.api.get(client.CONFIG_MAPS, NAMESPACE, wish.CONFIG_MAP)
    return str(found["data"][wish.DOCUMENT])


async def kept(world: World) -> Mapping[str, Any]:
    """Once the last whole document is kept."""
    while True:
        try:
            found = await world.api.get(client.CONFIG_MAPS, NAMESPACE, wish.LAST_WHOLE)
        except errors.Missing:
            found = {"data": {}}
        if (found["data"] or {}).get(wish.DOCUMENT) == world.cluster.view().document.text:
            return dict(found["data"])
        await world.clock.sleep(0.02)


def state(world: World) -> views.DocumentState:
    return world.cluster.view().document_state


async def test_an_unreadable_document_is_put_back_once_with_a_card_and_traffic_stays(world: World) -> None:
    await world.raised(25)
    before = await text(world)
    await mends(world)
    other = world.new_front()
    await other.start()
    await kept(world)
    await world.put_document("services: [\n")
    await world.until(lambda: state(world) is STATES.WHOLE and world.cluster.view().document.put_back)
    assert await text(world) == before
    await world.until(lambda: any("was put back" in one.summary for one in world.chat.alerts))
    assert (await kept(world))[wish.REFUSED] == "services: [\n"
    await other.stop()
    assert len([one for one in world.chat.alerts if "was put back" in one.summary]) == 1
    settled = [event.sentence for event in world.audit.events if event.kind is effects.EventKind.SETTLED]
    assert [one for one in settled if "was put back" in one] != []
    assert (world.weight(), world.standing(), world.agents.served("shop")) == (25, (), [25, 25])


async def test_a_refused_entry_alone_is_put_back_and_a_weight_lowered_beside_it_stays_low(world: World) -> None:
    await world.raised(25)
    await mends(world)
    await kept(world)
    await world.put_document(BAD.replace("percentage: 25", "percentage: 5") + "# mine\n")
    await world.until(lambda: state(world) is STATES.WHOLE and world.weight() == 5)
    assert await text(world) == document(shop=5) + "# mine\n"
    assert world.standing() == ()


async def test_while_an_entry_is_refused_others_are_raised_and_it_is_not(world: World) -> None:
    await world.put_document(BAD.replace("percentage: 25", "percentage: 0"))
    await world.until(lambda: state(world) is STATES.ENTRIES)
    await world.raised(25)
    assert world.agents.served("shop") == [25, 25]
    asked = await world.ask(5, service="cart")
    assert asked.refusal is not None
    assert "cart" in asked.sentence
    assert "true or false" in asked.sentence


@pytest.mark.parametrize("broken", ["services: [\n", "BAD"])
async def test_a_bot_that_starts_with_a_broken_document_lowers_nothing(world: World, broken: str) -> None:
    await world.raised(25)
    bad = document(shop=25).replace("migration_percentage: 25", "migration_percent: 25") if broken == "BAD" else broken
    await world.front.stop()
    await world.put_document(bad)
    await world.watch.stop()
    fresh = type(world)(world.server, world.api, world.signer)
    fresh.agents.memory = world.agents.memory
    async with fresh.watch:
        await fresh.front.start()
        while not fresh.cluster.view().synced or not fresh.agents.served("shop"):
            await fresh.cluster.changed()
        for _ in range(10):
            await fresh.clock.sleep(fresh.limits.tick)  # rounds of the guard, in which nothing may happen
        view = fresh.cluster.service("shop")
        assert (view.wished, view.wish_known, fresh.weight(), fresh.agents.served("shop")) == (None, False, 25, [25, 25])
        await fresh.front.stop()


async def test_a_missing_document_means_old_and_is_written_again_at_0(world: World) -> None:
    await world.raised(25)
    await mends(world)
    await kept(world)
    await world.api.delete(client.CONFIG_MAPS, NAMESPACE, wish.CONFIG_MAP)
    await world.until(lambda: state(world) is STATES.MISSING)
    await world.until(lambda: state(world) is STATES.WHOLE and world.weight() == 0)
    assert await text(world) == document()
    assert world.agents.served("shop") == [0, 0]
    assert len([page for page in world.chat.pages if "is missing" in page]) == 1
    assert world.standing() == ()


async def test_what_a_controller_keeps_is_not_put_back_but_held_when_nobody_corrects_it(world: World) -> None:
    await world.raised(25)
    await mends(world, severe=0.3)
    await kept(world)
    change = {"data": {wish.DOCUMENT: "services: [\n"}}
    await world.api.patch(client.CONFIG_MAPS, NAMESPACE, wish.CONFIG_MAP, change, field_manager="argocd-controller")
    await world.until(lambda: any("argocd-controller keeps it" in page and "not put back" in page for page in world.chat.pages))
    version = world.cluster.view().document_version
    await world.until(world.standing)
    assert world.standing() == (f"hold.all.{hold_document.document_hold_id(version)}",)
    assert await text(world) == "services: [\n"
    await world.until(lambda: world.weight() == 0)


async def test_of_a_missing_document_nothing_is_held_and_what_stands_unreadable_in_its_place_is_held_by_its_own_version(
    world: World,
) -> None:
    lane = mock.create_autospec(hold.HoldLane, instance=True)
    work = tasks.Tasks()
    judged = restoring.Restoring(world.outside, replace(world.limits, severe=0.0), lane=lane, work=work)
    exposure = model.Exposure(5, "shop.old.example", "shop.new.example")
    shop = views.ServiceView("shop", record=protocol.Record("uid", "shop", 1, exposure, "op"))
    view = views.ClusterView({"shop": shop}, synced=True, document_trouble="it is lost", document_state=STATES.MISSING)
    judged.look(view)
    assert lane.place.mock_calls == []
    judged.look(replace(view, document_state=STATES.UNREADABLE, document=views.Document("services: [", version="9")))
    await work.stop()
    (order,) = [call.args[0] for call in lane.place.mock_calls]
    assert order.key == f"hold.all.{hold_document.document_hold_id('9')}"


async def test_what_is_broken_again_soon_after_it_was_put_back_is_severe(world: World) -> None:
    await world.raised(25)
    await mends(world)
    await kept(world)
    await world.put_document("services: [\n")
    await world.until(lambda: world.cluster.view().document.put_back and state(world) is STATES.WHOLE)
    await world.put_document("services: {\n")
    await world.until(world.standing)
    assert world.standing()[0].startswith("hold.all.document-")
    assert await text(world) == "services: {\n"


async def test_a_refused_entry_that_nobody_corrects_holds_its_own_service_only(world: World) -> None:
    for name in ("shop", "cart"):
        await world.raised(25, service=name)
    await mends(world, put_back=60.0, severe=0.05)
    bad = (await text(world)).replace("enabled: true", "enabled: maybe", 1)  # of cart
    await world.put_document(bad)
    await world.until(lambda: world.standing("cart"))
    await world.until(lambda: world.weight("cart") == 0)
    assert (world.standing("shop"), world.weight("shop"), world.agents.served("shop")) == ((), 25, [25, 25])


async def test_nothing_is_held_where_nothing_reaches_new(world: World) -> None:
    await mends(world, put_back=60.0, severe=0.01)
    await world.put_document("services: [\n")
    await world.until(lambda: world.chat.pages)
    for _ in range(5):
        await world.clock.sleep(world.limits.tick)
    assert await world.keys() == {}


async def test_a_hold_that_agents_made_for_all_is_adopted_as_one_key_and_told_once_in_their_words(world: World) -> None:
    for name in ("shop", "cart"):
        await world.raised(5, service=name)
    why = "migration.yaml cannot be relied on for 30 s"
    made = model.Hold("all", hold_document.document_hold_id("7"), reason=why, by="proxy-1", since="2026-01-02T12:00:00")
    await world.agents.push(made)
    await world.until(lambda: world.standing("shop") and world.standing("cart"))
    assert list(await world.keys()) == [made.key]
    await world.until(lambda: any(why in page for page in world.chat.pages))
    await world.until(lambda: (world.weight("shop"), world.weight("cart")) == (0, 0))
    assert len([page for page in world.chat.pages if why in page]) == 1
    assert not any("without Ferry" in page for page in world.chat.pages)


def test_of_a_finished_service_nothing_is_adopted_and_of_a_released_one_nothing_comes_back_for_all(world: World) -> None:
    made = model.Hold("all", "document-1", reason="broken")

    def view(name: str, **changes: Any) -> views.ServiceView:
        exposure = model.Exposure(5, f"{name}.old.example", f"{name}.new.example")
        return views.ServiceView(name, record=replace(protocol.Record("uid", name, 1, exposure, "op"), **changes))

    def found(name: str, *of: views.ServiceView) -> tuple[model.Hold, ...]:
        cluster = views.ClusterView({one.name: one for one in of}, synced=True)
        report = proxy_report.ServiceReport(
            name, generation=1, served=0, holds=(made.id,), pushed=(made,), because="", traffic=proxy_report.Traffic()
        )
        fleet = views.Fleet(
            1, (proxy_report.ProxyReport("p", ready=True, terminating=False, config="", services={name: report}),)
        )
        return adopting.only_reported(fleet, cluster.services[name], world.clock, cluster=cluster)

    assert found("shop", view("shop"), view("cart")) == (made,)
    assert found("shop", view("shop", finished=True), view("cart")) == ()
    assert found("shop", view("shop"), view("cart", clears=(made.id,))) == (replace(made, service="shop"),)
