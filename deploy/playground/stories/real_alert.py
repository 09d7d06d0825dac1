"""The story `real-alert`: nothing is posted by hand. New fails, and rules, Prometheus, Alertmanager and bot do the rest.

It fails for some, hardly ever for five in a row: where everything fails each proxy keeps away by itself, before any alert.
"""

import asyncio

from deploy.playground import monitoring, objects
from deploy.playground.stories import history, scene
from deploy.playground.world import backends
from handlers.rules import migration

SERVICE, OTHER = objects.FIRST, objects.SECOND
WEIGHT = 25
ERRORS = 0.15  # of the answers of new
_QUIET = 1.5  # seconds without a request at new
_LOOK_AGAIN = 0.05


async def play(told: scene.Scene) -> None:
    """Raises people.Stuck."""
    playground, limit = told.playground, told.sizes.limit
    outcome = await told.persons.shift(SERVICE.name, WEIGHT, "before it breaks")
    if not told.demand(outcome is migration.Outcome.DONE, f"the shift to {WEIGHT}% ended as {outcome}: {told.persons.because}"):
        return
    whole = playground.traffic.counts
    told.notes.clients(whole.total, whole.failed)
    if told.sabotage == "frozen-prometheus":
        playground.prometheus.child.pause()
    began = whole.failed
    playground.new.knobs.error_share = ERRORS
    try:
        first = await _first_failure(playground.new.counts)
        told.say("the new cluster fails; nobody does anything")
        last = await _last_at_new(told, first)
    finally:
        playground.prometheus.child.proceed()
    fired = [alert["labels"] for alert in await monitoring.firing(playground.alertmanager_url)]
    told.notes.accepted.append(history.Accepted(first, SERVICE.name, last, limit))
    told.measured |= {
        "seconds_from_first_failure_to_last_request_at_new": round((last or first) - first, 3),
        "failed_tries_at_new": playground.new.counts.failed,
        "failed_requests_of_clients": whole.failed - began,
        "alerts": sorted({str(one.get("alertname")) for one in fired if one.get("migration_service") == SERVICE.name}),
    }
    told.demand((last or first) - first <= limit, f"new still saw requests {limit:g} s after its first failure")
    told.demand(playground.fleet.held(SERVICE.name), f"no proxy holds {SERVICE.name}")
    told.demand(not playground.fleet.held(OTHER.name), f"{OTHER.name} was held too, and nothing was wrong with it")


async def _first_failure(counts: backends.Counts) -> float:
    """When the first request failed at new (monotonic). Steady traffic brings one within a second."""
    async with asyncio.timeout(10):
        while counts.first_failure is None:  # noqa: ASYNC110 backends only count: whoever waits must not slow them
            await asyncio.sleep(_LOOK_AGAIN)
    return counts.first_failure


async def _last_at_new(told: scene.Scene, since: float) -> float:
    """When new saw its last request of the service, waiting for quiet, and not much longer than the limit."""
    loop, counts = asyncio.get_running_loop(), told.playground.new.counts
    until = loop.time() + told.sizes.limit + 1
    while True:
        before = counts.last_of.get(SERVICE.new_host)
        await asyncio.sleep(_QUIET)
        last = counts.last_of.get(SERVICE.new_host)
        if last is before or loop.time() > until:
            return last.at if last is not None else since
