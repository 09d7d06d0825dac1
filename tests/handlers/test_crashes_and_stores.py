"""Crashes between two writes, a store that is away or came back empty or old: nothing is lost, nothing is done twice."""

import asyncio
from dataclasses import replace

import pytest

from deploy.playground.kubernetes.faults import Match
from handlers import messages, outside
from handlers.rules import migration, refusals
from tests.handlers.test_taking_back import PATIENT
from tests.handlers.world import BOB, World

Reason = refusals.Reason
Outcome = migration.Outcome


async def hangs() -> None:
    await asyncio.Event().wait()


async def crashed_before_the_wish(world: World) -> migration.Operation:
    """The record is written, the wish is not, and the process is gone."""
    operation = await world.approved(5)
    world.wishes.before_write = hangs
    confirming = asyncio.create_task(world.confirm(operation))
    await world.until(lambda: world.weight() == 5)
    await world.front.stop()
    await asyncio.gather(confirming, return_exceptions=True)
    world.wishes.before_write = None
    assert (world.weight(), world.wish(), world.agents.served("shop")) == (5, 0, [0, 0])
    return operation


async def test_a_crash_between_record_and_wish_is_completed_by_the_next_start(world: World) -> None:
    operation = await crashed_before_the_wish(world)
    await world.restart()
    assert (await world.closed(operation)).outcome is Outcome.DONE
    assert (world.weight(), world.wish(), world.agents.served("shop")) == (5, 5, [5, 5])
    assert [one.weight for one in await world.front.history("shop")] == [5]


async def test_two_replicas_that_resume_the_same_operation_write_one_record(world: World) -> None:
    operation = await crashed_before_the_wish(world)
    other = world.new_front()
    await asyncio.gather(world.restart(), other.start())
    assert (await world.closed(operation)).outcome is Outcome.DONE
    await other.stop()
    assert [one.weight for one in await world.front.history("shop")] == [5]
    assert world.audit.kinds().count("closed") == 1


async def test_a_crash_before_the_record_asks_once_more_before_it_is_written(world: World) -> None:
    operation = await world.approved(5)
    rule = world.server.faults.hang(Match(verb="create", resource="controllerrevisions"))
    confirming = asyncio.create_task(world.confirm(operation))
    await world.until(lambda: world.chat.phases[-1] == "approved" and world.pending.open["shop"].phase == "applying")
    await world.front.stop()
    await asyncio.gather(confirming, return_exceptions=True)
    rule.remove()
    world.alerts.eyes_shut = "the Watchdog is missing"
    await world.restart()
    closed = await world.closed(operation)
    assert (closed.outcome, "the Watchdog is missing" in closed.because) == (Outcome.FAILED, True)
    assert world.record() is None


@pytest.mark.parametrize("phase", ["converging", "verifying"])
async def test_a_crash_while_proxies_are_asked_is_resumed_from_the_signed_document_alone(world: World, phase: str) -> None:
    world.limits = PATIENT
    await world.restart()
    operation = await world.approved(5)
    if phase == "converging":
        world.agents.behind.add("proxy-2")
    await world.confirm(operation)
    await world.until(lambda: (world.cluster.service("shop").operation or {}).get("phase") == phase)
    await world.front.stop()
    world.pending.open.clear()
    world.pending.known.clear()
    world.agents.behind.clear()
    world.limits = replace(PATIENT, verify=0.05)
    await world.restart()
    assert (await world.closed(operation)).outcome is Outcome.DONE
    assert world.agents.served("shop") == [5, 5]


async def test_a_hold_that_came_while_the_bot_was_down_wins_over_resuming(world: World) -> None:
    operation = await crashed_before_the_wish(world)
    await world.outside.holds.place(world.hold_by_hand())
    await world.until(world.standing)
    await world.restart()
    assert (await world.closed(operation)).outcome is Outcome.REVERTED
    await world.settled()
    assert world.agents.served("shop") == [0, 0]


async def test_a_lost_answer_to_a_write_is_found_again(world: World) -> None:
    operation = await world.approved(5)
    rule = world.server.faults.fail_after_commit(1, Match(verb="patch", resource="configmaps", name="migration-record-shop"))
    await world.confirm(operation)
    assert (await world.closed(operation)).outcome is Outcome.DONE
    assert rule.hits == 1
    assert [one.weight for one in await world.front.history("shop")] == [5]


async def test_a_raise_whose_write_nobody_answers_ends_low(world: World) -> None:
    operation = await world.approved(5)
    rule = world.server.faults.fail_before(3, Match(verb="patch", resource="configmaps", name="migration-record-shop"))
    await world.confirm(operation)
    assert (await world.closed(operation)).outcome is Outcome.REVERTED
    assert rule.hits == 3
    await world.settled()
    assert world.agents.served("shop") == [0, 0]


