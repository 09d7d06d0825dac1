"""The breaker opens for a reason, cuts and never adds, and ends by itself once the new cluster is well."""

import random
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from k8s import model, protocol
from k8s.agent import breaker, evidence

RULE = model.Breaker(failures=5, pause=10.0)
WELL = breaker.Seen(up=True, answered=0.0)


def failed(*began: float, waited: float = 0.1) -> list[evidence.Failure]:
    return [evidence.Failure(one, waited) for one in began]


def failing(
    *began: float, last_ok: float = 0.0, answered: float = 0.0, at: float = 0.0, waited: float = 0.1, good_probes: int = 0
) -> breaker.Seen:
    """`at`: nginx's clock; just after everything else unless said otherwise."""
    at = at or max((*began, last_ok, 0.0)) + 0.5
    failures = failed(*began, waited=waited)
    return replace(WELL, at=at, failures=failures, last_ok=last_ok, answered=answered, good_probes=good_probes)


def after(one: breaker.Breaker, seen: breaker.Seen, now: float) -> breaker.Breaker:
    return breaker.step(one, seen, RULE, now=now)


def opened(now: float = 0.0, *, waited: float = 0.1) -> breaker.Breaker:
    return after(breaker.Breaker(), failing(1, 2, 3, 4, 5, waited=waited), now)


def half_open(*, waited: float = 0.1) -> breaker.Breaker:
    """Since 10.5, and 15.5 by nginx's clock."""
    one = after(opened(waited=waited), failing(1, 2, 3, 4, 5, answered=10.5, at=15.5, waited=waited), 10.5)
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


def test_three_good_requests_end_a_step_and_the_second_step_closes_it() -> None:
    seen = failing(1, 2, 3, 4, 5, last_ok=17, answered=10.5, at=18)
    assert after(half_open(), replace(seen, good=[16, 17]), 11).suppression == 1
    more = after(half_open(), replace(seen, good=[15.7, 16, 17]), 11)
    assert (more.phase, more.suppression) == (breaker.Phase.HALF_OPEN, 10)
    assert after(more, replace(seen, good=[15.7, 16, 17], at=19), 12).suppression == 10, "they began before this step"
    closed = after(more, replace(seen, good=[18.1, 18.2, 18.3], at=19), 12)
    assert (closed.phase, closed.suppression) == (breaker.Phase.CLOSED, None)


def test_what_began_before_it_half_opened_counts_neither_way() -> None:
    late = failing(1, 2, 3, 4, 5, 14.9, 15.4, last_ok=16.0, answered=10.5, at=45, waited=30)
    assert after(half_open(), replace(late, good=[14, 15, 15.2]), 40).suppression == 1
    assert after(half_open(), replace(late, failures=[*late.failures, *failed(15.6)]), 40).suppression == 0


def test_where_there_are_no_requests_time_and_two_good_probes_end_a_step() -> None:
    def quiet(at: float, probes: int) -> breaker.Seen:
        return failing(1, 2, 3, 4, 5, answered=10.5, at=at, good_probes=probes)

    one = half_open()
    assert after(one, quiet(25.4, 2), 20.4).suppression == 1
    assert after(one, quiet(25.5, 1), 20.5).suppression == 1
    assert (one.wants_a_probe(quiet(25.5, 1), 20.5), one.wants_a_probe(quiet(25.4, 1), 20.4)) == (True, False)
    more = after(one, quiet(25.5, 2), 20.5)
    assert (more.suppression, after(more, quiet(36, 3), 31).suppression) == (10, 10)
    closed = after(more, quiet(36, 4), 31)
    assert (closed.phase, closed.suppression) == (breaker.Phase.CLOSED, None)
    assert after(closed, quiet(40, 4), 35).phase is breaker.Phase.CLOSED, "what has opened it before is no reason again"
    assert after(closed, failing(1, 2, 3, 4, 5, 41, 42, 43, 44), 39).phase is breaker.Phase.CLOSED
    assert after(closed, failing(1, 2, 3, 4, 5, 41, 42, 43, 44, 45), 40).opened == 2


def test_after_requests_that_hung_a_quiet_step_lasts_longer_than_they_did() -> None:
    one = half_open(waited=30)
    quiet = failing(1, 2, 3, 4, 5, answered=10.5, at=40, good_probes=9, waited=30)
    assert after(one, quiet, 10.5 + 30.9).suppression == 1, "one that hangs now would not be in the log yet"
    assert after(one, quiet, 10.5 + 31).suppression == 10


