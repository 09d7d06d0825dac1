"""How many of so many, against a limit: decided only when chance cannot have made it (Wilson's interval). Pure."""

import math
from dataclasses import dataclass

from handlers.rules import gates, health

MOST_NEEDED = 1_000_000  # a share that lies on the limit is never decided; a larger number tells nobody more


@dataclass(frozen=True, slots=True)
class Ratio:
    """`verdict`: FAIL, above the limit; PASS, below it; TOO_FEW: so many requests tell neither, and `needed` more might."""

    verdict: gates.Verdict
    needed: int = 0


def against(bad: int, of: int, *, limit: float, minimum: int) -> Ratio:
    """`limit`: a share, 0 to 1. `minimum`: fewer never pass, but enough failures among few do fail.

    None at all among enough is a pass: to prove a percent by silence alone would need five times as many.
    """
    if above(bad, of, limit=limit):
        return Ratio(gates.Verdict.FAIL)
    if of >= max(minimum, 1) and (bad == 0 or at_most(bad, of) < limit):
        return Ratio(gates.Verdict.PASS)
    return Ratio(gates.Verdict.TOO_FEW, _needed(bad, of, limit=limit, minimum=minimum))


def above(bad: int, of: int, *, limit: float) -> bool:
    """Proven: the lower end of the interval is above the limit. One or two failures prove nothing."""
    return of > 0 and bad >= health.LEAST_FAILURES and health.at_least(min(bad, of), of) > limit


def at_most(bad: int, of: int) -> float:
    """The upper end of Wilson's interval, as `health.at_least` is the lower one."""
    return 1.0 - health.at_least(of - min(bad, of), of)


def _needed(bad: int, of: int, *, limit: float, minimum: int) -> int:
    """How many more until the present share is decided: both ends meet the limit where
    (share - limit)² = z² · limit · (1 - limit) / requests.
    """
    missing = max(minimum - of, 1)
    if bad == 0 or of == 0:
        return missing
    distance = abs(bad / of - limit)
    variance = health.ERROR_SIGMAS**2 * limit * (1 - limit)
    if distance * distance * MOST_NEEDED <= variance:
        return MOST_NEEDED
    decided = math.floor(variance / (distance * distance)) + 1
    if bad / of > limit:
        decided = max(decided, math.ceil(health.LEAST_FAILURES * of / bad))
    return min(max(missing, decided - of), MOST_NEEDED)
