"""A shift of another strategy: the document says so too, the next shift goes by it, and what is taken back is so there too."""

from dataclasses import replace

from handlers import answers, messages
from handlers.rules import migration
from k8s import model, wish_change
from tests.handlers.world import ANN, World, document

Outcome = migration.Outcome
OFFICE = ("10.2.0.0/16",)


async def asked(world: World, target: model.Exposure) -> migration.Operation:
    answer = await world.front.handle(
        messages.ProposeShift(id=world.message_id(), at=world.clock.now(), service="shop", actor=ANN, target=target)
    )
    assert answer.operation is not None, answer.sentence
    return answer.operation


async def approved(world: World, target: model.Exposure) -> migration.Operation:
    answer = await world.approve(await asked(world, target))
    assert answer.operation is not None, answer.sentence
    return answer.operation


async def shifted(world: World, target: model.Exposure) -> migration.Operation:
    operation = await approved(world, target)
    answer = await world.confirm(operation)
    assert answer.refusal is None, answer.sentence
    return await world.closed(operation)


def target(world: World, weight: int, cidrs: tuple[str, ...] = ()) -> model.Exposure:
    found = world.front.target("shop", weight, strategy=model.Strategy.IP if cidrs else None, cidrs=cidrs)
    assert isinstance(found, model.Exposure), found
    return found


async def text(world: World) -> str:
    return (await world.wishes.book.read()).text


def wished(world: World) -> model.Exposure:
    found = world.cluster.service("shop").wished
    assert found is not None
    return found.exposure


async def test_the_document_says_the_strategy_and_the_next_shift_keeps_it(world: World) -> None:
    assert (await shifted(world, target(world, 10, OFFICE))).outcome is Outcome.DONE
    after = document(shop=10).split('  - name: "shop"')
    shop = after[1].replace('strategy: "weight"', 'strategy: "ip"\n    cidrs: ["10.2.0.0/16"]')
    assert await text(world) == after[0] + '  - name: "shop"' + shop
    next_one = target(world, 25)
    assert (next_one.strategy, next_one.cidrs) == (model.Strategy.IP, OFFICE)
    await shifted(world, next_one)
    record = world.record()
    assert record is not None
    assert record.exposure == wished(world) == next_one


async def test_lowering_to_a_part_of_the_same_weight_is_written_too(world: World) -> None:
    await world.raised(25)
    operation = await asked(world, target(world, 25, OFFICE))
    assert operation.plan.kind is migration.Kind.LOWER
    await world.confirm(operation)
    await world.closed(operation)
    record = world.record()
    assert record is not None
    assert record.exposure == wished(world)
    assert (wished(world).strategy, wished(world).weight) == (model.Strategy.IP, 25)


async def test_a_raise_that_is_taken_back_leaves_the_strategy_of_before_in_the_document(world: World) -> None:
    await shifted(world, target(world, 10, OFFICE))
    before = await text(world)
    world.limits = replace(world.limits, converge=0.3)
    await world.restart()
    world.agents.behind.add("proxy-2")
    everybody = replace(target(world, 10), strategy=model.Strategy.WEIGHT, weight=25)
    operation = await approved(world, everybody)
    await world.confirm(operation)
    await world.until(lambda: wished(world).strategy is model.Strategy.WEIGHT)
    await world.until(lambda: any("proxy-2 serves generation" in line for line in world.chat.lines))
    world.agents.behind.clear()
    assert (await world.closed(operation)).outcome is Outcome.REVERTED
    await world.until(lambda: wished(world).strategy is model.Strategy.IP)
    assert await text(world) == before
    record = world.record()
    assert record is not None
    assert record.exposure == wished(world)


async def test_an_edit_of_the_strategy_while_the_record_is_written_takes_the_raise_back_and_stays(world: World) -> None:
    async def somebody_edits() -> None:
        world.wishes.before_write = None
        entry = 'strategy: "header"\n    header: {name: X-Beta, values: ["1"]}'
        head, _, shop = document().partition('  - name: "shop"')
        await world.put_document(head + '  - name: "shop"' + shop.replace('strategy: "weight"', entry))

    operation = await approved(world, target(world, 10, OFFICE))
    world.wishes.before_write = somebody_edits
    await world.confirm(operation)
    closed = await world.closed(operation)
    assert closed.outcome is Outcome.REVERTED
    assert any("names another strategy or other rules than before" in sentence for _, sentence in closed.timeline)
    await world.settled()
    assert "header: {name: X-Beta" in await text(world)
    assert world.agents.served("shop") == [0, 0]


async def test_an_edit_of_the_strategy_between_plan_and_confirmation_voids_it(world: World) -> None:
    operation = await approved(world, target(world, 10, OFFICE))
    await world.put_document(document().replace('strategy: "weight"', 'strategy: "weight"\n    cidrs: [10.9.0.0/16]'))
    await world.until(lambda: wished(world).cidrs)
    answer: answers.Answer = await world.confirm(operation)
    assert answer.refusal is not None
    assert "strategy and rules of shop was changed" in answer.sentence


async def test_what_cannot_be_written_into_the_document_is_told_in_the_timeline(world: World) -> None:
    await world.put_document(document().replace('strategy: "weight"', "strategy: >-\n      weight"))
    await world.until(lambda: "weight" in str(world.cluster.service("shop").wished))
    done = await shifted(world, target(world, 10, OFFICE))
    assert done.outcome is Outcome.DONE
    assert any("strategy of shop in migration.yaml stays as it was" in sentence for _, sentence in done.timeline)
    assert (wished(world).strategy, wished(world).weight) == (model.Strategy.WEIGHT, 10)


async def test_a_hold_leaves_the_strategy_and_a_persons_edit_of_it_for_the_next_shift(world: World) -> None:
    await shifted(world, target(world, 10, OFFICE))
    edited = (await text(world)).replace("10.2.0.0/16", "10.3.0.0/16")
    await world.put_document(edited)
    await world.until(lambda: wished(world).cidrs == ("10.3.0.0/16",))
    await world.hold()
    await world.settled()
    assert await text(world) == edited.replace("percentage: 10", "percentage: 0")
    record = world.record()
    assert record is not None
    assert not wish_change.same_rules(wished(world), record.exposure)
