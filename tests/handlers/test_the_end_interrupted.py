"""Something comes between the confirmation of the end and the end itself: a hold is obeyed, a store away stops nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.playground.kubernetes.server import KubernetesStandIn
from handlers.rules import migration, refusals
from k8s import client, record_document
from tests.handlers import journey_world
from tests.handlers.journey_world import Mode, Stage, Way
from tests.handlers.world import NAMESPACE, world_of

Outcome = migration.Outcome


@pytest_asyncio.fixture
async def way(server: KubernetesStandIn) -> AsyncIterator[Way]:
    """At 100%, its soak and its backup time served."""
    async with world_of(server, text=journey_world.text(), equipped=journey_world.equipped) as world:
        found = Way(world)
        await found.prepared()
        await found.run(Mode.ASK)
        for weight in (5, 25, 100):
            await found.step(weight)
        await found.journeyed(lambda one: 100 in one.served)
        yield found


async def confirmed(way: Way) -> migration.Operation:
    """The end, its objects being changed until `way.entries.wait` is set."""
    asked = (await way.finish()).operation
    assert asked is not None
    await way.world.approve(asked)
    way.entries.wait = asyncio.Event()
    assert (await way.world.confirm(asked)).refusal is None
    return asked


@pytest.mark.parametrize("reached", [False, True])
async def test_a_hold_after_the_finished_record_is_obeyed_until_the_end_is_reached(way: Way, reached: bool) -> None:
    world = way.world
    asked = await confirmed(way)
    assert way.entries.wait is not None
    world.agents.behind = set() if reached else {"proxy-2"}
    way.entries.wait.set()
    if reached:
        assert (await world.closed(asked)).outcome is Outcome.DONE
        await world.until(lambda: (journey := way.journey()) is not None and journey.finished)
    else:
        await world.until(lambda: (record := world.record()) is not None and record.finished)
    world.agents.behind = set()
    await world.hold()
    if reached:
        assert world.agents.served("shop") == [100, 100]
        return
    await world.settled()
    await world.until(lambda: world.agents.served("shop") == [0, 0])
    assert (await world.closed(asked)).outcome is Outcome.REVERTED
    record = world.record()
    assert record is not None
    assert (record.finished, record.exposure.weight) == (False, 0)


async def test_a_hold_while_the_objects_change_lets_no_finished_record_come(way: Way) -> None:
    world = way.world
    asked = await confirmed(way)
    await world.hold()
    assert way.entries.wait is not None
    way.entries.wait.set()
    await world.settled()
    assert (await world.closed(asked)).outcome is not Outcome.DONE
    assert not any(one.record.finished for one in await world.book.history("shop"))
    assert world.agents.served("shop") == [0, 0]


@pytest.mark.parametrize("witness", ["revisions", "proxies"])
async def test_the_end_is_not_undone_by_deleting_its_record(way: Way, witness: str) -> None:
    world = way.world
    done = await way.granted(await way.finish())
    assert done.outcome is Outcome.DONE, done.because
    await world.api.delete(client.CONFIG_MAPS, NAMESPACE, record_document.config_map_name("shop"))
    await world.until(lambda: world.record() is None and way.journey() is None)
    if witness == "revisions":
        world.agents.memory.clear()
    else:
        for one in (await world.api.list(client.CONTROLLER_REVISIONS, NAMESPACE))["items"]:
            await world.api.delete(client.CONTROLLER_REVISIONS, NAMESPACE, one["metadata"]["name"])
    for asked in (await world.ask(5), await way.objects(Stage.PREPARE), await way.run(Mode.ASK)):
        assert asked.refusal is not None
        assert asked.refusal.reason is refusals.Reason.FINISHED, asked.sentence
    await world.hold()
    for _ in range(10):
        await world.clock.sleep(world.limits.ladder)
    assert world.record() is None


@pytest.mark.parametrize("moment", ["before", "between"])
async def test_a_store_that_goes_away_ends_it_in_words_or_stops_nothing(way: Way, moment: str) -> None:
    """Before the end is asked about once more; or right after, when the finished record is what comes next."""
    world, asked = way.world, await confirmed(way)
    if moment == "before":
        world.pending.away = True
    else:
        world.agents.before_answer = lambda: setattr(world.pending, "away", True)
    assert way.entries.wait is not None
    way.entries.wait.set()
    done = await world.closed(asked)
    record = world.record()
    assert record is not None
    assert (done.outcome, record.finished) == ((Outcome.FAILED, False) if moment == "before" else (Outcome.DONE, True))
    assert moment == "between" or "/migrate finish shop" in done.because


async def test_a_removal_that_a_restart_interrupts_goes_on_only_if_every_proxy_still_reports_the_end(way: Way) -> None:
    world = way.world
    await way.granted(await way.finish())
    asked = (await way.objects(Stage.REMOVE)).operation
    assert asked is not None
    await world.approve(asked)
    way.entries.wait = asyncio.Event()
    assert (await world.confirm(asked)).refusal is None
    world.agents.mute = {"proxy-2"}
    await world.restart()
    way.entries.wait.set()
    done = await world.closed(asked)
    assert (done.outcome, "proxy-2" in done.because) == (Outcome.FAILED, True), done.because
    assert ("shop", "remove") not in way.entries.done
