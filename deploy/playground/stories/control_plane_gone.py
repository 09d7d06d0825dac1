"""The story `control-plane-gone`: bot, Redis and API server are gone, and then the new cluster dies.

The proxies take the traffic back by themselves and, as new stays dead, hold it. When everything is back, the bot makes that
hold everybody's: new is well again, and nothing goes there before people have approved it.
"""

import asyncio
import signal
import time

from deploy.playground import monitoring, objects
from deploy.playground.stories import absences, clients, proxies, scene, shares
from deploy.playground.world import affliction
from handlers.rules import migration
from k8s import client, hold_document, holds, proxy_report
from k8s.agent import protection, settings

SERVICE = objects.FIRST
WEIGHT = 25
LIMIT = 5.0  # seconds from its death until no proxy sends anything to new: five failures of a busy service, and their log
ALL = (absences.What.BOT, absences.What.REDIS, absences.What.API)
_BEYOND = 15.0  # seconds beyond the agents' own patience, until all of them hold
_BACK = 60.0  # seconds from everything being back until the record is settled, and until every probe sees that new is well
_RESOLVED = 240.0  # seconds: the rules look back over two minutes, and go on firing for half of one
_FLOWING = 100  # readers
_STAYS = 300  # readers, of whom some seventy would reach new if anything went back by itself
_LOOK_AGAIN = 0.1
_LATCH_AFTER = "FERRY_LATCH_AFTER"


async def play(told: scene.Scene) -> None:
    """Raises people.Stuck, TimeoutError."""
    playground = told.playground
    outcome = await told.persons.shift(SERVICE.name, WEIGHT, "before everything goes")
    if not told.demand(outcome is migration.Outcome.DONE, f"the shift to {WEIGHT}% ended as {outcome}: {told.persons.because}"):
        return
    missing = absences.Absences(playground, told.notes)
    async with clients.using(playground, SERVICE) as people:
        await missing.take(*ALL)
        told.say("bot, Redis and API server are gone")
        people.anew()
        await people.read_more(_FLOWING)
        if await _new_dies(told, people) and await _settled(told, missing) and await _nothing_goes_back(told, people):
            await _brought_back(told)
    told.measured |= {"deadline_of_a_client_s": clients.DEADLINE, "reads": people.asked, "failed_reads": people.failed}
    told.notes.clients(people.asked, people.failed)
    told.demand(people.failed == 0, f"{people.failed} of {people.asked} GET, HEAD and OPTIONS failed")
    if not told.why:
        told.measured["share_at_last"] = await shares.measure(told, SERVICE, WEIGHT)


async def _new_dies(told: scene.Scene, people: clients.Clients) -> bool:
    """From its death until every proxy holds. False: the story cannot go on."""
    playground, patience = told.playground, _latch_after(told)
    if told.sabotage == "frozen-agents":
        proxies.send(playground, signal.SIGSTOP)
    died = time.monotonic()
    try:
        # Each request ends what serves it. A port that is closed would count nothing: who knows then which request was the last?
        await affliction.befall(playground.new, affliction.Affliction.RESETTING)
        lowered = await proxies.agree(playground, SERVICE.name, lambda one: one.suppression == 0, within=LIMIT)
        await people.all_ended(lowered or died)
    finally:
        if told.sabotage == "frozen-agents":
            proxies.send(playground, signal.SIGCONT)
    last = playground.new.counts.last_of[SERVICE.new_host].at
    told.measured |= {
        "limit_s": LIMIT,
        "seconds_from_death_to_the_last_request_at_new": round(max(0.0, last - died), 3),
        "seconds_from_death_to_suppression_on_both": None if lowered is None else round(lowered - died, 3),
        "while_new_died": people.measured(),
    }
    why = f"{LIMIT:g} s after the new cluster's death not every proxy kept away from it: {proxies.said(playground, SERVICE.name)}"
    if not told.demand(lowered is not None and last - died <= LIMIT, why):
        return False
    told.say(f"both proxies keep away from new; its last request came {max(0.0, last - died):.2f} s after its death")
    held = await proxies.agree(playground, SERVICE.name, _latched, within=patience + _BEYOND)
    told.measured |= {"latch_after_s": patience, "seconds_from_death_to_latch": None if held is None else round(held - died, 2)}
    return told.demand(held is not None, f"not every proxy held {SERVICE.name} after {patience:g} s without new")


