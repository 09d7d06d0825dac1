"""A document that cannot be followed: people are called once over all replicas, and told when it is whole again."""

from handlers.rules import effects
from tests.handlers.world import World, document


async def test_a_broken_document_calls_people_once_and_its_mending_is_told(world: World) -> None:
    other = world.new_front()
    await other.start()
    broken = document(shop=5) + "  - nonsense: [\n"
    for times in (1, 2):  # the same mistake in another edit is a new one
        await world.put_document(broken)
        await world.until(lambda: len(world.chat.pages) == times)  # noqa: B023  looked at in this very round
        assert "migration.yaml is refused" in world.chat.pages[-1]
        assert "Nothing is raised before it is corrected" in world.chat.pages[-1]
        held = f"After {world.limits.severe:g} s without a correction everything but finished services is held"
        assert held in world.chat.pages[-1]
        await world.put_document(document(shop=times))
        await world.until(lambda: len(world.chat.alerts) == times)  # noqa: B023  the same
        assert (world.chat.alerts[-1].firing, "can be followed again" in world.chat.alerts[-1].summary) == (False, True)
    await other.stop()
    refused = [event for event in world.audit.events if event.kind is effects.EventKind.REFUSED]
    assert [(event.who, event.service) for event in refused] == [("ferry", "all")] * 2
    assert len(world.chat.pages) == 2


async def test_a_bot_that_starts_with_a_broken_document_says_so_and_again_only_when_it_breaks_in_another_way(
    world: World,
) -> None:
    await world.front.stop()
    await world.put_document("services: 5\n")
    await world.until(lambda: world.cluster.view().document_trouble)
    await world.restart()
    await world.until(lambda: len(world.chat.pages) == 1)
    await world.restart()
    await world.put_document("services: [\n")
    await world.until(lambda: len(world.chat.pages) == 2)
    assert world.chat.pages[0] != world.chat.pages[1]
