"""How long a half-open breaker waits where nobody asks for anything: as long as requests may hang, unless it is known better."""

from dataclasses import replace

import pytest

from k8s import model
from k8s.agent import breaker, evidence

RULE = model.Breaker(failures=5, pause=10.0)
WELL = breaker.Seen(up=True, answered=0.0)
HUNG = [evidence.Failure(began, 30.0) for began in range(1, 6)]


def after(one: breaker.Breaker, seen: breaker.Seen, now: float) -> breaker.Breaker:
    return breaker.step(one, seen, RULE, now=now)


def silent(*, patience: float = 32.0) -> breaker.Breaker:
    """Half open since 10, and 110 by nginx's clock; opened for silence at 0, and 100 by nginx's."""
    one = after(breaker.Breaker(), replace(WELL, at=100, silent=True, patience=patience), 0)
    return after(one, replace(WELL, at=110, patience=patience, answered=10.0), 10)


def later(now: float, *failures: evidence.Failure, patience: float = 32.0) -> breaker.Seen:
    return replace(WELL, at=100 + now, answered=now, good_probes=int(now), failures=failures, patience=patience)


def test_where_nothing_that_was_on_its_way_has_hung_a_silence_ends_as_soon_as_that_is_known() -> None:
    one = silent()
    assert (one.suppression, after(one, later(32.9), 32.9).suppression) == (1, 1), "what hangs may not be in the log yet"
    assert (one.wants_a_probe(replace(later(33), good_probes=1), 33), one.wants_a_probe(later(32.9), 32.9)) == (True, False)
    earlier = [evidence.Failure(95, 4.9)]
    more = after(one, later(33, *earlier), 33)
    assert (more.suppression, after(more, later(42.9), 42.9).suppression) == (10, 10)
    assert after(more, replace(later(43), good_probes=34), 43).suppression == 10, "two good probes a step"
    assert after(more, later(43), 43).phase is breaker.Phase.CLOSED


@pytest.mark.parametrize("hung", [evidence.Failure(98, 32), evidence.Failure(99.9, 3.0)])
def test_where_something_has_hung_a_silence_is_believed_for_as_long_as_requests_may_hang(hung: evidence.Failure) -> None:
    more = after(silent(), later(42.9, hung), 42.9)
    assert more.suppression == 1
    more = after(more, later(43, hung), 43)
    assert (more.suppression, after(more, later(75.9, hung), 75.9).suppression) == (10, 10)
    assert after(more, later(76, hung), 76).phase is breaker.Phase.CLOSED


@pytest.mark.parametrize("again", [replace(WELL, silent=True, patience=32), replace(WELL, failures=[evidence.Failure(111, 0)])])
def test_once_a_half_opening_has_failed_silence_was_not_all(again: breaker.Seen) -> None:
    one = after(silent(), replace(again, at=112, answered=11), 12)
    assert one.phase is breaker.Phase.OPEN
    one = after(one, later(32.5), 32.5)
    assert (one.suppression, after(one, later(65.4), 65.4).suppression) == (1, 1)
    assert after(one, later(65.5), 65.5).suppression == 10


def test_where_the_probe_found_new_down_too_its_good_answers_are_believed_sooner() -> None:
    seen = replace(WELL, at=40, failures=HUNG)
    one = after(breaker.Breaker(), seen, 0)
    unwitnessed = after(one, replace(seen, well=False, answered=5), 5)
    witnessed = after(one, replace(seen, up=False, well=False, answered=5), 5)
    disputed = after(one, replace(seen, up=False, well=False, answered=5, failing_since=6, good=[7]), 5)
    for before, step in ((unwitnessed, 31), (disputed, 31), (witnessed, 15)):
        half = after(before, replace(seen, answered=20), 20)
        assert after(half, replace(seen, answered=20, good_probes=9), 19.9 + step).suppression == 1
        assert after(half, replace(seen, answered=20, good_probes=9), 20 + step).suppression == 10
