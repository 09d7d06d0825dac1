"""What somebody writes into migration.yaml by hand: above the record it is put back and told, below it is accepted and told."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from handlers import answers, messages
from handlers.rules import effects
from k8s import client, model, wish
from tests.handlers.world import ANN, BOB, LIMITS, NAMESPACE, World, document

Became = answers.Became
HAND = "kubectl-edit"


async def watches(world: World, **limits: float) -> None:
    """The bot begins anew, and puts back soon."""
    world.limits = replace(LIMITS, **({"drift": 0.1} | limits))
    await world.restart()


async def text(world: World) -> str:
    found = await world.api.get(client.CONFIG_MAPS, NAMESPACE, wish.CONFIG_MAP)
    return str(found["data"][wish.DOCUMENT])


async def write(world: World, content: str, *, by: str = HAND) -> None:
    change = {"data": {wish.DOCUMENT: content}}
    await world.api.patch(client.CONFIG_MAPS, NAMESPACE, wish.CONFIG_MAP, change, field_manager=by)


async def told(world: World, part: str) -> str:
    """The sentence about `shop` with this in it."""

    def found() -> str | None:
        return next((sentence for service, sentence in world.notices.told if service == "shop" and part in sentence), None)

    return str(await world.until(found))


def drifted(world: World) -> list[str]:
    return [one.sentence for one in world.audit.events if one.kind is effects.EventKind.DRIFT]


def line(world: World) -> answers.DriftLine | None:
    return next(iter(world.front.drift("shop").lines), None)


async def looked(world: World, met: Callable[[], Any]) -> None:
    """Once a look has found it so: what is only noted tells nobody."""
    async with asyncio.timeout(20):
        while not met():
            await world.clock.sleep(world.limits.tick)


async def rounds(world: World, count: int = 5) -> None:
    """So many looks, in which nothing may happen."""
    for _ in range(count):
        await world.clock.sleep(world.limits.tick)


def rules(before: str, strategy: str) -> str:
    """Another strategy for `shop`."""
    head, name, tail = before.partition('  - name: "shop"')
    return head + name + tail.replace('strategy: "weight"', strategy)


def off(before: str) -> str:
    head, name, tail = before.partition('  - name: "shop"')
    return head + name + tail.replace("enabled: true", "enabled: false")


@pytest.mark.parametrize("record", [0, 25])
async def test_a_weight_raised_by_hand_is_never_served_and_put_back_with_all_comments(world: World, record: int) -> None:
    if record:
        await world.raised(record)
    await watches(world)
    before = (await text(world)).replace("services:", "# ours\nservices:  # all of them")
    await write(world, before)
    generation = world.cluster.service("shop").generation
    await write(world, before.replace(f"migration_percentage: {record}  # share", "migration_percentage: 75  # share", 2))
    served: list[int] = []
    world.agents.before_answer = lambda: served.extend(world.agents.served("shop"))
    sentence = await told(world, "put the document back")
    assert await text(world) == before
    await world.until(lambda: world.wish() == record)
    assert set(served) <= {record}
    assert world.agents.served("shop") == [record, record]
    assert f"says the weight 75%, and the approved record {record}%" in sentence
    assert HAND in sentence
    assert "`/migrate shift shop 75%`" in sentence
    assert world.cluster.service("shop").generation == generation  # no change of what is served, so no record
    assert sentence in drifted(world)
    assert world.chat.pages == []


async def test_a_strategy_above_the_record_is_put_back_to_the_one_that_was_approved(world: World) -> None:
    await world.raised(25)
    await watches(world)
    await write(world, rules(await text(world), 'strategy: "user"\n    user: {source: "cookie:uid", ids: [a, b]}'))
    await told(world, "the strategy user")

    def named() -> model.Strategy | None:
        wished = world.cluster.service("shop").wished
        return wished.exposure.strategy if wished is not None else None

    await world.until(lambda: named() is model.Strategy.WEIGHT)
    assert "cookie:uid" in await text(world)  # a rule that nothing uses selects nothing


async def test_a_strategy_below_the_record_is_a_wish_for_the_next_shift_and_stays(world: World) -> None:
    await world.raised(25)
    await watches(world)
    edited = rules(await text(world), 'strategy: "ip"\n    cidrs: [10.9.0.0/16]')
    await write(world, edited)
    await rounds(world, 8)
    assert (await text(world), world.notices.told) == (edited, [])


async def test_another_target_cannot_be_put_back_it_is_told_once_and_left(world: World) -> None:
    await world.raised(25)
    await watches(world)
    edited = (await text(world)).replace("shop.new.example", "shop.other.example")
    await write(world, edited)
    sentence = await told(world, "another target")
    assert "Ferry cannot put that back; no proxy serves it" in sentence
    await rounds(world)
    assert (await text(world), len(world.notices.told)) == (edited, 1)
    found = line(world)
    assert found is not None
    assert (found.became, found.by) == (Became.STANDS, HAND)
    await write(world, edited.replace("shop.other.example", "shop.new.example"))
    await told(world, "differs no more")
    assert world.front.drift("shop").standing == ()


async def test_who_corrects_it_within_the_grace_hears_nothing(world: World) -> None:
    await watches(world, drift=30.0)
    before = await text(world)
    await write(world, document(shop=50))
    await looked(world, lambda: world.front.drift("shop").standing)
    found = line(world)
    assert found is not None
    assert found.became is Became.WAITS
    await write(world, before)
    await looked(world, lambda: not world.front.drift("shop").lines)
    assert (world.notices.told, await text(world)) == ([], before)


async def test_an_open_operation_is_not_disturbed_and_afterwards_it_is_put_back(world: World) -> None:
    await watches(world, drift=0.2)
    await world.put_document(document(shop=40))
    asked = await world.ask(40)
    assert asked.operation is not None, asked.sentence
    await rounds(world, 10)
    assert (world.wish(), world.notices.told) == (40, [])
    approved = await world.approve(asked.operation)
    assert approved.refusal is None, approved.sentence
    rejection = messages.Reject(id="r", at=world.clock.now(), service="shop", actor=ANN, operation=asked.operation.id)
    assert (await world.front.handle(rejection)).refusal is None
    await told(world, "put the document back")
    await world.until(lambda: world.wish() == 0)


async def test_two_replicas_put_it_back_once_and_say_so_once(world: World) -> None:
    await world.raised(25)
    await watches(world)
    other = world.new_front()
    await other.start()
    await write(world, document(shop=50))
    await told(world, "put the document back")
    await world.until(lambda: world.wish() == 25)
    await rounds(world, 8)
    await other.stop()
    assert len(world.notices.told) == len(drifted(world)) == 1


async def test_what_was_raised_while_the_bot_was_down_is_found_after_its_start(world: World) -> None:
    await world.raised(25)
    await world.front.stop()
    await write(world, document(shop=100))
    await world.until(lambda: world.wish() == 100)
    assert world.agents.served("shop") == [25, 25]
    await watches(world)
    assert HAND in await told(world, "put the document back")
    assert await text(world) == document(shop=25)


async def test_a_controller_that_writes_it_again_and_again_is_not_fought(world: World) -> None:
    await world.raised(25)
    await watches(world)
    written: list[str] = []

    async def syncs() -> None:
        while True:
            if world.wish() != 60:
                written.append(str(world.wish()))
                await write(world, document(shop=60), by="argocd-controller")
            await world.clock.sleep(0.02)

    controller = asyncio.create_task(syncs())
    sentence = await told(world, "wrote it again after Ferry had put it back")
    assert "argocd-controller" in sentence
    await rounds(world, 10)
    controller.cancel()
    await asyncio.gather(controller, return_exceptions=True)
    assert [said for _, said in world.notices.told] == [world.notices.told[0][1], sentence]
    assert len(written) == 2  # the first sync, and the one over what was put back
    assert world.agents.served("shop") == [25, 25]
    found = line(world)
    assert found is not None
    assert found.became is Became.STANDS


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda before: before.replace("migration_percentage: 25", "migration_percentage: 10"), "from 25% to 10%"),
        (off, "switched off in migration.yaml (enabled: false), at 25%"),
        (lambda before: before.partition('  - name: "shop"')[0], "taken out of migration.yaml, at 25%"),
    ],
)
async def test_lowered_by_hand_is_obeyed_accepted_and_told_at_once(world: World, edit: Any, said: str) -> None:
    await world.raised(25)
    await watches(world, drift=60.0)
    await write(world, edit(await text(world)))
    sentence = await told(world, said)
    assert HAND in sentence
    assert "accepted" in sentence
    await world.until(lambda: world.weight() == world.wish())
    await rounds(world)
    assert len(world.notices.told) == 1
    found = line(world)
    assert found is not None
    assert found.became is Became.ACCEPTED


async def test_switched_off_and_on_again_does_not_come_back(world: World) -> None:
    await world.raised(25)
    await watches(world)
    before = await text(world)
    await write(world, off(before))
    await world.until(lambda: world.weight() == 0)
    await write(world, before)
    await told(world, "put the document back")
    await world.until(lambda: world.wish() == 0)
    assert (world.wish(), world.weight(), world.agents.served("shop")) == (0, 0, [0, 0])


async def test_what_ferry_writes_itself_is_no_drift(world: World) -> None:
    await watches(world)
    await world.raised(25)
    lowered = await world.ask(5)
    assert lowered.operation is not None
    await world.confirm(lowered.operation)
    await world.closed(lowered.operation)
    await world.hold(who=BOB)
    await world.settled()
    await rounds(world, 8)
    assert (world.notices.told, drifted(world)) == ([], [])


async def test_without_a_place_to_tell_it_is_put_back_all_the_same(world: World) -> None:
    world.outside = replace(world.outside, notices=None)
    await watches(world)
    await write(world, document(shop=50))
    await world.until(lambda: drifted(world) and world.wish() == 0)
