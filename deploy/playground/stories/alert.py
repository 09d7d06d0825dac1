"""The story `alert`: a critical alert as Alertmanager sends it, again and again; how long new still sees requests after it."""

import asyncio
import signal
from dataclasses import dataclass, field

from deploy.playground import alerts_by_hand, objects
from deploy.playground.stories import counting, history, pauses, proxies, scene
from deploy.playground.world import traffic
from handlers.rules import migration

SERVICE = objects.FIRST
WEIGHT = 100  # every request is one more chance to see a late one
CLIENTS = 3  # each asks again as soon as it is answered: about a thousand requests a second
LIMIT = 2.0  # seconds: I3's T on this machine
_QUIET = 0.3  # seconds without a request at new: it was the last one
_FLOWING = 60  # requests at new before the alert
_TOKEN = "a token that nobody gave out"


@dataclass(slots=True)
class _Rounds:
    """One entry a round, milliseconds: from sending the alert to the last request at new, to its answer, and the longest
    pause of this process meanwhile. `counts`: of the clients."""

    late: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    counts: traffic.Tally = field(default_factory=traffic.Tally)


async def play(told: scene.Scene) -> None:
    """Raises people.Stuck."""
    playground = told.playground
    token = _TOKEN if told.sabotage == "wrong-token" else playground.keys.alert_token
    sender = alerts_by_hand.Sender(playground.webhook_url, token)
    clients, rounds = playground.client_of([SERVICE]), _Rounds()
    try:
        for number in range(1, told.sizes.rounds + 1):
            outcome = await _raised(told, number)
            if not told.demand(
                outcome is migration.Outcome.DONE, f"round {number}: the shift ended as {outcome}: {told.persons.because}"
            ):
                break
            async with clients.crowd(CLIENTS) as tally:
                went_on = await _alert(told, sender, rounds)
            for side in ("old", "new", "failed"):
                setattr(rounds.counts, side, getattr(rounds.counts, side) + getattr(tally, side))
            if not went_on:
                break
            released = await told.persons.typed(SERVICE.name, f"/migrate safe-mode off {SERVICE.name} after round {number}")
            if not told.demand(
                released is migration.Outcome.DONE, f"round {number}: safe-mode off ended as {released}: {told.persons.because}"
            ):
                break
            if number % 10 == 0:
                told.say(f"{number} alerts; p50 so far {counting.percentile(rounds.late, 50):.1f} ms")
    finally:
        await sender.close()
    _sum_up(told, rounds)


async def _raised(told: scene.Scene, number: int) -> migration.Outcome:
    """The first time with cards and buttons, then with the keyboard: approved by another person and confirmed each time."""
    if number == 1:
        return await told.persons.shift(SERVICE.name, WEIGHT, "round 1")
    return await told.persons.typed(SERVICE.name, f"/migrate shift {SERVICE.name} {WEIGHT}% round {number}")


async def _alert(told: scene.Scene, sender: alerts_by_hand.Sender, rounds: _Rounds) -> bool:
    """One alert, while requests flow. False: the story cannot go on."""
    await _flowing(told)
    if told.sabotage == "frozen-agents":
        proxies.send(told.playground, signal.SIGSTOP)
    try:
        async with pauses.Pauses() as stood_still:
            posted = await sender.fire(SERVICE.name)
            last = await _last_at_new(told, posted.sent)
    finally:
        if told.sabotage == "frozen-agents":
            proxies.send(told.playground, signal.SIGCONT)
    if not told.demand(posted.accepted, f"the alert was answered with HTTP {posted.status or 'nothing'}"):
        return False
    told.notes.accepted.append(history.Accepted(posted.sent, SERVICE.name, last, LIMIT))
    await sender.resolve(posted)  # what fires cannot be released
    took = max(0.0, (last or posted.sent) - posted.sent)
    rounds.late.append(1000 * took)
    rounds.answered.append(1000 * (posted.answered - posted.sent))
    rounds.paused.append(1000 * stood_still.longest)
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


def _sum_up(told: scene.Scene, rounds: _Rounds) -> None:
    figures = {"last_at_new_ms": rounds.late, "answer_ms": rounds.answered, "longest_pause_of_the_playground_ms": rounds.paused}
    for name, values in figures.items():
        told.measured[name] = {
            "p50": round(counting.percentile(values, 50), 2),
            "p99": round(counting.percentile(values, 99), 2),
            "max": round(max(values, default=0.0), 2),
        }
    counts, done = rounds.counts, len(rounds.late)
    told.measured["n"] = done
    told.measured["since"] = "the alert's request was sent (monotonic); to the last request whose head new had read"
    told.measured["requests"] = counts.total
    told.measured["failed_requests"] = counts.failed
    told.notes.clients(counts.total, counts.failed)
    told.demand(done >= told.sizes.rounds, f"{done} of {told.sizes.rounds} rounds were measured")
    told.demand(counts.failed == 0, f"{counts.failed} requests failed")
