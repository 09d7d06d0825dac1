"""A raise from the request to the last proxy: four eyes, one operation a service, everything asked again."""

import asyncio
from datetime import timedelta

from handlers import answers, messages
from handlers.rules import migration, refusals
from tests.handlers.world import ANN, BOB, World

Reason = refusals.Reason
Outcome = migration.Outcome


def refused(answer: answers.Answer) -> refusals.Reason:
    assert answer.refusal is not None, answer.sentence
    assert answer.sentence == answer.refusal.sentence
    return answer.refusal.reason


async def test_a_raise_goes_through_approval_and_confirmation_to_every_proxy(world: World) -> None:
    done = await world.raised(5)
    assert (done.outcome, world.weight(), world.wish(), world.agents.served("shop")) == (Outcome.DONE, 5, 5, [5, 5])
    assert world.chat.phases == ["proposed", "approved", "applying", "converging", "verifying", "done"]
    assert world.audit.kinds() == ["proposed", "approved", "confirmed", "applied", "converged", "closed"]
    history = await world.front.history("shop")
    assert [(one.before, one.weight, one.who, one.approved_by) for one in history] == [(None, 5, "Ann", ("Bob",))]
    record = world.record()
    assert record is not None
    assert (record.operation, record.plan_hash, len(record.approvals)) == (done.id, done.plan.hash, 1)
    assert await world.book.verify("shop") == ()
    assert world.agents.served("cart") == [0, 0]


async def test_a_second_raise_starts_from_the_first_one(world: World) -> None:
    await world.raised(5)
    await world.raised(25)
    assert (world.weight(), world.wish(), world.agents.served("shop")) == (25, 25, [25, 25])
    assert [(one.before, one.weight) for one in await world.front.history("shop")] == [(5, 25), (None, 5)]


async def test_the_document_keeps_its_comments(world: World) -> None:
    await world.raised(5)
    text = (await world.wishes.book.read()).text
    assert "migration_percentage: 5  # share of the new cluster" in text


async def test_ones_own_request_cannot_be_approved(world: World) -> None:
    asked = await world.ask(5)
    assert asked.operation is not None
    assert refused(await world.approve(asked.operation, ANN)) is Reason.OWN_REQUEST
    assert refused(await world.confirm(asked.operation)) is Reason.NOT_APPROVED
    assert world.record() is None


async def test_only_the_requester_confirms(world: World) -> None:
    assert refused(await world.confirm(await world.approved(5), BOB)) is Reason.NOT_REQUESTER
    assert world.record() is None


async def test_a_second_shift_waits_for_the_first(world: World) -> None:
    operation = await world.approved(5)
    assert refused(await world.ask(10, who=BOB)) is Reason.WAITS
    world.agents.behind.add("proxy-2")
    await world.confirm(operation)
    assert refused(await world.ask(10, who=BOB)) is Reason.RUNS
    assert (await world.ask(10, service="cart")).refusal is None
    world.agents.behind.clear()
    assert (await world.closed(operation)).outcome is Outcome.DONE


async def test_an_unknown_service_is_refused_in_words_and_recorded(world: World) -> None:
    target = world.front.target("shop", 5)
    assert not isinstance(target, refusals.Refusal)
    message = messages.ProposeShift(id="m", at=world.clock.now(), service="nobody", actor=ANN, target=target)
    assert refused(await world.front.handle(message)) is Reason.INVALID
    assert world.audit.kinds() == ["refused"]
    assert world.front.find("nobody") is None
    assert world.front.find("shop.old.example") == "shop"
    assert await world.front.status("nobody") is None


async def test_a_request_expires_by_itself_and_its_card_says_so(world: World) -> None:
    asked = await world.ask(5)
    assert asked.operation is not None
    world.clock.later = timedelta(hours=1)
    assert (await world.closed(asked.operation)).outcome is Outcome.EXPIRED
    assert refused(await world.approve(asked.operation)) is Reason.DECIDED
    assert await world.front.waiting("shop") is None


async def test_a_click_on_an_expired_card_does_nothing(world: World) -> None:
    operation = await world.approved(5)
    await world.front.stop()  # no guard: the click itself finds out
    world.front = world.new_front()
    world.clock.later = timedelta(hours=2)
    assert refused(await world.confirm(operation)) is Reason.EXPIRED
    assert world.record() is None


async def test_a_stale_card_is_not_counted(world: World) -> None:
    asked = await world.ask(5)
    assert asked.operation is not None
    assert refused(await world.approve(asked.operation, revision=asked.operation.revision + 3)) is Reason.STALE