async def test_without_the_store_a_raise_is_refused_with_its_sentence(world: World) -> None:
    operation = await world.approved(5)
    world.pending.away = True
    for answer in (await world.ask(10, service="cart"), await world.confirm(operation)):
        assert answer.refusal is not None
        assert answer.refusal.reason is Reason.BLOCKED
        assert "Redis at 127.0.0.1 does not answer" in answer.sentence
    assert world.record() is None
    world.pending.away = False
    await world.confirm(operation)
    assert (await world.closed(operation)).outcome is Outcome.DONE


async def test_a_confirmation_refused_for_a_lost_answer_of_the_store_does_not_begin_later(world: World) -> None:
    operation = await world.approved(5)
    world.pending.loses_answers = True
    answer = await world.confirm(operation)
    assert answer.refusal is not None
    assert world.pending.open["shop"].phase is migration.Phase.APPLYING
    world.pending.loses_answers = world.pending.away = False
    closed = await world.closed(operation)
    assert (closed.outcome, "the store did not answer" in closed.because) == (Outcome.FAILED, True)
    assert world.record() is None


async def test_without_the_store_traffic_is_taken_back_in_every_way(world: World) -> None:
    await world.raised(25)
    world.pending.away = True
    asked = await world.ask(5)
    assert asked.operation is not None, asked.sentence
    await world.confirm(asked.operation)
    assert (await world.closed(asked.operation)).outcome is Outcome.DONE
    assert world.agents.served("shop") == [5, 5]
    assert (await world.hold()).safe
    await world.settled()


async def test_a_store_that_goes_away_while_a_raise_runs_does_not_stop_it(world: World) -> None:
    world.agents.behind.add("proxy-2")
    operation = await world.approved(5)
    await world.confirm(operation)
    world.pending.away = True
    world.agents.behind.clear()
    assert (await world.closed(operation)).outcome is Outcome.DONE
    world.pending.away = False
    assert await world.front.waiting("shop") is None
    assert (await world.raised(10)).outcome is Outcome.DONE


async def test_a_store_that_came_back_empty_voids_what_waited(world: World) -> None:
    operation = await world.approved(5)
    world.pending.open.clear()
    world.pending.known.clear()
    answer = await world.confirm(operation)
    assert answer.refusal is not None
    assert (answer.refusal.reason, "store of requests came back without it" in answer.sentence) == (Reason.DECIDED, True)
    assert (await world.closed(operation)).outcome is Outcome.VOID
    assert world.record() is None


async def test_a_request_that_the_store_lost_is_void_on_its_card_without_a_click(world: World) -> None:
    operation = await world.approved(5)
    world.pending.open.clear()
    world.pending.known.clear()
    assert (await world.closed(operation)).outcome is Outcome.VOID
    assert await world.front.waiting("shop") is None
    assert (await world.raised(5)).outcome is Outcome.DONE


async def test_what_was_rejected_stays_rejected_when_the_store_comes_back_old(world: World) -> None:
    operation = await world.approved(5)
    old = dict(world.pending.open), dict(world.pending.known)
    rejection = messages.Reject(id="no", at=world.clock.now(), service="shop", actor=BOB, operation=operation.id)
    assert (await world.front.handle(rejection)).refusal is None
    world.pending.open, world.pending.known = old
    answer = await world.confirm(operation)
    assert answer.refusal is not None
    assert (answer.refusal.reason, "rejected" in answer.sentence) == (Reason.DECIDED, True)
    assert (world.record(), await world.front.waiting("shop")) == (None, None)
    assert (await world.raised(10)).plan.after.weight == 10


async def test_a_store_that_came_back_old_repeats_nothing(world: World) -> None:
    operation = await world.approved(5)
    old = dict(world.pending.open), dict(world.pending.known)
    await world.confirm(operation)
    await world.closed(operation)
    await world.front.stop()
    world.pending.open, world.pending.known = old
    await world.restart()
    answer = await world.confirm(operation)
    assert answer.refusal is not None
    assert [one.weight for one in await world.front.history("shop")] == [5]
    assert await world.front.waiting("shop") is None


async def test_an_operation_nobody_works_on_is_resumed_by_the_guard(world: World) -> None:
    world.limits = outside.Limits(converge=0.2, hold=5.0, verify=0.05, ask=0.01, tick=0.02)
    operation = await crashed_before_the_wish(world)
    stored = world.pending.open.pop("shop")
    await world.restart()  # it finds nothing to resume
    world.pending.open["shop"] = stored
    assert (await world.closed(operation)).outcome in {Outcome.DONE, Outcome.VOID}
    assert world.agents.served("shop") == [world.weight()] * 2
