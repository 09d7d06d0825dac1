"""Who has gone silent: a new cluster that answered steadily and then says nothing at all.

What hangs, and packets that are dropped without a reset, leave no failed try in the log before the time for a try is over: only
the silence can be seen before. Alone it is a hint, worth a question: traffic may simply have ended. Where old goes on answering
as before, clients are there, and it is more than a hint; with a rule or a sticky key those of new may be others, and have left.

After a change of the weight nothing is known of how steadily new answers at it, and just then it is most likely to fail. Where
chance alone chooses, what old answers tells how many requests new was given meanwhile.
"""

from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from k8s.agent import evidence

EVERY = 1.0  # seconds between two looks
OVER = 10.0  # seconds, over which it answered steadily:
LEAST_RATE = 1.0  # requests a second
LEAST_SILENCE = 2.0  # seconds
LEAST_TRIES = 10.0  # that should have come meanwhile
SURELY_MISSING = 20.0  # of them, where nobody asks first: gaps of ten come by chance, every few hours
LEAST_OLD = 3  # answers of old since new's last one,
SHARE_OLD = 0.5  # and so many of those that it should have given


class Heard(NamedTuple):
    """Of one service, ever growing. `head`: time of new's newest head of an answer; `new`: requests that were logged with a try
    at new; `old`: those that old answered. `way`: all that decides who is sent to new; after a change of it the rate of before
    says nothing. `drawn`: chance alone chooses, so that who asks old shows that new is asked, too: `weight` percent of all.
    `slow`: seconds after which an answer of this service is late.
    """

    head: float
    new: int
    old: int
    way: Hashable = None
    drawn: bool = True
    weight: int = 0
    slow: float = evidence.SLOW


class Found(NamedTuple):
    """Services that have gone silent since the last look, each once; those of them that hang: old goes on answering."""

    silent: set[str]
    hanging: set[str]


class _Moment(NamedTuple):
    at: float
    heard: Heard


@dataclass(slots=True)
class _Course:
    """`moments` at which a newer head was seen, of the last `OVER` seconds before the newest, and one before that. An answer that
    ends now, but began long ago, is no such moment.
    """

    before: float = 0.0  # requests a second, of new and old together, before the last change of the way
    moments: deque[_Moment] = field(default_factory=deque)
    told: bool = False
    hangs: bool = False
    old: int = 0  # at the last look

    def add(self, now: float, heard: Heard) -> None:
        self.moments.append(_Moment(now, heard))
        self.told = self.hangs = False
        while len(self.moments) > 1 and self.moments[1].at <= now - OVER:
            self.moments.popleft()

    @property
    def span(self) -> float:
        """Seconds of which it is known how often new answered."""
        return self.moments[-1].at - self.moments[0].at

    def missing(self, now: float, one: Heard) -> float:
        """Answers of new that should have come in this silence; 0: it is none, or nobody knows."""
        first, newest = self.moments[0], self.moments[-1]
        silence = now - newest.at
        if silence < LEAST_SILENCE:
            return 0.0
        if self.span < OVER:
            return self._given(one, silence) if one.drawn and silence >= one.slow else 0.0
        rate = (newest.heard.new - first.heard.new) / self.span
        return rate * silence if rate >= LEAST_RATE else 0.0

    def _given(self, one: Heard, silence: float) -> float:
        """Requests that chance gave to new in this silence: by what old answered meanwhile, or by what came before."""
        if one.weight == 100:
            return self.before * silence
        return (one.old - self.moments[-1].heard.old) * one.weight / (100 - one.weight)

    def asked(self) -> float:
        """Requests a second, of new and old together, as far as that is known."""
        first, newest = self.moments[0].heard, self.moments[-1].heard
        return (newest.new - first.new + newest.old - first.old) / self.span if self.span >= OVER else self.before

    def old_goes_on(self, now: float, old: int) -> bool:
        first, newest = self.moments[0], self.moments[-1]
        rate = (newest.heard.old - first.heard.old) / self.span if self.span >= OVER else 0.0
        since = old - newest.heard.old
        return old > self.old and since >= max(LEAST_OLD, SHARE_OLD * rate * (now - newest.at))


class Silence:
    """`look` is called every EVERY seconds; times are monotonic seconds."""

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}

    def look(self, heard: Mapping[str, Heard], now: float) -> Found:
        """`heard`: by service that reaches new now."""
        found = Found(set(), set())
        for name in [name for name in self._courses if name not in heard]:
            del self._courses[name]
        for name, one in heard.items():
            course = self._courses.setdefault(name, _Course())
            if course.moments and course.moments[-1].heard.way != one.way:
                course = self._courses[name] = _Course(course.asked())
            if not course.moments or course.moments[-1].heard.head != one.head:
                course.add(now, one)
            else:
                self._judge(name, course, one, now, found)
            course.old = one.old
        return found

    def _judge(self, name: str, course: _Course, one: Heard, now: float, found: Found) -> None:
        missing = course.missing(now, one)
        if missing >= LEAST_TRIES and not course.told:
            course.told = True
            found.silent.add(name)
        long = now - course.moments[-1].at >= evidence.SLOW
        if one.drawn and missing >= SURELY_MISSING and long and not course.hangs and course.old_goes_on(now, one.old):
            course.hangs = True
            found.hanging.add(name)
