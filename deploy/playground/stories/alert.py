"""The story `alert`: a critical alert as Alertmanager sends it, again and again; how long new still sees requests after it."""

import asyncio
import signal

from deploy.playground import alerts_by_hand, objects
from deploy.playground.stories import counting, history, scene
from deploy.playground.world import traffic
from handlers.rules import migration

SERVICE = objects.FIRST
WEIGHT = 100  # every request is one more chance to see a late one
CLIENTS = 3  # each asks again as soon as it is answered: about a thousand requests a second
LIMIT = 2.0  # seconds: I3's T on this machine
_QUIET = 0.3  # seconds without a request at new: it was the last one
_FLOWING = 60  # requests at new before the alert
_TOKEN = "a token that nobody gave out"


async def play(told: scene.Scene) -> None:
    """Raises people.Stuck."""
    playground = told.playground
    token = _TOKEN if told.sabotage == "wrong-token" else playground.keys.alert_token
    sender = alerts_by_hand.Sender(playground.webhook_url, token)
    clients = playground.client_of([SERVICE])
    counts = traffic.Tally()
    late: list[float] = []
    answered: list[float] = []
    try:
        for number in range(told.sizes.rounds):
            outcome = await _raised(told, number)
            if not told.demand(outcome is migration.Outcome.DONE, f"round {number + 1}: the shift ended as {outcome}"):
                break
            async with clients.crowd(CLIENTS) as tally:
                went_on = await _alert(told, sender, late, answered)
            counts.old, counts.new, counts.failed = counts.old + tally.old, counts.new + tally.new, counts.failed + tally.failed
            if not went_on:
                break
            released = await told.persons.typed(SERVICE.name, f"/migrate safe-mode off {SERVICE.name} after round {number + 1}")
            if not told.demand(released is migration.Outcome.DONE, f"round {number + 1}: safe-mode off ended as {released}"):
                break
            if (number + 1) % 10 == 0:
                told.say(f"{number + 1} alerts; p50 so far {counting.percentile(late, 50):.1f} ms")
    finally:
        await sender.close()
    _sum_up(told, late, answered, counts)


async def _raised(told: scene.Scene, number: int) -> migration.Outcome:
    """The first time with cards and buttons, then with the keyboard: approved by another person and confirmed each time."""
    if number == 0:
        return await told.persons.shift(SERVICE.name, WEIGHT, "round 1")
    return await told.persons.typed(SERVICE.name, f"/migrate shift {SERVICE.name} {WEIGHT}% round {number + 1}")


async def _alert(told: scene.Scene, sender: alerts_by_hand.Sender, late: list[float], answered: list[float]) -> bool:
    """One alert, while requests flow. False: the story cannot go on."""
    await _flowing(told)
    if told.sabotage == "frozen-agents":
        _send_to_agents(told, signal.SIGSTOP)
    try:
        posted = await sender.fire(SERVICE.name)
        last = await _last_at_new(told, posted.sent)
    finally:
        if told.sabotage == "frozen-agents":
            _send_to_agents(told, signal.SIGCONT)
    if not told.demand(posted.accepted, f"the alert was answered with HTTP {posted.status or 'nothing'}"):
        return False
    told.notes.accepted.append(history.Accepted(posted.sent, SERVICE.name, last, LIMIT))
    await sender.resolve(posted)  # what fires cannot be released
    took = max(0.0, (last or posted.sent) - posted.sent)
    late.append(1000 * took)
    answered.append(1000 * (posted.answered - posted.sent))
    return told.demand(took <= LIMIT, f"new still saw requests {took:.2f} s after the alert was sent")


async def _flowing(told: scene.Scene) -> None:
    """Until new has many requests a second."""
    counts = told.playground.new.counts
    until = counts.per_host[SERVICE.new_host] + _FLOWING
    async with asyncio.timeout(10):
        while counts.per_host[SERVICE.new_host] < until:  # noqa: ASYNC110 backends only count
            await asyncio.sleep(_QUIET / 10)


async def _last_at_new(told: scene.Scene, since: float) -> float | None:
    """When new saw its last request of the service; None when none came after `since`."""
    last_of = told.playground.new.counts.last_of
    until = asyncio.get_running_loop().time() + LIMIT + 1
    while True:
        before = last_of.get(SERVICE.new_host)
        await asyncio.sleep(_QUIET)
        last = last_of.get(SERVICE.new_host)
        if last is before or asyncio.get_running_loop().time() > until:
            return last.at if last is not None and last.at >= since else None


def _send_to_agents(told: scene.Scene, number: signal.Signals) -> None:
    for pod in told.playground.pods("migration-proxy"):
        pod.processes["agent"].send(number)


def _sum_up(told: scene.Scene, late: list[float], answered: list[float], counts: traffic.Tally) -> None:
    for name, values in (("last_at_new_ms", late), ("answer_ms", answered)):
        told.measured[name] = {
            "p50": round(counting.percentile(values, 50), 2),
            "p99": round(counting.percentile(values, 99), 2),
            "max": round(max(values, default=0.0), 2),
        }
    told.measured["n"] = len(late)
    told.measured["since"] = "the alert's request was sent (monotonic); to the last request whose head new had read"
    told.measured["requests"] = counts.total
    told.measured["failed_requests"] = counts.failed
    told.notes.clients(counts.total, counts.failed)
    told.demand(len(late) >= told.sizes.rounds, f"{len(late)} of {told.sizes.rounds} rounds were measured")
    told.demand(counts.failed == 0, f"{counts.failed} requests failed")
