"""The story `shift`: 0 → 5 → 25 percent, asked for in Slack, approved by another person, counted at the backends."""

from bot.slack import buttons
from deploy.playground import installation, objects
from deploy.playground.slack import records
from deploy.playground.stories import people, scene, shares
from handlers.rules import migration
from k8s.entries import entry_names

SERVICE = objects.FIRST
STEPS = (5, 25)
_INGRESS = installation.KINDS["Ingress"]


async def play(told: scene.Scene) -> None:
    """Raises people.Stuck."""
    if told.sabotage == "no-entry":
        await told.playground.api.delete(_INGRESS, objects.NAMESPACE, entry_names.proxies_of(SERVICE.name))
        await told.playground.ingress.until(lambda table: table.canary(SERVICE.old_host) is None)
    found = told.measured["shares"] = []
    found.append(await shares.measure(told, SERVICE, 0))
    for weight in STEPS:
        card = await told.persons.ask(people.ANN, f"/migrate shift {SERVICE.name} {weight}% step to {weight}%")
        if weight == STEPS[0]:
            await _approve_ones_own(told, card)
        operation = await told.persons.approved_and_confirmed(card)
        outcome = await told.persons.ended(SERVICE.name, operation)
        told.demand(outcome is migration.Outcome.DONE, f"the shift to {weight}% ended as {outcome}: {told.persons.because}")
        found.append(await shares.measure(told, SERVICE, weight))
        told.say(f"{weight}%: measured {found[-1]['percent']}% of {found[-1]['requests']} requests")
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
