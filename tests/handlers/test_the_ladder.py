"""What happens to a ladder on its way: holds, alerts, pauses, restarts, two replicas, a store that came back empty."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest_asyncio

from deploy.playground.kubernetes.server import KubernetesStandIn
from handlers import journey_document, messages
from handlers.rules import journeys, migration
from k8s import client, entry_change, model, record_document
from tests.handlers import journey_world
from tests.handlers.journey_world import Mode, Stage, Way
from tests.handlers.world import BOB, NAMESPACE, World, world_of

Outcome = migration.Outcome


@pytest_asyncio.fixture
async def way(server: KubernetesStandIn) -> AsyncIterator[Way]:
    async with world_of(server, text=journey_world.text(), equipped=journey_world.equipped) as world:
        yield Way(world)


@pytest_asyncio.fixture
async def slow(server: KubernetesStandIn) -> AsyncIterator[Way]:
    """Nothing is soaked within a test."""
    async with world_of(server, text=journey_world.text(journey_world.LONG), equipped=journey_world.equipped) as world:
        yield Way(world)


async def soaked(way: Way, seconds: float) -> None:
    """So much more of the soak, written by whoever holds the key: as if it had been watched."""
    book = way.world.book

    def more(journey: journeys.Journey) -> journeys.Journey:
        assert journey.soak is not None
        return journey.moved(soak=replace(journey.soak, seconds=journey.soak.seconds + seconds))

    journey = await way.journeyed(lambda one: one.soak is not None)
    while not await book.keep_journey("shop", journey_document.to_document(more(journey)), journey.revision):
        found = await way.world.api.get(client.CONFIG_MAPS, NAMESPACE, record_document.config_map_name("shop"))
        kept = record_document.read(found, way.world.watch._verifier).journey
        assert kept is not None
        journey = journey_document.from_document(kept)


async def test_a_hold_in_the_middle_voids_the_standing_approval_and_the_soak(slow: Way) -> None:
    world = slow.world
    await slow.prepared()
    await slow.granted(await slow.run(Mode.AUTO))
    await slow.journeyed(lambda one: one.soak is not None and one.soak.weight == 5)
    await world.hold()
    await world.settled()
    journey = await slow.journeyed(lambda one: one.standing is None and one.soak is None)
    assert journey.run is None or journey.run.paused
    released = await slow.granted(await world.release())
    assert released.outcome is Outcome.DONE, released.because
    await soon(world)
    assert (world.weight(), world.pending.open) == (0, {})


async def soon(world: World) -> None:
    """Some looks of the ladder later."""
    for _ in range(10):
        await world.clock.sleep(world.limits.ladder)


async def test_an_alert_sends_the_soak_back_to_zero_and_pauses_the_ladder(slow: Way) -> None:
    world = slow.world
    await slow.prepared()
    await world.raised(5)
    await slow.run(Mode.ASK)
    await soaked(slow, 1000.0)
    world.alerts.fires = [world.alert(severity=messages.Severity.WARNING)]
    journey = await slow.journeyed(lambda one: one.soak is not None and one.soak.resets == 1)
    assert journey.soak is not None
    assert journey.soak.seconds == 0
    journey = await slow.journeyed(lambda one: one.run is not None and one.run.paused)
    world.alerts.fires = []
    await soon(world)
    assert world.weight() == 5
    assert len(world.chat.pages) == 1
    assert journey.run is not None
    assert "NewClusterErrors" in journey.run.paused


async def test_an_alert_about_what_all_services_share_stops_the_clock_and_nothing_else(slow: Way) -> None:
    world = slow.world
    await slow.prepared()
    await world.raised(5)
    await slow.run(Mode.ASK)
    await soaked(slow, 1000.0)
    await slow.journeyed(lambda one: one.soak is not None and one.soak.seconds >= 1000)
    world.alerts.fires = [world.alert(model.ALL_SERVICES, name="FerryProxyUnseen", severity=messages.Severity.WARNING)]
    await seen(world, "FerryProxyUnseen")
    await soaked(slow, 3600.0)
    await soon(world)
    status = await world.front.journey("shop")
    assert status is not None
    assert any("FerryProxyUnseen" in one for one in status.waits_for)
    journey = await slow.journeyed(lambda one: one.soak is not None)
    assert journey.soak is not None
    assert journey.run is not None
    assert (journey.soak.seconds >= 4600, journey.soak.resets, journey.run.paused) == (True, 0, "")
    assert (world.pending.open, world.chat.pages, world.weight()) == ({}, [], 5)
    world.alerts.fires = []
    assert (await slow.step(25)).outcome is Outcome.DONE


async def test_an_alert_about_the_new_cluster_as_a_whole_begins_soaks_anew(slow: Way) -> None:
    world = slow.world
    await slow.prepared()
    await world.raised(5)
    await slow.run(Mode.ASK)
    await soaked(slow, 1000.0)
    warning = messages.Severity.WARNING
    world.alerts.fires = [world.alert(model.ALL_SERVICES, name="FerryNewClusterOdd", severity=warning, about_new=True)]
    journey = await slow.journeyed(lambda one: one.run is not None and one.run.paused)
    assert journey.soak is not None
    assert journey.soak.seconds == 0
    await soon(world)
    assert [page.partition(":")[0] for page in world.chat.pages] == ["Ladders pause"]


async def test_the_soak_goes_on_after_a_restart_and_with_an_empty_store(slow: Way) -> None:
    world = slow.world
    await slow.prepared()
    await world.raised(5)
    await slow.run(Mode.ASK)
    await soaked(slow, 3000.0)
    await slow.journeyed(lambda one: one.soak is not None and one.soak.seconds >= 3000)
    world.pending.open.clear()
    world.pending.known.clear()
    await world.restart()
    status = await world.front.journey("shop")
    assert status is not None
    assert status.soak is not None
    assert 3000 <= status.soak.seconds < 3600
    await soaked(slow, 600.0)
    step = await slow.step(25)
    assert (step.outcome, world.weight()) == (Outcome.DONE, 25), step.because


async def test_two_replicas_neither_count_double_nor_ask_double(slow: Way) -> None:
    world = slow.world
    began = world.clock.monotonic()
    await slow.prepared()
    await slow.run(Mode.ASK)
    other = world.new_front()
    await other.start()
    try:
        await slow.step(5)
        await slow.journeyed(lambda one: one.soak is not None)
        served = [await front.journey("shop") for front in (world.front, other) for _ in range(20)]
        most = world.clock.monotonic() - began
        seconds = [one.soak.seconds for one in served if one is not None and one.soak is not None]
        assert seconds
        assert max(seconds) <= most
        await soaked(slow, 3600.0)
        step = await slow.step(25)
        assert step.outcome is Outcome.DONE, step.because
        await soon(world)
        asked = [one for one in world.pending.known.values() if one.run]
        assert sorted(one.plan.after.weight for one in asked) == [5, 25]
        assert [one.weight for one in await world.front.history("shop")] == [25, 5]
    finally:
        await other.stop()


async def test_two_replicas_take_each_step_of_a_standing_approval_once(way: Way) -> None:
    world = way.world
    await way.prepared()
    other = world.new_front()
    await other.start()
    try:
        await way.granted(await way.run(Mode.AUTO))
        journey = await way.journeyed(lambda one: one.hundred is not None and len(one.standing.used if one.standing else ()) == 3)
        assert journey.standing is not None
        assert journey.standing.used == (5, 25, 100)
        assert journey.run is not None
        assert journey.run.paused == ""
        records = [one.record for one in await world.book.history("shop")]
        assert [one.exposure.weight for one in records] == [100, 25, 5]
        assert await world.book.verify("shop") == ()
    finally:
        await other.stop()


async def test_a_pause_stops_it_and_resuming_lets_it_go_on(way: Way) -> None:
    world = way.world
    await way.prepared()
    await way.run(Mode.ASK)
    await way.step(5)
    asked = await way.proposed(25)
    paused = await way.pause()
    assert paused.refusal is None, paused.sentence
    twice = await way.pause()
    assert twice.refusal is not None
    if "shop" in world.pending.open:
        await world.front.handle(messages.Reject(id="r", at=world.clock.now(), service="shop", actor=BOB, operation=asked.id))
    await way.journeyed(lambda one: one.run is not None and one.run.paused)
    await soon(world)
    assert (world.weight(), world.pending.open) == (5, {})
    status = await world.front.journey("shop")
    assert status is not None
    assert any("paused" in one for one in status.waits_for)
    assert (await way.resume()).refusal is None
    assert (await way.step(25)).outcome is Outcome.DONE


async def test_a_rejected_step_is_not_asked_for_again_at_once(way: Way) -> None:
    world = way.world
    await way.prepared()
    await way.run(Mode.ASK)
    asked = await way.proposed(5)
    await world.front.handle(messages.Reject(id="r", at=world.clock.now(), service="shop", actor=BOB, operation=asked.id))
    await soon(world)
    assert [one.id for one in world.pending.known.values() if one.run] == [asked.id]
    await way.journeyed(lambda one: one.run is not None and one.run.paused)


async def test_nothing_counts_while_a_proxy_lags_or_the_numbers_are_too_few(slow: Way) -> None:
    world = slow.world
    await slow.prepared()
    await world.raised(5)
    await slow.journeyed(lambda one: one.soak is not None)
    for spoil, mend, word in (
        (lambda: world.agents.breakers.update({"proxy-1": (0, "down")}), world.agents.breakers.clear, "breaker"),
        (
            lambda: setattr(slow.measures, "requests", 10.0),
            lambda: setattr(slow.measures, "requests", 1e5),
            "requests are needed",
        ),
        (lambda: setattr(slow.measures, "trouble", "it is away"), lambda: setattr(slow.measures, "trouble", ""), "it is away"),
        (lambda: setattr(world.alerts, "away", True), lambda: setattr(world.alerts, "away", False), "Alertmanager"),
    ):
        spoil()  # type: ignore[no-untyped-call]
        await seen(world, word)
        mend()
        await seen(world, "")


async def seen(world: World, word: str) -> None:
    """The ladder's look says so; an empty word: nothing is missing."""
    async with asyncio.timeout(20):
        while True:
            status = await world.front.journey("shop")
            assert status is not None
            missing = status.soak.missing if status.soak else "nothing"
            if (word in missing) if word else missing == "":
                return
            await world.clock.sleep(world.limits.ladder)


