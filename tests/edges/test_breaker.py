"""The breaker opens for a reason, cuts and never adds, and ends by itself once the new cluster is well."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from k8s import model, protocol
from k8s.agent import breaker

RULE = model.Breaker(failures=5, pause=10.0)
WELL = breaker.Seen(up=True, answered=0.0)


def failing(*at: float, last_ok: float = 0.0, answered: float = 0.0) -> breaker.Seen:
    return replace(WELL, failures=at, last_ok=last_ok, answered=answered)


def after(one: breaker.Breaker, seen: breaker.Seen, now: float) -> breaker.Breaker:
    return breaker.step(one, seen, RULE, now=now)


def opened(now: float = 0.0) -> breaker.Breaker:
    return after(breaker.Breaker(), failing(1, 2, 3, 4, 5), now)


def half_open() -> breaker.Breaker:
    one = after(opened(), failing(1, 2, 3, 4, 5, answered=10.5), 10.5)
    assert (one.phase, one.suppression) == (breaker.Phase.HALF_OPEN, 1)
    return one


def test_five_failures_in_a_row_open_it_and_four_do_not() -> None:
    four = after(breaker.Breaker(), failing(1, 2, 3, 4), 0)
    assert (four.phase, four.suppression) == (breaker.Phase.CLOSED, None)
    assert (opened().phase, opened().suppression, opened().opened) == (breaker.Phase.OPEN, 0, 1)
    assert "5 tries at the new cluster failed in a row" in opened().reason


def test_a_success_between_them_by_the_logs_time_means_they_were_not_in_a_row_in_whatever_order_lines_arrive() -> None:
    assert after(breaker.Breaker(), failing(9, 1, 8, 2, 7, 3, last_ok=6.5), 0).phase is breaker.Phase.CLOSED
    assert after(breaker.Breaker(), failing(9, 1, 8, 7, 10, 7, last_ok=6.5), 0).phase is breaker.Phase.OPEN


def test_a_probe_that_finds_new_down_opens_it_and_keeps_it_open() -> None:
    down = replace(WELL, up=False, well=False, outcome="connect")
    one = after(breaker.Breaker(), down, 0)
    assert (one.phase, one.reason) == (breaker.Phase.OPEN, "the new cluster does not answer the probe: connect")
    for now in (10, 100, 1000):
        one = after(one, replace(down, answered=float(now)), now)
        assert one.phase is breaker.Phase.OPEN
    assert (one.down_since, one.opened) == (0, 1)


def test_it_half_opens_only_after_its_pause_and_with_an_answer_that_is_newer_than_that() -> None:
    seen = failing(1, 2, 3, 4, 5)
    assert after(opened(), replace(seen, answered=9.9), 9.9).phase is breaker.Phase.OPEN
    waiting = after(opened(), replace(seen, answered=9.9), 10.1)
    assert (waiting.phase, waiting.wants_a_probe(replace(seen, answered=9.9), 10.1)) == (breaker.Phase.OPEN, True)
    assert not waiting.wants_a_probe(seen, 9.9)
    assert after(waiting, replace(seen, answered=10.2), 10.2).phase is breaker.Phase.HALF_OPEN


def test_three_good_tries_or_a_quiet_pause_close_it() -> None:
    seen = failing(1, 2, 3, 4, 5, last_ok=6, answered=10.5)
    assert after(half_open(), replace(seen, ok_tries=2), 11).phase is breaker.Phase.HALF_OPEN
    assert after(half_open(), replace(seen, ok_tries=3), 11).phase is breaker.Phase.CLOSED
    quiet = failing(1, 2, 3, 4, 5, answered=10.5)
    assert after(half_open(), quiet, 20.4).phase is breaker.Phase.HALF_OPEN
    closed = after(half_open(), quiet, 20.5)
    assert (closed.phase, closed.suppression) == (breaker.Phase.CLOSED, None)
    assert after(closed, quiet, 21).phase is breaker.Phase.CLOSED, "what has opened it before is no reason again"
    assert after(closed, failing(1, 2, 3, 4, 5, 21, 22, 23, 24), 24).phase is breaker.Phase.CLOSED
    assert after(closed, failing(1, 2, 3, 4, 5, 21, 22, 23, 24, 25), 25).opened == 2


def test_one_failure_while_half_open_opens_it_again_for_twice_as_long_up_to_a_minute_and_that_is_no_new_opening() -> None:
    one, now, log = half_open(), 10.5, 5.0
    pauses = []
    for _ in range(5):
        log += 1
        seen = failing(1, 2, 3, 4, log, answered=now)
        one = after(one, seen, now)
        pauses.append(one.pause)
        now += one.pause
        one = after(one, replace(seen, answered=now), now)
        assert one.phase is breaker.Phase.HALF_OPEN
    assert (pauses, one.opened) == ([20, 40, 60, 60, 60], 1)


def test_a_longer_pause_than_a_minute_is_never_made_shorter() -> None:
    patient = model.Breaker(failures=1, pause=300.0)
    one = breaker.step(breaker.Breaker(), failing(1), patient, now=0)
    one = breaker.step(one, failing(1, answered=300), patient, now=300)
    assert breaker.step(one, failing(1, 2, answered=300), patient, now=301).pause == 300


def test_ten_openings_within_ten_minutes_are_too_often_and_over_longer_they_are_not() -> None:
    def flapping(every: float) -> bool:
        one, now = breaker.Breaker(), 0.0
        for number in range(1, 11):
            one = after(one, replace(WELL, up=False), now)
            assert one.too_often(now) is (number == 10 and every < 60)
            for later in (10, 21):  # half open, and closed again
                one = after(one, replace(WELL, answered=now + later), now + later)
            now += every
        return one.too_often(now)

    assert flapping(30)
    assert not flapping(70)


def test_what_was_seen_while_nothing_reached_new_opens_nothing_later() -> None:
    forgotten = breaker.forget(opened(), failing(1, 2, 3, 4, 5, 6, 7, last_ok=5.5))
    assert (forgotten.phase, forgotten.openings, forgotten.opened) == (breaker.Phase.CLOSED, (), 1)
    assert after(forgotten, failing(1, 2, 3, 4, 5, 6, 7), 1).phase is breaker.Phase.CLOSED


@given(weight=st.integers(0, 100), cap=st.none() | st.integers(0, 100), held=st.booleans(), finished=st.booleans())
def test_suppression_only_ever_lowers_and_never_touches_a_finished_service(
    weight: int, cap: int | None, held: bool, finished: bool
) -> None:
    exposure = model.Exposure(weight=weight, old_host="api.old.example", new_host="api.new.example")
    record = protocol.Record("u", "api", 1, exposure, "op", finished=finished)
    memory = protocol.see_wish(protocol.see_record(protocol.Memory("api"), record, payload=record.encode(), uid="u"), weight)
    memory = protocol.push_hold(memory, "h") if held else memory
    approved, now = protocol.effective(memory), protocol.effective(memory, suppression=cap)
    if finished:
        assert (now, now.weight) == (approved, 100)
    else:
        assert now.weight == (approved.weight if cap is None else min(cap, approved.weight))
    assert now.suppression == (None if now.weight == approved.weight else cap)
    assert ("suppressed by the breaker" in now.because) is (now.weight < approved.weight)


class AnyCourse(RuleBasedStateMachine):
    """Tries, probes and time as they come; what it may do is judged by a list of everything that happened."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.log = 1000.0
        self.one = breaker.Breaker()
        self.tries: list[tuple[float, bool]] = []
        self.up: bool | None = None
        self.probes: list[tuple[float, bool]] = []

    @property
    def seen(self) -> breaker.Seen:
        good = [at for at, ok in self.tries if ok]
        return breaker.Seen(
            last_ok=max(good, default=0.0),
            failures=[at for at, ok in self.tries if not ok][-256:],
            ok_tries=len(good),
            up=self.up,
            answered=self.probes[-1][0] if self.probes else None,
            well=bool(self.probes) and self.probes[-1][1],
        )

    def look(self) -> None:
        before, seen = self.one, self.seen
        self.one = after(before, seen, self.now)
        if before.phase is breaker.Phase.CLOSED and self.one.phase is not before.phase:
            in_a_row = sum(at > seen.last_ok for at, ok in self.tries if not ok)
            assert in_a_row >= RULE.failures or self.up is False
        if before.phase is breaker.Phase.OPEN and self.one.phase is not before.phase:
            assert self.up is True
            assert self.now - before.since >= RULE.pause
        if self.up is False:
            assert self.one.phase is breaker.Phase.OPEN

    @rule(ok=st.booleans(), late=st.floats(0, 3))
    def a_try_ends(self, ok: bool, late: float) -> None:
        self.tries.append((self.log - late, ok))
        self.look()

    @rule(count=st.integers(1, 8))
    def tries_fail(self, count: int) -> None:
        self.tries += [(self.log, False)] * count
        self.look()

    @rule(ok=st.booleans(), count=st.integers(1, 3))
    def probes_answer(self, ok: bool, count: int) -> None:
        for _ in range(count):
            self.time_passes(0.5)
            self.probes.append((self.now, ok))
            last = [one for _, one in self.probes]
            if last[-3:] == [False] * 3:
                self.up = False
            elif ok and (self.up is not False or last[-2:] == [True, True]):
                self.up = True
            self.look()

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 10.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.log += seconds
        self.look()

    @rule()
    def it_is_held_for_a_while(self) -> None:
        self.one = breaker.forget(self.one, self.seen)
        assert self.one.suppression is None

    @rule()
    def the_new_cluster_is_well_for_two_minutes(self) -> None:
        for _ in range(26):
            self.probes_answer(True, 1)
            self.time_passes(4.5)
        assert self.one.phase is breaker.Phase.CLOSED

    @invariant()
    def looking_again_changes_nothing(self) -> None:
        once = after(self.one, self.seen, self.now)
        assert after(once, self.seen, self.now).phase in {once.phase, breaker.Phase.HALF_OPEN}
        assert once.opened - self.one.opened in {0, 1}

    @invariant()
    def it_cuts_or_lets_alone(self) -> None:
        assert (self.one.suppression is None) is (self.one.phase is breaker.Phase.CLOSED)
        assert len(self.one.openings) <= breaker.MOST_OPENINGS


TestAnyCourse = AnyCourse.TestCase
TestAnyCourse.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("failures", [257, 1000])
def test_more_failures_than_an_agent_keeps_can_still_open_it(failures: int) -> None:
    seen = failing(*range(1, 257))
    assert breaker.step(breaker.Breaker(), seen, model.Breaker(failures=failures), now=0).phase is breaker.Phase.OPEN
