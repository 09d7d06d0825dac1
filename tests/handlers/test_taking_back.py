"""Holds and hand edits: whatever takes traffic back wins over everything else, and stays."""

import asyncio

import pytest

from deploy.playground.kubernetes.failures import ApiFailure, internal
from deploy.playground.kubernetes.faults import EVERYTHING, Match
from handlers import adopting, fleets, listening, messages, outside, remembered
from handlers.rules import migration, refusals
from k8s import client, holds, model, protocol
from tests.handlers.world import NAMES, NAMESPACE, World

Reason = refusals.Reason
Outcome = migration.Outcome
PATIENT = outside.Limits(converge=5.0, hold=5.0, verify=30.0, ask=0.01, tick=0.05)  # stays in its verify window


async def test_a_hold_takes_everything_back_and_settles_record_and_wish(world: World) -> None:
    await world.raised(25)
    placed = await world.hold(reason="checkout fails")
    assert (placed.written, placed.safe, placed.trouble) == (True, True, "")
    assert [push.held for push in placed.pushes] == [True, True]
    assert world.agents.served("shop") == [0, 0]
    await world.settled()
    assert world.standing() == (placed.hold.key,)
    assert [one.weight for one in await world.front.history("shop")] == [0, 25]
    assert await world.book.verify("shop") == ()
    assert next(event.who for event in world.audit.events if event.kind == "held") == "slack:T0/BOB"


async def test_everybody_hears_who_took_the_traffic_back_and_history_names_them(world: World) -> None:
    await world.raised(25)
    await world.hold(reason="checkout fails")
    await world.settled()
    await world.until(lambda: world.chat.pages)
    assert world.chat.pages == [
        (
            "shop is held at 100% old, Bob has ordered it: checkout fails. "
            "Nothing goes forward by itself; `/migrate safe-mode off` asks for a release."
        )
    ]
    assert [one.who for one in await world.front.history("shop")] == ["slack:T0/BOB", "Ann"]


async def test_a_hold_that_did_not_come_through_ferry_is_announced_once(world: World) -> None:
    await world.raised(25)
    by_hand = model.Hold("shop", "h1", reason="night shift")
    await holds.HoldBook(world.api, NAMESPACE).place(by_hand)
    await world.settled()
    await world.until(lambda: world.chat.pages)
    assert ["hold h1 was placed without Ferry (night shift)" in page for page in world.chat.pages] == [True]


async def test_the_same_order_twice_is_one_hold(world: World) -> None:
    order = messages.PlaceHold(id="one", at=world.clock.now(), service="shop", actor=_bob())
    first, second = await asyncio.gather(world.front.hold(order), world.front.hold(order))
    assert first.hold.key == second.hold.key
    await world.until(lambda: world.standing() == (first.hold.key,))


async def test_a_hold_for_a_service_that_does_not_exist_says_so(world: World) -> None:
    placed = await world.hold("nobody")
    assert (placed.safe, world.agents.pushed) == (False, [])
    assert "no service is called nobody" in placed.trouble


async def test_a_hold_while_proxies_converge_wins(world: World) -> None:
    world.agents.behind.add("proxy-2")
    operation = await world.approved(5)
    await world.confirm(operation)
    await world.until(lambda: world.weight() == 5)
    placed = await world.hold()
    closed = await world.closed(operation)
    assert (closed.outcome, placed.safe) == (Outcome.REVERTED, True)
    world.agents.behind.clear()
    await world.settled()
    assert world.agents.served("shop") == [0, 0]
    assert (await world.ask(5)).refusal is not None


async def test_a_hold_voids_what_waits(world: World) -> None:
    operation = await world.approved(5)
    await world.hold()
    assert (await world.closed(operation)).outcome is Outcome.VOID
    answer = await world.confirm(operation)
    assert answer.refusal is not None
    assert answer.refusal.reason is Reason.DECIDED
    assert world.weight() == 0


async def test_a_hold_with_the_api_down_reaches_every_proxy_and_lands_later(world: World) -> None:
    await world.raised(25)
    rule = world.server.faults.refuse(gone(), EVERYTHING)
    placed = await world.hold()
    assert (placed.written, placed.safe) == (False, True)
    assert "not written into the cluster" in placed.trouble
    assert world.agents.served("shop") == [0, 0]
    rule.remove()
    await world.until(lambda: world.standing() == (placed.hold.key,))
    await world.settled()


