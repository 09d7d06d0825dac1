"""Objects around a service that somebody changes by hand: put back to what was approved, or accepted where they lead to old."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio

from deploy.playground.kubernetes.server import KubernetesStandIn
from handlers import answers
from handlers.rules import migration
from k8s import entry_change, errors
from tests.handlers.journey_world import LONG, SHORT, Mode, Stage, Way, equipped, text
from tests.handlers.ports_in_memory import NOON
from tests.handlers.test_drift import drifted, line, looked, rounds, told
from tests.handlers.world import World, world_of

State = entry_change.EntryState
Became = answers.Became
CHANGED = "Service default/migration-proxy-shop: spec.ports[0] changed (by kubectl-edit, 2026-01-02T12:00:00Z)"


def watched(world: World) -> None:
    equipped(world)
    world.limits = replace(world.limits, drift=0.1)


@pytest_asyncio.fixture
async def way(server: KubernetesStandIn) -> AsyncIterator[Way]:
    async with world_of(server, text=text(SHORT), equipped=watched) as world:
        yield Way(world)


@pytest_asyncio.fixture
async def slow(server: KubernetesStandIn) -> AsyncIterator[Way]:
    async with world_of(server, text=text(LONG), equipped=watched) as world:
        yield Way(world)


def change(way: Way, *, past: bool = False, drift: str = CHANGED) -> None:
    """Somebody does something to the objects."""
    way.entries.drift, way.entries.past = (drift,), past
    way.entries.states["shop"] = State.BROKEN


async def at_5(way: Way) -> None:
    """Five percent on an entry that was prepared."""
    await way.prepared()
    await way.run(Mode.ASK)
    await way.step(5)
    assert way.world.weight() == 5


async def test_what_was_changed_is_put_back_as_it_was_approved_and_told(way: Way) -> None:
    await way.prepared()
    change(way)
    sentence = await told(way.world, "put it back as it was approved")
    assert "kubectl-edit" in sentence
    assert way.entries.done == [("shop", "prepare")] * 2
    await rounds(way.world)
    assert (len(way.world.notices.told), way.entries.done[2:], way.world.chat.pages) == (1, [], [])
    assert sentence in drifted(way.world)
    found = line(way.world)
    assert found is not None
    assert found.became is Became.PUT_BACK


async def test_objects_that_would_become_anything_else_than_was_approved_are_left_and_told(way: Way) -> None:
    await way.prepared()
    way.entries.moved = "the application has another path now"
    change(way)
    sentence = await told(way.world, "Ferry cannot put it back")
    assert "plan it again" in sentence
    await rounds(way.world)
    assert (len(way.world.notices.told), way.entries.done) == (1, [("shop", "prepare")])
    change(way, drift="Service default/migration-proxy-shop is gone")
    await told(way.world, "is gone")
    assert len(way.world.notices.told) == 3  # the first drift ended with the second


async def test_what_belongs_to_somebody_else_is_never_forced(way: Way) -> None:
    await way.prepared()
    way.entries.refuses = [errors.Conflict("Ingress team/shop belongs to argocd; change it there")]
    change(way)
    assert "belongs to argocd" in await told(way.world, "Ferry cannot put it back")
    await rounds(way.world)
    assert way.entries.done == [("shop", "prepare")]


async def test_what_is_changed_again_within_a_minute_is_left(way: Way) -> None:
    await way.prepared()
    change(way)
    await told(way.world, "put it back as it was approved")
    change(way)
    await told(way.world, "changed again after Ferry had put it back")
    assert way.entries.done == [("shop", "prepare")] * 2


async def test_without_a_preparation_that_is_known_nothing_is_put_back(way: Way) -> None:
    change(way)
    way.entries.meant = State.ENTERED
    await told(way.world, "what was approved for it is not known")
    assert way.entries.done == []


async def test_objects_that_do_not_say_any_more_what_they_are_for_are_put_back_as_approved_last(way: Way) -> None:
    await way.prepared()
    change(way, drift="Service default/migration-proxy-shop is gone")
    way.entries.meant = State.UNKNOWN
    await told(way.world, "put it back as it was approved")
    assert way.entries.done == [("shop", "prepare")] * 2


async def test_an_api_server_that_is_away_is_asked_again(way: Way) -> None:
    await way.prepared()
    way.world.limits = replace(way.world.limits, ask=0.0)
    way.entries.refuses = [errors.Busy("too many requests")] * 2
    change(way)
    await told(way.world, "put it back as it was approved")


async def test_a_canary_that_was_deleted_leads_to_old_is_accepted_and_the_record_follows(slow: Way) -> None:
    await at_5(slow)
    change(slow, past=True, drift="Ingress default/migration-proxy-shop is gone")
    sentence = await told(slow.world, "It leads to the old application")
    assert "`/migrate prepare shop`" in sentence
    await slow.world.settled()
    await rounds(slow.world)
    assert slow.entries.done == [("shop", "prepare")]  # and nobody puts it back
    settled = slow.world.record()
    assert settled is not None
    history = await slow.world.front.history("shop")
    assert "leads past the proxies" in history[0].sentence
    standing = [one.what for one in slow.world.front.drift("shop").standing]
    assert standing == []


async def test_objects_that_are_all_gone_lead_to_old(slow: Way) -> None:
    await at_5(slow)
    slow.entries.states["shop"], slow.entries.meant = State.DIRECT, State.UNKNOWN
    assert "are gone" in await told(slow.world, "It leads to the old application")
    await slow.world.settled()


async def test_a_look_that_nobody_can_have_changes_nothing(slow: Way) -> None:
    await at_5(slow)
    slow.entries.states["shop"], slow.entries.meant = State.UNKNOWN, State.UNKNOWN
    await rounds(slow.world, 8)
    assert (slow.world.weight(), slow.world.notices.told) == (5, [])
    assert slow.world.front.drift("shop").unseen == ("unknown",)


async def test_drift_pauses_the_ladder_and_sends_the_soak_back_to_0(slow: Way) -> None:
    await at_5(slow)
    await slow.journeyed(lambda one: one.soak is not None and one.run is not None)
    slow.entries.refuses = [errors.Conflict("it belongs to argocd")]
    change(slow)
    paused = await slow.journeyed(lambda one: one.run is not None and one.run.paused)
    assert paused.run is not None
    assert "kubectl-edit" in paused.run.paused
    assert paused.soak is None or paused.soak.seconds == 0
    assert slow.world.weight() == 5


async def test_an_arrangement_under_way_is_no_drift(way: Way) -> None:
    way.entries.wait = asyncio.Event()
    asked = await way.objects(Stage.PREPARE)
    assert asked.operation is not None
    await way.world.approve(asked.operation)
    await way.world.confirm(asked.operation)
    change(way, drift="Ingress default/migration-proxy-shop is gone")
    way.entries.meant = State.ENTERED
    await rounds(way.world, 8)
    assert way.world.notices.told == []
    way.entries.wait.set()
    done = await way.world.closed(asked.operation)
    assert done.outcome is migration.Outcome.DONE
    await looked(way.world, lambda: not way.world.front.drift("shop").lines)
    assert (way.world.notices.told, way.world.clock.now()) == ([], NOON)


async def test_two_replicas_put_it_back_and_say_so_once(way: Way) -> None:
    await way.prepared()
    other = way.world.new_front()
    await other.start()
    change(way)
    await told(way.world, "put it back as it was approved")
    await rounds(way.world, 8)
    await other.stop()
    assert len(way.world.notices.told) == len(drifted(way.world)) == 1
