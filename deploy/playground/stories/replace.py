"""The story `replace`: the same way where no canary can be made, climbed by itself on one standing approval of all steps."""

import asyncio

from deploy.playground import by_hand
from deploy.playground.stories import absences, clients, cluster_list, people, scene, walk

LADDER = (50, 100)
MANY = 2.0
_CLIMBED_WITHIN = 180.0  # seconds
_LOOK_AGAIN = 0.2


async def play(told: scene.Scene) -> None:
    """Raises people.Stuck, TimeoutError."""
    async with clients.using(told.playground, walk.APP, times=MANY, writing=told.sizes.writing) as users:
        way = walk.Walk(told, users, told.sizes.ladder or LADDER, further=("entry: replace",))
        try:
            await _acts(told, way)
        finally:
            way.sum_up()


async def _acts(told: scene.Scene, way: walk.Walk) -> None:
    if not (await way.discovered() and await way.prepared()):
        return
    if told.sabotage == "no-bot":
        await absences.Absences(told.playground, told.notes).take(absences.What.BOT)
    if not (await way.done(f"/migrate run {walk.APP.name} auto until 1d all the way") and await _climbed(told, way)):
        return
    if not (await way.finished() and await way.removed()):
        return
    found = await cluster_list.standing(told.playground)
    wrong = cluster_list.differences(found, cluster_list.FINISHED)
    told.measured["objects"] = sorted(found)
    told.demand(not wrong, "the objects are not what they should be: " + "; ".join(wrong))


async def _climbed(told: scene.Scene, way: walk.Walk) -> bool:
    """Nobody does anything: each step comes when it is due. Where a machine that is busy for a second made the ladder pause, Ann
    lets it climb on, as the page to her says; how often is measured.
    """
    steps: list[int] = []
    told.measured["resumed"], since = 0, told.persons.newest()
    ladder = tuple(way.ladder)
    async with asyncio.timeout(_CLIMBED_WITHIN):
        while steps[-1:] != [ladder[-1]]:
            at = await told.persons.weight(walk.APP.name)
            if at is not None and at not in (0, *steps):
                steps.append(at)
                operation = str((await told.persons.operation(walk.APP.name)).get("id", ""))
                await told.persons.ended(walk.APP.name, operation)
                if not await way.share(at):
                    return False
            paused = await told.persons.hears("the ladder pauses on", walk.APP.name, since=since, within=_LOOK_AGAIN)
            if paused is not None:
                since = told.persons.newest()
                told.say(paused.splitlines()[0])
                told.measured["resumed"] += 1
                await told.persons.told(people.ANN, f"/migrate resume {walk.APP.name}")
    told.measured["climbed_by_itself"] = steps
    document = await by_hand.document(told.playground)
    told.demand("migration_percentage: 100" in document, "migration.yaml does not read true after the ladder")
    return told.demand(tuple(steps) == ladder, f"the ladder was {steps}, and {list(ladder)} was approved")