async def test_a_hold_that_nobody_takes_calls_somebody(world: World) -> None:
    world.agents.mute.update(world.agents.pods)
    rule = world.server.faults.refuse(gone(), EVERYTHING)
    placed = await world.hold()
    assert not placed.safe
    await world.until(lambda: any("in force nowhere yet" in page for page in world.chat.pages))
    world.agents.mute.clear()
    rule.remove()
    await world.until(lambda: world.standing() == (placed.hold.key,))


async def test_proxies_that_do_not_serve_a_hold_are_named(world: World) -> None:
    world.limits = outside.Limits(converge=5.0, hold=0.1, verify=0.05, ask=0.01, tick=0.05)
    await world.restart()
    world.agents.mute.add("proxy-2")
    await world.hold()
    await world.until(lambda: any("proxy-2 gives no answer" in page for page in world.chat.pages))


async def test_a_key_written_by_hand_is_settled(world: World) -> None:
    await world.raised(25)
    change = {"data": {"hold.shop.by-hand": "by hand"}}
    await world.api.patch(client.CONFIG_MAPS, NAMESPACE, holds.CONFIG_MAP, change)
    await world.settled()
    await world.api.patch(client.CONFIG_MAPS, NAMESPACE, holds.CONFIG_MAP, {"data": {"hold.shop.by-hand": None}})
    await world.until(lambda: not world.standing())
    assert world.agents.served("shop") == [0, 0]


async def test_what_only_an_agent_holds_is_adopted_before_any_raise(world: World) -> None:
    world.agents.memory["proxy-1", "shop"] = _latched()
    answer = await world.ask(5)
    assert answer.refusal is not None
    assert (answer.refusal.reason, "latch-1" in answer.sentence) == (Reason.HELD, True)
    await world.until(lambda: world.standing() == ("hold.shop.latch-1",))


async def test_a_hold_that_only_agents_have_is_adopted_with_its_words_and_its_cause(world: World) -> None:
    """The replica that pushed it is gone, and the API server was away."""
    await world.front.stop()
    alert = world.alert()
    lost = model.Hold(
        "all", "alert-1", reason="alert NewDown fires", by="alertmanager", since="2026-01-02T12:00:00", cause=alert.cause
    )
    await world.agents.push(lost)
    world.alerts.fires = [alert]
    world.front = world.new_front()
    answer = await world.release()
    assert answer.refusal is not None
    assert (answer.refusal.reason, "alert-1" in answer.sentence) == (Reason.CAUSE_FIRES, True)
    await world.until(lambda: world.cluster.service("shop").holds == (lost,))
    assert list(await world.keys()) == ["hold.all.alert-1"]


async def test_releasing_needs_four_eyes_and_leaves_the_weight_at_0(world: World) -> None:
    await world.raised(25)
    await world.hold()
    await world.settled()
    asked = await world.release()
    assert asked.operation is not None, asked.sentence
    assert (await world.confirm(asked.operation)).refusal is not None
    approved = await world.approve(asked.operation)
    assert approved.operation is not None
    await world.confirm(approved.operation)
    done = await world.closed(asked.operation)
    assert (done.outcome, done.because.endswith("1 hold ended")) == (Outcome.DONE, True), done.because
    await world.until(lambda: not world.standing())
    assert (world.weight(), world.wish(), world.agents.served("shop")) == (0, 0, [0, 0])
    await world.raised(5)
    assert world.agents.served("shop") == [5, 5]


async def released(world: World) -> model.Hold:
    """It was held, and the release is done."""
    placed = await world.hold()
    await world.until(world.standing)
    asked = await world.release()
    assert asked.operation is not None, asked.sentence
    assert (await world.approve(asked.operation)).refusal is None
    await world.confirm(asked.operation)
    await world.closed(asked.operation)
    await world.until(lambda: not world.standing())
    return placed.hold