def test_what_has_gone_silent_opens_it_is_no_reason_for_a_hold_and_is_not_believed_before_a_request_could_have_failed() -> None:
    hanging = replace(WELL, at=5, silent=True, patience=32)
    one, now = breaker.Breaker(), 0.0
    for number in range(20):
        one = after(one, hanging, now)
        assert (one.phase, one.opened, one.openings) == (breaker.Phase.OPEN, number + 1, ())
        now += 10
        one = after(one, replace(hanging, silent=False, answered=now), now)
        assert after(one, replace(hanging, silent=False, good_probes=9), now + 32.9).suppression == 1
        one = after(one, replace(hanging, silent=False, good_probes=9), now + 33)
        one = after(one, replace(hanging, silent=False, good_probes=99), now := now + 66)
        assert one.phase is breaker.Phase.CLOSED
    assert not one.too_often(now)


def test_timeouts_that_began_before_an_outage_ended_do_not_open_it_again_once_requests_that_began_later_were_answered() -> None:
    timeouts = failing(*range(100, 130), last_ok=131, waited=30)
    assert after(breaker.Breaker(), timeouts, 0).phase is breaker.Phase.CLOSED
    assert after(breaker.Breaker(), replace(timeouts, last_ok=124), 0).phase is breaker.Phase.OPEN


@given(
    began=st.lists(st.floats(0, 100), min_size=5, max_size=40),
    good=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 5)), max_size=40),
    order=st.randoms(use_true_random=False),
)
def test_in_whatever_order_lines_come_only_failures_that_began_after_the_newest_good_head_count(
    began: list[float], good: list[tuple[float, float]], order: random.Random
) -> None:
    said = evidence.Evidence()
    told = [(one, None) for one in began] + good
    order.shuffle(told)
    for start, seconds in told:
        if seconds is None:
            said.new_failed(start, 30.0)
        else:
            said.new_answered_well(start, seconds)
    one = after(breaker.Breaker(), replace(WELL, at=200, last_ok=said.last_ok, failures=said.failures, good=said.good), 0)
    newest = max((start + seconds for start, seconds in good), default=0.0)
    in_a_row = sum(start > newest for start in began)
    assert (one.phase is breaker.Phase.OPEN) is (in_a_row >= RULE.failures)


def test_a_probe_opens_nothing_while_requests_that_began_after_its_first_failure_are_answered_well() -> None:
    down = replace(WELL, at=20, up=False, well=False, failing_since=10.0, outcome="http")
    assert after(breaker.Breaker(), replace(down, good=[9.0, 9.9]), 0).phase is breaker.Phase.OPEN
    disputed = replace(down, good=[10.1])
    assert (after(breaker.Breaker(), disputed, 0).phase, disputed.disputed) == (breaker.Phase.CLOSED, True)
    assert after(breaker.Breaker(), replace(disputed, failures=failed(*range(11, 16))), 0).phase is breaker.Phase.OPEN


def test_a_clock_that_is_set_back_makes_no_failure_too_old_to_count() -> None:
    forgotten = breaker.forget(breaker.Breaker(), replace(WELL, at=5000))
    later = after(forgotten, replace(WELL, at=1000), 1)
    assert after(later, failing(1001, 1002, 1003, 1004, 1005), 2).phase is breaker.Phase.OPEN


def test_a_start_below_what_is_approved_goes_up_in_steps_and_is_no_opening() -> None:
    one = breaker.gently(breaker.Breaker(), replace(WELL, at=100, good_probes=1), RULE, now=1)
    assert (one.suppression, one.opened, one.openings) == (1, 0, ())
    assert after(one, replace(WELL, at=103, good=[101, 102, 103]), 4).suppression == 10
    assert after(one, failing(101, at=103), 4).suppression == 0


def test_a_new_record_lets_what_counts_towards_a_hold_begin_anew_and_nothing_through() -> None:
    one = after(breaker.Breaker(), replace(WELL, up=False, well=False), 0)
    again = breaker.renewed(one, 50)
    assert (again.phase, again.openings, again.down_since, again.opened) == (breaker.Phase.OPEN, (), 50, 1)


