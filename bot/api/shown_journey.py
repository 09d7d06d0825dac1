"""A service's whole way, its gates and old against new, as plain values. Seconds are seconds; null: nobody knows."""

from datetime import datetime

from bot.api.shown_value import Shown
from handlers import answers
from handlers.rules import gates, journeys


class Soak(Shown):
    """`seconds`: healthy ones at `weight`, of `needed`. `missing`: why nothing counts now; empty: it counts. `resets`: how often
    it went back to 0.
    """

    weight: int
    seconds: float
    needed: float
    missing: str
    resets: int


class Standing(Shown):
    """The approval that an automatic ladder climbs on. `left`: percentages that it may still go to."""

    id: str
    requester_shown: str
    approved_by: list[str]
    left: list[int]
    until: datetime


class Run(Shown):
    """`paused`: why it does not climb now; empty: it does."""

    mode: str
    requester_shown: str
    began: datetime
    reason: str
    paused: str


class Number(Shown):
    """`trouble`: why there is no value."""

    value: float | None
    trouble: str


class Side(Shown):
    """One cluster. `requests`, `failed`: within the window. `average`, `p99`: seconds until the head of an answer."""

    requests: Number
    failed: Number
    average: Number
    p99: Number


class Numbers(Shown):
    """Old against new within the last `window` seconds. `share`: of clients' requests that went to new first, 0 to 1;
    `available`: of them answered below 500.
    """

    window: float
    old: Side
    new: Side
    requests: Number
    share: Number
    available: Number


class Gate(Shown):
    """`needed`: requests that are still needed for a verdict, where there are too few."""

    name: str
    verdict: str
    sentence: str
    needed: int


class Judgement(Shown):
    """`judged` false: Prometheus has no part in the verdict. `numbers` null: it is not asked, or says nothing of the service."""

    verdict: str
    judged: bool
    gates: list[Gate]
    numbers: Numbers | None


class Entry(Shown):
    """How the old host reaches an application now. `drift`: what somebody changed of Ferry's objects. `old_ready`: endpoints."""

    state: str
    sentence: str
    drift: list[str]
    old_ready: int | None


class Journey(Shown):
    """`next_step` null: there is none; `waits_for`: why it is not due. `backup_left`: seconds until it may be finished, null: it
    is not at 100%, or finished. `served`: percentages whose soak was served.
    """

    stage: str
    next_step: int | None
    waits_for: list[str]
    soak: Soak | None
    served: list[int]
    run: Run | None
    standing: Standing | None
    entry: Entry
    judgement: Judgement
    backup_left: float | None
    hundred: datetime | None
    finished: datetime | None
    removed: datetime | None


def journey(of: answers.JourneyStatus) -> Journey:
    kept = of.journey
    return Journey(
        stage=str(of.stage),
        next_step=of.next_step,
        waits_for=list(of.waits_for),
        soak=_soak(of),
        served=list(kept.served) if kept else [],
        run=_run(of.run) if of.run else None,
        standing=_standing(of.standing) if of.standing else None,
        entry=Entry(
            state=str(of.entry.state),
            sentence=of.entry.sentence,
            drift=list(of.entry.drift),
            old_ready=of.entry.old_ready,
        ),
        judgement=judgement(of.judgement),
        backup_left=of.backup_left,
        hundred=kept.hundred if kept else None,
        finished=kept.finished if kept else None,
        removed=kept.removed if kept else None,
    )


def judgement(of: gates.Judgement) -> Judgement:
    listed = [Gate(name=one.name, verdict=str(one.verdict), sentence=one.sentence, needed=one.needed) for one in of.gates]
    numbers = _numbers(of.measured) if of.measured else None
    return Judgement(verdict=str(of.verdict), judged=of.judged, gates=listed, numbers=numbers)


def _soak(of: answers.JourneyStatus) -> Soak | None:
    """Of the weight in force; what was counted at another one counts no more."""
    if of.weight == 0 or of.soak_needed <= 0:
        return None
    soak = of.soak if of.soak is not None and of.soak.weight == of.weight else None
    if soak is None:
        return Soak(weight=of.weight, seconds=0.0, needed=of.soak_needed, missing="it has not begun to count", resets=0)
    return Soak(weight=of.weight, seconds=soak.seconds, needed=of.soak_needed, missing=soak.missing, resets=soak.resets)


def _run(of: journeys.Run) -> Run:
    return Run(mode=str(of.mode), requester_shown=of.requester_shown, began=of.began, reason=of.reason, paused=of.paused)


def _standing(of: journeys.Standing) -> Standing:
    return Standing(
        id=of.id,
        requester_shown=of.requester_shown,
        approved_by=[one.shown for one in of.approvals],
        left=[weight for weight in of.steps if weight not in of.used],
        until=of.until,
    )


def _numbers(of: gates.Measured) -> Numbers:
    return Numbers(
        window=of.window,
        old=_side(of.old),
        new=_side(of.new),
        requests=_number(of.requests),
        share=_number(of.share),
        available=_number(of.available),
    )


def _side(of: gates.Side) -> Side:
    return Side(requests=_number(of.requests), failed=_number(of.failed), average=_number(of.average), p99=_number(of.p99))


def _number(of: gates.Reading) -> Number:
    return Number(value=of.value, trouble=of.trouble)