async def test_a_key_that_proxies_have_yet_to_see_removed_is_not_written_again(world: World) -> None:
    hold = await released(world)
    one, clock = world.cluster.service("shop"), world.clock
    await world.front.stop()
    for pod in world.agents.pods:  # they have read the record that ends it, and the removal of its key is on its way
        world.agents.memory[pod, "shop"] = protocol.see_holds(world.agents.memory[pod, "shop"], [hold.id])
    world.agents.behind.update(world.agents.pods)
    fleet = await world.agents.fleet()
    assert [report.services["shop"].holds for report in fleet.reports] == [(hold.id,)] * 2
    assert adopting.only_reported(fleet, one, clock, cluster=world.cluster.view()) == ()
    ears = listening.Listening(world.outside, memory=remembered.Remembered(), asked=fleets.Fleets(world.agents), feed=unheard)
    await ears.listen()
    assert hold.id not in str(await world.keys())
    await ears.listen()  # seconds later they still hold: somebody had put the key back, and has taken it away again
    assert hold.id in str(await world.keys())


async def test_releasing_one_service_of_a_hold_of_all_leaves_the_others_held(world: World) -> None:
    placed = await world.hold("all")
    await world.until(lambda: all(world.standing(name) for name in NAMES))
    asked = await world.release()
    assert asked.operation is not None, asked.sentence
    assert (await world.approve(asked.operation)).refusal is None
    await world.confirm(asked.operation)
    assert (await world.closed(asked.operation)).outcome is Outcome.DONE
    await world.until(lambda: not world.standing("shop"))
    assert world.standing("cart") == (f"hold.cart.{placed.hold.id}",)
    await world.raised(5)
    assert (world.agents.served("shop"), world.agents.served("cart")) == ([5, 5], [0, 0])


async def test_a_hand_edit_downwards_is_followed_by_the_record(world: World) -> None:
    await world.raised(25)
    await world.edit(shop=5)
    await world.until(lambda: world.weight() == 5)
    await world.edit(shop=25)
    await world.until(lambda: world.wish() == 25)
    assert world.agents.served("shop") == [5, 5]
    assert [one.weight for one in await world.front.history("shop")] == [5, 25]


async def test_a_document_that_was_low_for_a_moment_only_proxies_saw_is_followed(world: World) -> None:
    await world.raised(25)
    for pod in world.agents.pods:
        world.agents.memory[pod, "shop"] = protocol.see_wish(world.agents.memory[pod, "shop"], 5)
    await world.until(lambda: (world.weight(), world.wish()) == (5, 5))
    assert world.agents.served("shop") == [5, 5]


async def test_a_latch_becomes_a_hold_that_is_settled_without_anybody_asking(world: World) -> None:
    await world.raised(25)
    world.agents.memory["proxy-1", "shop"] = protocol.push_hold(world.agents.memory["proxy-1", "shop"], "latch-1")
    await world.until(lambda: world.standing() == ("hold.shop.latch-1",))
    await world.settled()
    assert world.agents.served("shop") == [0, 0]


async def test_a_hand_edit_downwards_while_a_raise_runs_takes_it_back(world: World) -> None:
    await world.raised(25)
    world.agents.behind.add("proxy-2")
    operation = await world.approved(50)
    await world.confirm(operation)
    await world.edit(shop=10)
    await world.until(lambda: world.weight() == 10)
    world.agents.behind.clear()
    assert (await world.closed(operation)).outcome is Outcome.REVERTED
    assert (world.wish(), world.agents.served("shop")) == (10, [10, 10])


@pytest.mark.parametrize("weight", [0, 5])
async def test_lowering_that_cannot_be_written_becomes_a_hold(world: World, weight: int) -> None:
    await world.raised(25)
    asked = await world.ask(weight)
    assert asked.operation is not None
    rule = world.server.faults.refuse(gone(), Match(resource="controllerrevisions"))
    await world.confirm(asked.operation)
    await world.until(lambda: world.agents.served("shop") == [0, 0])
    rule.remove()
    assert (await world.closed(asked.operation)).outcome is Outcome.REVERTED
    await world.settled()


def unheard(_message: messages.Message) -> None:
    """Nobody listens."""


def _bob() -> messages.Person:
    return messages.Person("slack:T0/BOB", "Bob", approver=True)


def gone() -> ApiFailure:
    return internal("etcd is not there")


def _latched() -> protocol.Memory:
    return protocol.push_hold(protocol.Memory("shop"), "latch-1")
