"""The story `shift`: 0 → 5 → 25 percent, asked for in Slack, approved by another person, counted at the backends."""

from bot.slack import buttons
from deploy.playground import installation, objects
from deploy.playground.slack import records
from deploy.playground.stories import counting, people, scene
from handlers.rules import migration

SERVICE = objects.FIRST
STEPS = (5, 25)
_INGRESS = installation.KINDS["Ingress"]


async def play(told: scene.Scene) -> None:
    """Raises people.Stuck."""
    if told.sabotage == "no-entry":
        await told.playground.api.delete(_INGRESS, objects.NAMESPACE, objects.ENTRY)
        await told.playground.ingress.until(lambda table: table.canary(SERVICE.old_host) is None)
    shares = told.measured["shares"] = []
    shares.append(await _measure(told, 0))
    for weight in STEPS:
        card = await told.persons.ask(people.ANN, f"/migrate shift {SERVICE.name} {weight}% step to {weight}%")
        if weight == STEPS[0]:
            await _approve_ones_own(told, card)
        operation = await told.persons.approved_and_confirmed(card)
        outcome = await told.persons.ended(SERVICE.name, operation)
        told.demand(outcome is migration.Outcome.DONE, f"the shift to {weight}% ended as {outcome}: {told.persons.because}")
        shares.append(await _measure(told, weight))
        told.say(f"{weight}%: measured {shares[-1]['percent']}% of {shares[-1]['requests']} requests")
    steady = told.playground.traffic.counts
    told.notes.clients(steady.total, steady.failed)
    told.measured["steady_requests"] = steady.total
    told.measured["failed_requests"] = told.notes.failed
    told.demand(told.notes.failed == 0, f"{told.notes.failed} requests failed")


async def _approve_ones_own(told: scene.Scene, card: records.Message) -> None:
    words = await told.persons.refused(people.ANN, card, buttons.Action.APPROVE)
    told.measured["own_approval"] = words.splitlines()[0] if words else ""
    now = await told.persons.operation(SERVICE.name)
    told.demand(not now, "approving one's own request changed the record")


async def _measure(told: scene.Scene, weight: int) -> dict[str, object]:
    """A burst of clients alone: what old and new counted of it."""
    playground = told.playground
    old, new = playground.old[SERVICE.name].counts, playground.new.counts
    async with playground.alone():
        before = old.total, new.per_host[SERVICE.new_host]
        burst = await playground.client_of([SERVICE]).burst(told.sizes.requests)
    counted_old, counted_new = old.total - before[0], new.per_host[SERVICE.new_host] - before[1]
    total = counted_old + counted_new
    told.notes.clients(told.sizes.requests, burst.failed)
    told.demand(total == told.sizes.requests, f"at {weight}% {told.sizes.requests} were asked and {total} reached a backend")
    right = counting.within(total, counted_new, weight)
    low, high = counting.interval(total, weight)
    told.demand(right, f"at {weight}% {counted_new} of {total} requests reached new, which chance puts at {low} to {high}")
    return {
        "weight": weight,
        "requests": total,
        "new": counted_new,
        "percent": round(100 * counted_new / total, 3) if total else 0.0,
        "interval": [low, high],
        "failed": burst.failed,
        "requests_per_second": round(burst.rate),
    }
