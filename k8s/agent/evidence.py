"""What the requests of one service say about both clusters, for its breaker: one request, one voice.

A request speaks by its last try at new: of several tries the last one decided what the user got. Each try has the time at
which it began and, if it was answered, the time of its answer's head; both by nginx's own clock, in epoch seconds. Lines are
written at the end of a request, so that their order says nothing: a timeout told now may have begun before an outage ended, and
an upgraded connection that ends now was answered an hour ago.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

SLOW = 3.0  # seconds from sending a request to the head of its answer
SLOW_UNKNOWN = 10.0  # the same, where nobody knows how long the old cluster takes
TIMES_OLD = 5.0  # slow is also so many times what the old cluster takes
KEPT = 256  # failures, the newest by arrival
KEPT_GOOD = 16
FEW = 128  # answers of old, until which their plain mean is taken; later ones weigh as one of so many
AHEAD = 2.0  # seconds that nginx's clock may seem to be ahead of ours, which is the same one
DEAD_AFTER = 5  # requests in a row that did not get through to old, of which the last
DEAD_FOR = 60.0  # seconds ago may be; then old is tried again if it must be


class Failure(NamedTuple):
    """A request's last try at one cluster, which failed or took too long: when it began, and for how many seconds it went on."""

    began: float
    waited: float


@dataclass(slots=True)
class Evidence:
    """`good`: when tries at new began that were answered well, the newest by arrival; `last_ok`: the newest head of such an
    answer, `last_head`: of any bad one. `failures`: of new, in order of arrival. Of old: `old_answers`, how many, `old_mean`, the
    seconds to their heads, `old_ok`, the newest head, `old_failures`, of those that did not even reach it.
    """

    last_ok: float = 0.0
    last_head: float = 0.0
    good: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_GOOD))
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=KEPT))
    old_answers: int = 0
    old_mean: float = 0.0
    old_ok: float = 0.0
    old_failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=DEAD_AFTER))

    def new_answered_well(self, began: float, seconds: float) -> None:
        self.good.append(began)
        head = began + seconds
        if head > self.last_ok:  # noqa: PLR1730 max() costs three times as much, for every line of the log
            self.last_ok = head

    def new_failed(self, began: float, waited: float) -> None:
        self.failures.append(Failure(began, waited))

    def new_answered_badly(self, began: float, seconds: float) -> None:
        self.last_head = max(self.last_head, began + seconds)
        self.new_failed(began, seconds)

    def new_was_slow(self, began: float, seconds: float) -> None:
        """Answered well, but perhaps so late that nobody would call it well."""
        if seconds < self.slow(SLOW_UNKNOWN):
            self.new_answered_well(began, seconds)
        else:
            self.new_answered_badly(began, seconds)

    def client_left_new(self, began: float, waited: float) -> None:
        """It had waited so long for a head that did not come; a client that leaves soon says nothing."""
        if waited >= self.slow(SLOW):
            self.new_failed(began, waited)

    def slow(self, unknown: float = SLOW_UNKNOWN) -> float:
        """Seconds after which an answer is late; `unknown` where old has not answered yet.

        Where old itself takes its time, as for requests that wait for news, new may, too.
        """
        return max(SLOW, TIMES_OLD * self.old_mean) if self.old_answers else unknown

    def old_answered(self, head: float, seconds: float) -> None:
        """Whatever it said: there is somebody."""
        answers = self.old_answers = self.old_answers + 1
        self.old_mean += (seconds - self.old_mean) / (answers if answers < FEW else FEW)  # noqa: FURB136 as below
        if head > self.old_ok:  # noqa: PLR1730 as above
            self.old_ok = head

    def old_failed(self, began: float, waited: float) -> None:
        self.old_failures.append(Failure(began, waited))

    def clock_is(self, now: float) -> None:
        """Whoever set nginx's clock back: answers that are to come must not count less than those of a future that never was."""
        if self.last_ok > now + AHEAD:
            self.last_ok = 0.0
            self.good.clear()
        if self.old_ok > now + AHEAD:
            self.old_ok = 0.0

    def old_is_dead(self, now: float) -> bool:
        """Nobody at old has answered for some requests in a row, lately: nothing is gained by sending more of them there.

        May be asked from another thread.
        """
        since = [one for one in tuple(self.old_failures) if one.began > self.old_ok]
        return len(since) >= DEAD_AFTER and now - max(began + waited for began, waited in since) < DEAD_FOR
