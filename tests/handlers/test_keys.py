"""A service with a sticky key: what its plan says of the keys, and how its raise is judged."""

import pytest

from handlers import answers
from handlers.rules import key_outlook, migration
from k8s import key_spread, model, proxy_report
from tests.handlers import world as worlds
from tests.handlers.world import ANN, World

STICKY = model.sticky_from("cookie:session")


async def sticky(world: World) -> model.Exposure:
    """The document says so, and the proxies decide by it."""
    text = worlds.document().replace('strategy: "weight"', 'strategy: "weight"\n    sticky: "cookie:session"')
    await world.put_document(text)
    await world.until(lambda: _target(world).sticky == STICKY)
    return _target(world)


def _target(world: World, weight: int = 25) -> model.Exposure:
    target = world.front.target("shop", weight)
    assert isinstance(target, model.Exposure)
    return target


def spread(exposure: model.Exposure, counts: dict[int, int], *, new: int = 0) -> key_spread.Spread:
    buckets = tuple(counts.get(bucket, 0) for bucket in range(100))
    return key_spread.Spread(key_spread.key_of(exposure), key_spread.rules_of(exposure), buckets, buckets, new)


async def previewed(world: World, exposure: model.Exposure) -> key_outlook.Outlook | key_outlook.Unseen | None:
    preview = await world.front.preview("shop", exposure, ANN)
    assert isinstance(preview, answers.Preview)
    assert preview.refusal is None
    return preview.keys


async def test_a_plan_says_what_the_keys_that_proxies_see_make_of_its_weight(world: World) -> None:
    exposure = await sticky(world)
    assert await previewed(world, exposure) == key_outlook.Unseen("cookie:session", key_outlook.Why.NO_COUNTS)
    world.agents.spreads["shop"] = spread(exposure, {3: 100, 24: 100, 25: 300, 99: 500})
    seen = await previewed(world, exposure)
    assert isinstance(seen, key_outlook.Outlook)
    assert (seen.keys, seen.proxies, seen.requests, seen.share) == (4, 2, 2_000, 0.2)
    assert seen.low == 0.0 < seen.share < seen.high


async def test_where_no_key_decides_a_plan_says_nothing_of_keys(world: World) -> None:
    assert await previewed(world, _target(world)) is None


async def test_the_details_of_a_request_say_it_of_what_was_answered_last(world: World) -> None:
    exposure = await sticky(world)
    world.agents.spreads["shop"] = spread(exposure, {3: 100, 99: 100})
    operation = (await world.ask(25)).operation
    assert operation is not None
    seen = world.front.keys(operation.plan)
    assert isinstance(seen, key_outlook.Outlook)
    assert seen.share == 0.5


@pytest.mark.parametrize(("new_of_hundred", "outcome"), [(60, migration.Outcome.DONE), (25, migration.Outcome.REVERTED)])
async def test_a_raise_by_key_is_judged_by_the_requests_that_its_keys_made_due(
    world: World, new_of_hundred: int, outcome: migration.Outcome
) -> None:
    """Sixty of a hundred requests are of keys below 25: 60% is right, and 25%, as it was asked for of the keys, is not."""
    exposure = await sticky(world)
    asked = 0

    def counting() -> None:
        nonlocal asked
        asked += 1
        new = new_of_hundred * asked
        world.agents.spreads["shop"] = spread(exposure, {3: 60 * asked, 70: 40 * asked}, new=new)
        world.agents.traffic["shop"] = proxy_report.Traffic(new=new, old=100 * asked - new, attempts_new=new)

    world.agents.before_answer = counting
    operation = await world.raised(25)
    assert operation.outcome is outcome, operation.because
    assert f"{new_of_hundred}.0% of" in operation.because
