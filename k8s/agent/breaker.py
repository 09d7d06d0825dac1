"""The breaker of one service in one proxy: pure, told what was seen and what time it is.

CLOSED → OPEN after failed tries in a row, or when the probe says that the new cluster is down; OPEN → HALF_OPEN after a
pause, once a fresh probe was answered; HALF_OPEN → CLOSED when tries succeed, → OPEN again, for longer, at the first failure.
It only ever cuts below what was approved, and ends by itself.

Two clocks: `now` is monotonic; times of tries are those of nginx's log. They are never compared with each other.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from k8s import model
from k8s.agent import traffic

LONGEST_PAUSE = 60.0  # seconds; each failed half-opening doubles the pause up to this
HALF = 1  # percent that a half-open breaker lets through
GOOD_TRIES = 3  # of them close it
MOST_OPENINGS, WITHIN = 10, 600.0  # that many within these seconds: it does not end by itself any more


class Phase(enum.StrEnum):
    """What the breaker lets through: everything approved, nothing, or a little to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the new cluster now.

    `failures`: log times of the newest failed tries, in any order. `last_ok`: of the newest good one. `ok_tries`: how many good
    ones there were, ever growing. `up`: the probe's verdict, None before there is one. `answered`: monotonic time of the
    probe's newest answer, `well`: whether that one was good, `outcome`: what became of it.
    """

    last_ok: float = 0.0
    failures: Sequence[float] = ()
    ok_tries: int = 0
    up: bool | None = None
    answered: float | None = None
    well: bool = True
    outcome: str = ""

    @property
    def newest(self) -> float:
        """The latest log time of any try."""
        return max(self.last_ok, *self.failures, 0.0)


@dataclass(frozen=True, slots=True)
class Breaker:
    """`since`: begin of this phase. `judged`: log time of the tries that have had their effect: only later ones count.
    `ok_tries`: the good ones when this phase began. `openings`: when it opened from CLOSED, of the last `WITHIN` seconds;
    `opened`: how often ever. `down_since`: the probe says down without a break since then, and it is not CLOSED.
    """

    phase: Phase = Phase.CLOSED
    reason: str = ""
    since: float = 0.0
    pause: float = 0.0
    judged: float = 0.0
    ok_tries: int = 0
    openings: tuple[float, ...] = ()
    opened: int = 0
    down_since: float | None = None

    @property
    def suppression(self) -> int | None:
        """The highest percent that may reach new; None: the breaker asks for nothing."""
        return {Phase.CLOSED: None, Phase.OPEN: 0, Phase.HALF_OPEN: HALF}[self.phase]

    def wants_a_probe(self, seen: Seen, now: float) -> bool:
        """The pause is over and only a fresh good answer of the new cluster is missing."""
        return self.phase is Phase.OPEN and now >= self.since + self.pause and not self.proven(seen)

    def proven(self, seen: Seen) -> bool:
        """The new cluster is up, and answered well after the pause was over."""
        return seen.up is True and seen.well and seen.answered is not None and seen.answered >= self.since + self.pause

    def too_often(self, now: float) -> bool:
        """It opened so often that ending by itself helps nobody."""
        return sum(now - opening <= WITHIN for opening in self.openings) >= MOST_OPENINGS


def step(breaker: Breaker, seen: Seen, rule: model.Breaker, *, now: float) -> Breaker:
    """The breaker after what was seen. Asking again with nothing new changes nothing but by the passing of time."""
    if breaker.phase is Phase.CLOSED:
        breaker = _closed(breaker, seen, rule, now)
    elif breaker.phase is Phase.OPEN:
        breaker = _open(breaker, seen, rule, now)
    else:
        breaker = _half_open(breaker, seen, rule, now)
    if breaker.phase is Phase.CLOSED or seen.up is True:
        return replace(breaker, down_since=None)
    return replace(breaker, down_since=now) if seen.up is False and breaker.down_since is None else breaker


def forget(breaker: Breaker, seen: Seen) -> Breaker:
    """Nothing may reach new by record or by hold: what was seen until now is no reason to open later."""
    return Breaker(judged=max(breaker.judged, seen.newest), opened=breaker.opened)


def _closed(breaker: Breaker, seen: Seen, rule: model.Breaker, now: float) -> Breaker:
    if seen.up is False:
        why = f"the new cluster does not answer the probe: {seen.outcome or 'no answer'}"
    else:
        after = max(seen.last_ok, breaker.judged)
        in_a_row = sum(failure > after for failure in seen.failures)
        if in_a_row < min(rule.failures, traffic.KEPT_FAILURES):
            return breaker
        why = f"{in_a_row} tries at the new cluster failed in a row"
    recent = tuple(opening for opening in breaker.openings if now - opening <= WITHIN)
    opened = replace(breaker, openings=(*recent, now)[-MOST_OPENINGS:], opened=breaker.opened + 1)
    return replace(opened, phase=Phase.OPEN, reason=why, since=now, pause=rule.pause)


def _open(breaker: Breaker, seen: Seen, rule: model.Breaker, now: float) -> Breaker:
    if not breaker.proven(seen):
        return breaker
    return replace(breaker, phase=Phase.HALF_OPEN, since=now, judged=max(breaker.judged, seen.newest), ok_tries=seen.ok_tries)


def _half_open(breaker: Breaker, seen: Seen, rule: model.Breaker, now: float) -> Breaker:
    if seen.up is not True or not seen.well:
        why = f"the new cluster does not answer the probe: {seen.outcome or 'no answer'}"
    elif any(failure > breaker.judged for failure in seen.failures):
        why = "a try at the new cluster failed while it was half open"
    elif seen.ok_tries - breaker.ok_tries >= GOOD_TRIES or now >= breaker.since + rule.pause:
        return replace(breaker, phase=Phase.CLOSED, reason="", since=now, pause=0.0)
    else:
        return breaker
    longer = max(breaker.pause, min(LONGEST_PAUSE, 2 * breaker.pause))
    return replace(breaker, phase=Phase.OPEN, reason=why, since=now, pause=longer)
