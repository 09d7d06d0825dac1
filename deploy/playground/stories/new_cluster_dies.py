"""The story `new-cluster-dies`: one fault of the new cluster after the other, with the bot gone; whoever reads notices none.

Each proxy sees for itself that new fails, stops asking it, and asks it again when it is well: nobody did anything. What can
befall one host alone befalls only the first service's, and the second one goes on as approved.
"""

import asyncio
import signal
import time
from typing import Any

from deploy.playground import objects
from deploy.playground.stories import absences, clients, history, proxies, scene, shares
from deploy.playground.world import affliction, backends
from handlers.rules import migration
from k8s import proxy_report

SERVICE, OTHER = objects.FIRST, objects.SECOND
WEIGHT = 50
FAULTS = (
    affliction.Affliction.DOWN,
    affliction.Affliction.HANGING,
    affliction.Affliction.SLOW,
    affliction.Affliction.UNAVAILABLE,
    affliction.Affliction.RESETTING,
    affliction.Affliction.DROPPED,
)
BACK_WITHIN = 60.0  # seconds from a repair until all that was approved goes to new again
_FLOWING = 100  # readers that are answered before a fault
_LOOK_AGAIN = 0.05


async def play(told: scene.Scene) -> None:
    """Raises people.Stuck, TimeoutError."""
    for app in (SERVICE, OTHER):
        outcome = await told.persons.shift(app.name, WEIGHT, "before it dies")
        why = f"the shift of {app.name} to {WEIGHT}% ended as {outcome}: {told.persons.because}"
        if not told.demand(outcome is migration.Outcome.DONE, why):
            return
    playground = told.playground
    await absences.Absences(playground, told.notes).take(absences.What.BOT)
    told.measured |= {"weight": WEIGHT, "deadline_of_a_client_s": clients.DEADLINE, "limit_to_open_s": told.sizes.limit}
    found: list[dict[str, Any]] = []
    told.measured["faults"] = found
    began = time.monotonic()
    async with clients.using(playground, SERVICE, OTHER) as people:
        for what in FAULTS:
            if not await _one(told, people, what, found):
                break
    told.notes.clients(people.asked, people.failed)
    told.measured |= {"reads": people.asked, "failed_reads": people.failed}
    told.demand(people.failed == 0, f"{people.failed} of {people.asked} GET, HEAD and OPTIONS failed")
    told.demand(len(found) == len(FAULTS), f"{len(found)} of {len(FAULTS)} faults were told")
    latched = proxies.holds(playground, SERVICE.name, since=began)
    told.demand(not latched, f"{SERVICE.name} was held ({', '.join(sorted(latched))}): it would not come back by itself")
    if not told.why:
        told.measured["share_at_last"] = await shares.measure(told, SERVICE, WEIGHT)


async def _one(told: scene.Scene, people: clients.Clients, what: affliction.Affliction, found: list[dict[str, Any]]) -> bool:
    """One fault from its begin until new has its share again. False: the story cannot go on."""
    playground = told.playground
    people.anew()
    await people.read_more(_FLOWING)
    began = time.monotonic()
    await _break(told, what)
    opened = await proxies.agree(playground, SERVICE.name, lambda one: one.suppression == 0, within=told.sizes.limit)
    why = f"{what}: not every breaker was open after {told.sizes.limit:g} s: {proxies.said(playground, SERVICE.name)}"
    told.demand(opened is not None, why)
    await people.all_ended(opened or began)
    last, repaired = playground.new.counts.last_of[SERVICE.new_host].at, time.monotonic()
    watching = asyncio.create_task(_first_at_new(playground.new.counts))
    await _mend(told)
    whole = await _whole(told) if opened else None
    if what in affliction.ONE_HOST:
        told.notes.faults.append(history.Fault(SERVICE.name, began, whole or repaired))
    why = f"{what}: {WEIGHT}% was not served again {BACK_WITHIN:g} s after the repair: {proxies.said(playground, SERVICE.name)}"
    told.demand(whole is not None or opened is None, why)
    await people.all_ended(repaired)
    watching.cancel()
    first = next(iter(await asyncio.gather(watching, return_exceptions=True)))
    figures = people.measured()
    told.demand(figures["failed_reads"] == 0, f"{what}: {figures['failed_reads']} of {figures['reads']} readers failed")
    seconds = {
        "until_every_breaker_is_open": (began, opened),
        "until_the_last_request_at_new": (began, last if last >= began else None),  # None: nothing can arrive there
        "from_repair_to_the_first_request_at_new": (repaired, first if isinstance(first, float) else None),
        "from_repair_to_the_whole_share": (repaired, whole),
    }
    took = {name: None if end is None else round(end - begin, 2) for name, (begin, end) in seconds.items()}
    found.append({"fault": str(what), **figures, "seconds": took})
    told.say(f"{what}: {figures}, seconds {took}")
    return whole is not None


async def _whole(told: scene.Scene) -> float | None:
    """When both services had their share again (monotonic); None: not in time."""
    ends = [await proxies.agree(told.playground, app.name, _serves_all, within=BACK_WITHIN) for app in (SERVICE, OTHER)]
    return None if None in ends else ends[0]


def _serves_all(one: proxy_report.ServiceReport) -> bool:
    return one.suppression is None and one.served == WEIGHT


async def _break(told: scene.Scene, what: affliction.Affliction) -> None:
    if told.sabotage == "frozen-agents":
        proxies.send(told.playground, signal.SIGSTOP)
    if told.sabotage == "no-old":
        await told.playground.old[SERVICE.name].refuse(True)
    await affliction.befall(told.playground.new, what, host=SERVICE.new_host)


async def _mend(told: scene.Scene) -> None:
    await affliction.befall(told.playground.new, affliction.Affliction.UP)
    await told.playground.old[SERVICE.name].refuse(False)
    if told.sabotage == "frozen-agents":
        proxies.send(told.playground, signal.SIGCONT)


async def _first_at_new(counts: backends.Counts) -> float:
    """When new saw its next request of the service (monotonic)."""
    before = counts.per_host[SERVICE.new_host]
    while counts.per_host[SERVICE.new_host] == before:  # noqa: ASYNC110 backends only count
        await asyncio.sleep(_LOOK_AGAIN)
    return counts.last_of[SERVICE.new_host].at
