"""Who has gone silent: a new cluster that answered steadily and then says nothing at all.

Packets that are dropped without a reset leave no failed try in the log before the time for a try is over: only the silence
can be seen before. It is a hint, worth a question; traffic may simply have ended.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

EVERY = 1.0  # seconds between two looks
OVER = 10.0  # seconds, over which it answered steadily:
LEAST_RATE = 1.0  # tries a second
LEAST_SILENCE = 2.0  # seconds
LEAST_TRIES = 10.0  # that should have come meanwhile


@dataclass(slots=True)
class _Course:
    """`counts`: (time, tries so far) where they grew, of the last `OVER` seconds before the newest, and one before that."""

    counts: deque[tuple[float, int]] = field(default_factory=deque)
    told: bool = False

    def add(self, now: float, tries: int) -> None:
        self.counts.append((now, tries))
        self.told = False
        while len(self.counts) > 1 and self.counts[1][0] <= now - OVER:
            self.counts.popleft()

    def is_silent(self, now: float) -> bool:
        (begin, first), (newest, last) = self.counts[0], self.counts[-1]
        if newest - begin < OVER:
            return False  # not known for long enough
        rate = (last - first) / (newest - begin)
        return rate >= LEAST_RATE and now - newest >= max(LEAST_SILENCE, LEAST_TRIES / rate)


class Silence:
    """`look` is called every EVERY seconds; times are monotonic seconds."""

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}

    def look(self, tries: Mapping[str, int], now: float) -> set[str]:
        """`tries`: at new by service, ever growing. Returns services that have gone silent since the last look, each once."""
        silent = set()
        for name in [name for name in self._courses if name not in tries]:
            del self._courses[name]
        for name, count in tries.items():
            course = self._courses.setdefault(name, _Course())
            if not course.counts or course.counts[-1][1] != count:
                course.add(now, count)
            elif not course.told and course.is_silent(now):
                course.told = True
                silent.add(name)
        return silent
