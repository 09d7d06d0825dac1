"""Lines of nginx's log become counts: what each try at each cluster came to, whatever nginx wrote."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s import proxy_report
from k8s.agent import traffic

NEW, OLD, NOBODY = "10.0.0.1:443", "10.1.0.1:80", "new_cluster_backend_s0"


def line(cluster: str, status: int = 200, **columns: object) -> bytes:
    fields: dict[str, object] = {
        "t": 1000.0,
        "service": "api",
        "cluster": cluster,
        "status": status,
        "upstream": NEW if cluster == "new" else OLD,
        "upstream_status": str(status),
        "connect": "0.001",
        "header": "0.004",
        "upstream_time": "0.004",
        "in": 100,
        "out": 2000,
        **columns,
    }
    return json.dumps(fields).encode() + b"\n"


def counted(*lines: bytes) -> tuple[proxy_report.Traffic, dict[tuple[str, str], int]]:
    tallies = traffic.Tallies()
    tallies.count(b"".join(lines))
    return tallies.traffic("api"), dict(tallies.tallies["api"].summary().attempts)


def test_an_answer_of_each_side_is_counted_there_with_its_time() -> None:
    seen, attempts = counted(line("new"), line("old", header="0.020"), line("old", header="0.040"))
    assert (seen.new, seen.old, seen.answered_new, seen.answered_old) == (1, 2, 1, 2)
    assert (seen.attempts_new, seen.failed_new) == (1, 0)
    assert (seen.seconds_new, seen.seconds_old) == pytest.approx((0.004, 0.060))
    assert attempts == {("new", "ok"): 1, ("old", "ok"): 2}


def test_a_fallback_was_chosen_for_new_failed_there_and_was_answered_by_old_in_olds_own_time() -> None:
    seen, attempts = counted(
        line(
            "fallback",
            upstream=f"{NEW}, {NEW} : {OLD}",
            upstream_status="502, 504 : 200",
            connect="-, 0.001 : 0.000",
            header="-, - : 0.007",
            upstream_time="0.001, 3.000 : 0.009",
        )
    )
    assert (seen.new, seen.old, seen.answered_new, seen.answered_old) == (1, 0, 0, 1)
    assert (seen.attempts_new, seen.failed_new) == (2, 2)
    assert seen.seconds_old == pytest.approx(0.007)
    assert attempts == {("new", "connect"): 1, ("new", "timeout"): 1, ("old", "ok"): 1}


def test_what_never_left_the_proxy_is_no_try_at_new() -> None:
    seen, attempts = counted(
        line(
            "fallback",
            upstream=f"{NOBODY} : {OLD}",
            upstream_status="502 : 200",
            connect="- : 0.000",
            header="- : 0.001",
            upstream_time="0.000 : 0.001",
        ),
        line("fallback"),  # no address of new is known: nginx asks only old
    )
    assert (seen.new, seen.attempts_new, seen.answered_old) == (2, 0, 2)
    assert attempts == {("old", "ok"): 2}


@pytest.mark.parametrize(
    ("columns", "outcome"),
    [
        ({"upstream_status": "500"}, "http_5xx"),
        ({"upstream_status": "404"}, "ok"),
        ({"upstream_status": "101"}, "ok"),
        ({"upstream_status": "502", "connect": "-", "header": "-"}, "connect"),
        ({"upstream_status": "504", "connect": "-", "header": "-"}, "connect"),
        ({"upstream_status": "504", "header": "-"}, "timeout"),
        ({"upstream_status": "502", "header": "-"}, "broken"),
    ],
)
def test_each_try_has_one_outcome(columns: dict[str, str], outcome: str) -> None:
    assert counted(line("new", 502, **columns))[1] == {("new", outcome): 1}


def test_a_client_that_left_hides_no_failure_before() -> None:
    left = {"upstream_status": "-", "header": "-", "upstream_time": "2.000"}
    assert counted(line("new", 499, **left))[1] == {}
    twice = {
        "upstream": f"{NEW}, {NEW}",
        "upstream_status": "503, -",
        "connect": "0.001, 0.001",
        "header": "0.002, -",
        "upstream_time": "0.002, 1.000",
    }
    assert counted(line("new", 499, **twice))[1] == {("new", "http_5xx"): 1}


def test_a_second_try_that_is_answered_took_the_first_ones_time_too() -> None:
    seen, _ = counted(
        line(
            "new",
            upstream=f"{NEW}, {NEW}",
            upstream_status="502, 200",
            connect="-, 0.001",
            header="-, 0.010",
            upstream_time="2.000, 0.012",
        )
    )
    assert (seen.attempts_new, seen.failed_new, seen.answered_new) == (2, 1, 1)
    assert seen.seconds_new == pytest.approx(2.010)


def tally_of(*lines: bytes) -> traffic.Tally:
    tallies = traffic.Tallies()
    tallies.count(b"".join(lines))
    assert tallies.unreadable == 0
    return tallies.tallies["api"]


NEVER_ANSWERED = {"upstream_status": "504", "header": "-", "upstream_time": "30.000"}


def test_tries_at_new_are_told_with_the_time_of_their_end_whatever_came_after_them() -> None:
    saved = line(
        "fallback",
        t=1010.0,
        upstream=f"{NEW}, {NEW} : {OLD}",
        upstream_status="500, 504 : 200",
        connect="0.001, 0.001 : 0.000",
        header="0.500, - : 4.000",
        upstream_time="0.600, 2.000 : 5.000",
    )
    tally = tally_of(saved, line("new", t=1005.5))
    assert tally.failures == pytest.approx([1002.9, 1005.0]), "at the head of its 500, and at the end of the wait"
    assert (tally.last_ok, tally.ok_tries, tally.failed_tries, tally.retries) == (1005.5, 1, 2, 1)


def test_a_long_answer_of_new_that_ends_now_is_no_fresh_success() -> None:
    assert tally_of(line("new", 101, t=2000.0, header="0.100", upstream_time="900.000")).last_ok == pytest.approx(1100.1)


def test_the_newest_success_stays_whatever_block_arrives_later_and_failures_keep_their_order_of_arrival() -> None:
    tally = tally_of(line("new", t=7.0), line("new", 502, t=6.0), line("new", t=5.0), line("new", 502, t=4.0))
    assert (tally.last_ok, tally.failures) == (7.0, [6.0, 4.0])


def test_of_many_failures_the_newest_are_kept_and_all_are_counted() -> None:
    tally = tally_of(*(line("new", 503, t=float(second)) for second in range(1000)))
    assert tally.failures == [float(second) for second in range(1000 - traffic.KEPT_FAILURES, 1000)]
    assert tally.failed_tries == 1000


def test_a_failed_or_slow_try_at_new_is_somebodys_business_until_it_was_looked_at() -> None:
    tallies = traffic.Tallies()
    tallies.count(
        line("new", service="well") + line("old", 503, service="only-old") + line("old", service="slow-old", header="9.000")
    )
    assert tallies.touched == set()
    tallies.count(line("new", 500, service="failed") + line("new", service="slow", header="3.000", upstream_time="3.001"))
    assert tallies.touched == {"failed", "slow"}
    assert tallies.tallies["slow"].ok_tries == 1


@pytest.mark.parametrize(("waited", "slow"), [("0.999", 0), ("1.000", 1), ("2.500", 1)])
@pytest.mark.parametrize("connect", ["-", "0.001"])
def test_a_client_that_left_new_after_a_second_says_it_is_slow_and_never_that_it_failed(
    waited: str, slow: int, connect: str
) -> None:
    left = line("new", 499, upstream_status="499", connect=connect, header="-", upstream_time=waited)
    tally = tally_of(left)
    assert (tally.slow, tally.failed_tries, tally.failures) == (slow, 0, [])
    old = tally_of(line("old", 499, upstream_status="499", connect=connect, header="-", upstream_time=waited))
    assert (old.slow, old.failed_tries) == (0, 0)


def test_what_old_answers_for_new_in_error_is_olds_failure_too() -> None:
    tally = tally_of(
        line(
            "fallback",
            502,
            upstream=f"{NEW} : {OLD}",
            upstream_status="500 : 502",
            connect="0.001 : -",
            header="0.004 : -",
            upstream_time="0.004 : 0.001",
        )
    )
    found = tally.summary()
    assert found.attempts == {("new", "http_5xx"): 1, ("old", "connect"): 1}
    assert found.answers == {("new", "500"): 1}
    assert found.requests == {("old", "5xx"): 1}
    assert (tally.failed_tries, tally.retries, found.fallbacks) == (1, 0, 1)


def test_bytes_and_choices_are_told_apart_by_cluster() -> None:
    found = tally_of(
        line("new", out=5), line("old", out=7), line("fallback", out=11), line("new", 499, header="-", out=0)
    ).summary()
    assert found.bytes == {("new", "in"): 200, ("new", "out"): 5, ("old", "in"): 200, ("old", "out"): 18}
    assert found.chosen() == {"new": 3, "old": 1}
    assert found.requests == {("new", "2xx"): 1, ("new", "4xx"): 1, ("old", "2xx"): 2}


@given(st.lists(st.sampled_from(["ok", "answered 5xx", "never answered", "fell back", "left"]), max_size=30))
def test_one_line_or_many_tries_the_sums_agree(kinds: list[str]) -> None:
    lines = {
        "ok": line("new"),
        "answered 5xx": line("new", 503),
        "never answered": line("new", 504, **NEVER_ANSWERED),
        "fell back": line(
            "fallback",
            upstream=f"{NEW} : {OLD}",
            upstream_status="500 : 200",
            connect="0.001 : 0.000",
            header="0.004 : 0.007",
            upstream_time="0.004 : 0.009",
        ),
        "left": line("new", 499, upstream_status="-", header="-", upstream_time="0.100"),
    }
    tallies = traffic.Tallies()
    tallies.count(b"".join(lines[kind] for kind in kinds) or b"\n")
    if not kinds:
        return
    tally = tallies.tallies["api"]
    found = tally.summary()
    assert sum(found.requests.values()) == sum(found.chosen().values()) == len(kinds)
    assert tally.ok_tries == found.attempts["new", "ok"] == kinds.count("ok")
    assert tally.failed_tries == sum(found.attempts["new", outcome] for outcome in traffic.FAILURES)
    assert tally.failed_tries == len(tally.failures) == len(kinds) - kinds.count("ok") - kinds.count("left")
    assert sum(found.answers.values()) == sum(found.attempts.values()) - found.attempts["new", "timeout"]


def test_a_broken_line_costs_only_itself() -> None:
    tallies = traffic.Tallies()
    tallies.count(line("new") + b'{"status":000}\n' + b"{}\n" + b"[1]\n" + line("new", header="x y") + line("old"))
    assert (tallies.traffic("api").new, tallies.traffic("api").old) == (1, 1)
    assert tallies.unreadable == 4


def test_a_path_that_is_no_utf_8_hides_no_request_neither_its_own_nor_its_neighbours() -> None:
    foreign = line("new", 503, uri="/PATH").replace(b"/PATH", "/订单".encode("gbk"))
    tally = tally_of(line("new"), foreign, line("old"))
    assert (tally.ok_tries, tally.failed_tries) == (1, 1)
    tallies = traffic.Tallies()
    tallies.count(foreign + b"{broken\n" + foreign)
    assert (tallies.tallies["api"].failed_tries, tallies.unreadable) == (2, 1)


def test_a_refused_host_is_nobodys_traffic() -> None:
    tallies = traffic.Tallies()
    tallies.count(line("refused", 421, service="", header="", upstream=""))
    assert not tallies.tallies


@given(st.lists(st.binary(max_size=60).filter(lambda text: b"\n" not in text), max_size=5))
def test_whatever_stands_in_the_log_the_counting_goes_on(lines: list[bytes]) -> None:
    tallies = traffic.Tallies()
    tallies.count(b"".join(one + b"\n" for one in [*lines, line("new")[:-1]]))
    assert tallies.traffic("api").new >= 1
