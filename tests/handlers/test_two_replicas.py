"""Two replicas over one outside: each accepts messages, each sees holds, and every change is made once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from handlers import messages
from handlers.front import Front
from handlers.rules import migration
from k8s import model
from tests.handlers.world import BOB, World

Outcome = migration.Outcome


@pytest_asyncio.fixture
async def other(world: World) -> AsyncIterator[Front]:
    front = world.new_front()
    await front.start()
    yield front
    await front.stop()


async def test_a_request_made_at_one_is_approved_at_the_other(world: World, other: Front) -> None:
    asked = await world.ask(5)
    operation = asked.operation
    assert operation is not None
    approval = messages.Approve(
        id="b1", at=world.clock.now(), service="shop", actor=BOB, operation=operation.id, revision=operation.revision
    )
    assert (await other.handle(approval)).refusal is None
    await world.confirm(operation)
    assert (await world.closed(operation)).outcome is Outcome.DONE
    assert [one.weight for one in await other.history("shop")] == [5]
    assert await other.waiting("shop") is None


async def test_two_requests_at_once_are_one_operation(world: World, other: Front) -> None:
    mine, yours = world.front, other
    first, second = asyncio.create_task(world.ask(5)), None
    world.front = yours
    second = asyncio.create_task(world.ask(10, who=BOB))
    answers = await asyncio.gather(first, second)
    world.front = mine
    assert sorted(answer.refusal is None for answer in answers) == [False, True]
    assert len(world.pending.open) == 1


async def test_two_confirmations_at_once_make_one_change(world: World, other: Front) -> None:
    operation = await world.approved(5)
    clicks = [world.confirmation(operation), world.confirmation(operation)]
    answers = await asyncio.gather(world.front.handle(clicks[0]), other.handle(clicks[1]))
    assert (await world.closed(operation)).outcome is Outcome.DONE
    assert any(answer.refusal is None for answer in answers)
    assert [one.weight for one in await world.front.history("shop")] == [5]
    assert world.audit.kinds().count("confirmed") == 1


async def test_a_hold_ordered_at_one_ends_what_the_other_runs(world: World, other: Front) -> None:
    world.agents.behind.add("proxy-2")
    operation = await world.approved(5)
    await world.confirm(operation)
    await world.until(lambda: world.weight() == 5)
    await other.hold(messages.PlaceHold(id="stop", at=world.clock.now(), service="shop", actor=BOB))
    world.agents.behind.clear()
    closed = await world.closed(operation)
    assert closed.outcome in {Outcome.REVERTED, Outcome.VOID}
    await world.settled()
    assert world.agents.served("shop") == [0, 0]
    assert await world.book.verify("shop") == ()


async def test_both_hear_the_same_alert_and_write_one_hold(world: World, other: Front) -> None:
    await world.raised(25)
    alert = world.alert()
    heard = await asyncio.gather(world.front.alerts([alert]), other.alerts([alert]))
    assert [one.acted for one in heard] == [1, 1]
    await world.settled()
    assert len(world.standing()) == 1
    assert [one.weight for one in await world.front.history("shop")] == [0, 25]


async def test_what_both_hear_is_said_once(world: World, other: Front) -> None:
    told = [world.alert(), world.alert("", cause="u"), world.alert(severity=messages.Severity.WARNING, cause="w")]
    await asyncio.gather(world.front.alerts(told), other.alerts(told))
    await world.until(lambda: len(world.chat.pages) == 2 and world.chat.alerts)
    await world.raised(25)
    held = world.alert(cause="fp2/start2")
    await asyncio.gather(world.front.alerts([held]), other.alerts([held]))
    await world.settled()
    await world.until(lambda: len(world.chat.pages) == 3)
    assert (sum("is held at 100% old" in page for page in world.chat.pages), len(world.chat.alerts)) == (1, 1)


async def test_while_the_store_is_away_each_replica_calls(world: World, other: Front) -> None:
    world.pending.away = True
    await asyncio.gather(world.front.alerts([world.alert()]), other.alerts([world.alert()]))
    await world.until(lambda: len(world.chat.pages) == 2)


async def test_what_failed_over_a_mistake_is_done_when_it_is_delivered_again_and_then_once(world: World, other: Front) -> None:
    operation = await world.approved(5)
    await world.front.stop()  # nobody else meets the fault
    await other.stop()
    first, second = world.new_front(), world.new_front()
    confirmation = world.confirmation(operation)
    world.pending.faults = 1
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        await first.handle(confirmation)
    done = await second.handle(confirmation)
    assert done.refusal is None
    assert (await world.closed(operation)).outcome is Outcome.DONE
    again = await first.handle(confirmation)
    assert (again.refusal, "heard before" in again.sentence) == (None, True)
    assert [one.weight for one in await second.history("shop")] == [5]
    await first.stop()
    await second.stop()


async def test_a_request_delivered_to_both_at_once_is_one_operation(world: World, other: Front) -> None:
    target = world.front.target("shop", 5)
    assert isinstance(target, model.Exposure)
    asked = messages.ProposeShift(id="both", at=world.clock.now(), service="shop", actor=BOB, target=target)
    answers = await asyncio.gather(world.front.handle(asked), other.handle(asked))
    assert [answer.refusal for answer in answers] == [None, None]
    assert len(world.pending.known) == 1
    rejection = messages.Reject(
        id="r", at=world.clock.now(), service="shop", actor=BOB, operation=next(iter(world.pending.known))
    )
    await other.handle(rejection)
    await world.restart()
    again = await world.front.handle(asked)  # closed by now, and not begun once more
    assert "heard before" in again.sentence
    assert world.pending.open == {}
