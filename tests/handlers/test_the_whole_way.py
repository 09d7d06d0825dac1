"""A service from its preparation to its end: objects, ladder, soak, backup, the forward, the removal; and what it is refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from deploy.playground.kubernetes.server import KubernetesStandIn
from handlers import answers, journey_messages, planned
from handlers.rules import migration, refusals
from k8s import entry_change, errors, model
from tests.handlers import journey_world
from tests.handlers.journey_world import Mode, Stage, Way
from tests.handlers.world import ANN, World, world_of

Outcome = migration.Outcome
Entry = entry_change.EntryState


@pytest_asyncio.fixture
async def way(server: KubernetesStandIn) -> AsyncIterator[Way]:
    async with world_of(server, text=journey_world.text(), equipped=journey_world.equipped) as world:
        yield Way(world)


@pytest_asyncio.fixture
async def slow(server: KubernetesStandIn) -> AsyncIterator[Way]:
    """Nothing is soaked within a test."""
    async with world_of(server, text=journey_world.text(journey_world.LONG), equipped=journey_world.equipped) as world:
        yield Way(world)


async def stage(world: World) -> answers.Stage:
    status = await world.front.journey("shop")
    assert status is not None
    return status.stage


async def test_the_whole_way_with_every_step_approved(way: Way) -> None:
    world = way.world
    assert await stage(world) is answers.Stage.NEW
    await way.prepared()
    assert way.entries.states["shop"] is Entry.ENTERED
    assert await stage(world) is answers.Stage.PREPARED
    asked = await way.run(Mode.ASK)
    assert (asked.refusal, asked.operation) == (None, None), asked.sentence
    for weight in (5, 25, 100):
        done = await way.step(weight)
        assert (done.outcome, world.weight(), done.requester_shown) == (Outcome.DONE, weight, "Ann"), done.because
    journey = await way.journeyed(lambda one: 100 in one.served)
    assert (journey.served, journey.hundred is not None, journey.baseline is not None) == ((5, 25, 100), True, True)
    assert await stage(world) is answers.Stage.FINISHABLE
    finished = await way.granted(await way.finish())
    assert (finished.outcome, way.entries.states["shop"]) == (Outcome.DONE, Entry.FORWARD), finished.because
    record = world.record()
    assert record is not None
    assert (record.finished, record.exposure.weight, world.agents.served("shop")) == (True, 100, [100, 100])
    await way.journeyed(lambda one: one.finished is not None)
    assert await stage(world) is answers.Stage.FINISHED
    removed = await way.granted(await way.objects(Stage.REMOVE))
    assert removed.outcome is Outcome.DONE, removed.because
    await way.journeyed(lambda one: one.removed is not None)
    assert await stage(world) is answers.Stage.REMOVED
    assert [done for name, done in way.entries.done] == ["prepare", "forward", "remove"]
    assert [(one.before, one.weight) for one in await world.front.history("shop")] == [(100, 100), (25, 100), (5, 25), (None, 5)]
    assert await world.book.verify("shop") == ()


async def test_the_whole_ladder_on_one_standing_approval(way: Way) -> None:
    world = way.world
    await way.prepared()
    run = await way.granted(await way.run(Mode.AUTO))
    assert (run.outcome, run.plan.steps) == (Outcome.DONE, (5, 25, 100)), run.because
    journey = await way.journeyed(lambda one: one.hundred is not None and one.standing is not None)
    assert journey.standing is not None
    assert (world.weight(), journey.standing.used) == (100, (5, 25, 100))
    records = [one.record for one in await world.book.history("shop")]
    assert [one.exposure.weight for one in records] == [100, 25, 5]
    assert [one.approvals for one in records] == [(f"{run.id}/{weight}",) for weight in (100, 25, 5)]
    assert await world.book.verify("shop") == ()


async def test_what_is_not_soaked_is_refused_by_hand_at_the_end_and_may_be_skipped(slow: Way) -> None:
    world = slow.world
    await slow.prepared()
    await world.raised(5)
    by_hand = await world.ask(25)
    assert by_hand.refusal is not None
    assert ("1 h" in by_hand.sentence, "skip" in by_hand.sentence) == (True, True), by_hand.sentence
    early = await slow.finish()
    assert early.refusal is not None
    done = await slow.granted(await slow.skip())
    assert (done.outcome, world.weight(), done.plan.skips != "") == (Outcome.DONE, 25, True), done.because
    assert "no time" in done.plan.skips
    done = await slow.granted(await slow.skip())
    assert (done.outcome, world.weight()) == (Outcome.DONE, 100), done.because
    early = await slow.finish()
    assert early.refusal is not None
    assert "2 h of the backup time" in early.sentence, early.sentence
    gone = await slow.objects(Stage.REMOVE)
    assert gone.refusal is not None
    assert way_done(slow) == ["prepare"]


def way_done(way: Way) -> list[str]:
    return [done for _, done in way.entries.done]


async def test_a_clock_that_jumps_a_week_serves_nothing(slow: Way) -> None:
    world = slow.world
    await slow.prepared()
    await world.raised(5)
    await slow.run(Mode.ASK)
    await slow.journeyed(lambda one: one.run is not None and one.soak is not None)
    world.clock.later = timedelta(days=7)
    await world.restart()
    status = await world.front.journey("shop")
    assert status is not None
    assert status.soak is not None
    assert (status.soak.seconds < 60, status.next_step) == (True, 25)
    assert any("are missing" in one for one in status.waits_for)
    assert (await world.ask(25)).refusal is not None


async def test_objects_that_changed_since_the_approval_void_it(slow: Way) -> None:
    world = slow.world
    asked = await slow.objects(Stage.PREPARE)
    assert asked.operation is not None, asked.sentence
    assert asked.operation.plan.config_diff != ""
    await world.approve(asked.operation)
    slow.entries.moved = "by hand"
    answer = await world.confirm(asked.operation)
    assert answer.refusal is not None
    assert (await world.closed(asked.operation)).outcome is Outcome.VOID
    assert slow.entries.done == []


async def test_objects_that_cannot_be_changed_fail_in_words(slow: Way) -> None:
    slow.entries.refuses = [errors.Conflict("Ingress team/shop is owned by argocd")]
    done = await slow.granted(await slow.objects(Stage.PREPARE))
    assert (done.outcome, "argocd" in done.because) == (Outcome.FAILED, True)
    slow.entries.troubles[Stage.PREPARE] = ("two Ingresses name the host; keep one.",)
    refused = await slow.objects(Stage.PREPARE)
    assert refused.refusal is not None
    assert "two Ingresses" in refused.sentence


@pytest.mark.parametrize(("stage", "role"), [(Stage.PREPARE, "ferry-entries"), (Stage.REMOVE, "ferry-removal")])
def test_a_right_that_is_missing_is_told_with_who_gives_it(stage: Stage, role: str) -> None:
    said = planned.unplannable(stage, errors.Forbidden("PATCH: services is forbidden"))
    assert f"its owner binds the ClusterRole {role} to ferry-bot there" in said
    assert "application-namespace.yaml" in said
    away = planned.unplannable(stage, errors.Unreachable("no answer"))
    assert away == f"what `{stage}` would change cannot be planned: no answer"


async def test_a_bypass_needs_one_confirmation_and_neither_proxies_nor_store(slow: Way) -> None:
    world = slow.world
    await slow.prepared()
    world.agents.mute = {"proxy-1", "proxy-2"}
    world.alerts.away = world.pending.away = True
    asked = await slow.objects(Stage.BYPASS)
    assert asked.operation is not None, asked.sentence
    assert (await world.confirm(asked.operation)).refusal is None
    await world.closed(asked.operation)
    assert slow.entries.states["shop"] is Entry.DIRECT


async def test_objects_under_way_are_brought_to_their_end_by_whoever_starts_next(slow: Way) -> None:
    world = slow.world
    asked = (await slow.objects(Stage.PREPARE)).operation
    assert asked is not None
    await world.approve(asked)
    slow.entries.wait = asyncio.Event()
    assert (await world.confirm(asked)).refusal is None
    await world.restart()
    slow.entries.wait.set()
    assert (await world.closed(asked)).outcome is Outcome.DONE
    assert way_done(slow) == ["prepare"]


async def test_a_hold_while_objects_change_waits_for_nothing(slow: Way) -> None:
    world = slow.world
    await slow.prepared()
    await world.raised(5)
    slow.entries.moved = "by a new version"
    asked = (await slow.objects(Stage.PREPARE)).operation
    assert asked is not None
    await world.approve(asked)
    slow.entries.wait = asyncio.Event()
    await world.confirm(asked)
    await world.hold()
    await world.settled()
    assert world.agents.served("shop") == [0, 0]
    assert (await world.closed(asked)).outcome is not Outcome.DONE
    slow.entries.wait.set()


async def test_an_alert_holds_nothing_where_only_objects_or_a_ladder_wait_at_zero(slow: Way) -> None:
    world = slow.world
    assert (await slow.objects(Stage.PREPARE)).operation is not None
    heard = await world.front.alerts([world.alert()])
    assert (heard.acted, heard.told, world.standing()) == (0, 1, ())
    await world.until(lambda: len(world.chat.pages) == 1)


async def test_looking_at_what_soaks_asks_no_proxy(slow: Way) -> None:
    world = slow.world
    world.limits = replace(world.limits, listen=1000.0, ladder=1000.0)
    await slow.prepared()
    await world.raised(5)
    await world.restart()
    asked: list[str] = []
    world.agents.before_answer = lambda: asked.append("fleet")
    before = world.journeys.kept
    for _ in range(20):
        await world.front._ladder.look()
    assert (asked, world.journeys.kept - before <= 1) == ([], True)


async def test_an_earlier_exposure_is_found_by_its_generation(slow: Way) -> None:
    world = slow.world
    await slow.prepared()
    await world.raised(5)
    found = await world.front.past_exposure("shop", 1)
    assert isinstance(found, model.Exposure)
    assert found.weight == 5
    missing = await world.front.past_exposure("shop", 7)
    assert isinstance(missing, refusals.Refusal)
    assert "there are: 1" in missing.sentence
    assert (await world.front.arrangement("shop", Stage.BYPASS)).diff != ""
    assert (await world.front.judgement("shop")).judged


async def test_nothing_is_known_of_objects_where_nobody_changes_them(world: World) -> None:
    way_without = await world.front.handle(
        journey_messages.ProposeObjects(id="m", at=world.clock.now(), service="shop", actor=ANN, stage=Stage.PREPARE)
    )
    assert way_without.refusal is not None
    assert "nothing here changes objects" in way_without.sentence
    status = await world.front.journey("shop")
    assert status is not None
    assert not status.judgement.judged
