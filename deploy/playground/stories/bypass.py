"""The story `bypass`: no proxy is ready, and the application's own Ingress leads to them: Ferry puts the original entry back.

From the moment at which the ingress has followed, nobody's request fails; people are told, and the record follows what is served.
"""

import asyncio
import time

from deploy.playground.stories import absences, clients, scene, walk
from deploy.playground.world import ingress_routes, processes

WEIGHT = 25
_SWITCHED_WITHIN = 45.0  # seconds: until no proxy is ready, `no_proxies` (10 s here), and a sync of the ingress
_AFTERWARDS = 500  # readers
_LOOK_AGAIN = 0.05


async def play(told: scene.Scene) -> None:
    """Raises people.Stuck, TimeoutError."""
    playground, app = told.playground, walk.APP
    async with clients.using(playground, app) as users:
        way = walk.Walk(told, users, (WEIGHT, 100), further=("entry: replace",))
        if not (await way.discovered() and await way.prepared()):
            return
        if not await way.done(f"/migrate shift {app.name} {WEIGHT}% before the proxies die") or not await way.share(WEIGHT):
            return
        way.sum_up()
        since, died = told.persons.newest(), time.monotonic()
        if told.sabotage == "no-bot":
            await absences.Absences(playground, told.notes).take(absences.What.BOT)
        frozen = _freeze(told)
        try:
            async with asyncio.timeout(_SWITCHED_WITHIN):
                await playground.ingress.until(_direct)
            switched = time.monotonic()
            told.say(f"the ingress leads to the old application again, {switched - died:.0f} s after the proxies froze")
            users.anew()
            await users.all_ended(switched)
            users.anew()
            await users.read_more(_AFTERWARDS)
            reads = users.reads.counts
            told.measured |= {
                "seconds_until_the_original_entry": round(switched - died, 1),
                "reads_afterwards": reads.total,
                "failed_afterwards": reads.failed,
                "answered_by_old_afterwards": reads.old,
            }
            told.notes.clients(reads.total, reads.failed)
            told.demand(reads.failed == 0, f"{reads.failed} of {reads.total} requests failed after the original entry was back")
            told.demand(reads.old == reads.total, f"{reads.new} requests reached new around the proxies")
        finally:
            for pid in frozen:
                pid.proceed()
        heard = await told.persons.hears(app.name, "original entry was put back", since=since, within=30)
        told.demand(heard is not None, "nobody was told that the proxies are passed by")
        async with asyncio.timeout(60):
            while await told.persons.weight(app.name) != 0:  # noqa: ASYNC110 the cluster tells nobody
                await asyncio.sleep(_LOOK_AGAIN)
        told.measured["record_afterwards"] = 0


def _freeze(told: scene.Scene) -> list[processes.Child]:
    """Every process of every proxy: connections stay open and nothing answers, so that no probe finds one ready."""
    children = [child for pod in told.playground.pods("migration-proxy") for child in pod.processes.values()]
    for child in children:
        child.pause()
    return children


def _direct(table: ingress_routes.Table) -> bool:
    found = table.location(walk.APP.old_host, "/")
    return found is not None and found.upstream.name.startswith(f"{walk.APP.namespace}-{walk.APP.service}-")
