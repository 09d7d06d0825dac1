"""A record that was damaged, or put back by hand: it is settled or written anew, and never another service's business."""

from collections.abc import Mapping

from handlers import blockers
from handlers.rules import migration
from k8s import client, record_document, signing
from tests.handlers.test_taking_back import PATIENT
from tests.handlers.world import NAMESPACE, World

Outcome = migration.Outcome
NAME = record_document.config_map_name("shop")


async def data(world: World) -> Mapping[str, str]:
    return dict((await world.api.get(client.CONFIG_MAPS, NAMESPACE, NAME))["data"])


async def put(world: World, old: Mapping[str, str]) -> None:
    await world.api.patch(client.CONFIG_MAPS, NAMESPACE, NAME, {"data": dict(old)})


async def damaged(world: World) -> None:
    await put(world, {"signature": "AAAA"})
    await world.until(lambda: world.cluster.service("shop").record_trouble)


async def raised_and_put_back(world: World, *weights: int) -> None:
    """The first record of them stands again, and nobody settles it: no bot runs."""
    kept = []
    for weight in weights:
        await world.raised(weight)
        kept.append(await data(world))
    await world.front.stop()
    await put(world, kept[0])
    await world.until(lambda: world.cluster.service("shop").generation == 1)


async def test_a_record_put_back_by_hand_is_settled_at_0_and_people_are_called_once(world: World) -> None:
    await raised_and_put_back(world, 5, 25)
    assert world.agents.served("shop") == [25, 25]
    other = world.new_front()
    await world.restart()
    await other.start()
    await world.until(lambda: world.cluster.service("shop").generation == 3)
    await world.settled()
    assert world.agents.served("shop") == [0, 0]
    await world.until(lambda: world.chat.pages)
    await other.stop()
    assert [("put back by hand" in page, "/migrate shift shop" in page) for page in world.chat.pages] == [(True, True)]
    assert await world.book.verify("shop") == ()
    await world.raised(5)
    assert world.agents.served("shop") == [5, 5]


async def test_only_proxies_know_that_it_was_put_back_after_a_restart(world: World) -> None:
    await raised_and_put_back(world, 5, 25)
    world.watch._highest.clear()  # another process has seen nothing else
    world.watch.trust(signing.Verifier.from_pems([world.signer.public_pem()]))
    assert not world.cluster.service("shop").stale
    await world.restart()
    await world.until(lambda: world.cluster.service("shop").generation == 3)
    await world.settled()
    assert world.agents.served("shop") == [0, 0]


async def test_a_request_that_waits_is_void_when_an_older_record_is_settled(world: World) -> None:
    await world.raised(5)
    old = await data(world)
    await world.raised(25)
    operation = await world.approved(50)
    await put(world, old)
    assert (await world.closed(operation)).outcome is Outcome.VOID
    await world.settled()


async def test_a_record_put_back_while_a_raise_runs_is_settled_after_it(world: World) -> None:
    await world.raised(5)
    old = await data(world)
    world.limits = PATIENT
    await world.restart()
    operation = await world.approved(25)
    await world.confirm(operation)
    await world.until(lambda: world.chat.phases[-1] == "verifying")
    await put(world, old)
    await world.until(lambda: world.cluster.service("shop").stale)
    await world.front.alerts([world.alert()])
    assert world.agents.served("shop") == [0, 0]
    assert (await world.closed(operation)).outcome is Outcome.REVERTED
    await world.settled()


async def test_the_record_of_one_service_blocks_no_raise_of_another(world: World) -> None:
    await raised_and_put_back(world, 5, 25)
    view = world.cluster.view()
    assert any("restored by hand" in sentence for sentence in view.trouble)
    assert [blockers.cluster_trouble(view, view.services[name]) for name in ("cart", "shop")] == [[], []]


async def test_a_damaged_record_is_mended_by_a_shift_and_hinders_nobody_else(world: World) -> None:
    await world.raised(25)
    await damaged(world)
    assert (await world.raised(5, service="cart")).outcome is Outcome.DONE
    assert (await world.raised(50)).outcome is Outcome.DONE
    assert (world.agents.served("shop"), world.cluster.view().trouble) == ([50, 50], ())


async def test_a_damaged_record_is_mended_by_a_shift_to_0(world: World) -> None:
    await world.raised(25)
    await damaged(world)
    asked = await world.ask(0)
    assert asked.operation is not None, asked.sentence
    await world.confirm(asked.operation)
    assert (await world.closed(asked.operation)).outcome is Outcome.DONE
    assert (world.agents.served("shop"), world.cluster.view().trouble) == ([0, 0], ())