async def test_a_lost_write_of_the_journey_takes_no_step_and_loses_nothing(way: Way) -> None:
    world = way.world
    await way.prepared()
    operation = (await way.run(Mode.AUTO)).operation
    assert operation is not None
    await world.approve(operation)
    world.journeys.away = 10_000
    refused = await world.confirm(operation)
    assert refused.refusal is not None
    assert "could not be kept" in refused.sentence
    world.journeys.away = 0
    assert (await world.confirm(operation)).refusal is None
    await way.journeyed(lambda one: one.hundred is not None)


async def test_a_request_that_was_faster_than_a_step_does_not_use_the_step_up(way: Way) -> None:
    """The step is kept as used first, and then its operation finds another one in its place."""
    world = way.world
    await way.prepared()
    operation = (await way.run(Mode.AUTO)).operation
    assert operation is not None
    await world.approve(operation)
    await world.restart()
    between: list[migration.Operation] = []
    save = world.pending.save

    async def somebody_is_faster(operation: migration.Operation, expected_revision: int) -> bool:
        if operation.standing and not between:
            by_hand = replace(operation, id="op-by-hand", standing="", run="", phase=migration.Phase.PROPOSED, approvals=())
            between.append(by_hand)
            assert await save(by_hand, 0)
        return await save(operation, expected_revision)

    world.pending.save = somebody_is_faster  # type: ignore[method-assign]
    assert (await world.confirm(operation)).refusal is None
    await world.until(lambda: between)
    journey = await way.journeyed(lambda one: one.standing is not None and one.revision >= 4)
    assert journey.standing is not None
    assert (journey.standing.used, world.weight()) == ((), 0)
    rejection = messages.Reject(id="r", at=world.clock.now(), service="shop", actor=BOB, operation="op-by-hand")
    assert (await world.front.handle(rejection)).refusal is None
    await way.journeyed(lambda one: one.hundred is not None)