def test_one_failure_while_half_open_opens_it_again_for_twice_as_long_up_to_a_minute_and_that_is_no_new_opening() -> None:
    one, now = half_open(), 10.5
    pauses = []
    for _ in range(5):
        seen = failing(1, 2, 3, 4, one.judged + 0.1, answered=now)
        one = after(one, seen, now)
        pauses.append(one.pause)
        now += one.pause
        one = after(one, replace(seen, answered=now, at=seen.at + one.pause), now)
        assert one.phase is breaker.Phase.HALF_OPEN
    assert (pauses, one.opened) == ([20, 40, 60, 60, 60], 1)


def test_a_longer_pause_than_a_minute_is_never_made_shorter() -> None:
    patient = model.Breaker(failures=1, pause=300.0)
    one = breaker.step(breaker.Breaker(), failing(1), patient, now=0)
    one = breaker.step(one, failing(1, answered=300, at=301), patient, now=300)
    assert breaker.step(one, failing(1, 302, answered=300), patient, now=301).pause == 300


def test_ten_openings_within_ten_minutes_are_too_often_and_over_longer_they_are_not() -> None:
    def flapping(every: float) -> bool:
        one, now = breaker.Breaker(), 0.0
        for number in range(1, 11):
            one = after(one, replace(WELL, up=False, well=False), now)
            assert one.too_often(now) is (number == 10 and every < 60)
            for probes, later in enumerate((10, 20.5, 31)):  # half open, a step more, and closed again
                one = after(one, replace(WELL, answered=now + later, good_probes=2 * probes), now + later)
            assert one.phase is breaker.Phase.CLOSED
            now += every
        return one.too_often(now)

    assert flapping(40)
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


@dataclass(frozen=True)
class Request:
    began: float
    ended: float
    ok: bool


class AnyCourse(RuleBasedStateMachine):
    """Requests, probes and time as they come; what it may do is judged by a list of everything that happened."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.log = 1000.0
        self.one = breaker.Breaker()
        self.requests: list[Request] = []
        self.up: bool | None = None
        self.probes: list[tuple[float, bool]] = []
        self.failing_since: float | None = None

    @property
    def seen(self) -> breaker.Seen:
        good = [one for one in self.requests if one.ok]
        return breaker.Seen(
            at=self.log,
            last_ok=max((one.ended for one in good), default=0.0),
            good=[one.began for one in good][-16:],
            failures=[evidence.Failure(one.began, one.ended - one.began) for one in self.requests if not one.ok][-256:],
            up=self.up,
            failing_since=self.failing_since,
            answered=self.probes[-1][0] if self.probes else None,
            well=bool(self.probes) and self.probes[-1][1],
            good_probes=sum(ok for _, ok in self.probes),
        )

    def look(self) -> None:
        before, seen = self.one, self.seen
        self.one = after(before, seen, self.now)
        if before.phase is breaker.Phase.CLOSED and self.one.phase is not before.phase:
            in_a_row = sum(one.began > seen.last_ok for one in self.requests if not one.ok)
            assert in_a_row >= RULE.failures or seen.down
        if before.phase is breaker.Phase.OPEN and self.one.phase is not before.phase:
            assert self.up is True
            assert self.now - before.since >= RULE.pause
        if before.phase is not breaker.Phase.CLOSED and self.one.phase is breaker.Phase.CLOSED:
            assert before.suppression == breaker.STEPS[-1]
        if seen.down:
            assert self.one.phase is breaker.Phase.OPEN

    @rule(ok=st.booleans(), late=st.floats(0, 3), took=st.sampled_from([0.0, 0.1, 4.0, 30.0]))
    def a_request_ends(self, ok: bool, late: float, took: float) -> None:
        self.requests.append(Request(self.log - late - took, self.log - late, ok))
        self.look()

    @rule(count=st.integers(1, 8))
    def requests_fail(self, count: int) -> None:
        self.time_passes(0.1)
        self.requests += [Request(self.log, self.log, False)] * count
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
            if not ok and self.failing_since is None:
                self.failing_since = self.log
            elif ok and self.up:
                self.failing_since = None
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
    def the_new_cluster_is_well_for_long_enough(self) -> None:
        for _ in range(45):
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
TestAnyCourse.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("failures", [257, 1000])
def test_more_failures_than_an_agent_keeps_can_still_open_it(failures: int) -> None:
    seen = failing(*range(1, 257))
    assert breaker.step(breaker.Breaker(), seen, model.Breaker(failures=failures), now=0).phase is breaker.Phase.OPEN