def _latched(one: proxy_report.ServiceReport) -> bool:
    return one.served == 0 and any(hold.startswith(protection.LATCH) for hold in one.holds)


def _latch_after(told: scene.Scene) -> float:
    """Seconds: what this story's agents were told, or as shipped."""
    return float(told.sizes.agent.get(_LATCH_AFTER, settings.AgentSettings.model_fields["latch_after"].default))


async def _settled(told: scene.Scene, missing: absences.Absences) -> bool:
    """Everything comes back; the bot makes the agents' hold a key that everybody sees, and the record follows what is served."""
    await missing.bring_back(absences.What.API)
    began = time.monotonic()
    settling = asyncio.create_task(_until_settled(told))
    try:
        await missing.bring_back(absences.What.REDIS, absences.What.BOT)
        told.say("API server, Redis and bot are back")
        settled, keys = await settling
    finally:
        settling.cancel()
    if not told.demand(bool(keys), f"{_BACK:g} s after the API's return the latch was no key beside a record at 0"):
        return False
    told.say("the proxies' hold is everybody's now, and the record says 0%")
    told.measured |= {"adopted": sorted(keys), "seconds_from_return_of_the_api_to_settled": round(settled - began, 2)}
    return True


async def _until_settled(told: scene.Scene) -> tuple[float, set[str]]:
    """When (monotonic) the record was at 0, and the keys that the agents' latches had then; no key: that did not come."""
    until = time.monotonic() + _BACK
    while time.monotonic() < until:
        found = await told.playground.api.get(client.CONFIG_MAPS, objects.NAMESPACE, holds.CONFIG_MAP)
        keys = {hold.key for hold in hold_document.holds_from(found.get("data")) if hold.id.startswith(protection.LATCH)}
        if keys and await told.persons.weight(SERVICE.name) == 0:
            return time.monotonic(), keys
        await asyncio.sleep(_LOOK_AGAIN)
    return until, set()


async def _nothing_goes_back(told: scene.Scene, people: clients.Clients) -> bool:
    """New is well, every probe says so, and still nobody sends anything there."""
    playground, counts = told.playground, told.playground.new.counts
    before = counts.per_host[SERVICE.new_host]
    await affliction.befall(playground.new, affliction.Affliction.UP)
    healed = await proxies.agree(playground, SERVICE.name, lambda one: one.suppression is None, within=_BACK)
    if not told.demand(healed is not None, f"the probes did not see that new is well: {proxies.said(playground, SERVICE.name)}"):
        return False
    await people.read_more(_STAYS)
    went = counts.per_host[SERVICE.new_host] - before
    told.measured["requests_at_new_after_it_was_healed"] = went
    return told.demand(went == 0, f"{went} requests went back to new although nobody had approved it")


async def _brought_back(told: scene.Scene) -> None:
    """What fires cannot be released; then release and shift, each approved by another person."""
    fired: set[str] = set()
    async with asyncio.timeout(_RESOLVED):
        while names := {str(one["labels"]["alertname"]) for one in await _critical(told.playground.alertmanager_url)}:
            fired |= names
            await asyncio.sleep(_LOOK_AGAIN)
    told.measured["critical_alerts_to_wait_for"] = sorted(fired)
    told.say("new is well, and no alert about it fires any more")
    for text in (f"/migrate safe-mode off {SERVICE.name} new is well", f"/migrate shift {SERVICE.name} {WEIGHT}% again"):
        outcome = await told.persons.typed(SERVICE.name, text)
        if not told.demand(outcome is migration.Outcome.DONE, f"{text!r} ended as {outcome}: {told.persons.because}"):
            return


async def _critical(url: str) -> list[monitoring.Json]:
    """What keeps the service from being released."""
    found = await monitoring.firing(url)
    about = [one for one in found if one["labels"].get("migration_service", SERVICE.name) == SERVICE.name]
    return [one for one in about if one["labels"].get("severity") == "critical"]
