"""A critical alert while record and proxies disagree, or nobody can look: only what is proven to be at 0 is not held."""

import pytest

from deploy.playground.kubernetes.faults import EVERYTHING
from handlers.rules import migration
from k8s import client, signing
from tests.handlers.test_restored_records import NAME, damaged, data, put
from tests.handlers.test_taking_back import gone
from tests.handlers.world import NAMESPACE, World

Outcome = migration.Outcome


async def forged(world: World) -> None:
    await world.raised(50)
    await damaged(world)


async def under_other_keys(world: World) -> None:
    await world.raised(50)
    world.watch.trust(signing.Verifier.from_pems([signing.Signer.generate().public_pem()]))


async def put_back_at_0(world: World) -> None:
    """The bot was restarted since, and proxies alone know that a later record stood there."""
    await world.raised(5)
    lowering = (await world.ask(0)).operation
    assert lowering is not None
    await world.confirm(lowering)
    await world.closed(lowering)
    old = await data(world)
    await world.raised(50)
    await world.front.stop()
    world.agents.look()
    await put(world, old)
    await world.until(lambda: world.cluster.service("shop").generation == 2)
    world.watch._highest.clear()
    world.watch.trust(signing.Verifier.from_pems([world.signer.public_pem()]))
    assert not world.cluster.service("shop").stale
    world.front = world.new_front()


async def deleted_unseen_by_proxies(world: World) -> None:
    await world.raised(50)
    world.agents.look()
    world.agents.behind.update(world.agents.pods)
    await world.api.delete(client.CONFIG_MAPS, NAMESPACE, NAME)
    await world.until(lambda: world.record() is None)


@pytest.mark.parametrize("happened", [forged, under_other_keys, put_back_at_0, deleted_unseen_by_proxies])
async def test_a_critical_alert_holds_what_proxies_still_serve_whatever_the_record_says(world: World, happened: object) -> None:
    assert callable(happened)
    await happened(world)
    status = await world.front.status("shop")
    assert status is not None
    assert [line.served for line in status.proxies] == [50, 50]
    said = "shop: 2 of 2 proxies serve 50%, and the cluster says 0%; `/migrate rollback shop` takes it all back"
    assert said in status.trouble
    assert "nothing was ever raised" not in status.served
    assert said in (await world.front.overview()).trouble
    heard = await world.front.alerts([world.alert()])
    assert (heard.acted, heard.told, heard.lost) == (1, 0, ())
    assert world.agents.served("shop") == [0, 0]


async def test_a_proxy_that_gives_no_answer_is_not_proven_to_be_at_0(world: World) -> None:
    world.agents.mute.add("proxy-2")
    await world.front.overview()
    assert (await world.front.alerts([world.alert()])).acted == 1
    await world.until(world.standing)


async def test_a_view_that_is_not_kept_current_is_no_proof_of_a_hold(world: World) -> None:
    """Cut off from the API: its view still shows a hold that people have released since."""
    await world.raised(25)
    await world.hold()
    await world.settled()
    await world.restart()
    pushed = len(world.agents.pushed)
    rule = world.server.faults.refuse(gone(), EVERYTHING)
    world.server.faults.close_watches(cleanly=False)
    await world.until(lambda: not world.cluster.view().synced)
    heard = await world.front.alerts([world.alert(), world.alert(cause="fp2/start2")])
    assert (heard.acted, heard.lost) == (2, ())
    fresh = {hold.id for hold in world.agents.pushed[pushed:]}
    assert len(fresh) == 1
    assert not fresh & {hold.id for hold in world.cluster.service("shop").holds}
    rule.remove()
    await world.until(lambda: fresh <= {key.removeprefix("hold.shop.") for key in world.standing()})
