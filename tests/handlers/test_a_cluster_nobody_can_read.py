"""While the cluster cannot be read: it is said, nothing is raised, and what takes traffic back still does."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio

from deploy.playground.kubernetes.faults import EVERYTHING
from deploy.playground.kubernetes.server import KubernetesStandIn
from handlers import answers, messages
from handlers.front import Front
from handlers.rules import migration, refusals
from k8s import client, cluster_watch, credentials, model, signing, wish_document
from tests.handlers import cluster_ports
from tests.handlers.test_taking_back import gone
from tests.handlers.world import ANN, NAMESPACE, World

Reason = refusals.Reason


@pytest_asyncio.fixture
async def blind(world: World, server: KubernetesStandIn) -> AsyncIterator[Front]:
    """A replica that was started while the API server is away: it has never seen a service."""
    server.faults.refuse(gone(), EVERYTHING)
    async with client.ClusterClient(credentials.Explicit(server.url, token=server.admin_token), limit=0.2) as api:
        verifier = signing.Verifier.from_pems([world.signer.public_pem()])
        async with cluster_watch.ClusterWatch(api, NAMESPACE, verifier, wish_document.read_entries) as unread:
            seen = cluster_ports.ClusterPort(unread)
            front = Front(replace(world.outside, cluster=seen), trust=migration.Trust(), limits=world.limits)
            await front.start()
            while not seen.view().whole:
                await seen.changed()
            yield front
            await front.stop()


async def test_a_service_that_nobody_can_look_up_is_not_called_unknown(world: World, blind: Front) -> None:
    refused = blind.target("shop", 5)
    assert isinstance(refused, refusals.Refusal)
    shift = messages.ProposeShift(id="u1", at=world.clock.now(), service="shop", actor=ANN, target=exposure(5))
    release = messages.ProposeRelease(id="u2", at=world.clock.now(), service="shop", actor=ANN)
    for refusal in (refused, (await blind.handle(shift)).refusal, (await blind.handle(release)).refusal):
        assert refusal is not None
        assert refusal.reason is Reason.UNREAD
        assert "cannot be watched" in refusal.why
        assert "/migrate rollback shop" in refusal.remedy
    status = await blind.status("shop")
    assert status is not None
    assert any("cannot be watched" in sentence for sentence in status.trouble)


async def test_a_hold_is_placed_all_the_same(world: World, blind: Front) -> None:
    placed = await blind.hold(messages.PlaceHold(id="u3", at=world.clock.now(), service="shop", actor=ANN))
    assert (placed.safe, placed.written) == (True, False)
    assert [hold.service for hold in world.agents.pushed] == ["shop"]


async def test_a_lowering_is_not_refused_for_a_name_that_nobody_can_look_up(world: World, blind: Front) -> None:
    shift = messages.ProposeShift(id="u4", at=world.clock.now(), service="shop", actor=ANN, target=exposure(0))
    asked: answers.Answer = await blind.handle(shift)
    assert asked.operation is not None, asked.sentence
    confirm = messages.Confirm(id="u5", at=world.clock.now(), service="shop", actor=ANN, operation=asked.operation.id)
    assert (await blind.handle(confirm)).refusal is None
    await world.until(lambda: any(hold.service == "shop" for hold in world.agents.pushed))


async def test_who_is_no_member_holds_nothing(world: World) -> None:
    guest = replace(ANN, member=False)
    placed = await world.front.hold(messages.PlaceHold(id="g", at=world.clock.now(), service="shop", actor=guest))
    assert (placed.safe, world.agents.pushed) == (False, [])
    assert "no full member" in placed.trouble


def exposure(weight: int) -> model.Exposure:
    return model.Exposure(weight=weight, old_host="shop.old.example", new_host="shop.new.example")