async def test_a_message_delivered_twice_does_one_thing(world: World) -> None:
    confirmation = world.confirmation(await world.approved(5))
    first, second = await asyncio.gather(world.front.handle(confirmation), world.front.handle(confirmation))
    assert first == second
    await world.closed(await _open(first))
    await world.restart()
    again = await world.front.handle(confirmation)  # another process has no memory of the answer
    assert "heard before and is not done twice" in again.sentence
    assert [one.weight for one in await world.front.history("shop")] == [5]
    assert world.audit.kinds().count("confirmed") == 1


async def test_a_hand_edit_between_plan_and_confirmation_voids_it(world: World) -> None:
    operation = await world.approved(5)
    await world.edit(shop=40)
    await world.until(lambda: world.wish() == 40)
    answer = await world.confirm(operation)
    assert refused(answer) is Reason.DRIFTED
    assert "migration.yaml was edited" in answer.sentence
    assert (world.record(), world.wish(), world.agents.served("shop")) == (None, 40, [0, 0])


async def test_a_hand_edit_while_the_record_is_written_takes_the_raise_back(world: World) -> None:
    async def somebody_edits() -> None:
        world.wishes.before_write = None
        await world.edit(shop=40)

    operation = await world.approved(5)
    world.wishes.before_write = somebody_edits
    await world.confirm(operation)
    assert (await world.closed(operation)).outcome is Outcome.REVERTED
    await world.settled()
    assert world.agents.served("shop") == [0, 0]


async def test_a_structural_edit_voids_the_plan(world: World) -> None:
    operation = await world.approved(5)
    text = (await world.wishes.book.read()).text.replace("shop.team.svc", "shop2.team.svc")
    await world.put_document(text)
    await world.until(lambda: "shop2" in str(world.cluster.service("shop").wished))
    answer = await world.confirm(operation)
    assert refused(answer) is Reason.DRIFTED
    assert "migration.yaml: shop was changed" in answer.sentence


async def test_proxies_that_lag_are_named_and_the_raise_is_taken_back(world: World) -> None:
    world.limits = world.limits.__class__(converge=0.3, hold=5.0, verify=0.05, ask=0.01, tick=0.05)
    await world.restart()
    world.agents.behind.add("proxy-2")
    operation = await world.approved(5)
    await world.confirm(operation)
    await world.until(lambda: any("proxy-2 serves generation 0" in line for line in world.chat.lines))
    world.agents.behind.clear()
    closed = await world.closed(operation)
    assert closed.outcome is Outcome.REVERTED
    await world.settled()


async def test_what_nobody_watches_is_not_raised(world: World) -> None:
    for name, value, said in (
        ("eyes_shut", "the Watchdog is missing", "the Watchdog is missing"),
        ("away", True, "Alertmanager cannot be asked"),
    ):
        setattr(world.alerts, name, value)
        answer = await world.ask(5)
        assert refused(answer) is Reason.BLOCKED
        assert said in answer.sentence
        setattr(world.alerts, name, type(value)())
    world.agents.mute.add("proxy-1")
    assert "no answer from proxy-1" in (await world.ask(5)).sentence
    world.agents.mute.clear()
    assert (await world.ask(5)).refusal is None


async def test_a_preview_keeps_nothing(world: World) -> None:
    target = world.front.target("shop", 5)
    assert not isinstance(target, refusals.Refusal)
    preview = await world.front.preview("shop", target, ANN)
    assert isinstance(preview, answers.Preview)
    assert (preview.plan.from_weight, preview.plan.after.weight, preview.refusal) == (0, 5, None)
    assert "buckets that go to new 0 → 5" in preview.plan.config_diff
    assert await world.front.waiting("shop") is None
    assert world.audit.events == []


async def test_a_chat_that_breaks_stops_nothing(world: World) -> None:
    world.chat.broken = True
    assert (await world.raised(5)).outcome is Outcome.DONE


async def test_lowering_needs_one_confirmation_and_no_eyes(world: World) -> None:
    await world.raised(25)
    world.alerts.eyes_shut = "the Watchdog is missing"
    asked = await world.ask(5)
    assert asked.operation is not None
    assert asked.operation.plan.kind is migration.Kind.LOWER
    await world.confirm(asked.operation)
    assert (await world.closed(asked.operation)).outcome is Outcome.DONE
    assert (world.weight(), world.wish(), world.agents.served("shop")) == (5, 5, [5, 5])


async def _open(answer: answers.Answer) -> migration.Operation:
    assert answer.operation is not None, answer.sentence
    return answer.operation
