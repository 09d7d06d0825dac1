"""What a share of n requests may look like when it is right, and how to say what was measured. Pure."""

import math
from collections.abc import Sequence

_Z = 3.2905  # 99.9% of a normal distribution lies within so many standard deviations


def within(asked: int, hits: int, percent: int) -> bool:
    """Whether `hits` of `asked` lie in the binomial 99.9% interval of `percent`; exact at 0 and 100."""
    if percent in {0, 100}:
        return hits * 100 == asked * percent
    low, high = interval(asked, percent)
    return low <= hits <= high


def interval(asked: int, percent: int) -> tuple[int, int]:
    """The interval itself: the fewest and the most hits."""
    share = percent / 100
    spread = _Z * math.sqrt(asked * share * (1 - share))
    return max(0, math.ceil(asked * share - spread)), min(asked, math.floor(asked * share + spread))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed; 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
