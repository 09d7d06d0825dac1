"""Several services in one plan and one approval: in turns, within limits, halted by the first hold, found again after a crash."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from deploy.playground.kubernetes.server import KubernetesStandIn
from handlers import messages
from handlers.rules import migration, refusals, waves
from tests.handlers import wave_world
from tests.handlers.wave_world import FIVE, Fleetful
from tests.handlers.world import ANN, BOB, World, world_of

Outcome = migration.Outcome
Reason = refusals.Reason


@pytest_asyncio.fixture
async def fleet(server: KubernetesStandIn) -> AsyncIterator[Fleetful]:
    async with world_of(server, text=wave_world.text(), equipped=wave_world.equipped) as world:
        yield Fleetful(world)


async def soon(world: World) -> None:
    for _ in range(10):
        await world.clock.sleep(world.limits.ladder)


async def test_five_services_move_on_one_approval_each_once_and_in_turn(fleet: Fleetful) -> None:
    world = fleet.world
    most = 0
    order: list[str] = []

    def watched() -> None:
        nonlocal most
        open_now = [name for name in world.pending.open if name in FIVE]
        most = max(most, len(open_now))
        order.extend(name for name in open_now if name not in order)

    told = world.chat.show

    async def show(operation: migration.Operation) -> None:
        watched()
        await told(operation)

    world.chat.show = show  # type: ignore[method-assign]
    operation = await fleet.begun(*FIVE)
    done = await world.closed(operation)
    assert done.outcome is Outcome.DONE, done.because
    assert fleet.weights(*FIVE) == [25] * 5
    assert 1 <= most <= 2
    assert set(order[:2]) <= {"shop", "cart"}
    for name in FIVE:
        history = await world.book.history(name)
        assert [one.record.approvals for one in history] == [(f"{operation.id}/{name}/25",)]
        assert await world.book.verify(name) == ()
    await world.until(lambda: fleet.nothing_is_left(*FIVE))
    wave = await world.front.wave(operation.plan.service)
    assert wave is not None
    assert wave.operation.outcome is Outcome.DONE
    assert world.front.waves() == ()
    await soon(world)
    assert world.chat.pages == []


async def test_a_hold_on_the_third_halts_the_rest_and_those_that_moved_stay(fleet: Fleetful) -> None:
    world = fleet.world
    world.trust = replace(world.trust, wave=migration.Together(members=1, traffic=100))
    await world.restart()
    operation = await fleet.begun(*FIVE)
    await world.until(lambda: world.weight("mail") == 25)
    assert (await world.hold("mail")).written
    done = await world.closed(operation)
    assert done.outcome is Outcome.HALTED, done.because
    assert "mail" in done.because
    await world.settled("mail")
    await world.until(lambda: fleet.nothing_is_left("shop", "cart", "mail", "news", "pay"))
    await soon(world)
    assert fleet.weights(*FIVE) == [25, 25, 0, 0, 0]
    assert len([page for page in world.chat.pages if "halted" in page]) == 1


async def test_a_step_that_ends_badly_halts_the_wave(fleet: Fleetful) -> None:
    world = fleet.world
    world.trust = replace(world.trust, wave=migration.Together(members=1, traffic=100))
    await world.restart()
    operation = await fleet.begun(*FIVE)
    await world.until(lambda: world.weight("cart") == 25)
    world.agents.breakers["proxy-1"] = (0, "down")
    world.alerts.fires = [world.alert("mail", severity=messages.Severity.WARNING, cause="fp/mail")]
    done = await world.closed(operation)
    assert done.outcome is Outcome.HALTED, done.because
    world.agents.breakers.clear()
    await soon(world)
    assert world.weight("news") == world.weight("pay") == 0


@pytest.mark.parametrize("empty", [False, True])
async def test_a_restart_in_the_middle_goes_on_also_without_any_store(fleet: Fleetful, *, empty: bool) -> None:
    world = fleet.world
    world.trust = replace(world.trust, wave=migration.Together(members=1, traffic=100))
    await world.restart()
    operation = await fleet.begun(*FIVE)
    await world.until(lambda: world.weight("cart") == 25)
    await world.front.stop()
    if empty:
        world.pending.open.clear()
        world.pending.known.clear()
    world.front = world.new_front()
    await world.front.start()
    done = await world.closed(operation)
    assert done.outcome is Outcome.DONE, done.because
    assert fleet.weights(*FIVE) == [25] * 5
    for name in FIVE:
        assert len(await world.book.history(name)) == 1
    await world.until(lambda: fleet.nothing_is_left(*FIVE))


async def test_a_crash_while_members_join_leads_to_the_same_end(fleet: Fleetful) -> None:
    world = fleet.world
    count = 0

    async def crash() -> None:
        nonlocal count
        count += 1
        if count == 4:
            await asyncio.Event().wait()  # the process stops here

    world.journeys.before_keep = crash
    operation = await fleet.begun(*FIVE)
    await world.until(lambda: fleet.journey("cart") is not None)
    async with asyncio.timeout(10):
        while count < 4:
            await world.clock.sleep(world.limits.ladder)
    assert fleet.weights(*FIVE) == [0] * 5  # nobody moves before all have joined
    world.journeys.before_keep = None
    world.pending.open.clear()
    world.pending.known.clear()
    await world.restart()
    done = await world.closed(operation)
    assert done.outcome is Outcome.DONE, done.because
    assert fleet.weights(*FIVE) == [25] * 5


async def test_two_replicas_move_each_member_once_and_keep_the_limit(fleet: Fleetful) -> None:
    world = fleet.world
    other = world.new_front()
    await other.start()
    try:
        operation = await fleet.begun(*FIVE)
        done = await world.closed(operation)
        assert done.outcome is Outcome.DONE, done.because
        for name in FIVE:
            assert len(await world.book.history(name)) == 1
        await world.until(lambda: fleet.nothing_is_left(*FIVE))
        found = await other.wave(operation.plan.service)
        assert found is not None
        assert found.operation.outcome is Outcome.DONE
    finally:
        await other.stop()


async def test_drift_of_one_member_voids_the_wave_before_it_is_confirmed(fleet: Fleetful) -> None:
    world = fleet.world
    operation = await fleet.approved(*FIVE)
    await world.raised(5, service="news")
    answer = await world.confirm(operation)
    assert answer.refusal is not None
    assert answer.refusal.reason is Reason.DRIFTED
    assert "news" in answer.sentence
    assert answer.operation is not None
    assert answer.operation.outcome is Outcome.VOID
    await soon(world)
    assert fleet.weights(*FIVE) == [0, 0, 0, 5, 0]


async def test_drift_of_one_member_after_the_confirmation_halts_it(fleet: Fleetful) -> None:
    world = fleet.world
    world.trust = replace(world.trust, wave=migration.Together(members=1, traffic=100))
    await world.restart()
    operation = await fleet.begun(*FIVE)
    await world.until(lambda: world.weight("shop") == 25)
    found = wave_world.text().replace("pay.new.example", "other.new.example")
    await world.put_document(found)
    done = await world.closed(operation)
    assert done.outcome is Outcome.HALTED, done.because
    assert "pay" in done.because
    await soon(world)
    assert world.weight("pay") == 0


async def test_what_a_single_raise_is_refused_for_refuses_the_wave_and_names_the_member(fleet: Fleetful) -> None:
    world = fleet.world
    await world.hold("mail")
    await world.until(lambda: world.standing("mail"))
    for services, reason, word in (
        (FIVE, Reason.HELD, "mail"),
        (("shop", "ghost"), Reason.INVALID, "ghost"),
        (("shop", "shop"), Reason.INVALID, "twice"),
        (("shop",), Reason.INVALID, "2 to 200"),
    ):
        answer = await fleet.ask(*services)
        assert answer.refusal is not None
        assert (answer.refusal.reason, word in answer.sentence) == (reason, True), answer.sentence
    world.agents.mute.add("proxy-2")
    answer = await fleet.ask("shop", "cart")
    assert answer.refusal is not None
    assert answer.refusal.reason is Reason.BLOCKED
    world.agents.mute.clear()
    own = await fleet.ask("shop", "cart")
    assert own.operation is not None
    alone = await world.approve(own.operation, who=ANN)
    assert alone.refusal is not None
    assert alone.refusal.reason is Reason.OWN_REQUEST
    early = await world.confirm(own.operation)
    assert early.refusal is not None
    assert early.refusal.reason is Reason.NOT_APPROVED
    assert fleet.weights(*FIVE) == [0] * 5


async def test_a_hold_between_approval_and_confirmation_voids_the_wave(fleet: Fleetful) -> None:
    world = fleet.world
    operation = await fleet.approved(*FIVE)
    await world.hold("pay")
    answer = await world.confirm(operation)
    assert answer.refusal is not None
    assert answer.refusal.reason is Reason.HELD
    assert "pay" in answer.sentence
    assert answer.operation is not None
    assert answer.operation.outcome is Outcome.VOID


async def test_how_much_traffic_moves_at_once_is_limited(fleet: Fleetful) -> None:
    world = fleet.world
    world.trust = replace(world.trust, wave=migration.Together(members=5, traffic=20))
    await world.restart()
    fleet.measures.rates = {"shop": 400_000.0, "cart": 400_000.0, "mail": 100_000.0, "news": 50_000.0, "pay": 50_000.0}
    together: set[frozenset[str]] = set()
    save = world.pending.save

    async def watched(operation: migration.Operation, expected_revision: int) -> bool:
        saved = await save(operation, expected_revision)
        together.add(frozenset(name for name in world.pending.open if name in FIVE))
        return saved

    world.pending.save = watched  # type: ignore[method-assign]
    operation = await fleet.begun("shop", "cart", "mail", "news", "pay", weight=100)
    done = await world.closed(operation)
    assert done.outcome is Outcome.DONE, done.because
    assert not any({"shop", "cart"} <= some for some in together)
    assert not any(some & {"shop", "cart"} and len(some) > 1 for some in together)


async def test_a_wave_that_nobody_confirms_expires_on_its_card(fleet: Fleetful) -> None:
    world = fleet.world
    operation = await fleet.approved(*FIVE)
    world.clock.later = world.trust.lasts
    done = await world.closed(operation)
    assert done.outcome is Outcome.EXPIRED
    assert fleet.weights(*FIVE) == [0] * 5


async def test_a_wave_rejected_in_the_moment_of_its_confirmation_does_not_begin(fleet: Fleetful) -> None:
    world = fleet.world
    operation = await fleet.approved(*FIVE)
    other = world.new_front()
    await other.start()
    try:
        name = operation.plan.service
        rejected = messages.Reject(id="rejected", at=world.clock.now(), service=name, actor=BOB, operation=operation.id)

        async def faster() -> None:
            world.journeys.before_keep = None
            assert (await other.handle(rejected)).refusal is None

        world.journeys.before_keep = faster
        answer = await world.confirm(operation)
        assert answer.refusal is not None
        await world.until(lambda: fleet.nothing_is_left(*FIVE))
        await soon(world)
        assert fleet.weights(*FIVE) == [0] * 5
        found = await world.front.wave(name)
        assert found is not None
        assert found.operation.outcome is Outcome.REJECTED
    finally:
        await other.stop()


async def test_how_far_it_is_can_be_asked_at_any_time(fleet: Fleetful) -> None:
    world = fleet.world
    world.trust = replace(world.trust, wave=migration.Together(members=1, traffic=100))
    await world.restart()
    asked = await fleet.ask(*FIVE)
    assert asked.operation is not None
    assert [one.operation.id for one in world.front.waves()] == [asked.operation.id]
    await world.approve(asked.operation)
    await world.confirm(asked.operation)
    await world.until(lambda: world.weight("shop") == 25)
    wave = await world.front.wave(asked.operation.id)
    assert wave is not None
    assert [one.service for one in wave.members] == list(FIVE)
    assert wave.members[-1].state in (waves.State.WAITING, waves.State.PLANNED)
    status = await world.front.journey("pay")
    assert status is not None
    assert status.waits_for
    await world.closed(asked.operation)