async def test_a_clock_that_runs_ahead_ends_a_standing_approval_and_serves_nothing(slow: Way) -> None:
    world = slow.world
    await slow.prepared()
    await slow.granted(await slow.run(Mode.AUTO, until=world.clock.now() + timedelta(days=2)))
    await slow.journeyed(lambda one: one.soak is not None and one.soak.weight == 5)
    world.clock.later = timedelta(days=7)
    journey = await slow.journeyed(lambda one: one.run is not None and one.run.paused)
    assert journey.run is not None
    assert "ended" in journey.run.paused
    assert world.weight() == 5


async def test_that_old_can_still_be_gone_back_to_is_watched(slow: Way) -> None:
    world = slow.world
    world.limits = replace(world.limits, no_proxies=0.05)
    await world.restart()
    await slow.prepared()
    await world.raised(5)
    slow.entries.old_ready = 0
    await seen(world, "no ready endpoint")
    await world.until(lambda: world.chat.pages)
    await soon(world)
    assert ["no rollback would be answered" in page for page in world.chat.pages] == [True]
    slow.entries.old_ready = 1
    await seen(world, "")


async def test_a_hold_that_proxies_do_not_obey_puts_the_original_entry_back(slow: Way) -> None:
    world = slow.world
    world.limits = replace(world.limits, hold=0.2)
    await world.restart()
    await slow.prepared()
    await world.raised(5)
    world.agents.mute.add("proxy-2")
    await world.hold()
    await world.until(lambda: ("shop", "bypass") in slow.entries.done)
    await world.until(lambda: any("original entry was put back" in page for page in world.chat.pages))
    await soon(world)
    assert slow.entries.states["shop"] is entry_change.EntryState.DIRECT
    assert [done for _, done in slow.entries.done] == ["prepare", "bypass"]


