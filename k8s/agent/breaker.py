"""The breaker of one service in one proxy: pure, told what was seen and what time it is.

CLOSED → OPEN after requests that failed in a row, when the probe says that the new cluster is down, or when it has gone silent;
OPEN → HALF_OPEN after a pause, once a fresh probe was answered; HALF_OPEN lets a little through, then a little more, → CLOSED
when requests succeed, → OPEN again, for longer, at the first failure. It only ever cuts below what was approved, and ends by
itself.

Two clocks: `now` is monotonic; `Seen.at` and the times of requests are those of nginx's log. They are never compared with each
other.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from k8s import model
from k8s.agent import evidence

LONGEST_PAUSE = 60.0  # seconds; each failed half-opening doubles the pause up to this
# Percent that a half-open breaker lets through, step by step. Users who are listed by name reach new at every step: they are in
# the first slot of every folder that is not empty, and are the ones who asked to go first.
STEPS = (1, 10)
GOOD_TRIES = 3  # of them end a step
GOOD_PROBES = 2  # of them, and time, end one where nobody asks for anything
WITNESSED = 15.0  # seconds of that time at most, where the probe found new down, too: then its good answers mean something
MARGIN = 1.0  # seconds until what ends stands in the log
MOST_OPENINGS, WITHIN = 10, 600.0  # that many within these seconds: it does not end by itself any more


class Phase(enum.StrEnum):
    """What the breaker lets through: everything approved, nothing, or a little to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the new cluster now.

    By nginx's clock: `at`, now; `last_ok`, the newest head of a good answer; `good`, when the newest good requests began;
    `failures`, the newest failed ones, in any order; `failing_since`, the first failed probe since it was up, None: it
    is well. `silent`: it answered steadily, and now nothing, while requests come. `patience`: seconds that a request may go on
    without an answer before the log says so. `up`: the probe's verdict, None before there is one; `answered`, monotonic: the
    newest answer to the probe, `well`: whether that one was good, `outcome`: what became of it; `good_probes`: how many ever.
    """

    at: float = 0.0
    last_ok: float = 0.0
    good: Sequence[float] = ()
    failures: Sequence[evidence.Failure] = ()
    silent: bool = False
    patience: float = 30.0
    up: bool | None = None
    failing_since: float | None = None
    answered: float | None = None
    well: bool = True
    outcome: str = ""
    good_probes: int = 0

    @property
    def disputed(self) -> bool:
        """The probe finds it down, but a request that began after that was answered well: users know better."""
        return self.up is False and self.failing_since is not None and max(self.good, default=0.0) > self.failing_since

    @property
    def down(self) -> bool:
        return self.up is False and not self.disputed

    @property
    def unanswered(self) -> str:
        return f"the new cluster does not answer the probe: {self.outcome or 'no answer'}"


@dataclass(frozen=True, slots=True)
class Breaker:
    """`since`: begin of this phase, or of this step of it. `percent`: what HALF_OPEN lets through. `pause`: seconds that OPEN
    lasts at least; `quiet`: that a step of HALF_OPEN lasts where there are no requests: longer than any request has hung.
    By nginx's clock: `judged`, requests that began before it have had their effect; `stepped`, the begin of the step;
    `alleged`, when it opened for nothing but silence; None: for something else, or a half-opening has failed since.
    `good_probes`: as seen at that. `openings`: when it opened from CLOSED for what is worth a hold, of the last `WITHIN`
    seconds, `opened_for`: why the last of them; `opened`: how often ever. `down_since`: the probe says down without a break since
    then, and it is not CLOSED.
    """

    phase: Phase = Phase.CLOSED
    reason: str = ""
    since: float = 0.0
    percent: int = STEPS[0]
    pause: float = 0.0
    quiet: float = 0.0
    judged: float = 0.0
    stepped: float = 0.0
    alleged: float | None = None
    good_probes: int = 0
    openings: tuple[float, ...] = ()
    opened_for: str = ""
    opened: int = 0
    down_since: float | None = None

    @property
    def suppression(self) -> int | None:
        """The highest percent that may reach new; None: the breaker asks for nothing."""
        return {Phase.CLOSED: None, Phase.OPEN: 0, Phase.HALF_OPEN: self.percent}[self.phase]

    def wants_a_probe(self, seen: Seen, now: float) -> bool:
        """The time is over and only fresh good answers of the new cluster are missing."""
        if self.phase is Phase.HALF_OPEN:
            return now >= self.since + self.least(seen) and not self.still_well(seen)
        return self.phase is Phase.OPEN and now >= self.since + self.pause and not self.proven(seen)

    def proven(self, seen: Seen) -> bool:
        """The new cluster is up, and answered well after the pause was over."""
        return seen.up is True and seen.well and seen.answered is not None and seen.answered >= self.since + self.pause

    def least(self, seen: Seen) -> float:
        """Seconds that a step of HALF_OPEN lasts where there are no requests.

        Requests that hang leave a failure in the log once their time is over. Where those that were on their way when new went
        silent have left none, nothing hung: its clients had stopped, and no other request is waited for as long.
        """
        if self.alleged is None or seen.at < self.alleged + seen.patience + MARGIN:
            return self.quiet
        ended_badly = any(one.began + one.waited >= self.alleged for one in seen.failures)
        return self.quiet if ended_badly else min(self.quiet, self.pause)

    def still_well(self, seen: Seen) -> bool:
        return seen.good_probes - self.good_probes >= GOOD_PROBES

    def too_often(self, now: float) -> bool:
        """It opened so often that ending by itself helps nobody."""
        return sum(now - opening <= WITHIN for opening in self.openings) >= MOST_OPENINGS


def step(breaker: Breaker, seen: Seen, rule: model.Breaker, *, now: float) -> Breaker:
    """The breaker after what was seen. Asking again with nothing new changes nothing but by the passing of time."""
    if breaker.judged > seen.at:  # nginx's clock was set back: what begins now must count again
        breaker = replace(breaker, judged=seen.at, stepped=min(breaker.stepped, seen.at))
    if breaker.phase is Phase.CLOSED:
        breaker = _closed(breaker, seen, rule, now)
    elif breaker.phase is Phase.OPEN:
        if seen.down:
            breaker = replace(breaker, quiet=min(breaker.quiet, max(rule.pause, WITNESSED)))
        breaker = _half_opened(breaker, seen, now) if breaker.proven(seen) else breaker
    else:
        breaker = _half_open(breaker, seen, now)
    if breaker.phase is Phase.CLOSED or seen.up is True:
        return replace(breaker, down_since=None)
    return replace(breaker, down_since=now) if seen.up is False and breaker.down_since is None else breaker


def forget(breaker: Breaker, seen: Seen) -> Breaker:
    """Nothing may reach new by record or by hold, or there is nowhere else to go: what began before is no reason later."""
    return Breaker(judged=max(breaker.judged, seen.at), opened=breaker.opened)


def renewed(breaker: Breaker, now: float) -> Breaker:
    """People have decided anew: what counts towards a hold begins anew; what is let through stays."""
    return replace(breaker, openings=(), down_since=None if breaker.down_since is None else now)


def gently(breaker: Breaker, seen: Seen, rule: model.Breaker, *, now: float) -> Breaker:
    """Less than what was approved is let through, nobody knows why: up again like after an outage."""
    fresh = replace(breaker, reason="this proxy starts with less than was approved", pause=rule.pause, quiet=rule.pause)
    return _half_opened(fresh, seen, now)


def _closed(breaker: Breaker, seen: Seen, rule: model.Breaker, now: float) -> Breaker:
    in_a_row = [one for one in seen.failures if one.began > max(seen.last_ok, breaker.judged)]
    hung, worth_a_hold = 0.0, True
    if seen.down:
        why = seen.unanswered
    elif len(in_a_row) >= min(rule.failures, evidence.KEPT):
        why, hung = f"{len(in_a_row)} tries at the new cluster failed in a row", _longest(in_a_row)
        if hung >= evidence.SLOW:
            why += f", or took up to {hung:.0f} s"
    elif seen.silent:
        # Perhaps those clients just stopped while others went on: no reason to hold anything.
        why, hung, worth_a_hold = "the new cluster has gone silent while the old one answers", seen.patience, False
    else:
        return breaker
    recent = tuple(opening for opening in breaker.openings if now - opening <= WITHIN)
    if worth_a_hold:
        recent = (*recent, now)[-MOST_OPENINGS:]
        breaker = replace(breaker, opened_for=why)
    opened = replace(breaker, phase=Phase.OPEN, reason=why, openings=recent, opened=breaker.opened + 1)
    alleged = None if worth_a_hold else seen.at
    return replace(opened, since=now, pause=rule.pause, quiet=max(rule.pause, hung + MARGIN), alleged=alleged)


def _longest(failures: Sequence[evidence.Failure]) -> float:
    return max((one.waited for one in failures), default=0.0)


def _half_opened(breaker: Breaker, seen: Seen, now: float) -> Breaker:
    opened = replace(breaker, phase=Phase.HALF_OPEN, judged=max(breaker.judged, seen.at))
    return _stepped(opened, STEPS[0], seen, now)


def _stepped(breaker: Breaker, percent: int, seen: Seen, now: float) -> Breaker:
    return replace(breaker, percent=percent, since=now, stepped=seen.at, good_probes=seen.good_probes)


def _half_open(breaker: Breaker, seen: Seen, now: float) -> Breaker:
    failures = [one for one in seen.failures if one.began > breaker.judged]
    hung = _longest(failures)
    if seen.up is not True or not seen.well:
        why = seen.unanswered
    elif failures:
        why = "a request failed at the new cluster while it was half open"
    elif seen.silent:
        why, hung = "the new cluster has gone silent while it was half open", seen.patience
    else:
        good = sum(began > breaker.stepped for began in seen.good) >= GOOD_TRIES
        if not good and not (now >= breaker.since + breaker.least(seen) and breaker.still_well(seen)):
            return breaker
        for percent in STEPS:
            if percent > breaker.percent:
                return _stepped(breaker, percent, seen, now)
        return replace(breaker, phase=Phase.CLOSED, reason="", since=now, pause=0.0, quiet=0.0)
    longer = max(breaker.pause, min(LONGEST_PAUSE, 2 * breaker.pause))
    again = replace(breaker, phase=Phase.OPEN, reason=why, since=now, pause=longer)
    return replace(again, quiet=max(breaker.quiet, hung + MARGIN), alleged=None)
