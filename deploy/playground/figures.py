"""What the page draws: requests a second by cluster, counted at the backends and at the client. Pure but for the clock."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from deploy.playground.stories import history
from deploy.playground.world import backends, traffic

Json = dict[str, Any]
SHOWN = 120  # seconds
_SHARE_OVER = (3, 12)  # seconds, at least and at most: at 60 requests a second one second alone says little about 5%
_NO_CHANCE = 7  # requests a second: where so many are usual, chance leaves one second in a thousand without any
_BUCKETS = backends.BUCKETS_A_SECOND


def series(
    old: Iterable[backends.Counts],
    new: backends.Counts,
    seconds: Mapping[int, traffic.Tally],
    saved: Mapping[int, int],
    *,
    now: float,
) -> list[Json]:
    """One point for each whole second before `now` (monotonic), oldest first. `saved`: requests by second that fell back."""
    offset = time.time() - time.monotonic()
    last = int(now) - 1
    listed = list(old)
    return [
        {
            "t": second + offset,
            "old": sum(_within(counts, second) for counts in listed),
            "new": _within(new, second),
            "errors": seconds[second].failed if second in seconds else 0,
            "fallback": saved.get(second, 0),
        }
        for second in range(last - SHOWN + 1, last + 1)
    ]


def latest(points: list[Json], *, steady: float, served: bool) -> Json:
    """`now` of the page: the newest second, and the share over the seconds since the weights were last changed, `steady` ago.

    `served`: some service has a weight. A second without a request at new is the end of it only where chance is no reason.
    """
    least, most = _SHARE_OVER
    recent = points[-min(most, max(least, int(steady) - 1)) :]
    old, new = (sum(point[side] for point in recent) for side in ("old", "new"))
    quiet = not recent or (not recent[-1]["new"] and (not served or new >= _NO_CHANCE * len(recent)))
    share = 0.0 if quiet or not new else 100.0 * new / (old + new)
    newest = points[-1] if points else {"old": 0, "new": 0, "errors": 0, "fallback": 0}
    return {"share_new": share, **{name: newest[name] for name in ("old", "new", "errors", "fallback")}}


def saved_by_second(samples: Iterable[history.Sample]) -> dict[int, int]:
    """Requests that were meant for new and answered by old, by monotonic second, from what the proxies counted."""
    found: dict[int, int] = {}
    before: int | None = None
    for sample in samples:
        counts = [one.traffic for report in sample.fleet.reports for one in report.services.values() if one.traffic is not None]
        total = sum(max(0, one.new - one.answered_new) for one in counts)
        if before is not None and total > before:
            found[int(sample.at)] = found.get(int(sample.at), 0) + total - before
        before = total
    return found


def _within(counts: backends.Counts, second: int) -> int:
    return sum(counts.buckets.get(second * _BUCKETS + part, 0) for part in range(_BUCKETS))
