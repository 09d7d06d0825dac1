"""Lines of nginx's log become counts: what each try at each cluster came to, whatever nginx wrote."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s import proxy_report
from k8s.agent import traffic

NEW, OLD, NOBODY = "10.0.0.1:443", "10.1.0.1:80", "new_cluster_backend_s0"


def line(cluster: str, status: int = 200, **columns: str) -> bytes:
    fields = {
        "service": "api",
        "cluster": cluster,
        "status": status,
        "upstream": NEW if cluster == "new" else OLD,
        "upstream_status": str(status),
        "connect": "0.001",
        "header": "0.004",
        "upstream_time": "0.005",
        **columns,
    }
    return json.dumps(fields).encode() + b"\n"


def counted(*lines: bytes) -> tuple[proxy_report.Traffic, dict[tuple[str, str], int]]:
    tallies = traffic.Tallies()
    tallies.count(b"".join(lines))
    return tallies.traffic("api"), dict(tallies.tallies["api"].attempts)


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


def test_a_broken_line_costs_only_itself() -> None:
    tallies = traffic.Tallies()
    tallies.count(line("new") + b'{"status":000}\n' + b"{}\n" + b"[1]\n" + line("new", header="x y") + line("old"))
    assert (tallies.traffic("api").new, tallies.traffic("api").old) == (2, 1)
    assert tallies.unreadable >= 3


def test_a_refused_host_is_nobodys_traffic() -> None:
    tallies = traffic.Tallies()
    tallies.count(line("refused", 421, service="", header="", upstream=""))
    assert not tallies.tallies


@given(st.lists(st.binary(max_size=60).filter(lambda text: b"\n" not in text), max_size=5))
def test_whatever_stands_in_the_log_the_counting_goes_on(lines: list[bytes]) -> None:
    tallies = traffic.Tallies()
    tallies.count(b"".join(one + b"\n" for one in [*lines, line("new")[:-1]]))
    assert tallies.traffic("api").new >= 1