async def test_proxies_that_neither_answer_nor_are_ready_are_passed_by_and_silence_alone_is_no_proof(slow: Way) -> None:
    world = slow.world
    world.limits = replace(world.limits, no_proxies=0.1)
    await world.restart()
    await slow.prepared()
    await world.raised(5)
    world.agents.mute = set(world.agents.pods)
    await soon(world)
    assert ("shop", "bypass") not in slow.entries.done
    world.agents.unready = set(world.agents.pods)
    await world.until(lambda: ("shop", "bypass") in slow.entries.done)
    world.agents.mute.clear()
    await world.settled()
    assert world.weight() == 0


async def test_without_any_proxy_the_original_entry_is_put_back_and_the_way_begins_at_zero(slow: Way) -> None:
    world = slow.world
    world.limits = replace(world.limits, no_proxies=0.1)
    await world.restart()
    await slow.prepared()
    await world.raised(5)
    world.agents.pods = ()
    await world.until(lambda: ("shop", "bypass") in slow.entries.done)
    await world.settled()
    assert len([page for page in world.chat.pages if "original entry was put back" in page]) == 1
    world.agents.pods = ("proxy-1", "proxy-2")
    again = await slow.objects(Stage.PREPARE)
    assert again.refusal is not None or again.operation is not None
