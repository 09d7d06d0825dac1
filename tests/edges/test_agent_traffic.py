"""Lines of nginx's log become counts: what each try at each cluster came to, whatever nginx wrote."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s import proxy_report
from k8s.agent import evidence, traffic

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


def began(tally: traffic.Tally) -> list[float]:
    return [one.began for one in tally.said.failures]


def test_a_request_speaks_once_by_the_begin_of_its_last_try_at_new_whatever_came_after_it() -> None:
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
    assert began(tally) == pytest.approx([1003.0])
    assert (tally.ok_tries, tally.failed_tries, tally.retries) == (1, 2, 1)
    assert tally.said.last_ok == pytest.approx(1005.5)
    assert tally.said.old_answers == 1
    assert tally.said.old_ok == pytest.approx(1009.0)


def test_a_long_answer_of_new_that_ends_now_is_no_fresh_success_and_neither_is_one_of_old() -> None:
    ended = {"t": 2000.0, "header": "0.100", "upstream_time": "900.000"}
    said = tally_of(line("new", 101, **ended), line("old", 101, **ended)).said
    assert [said.last_ok, said.old_ok] == pytest.approx([1100.1, 1100.1])
    assert list(said.good) == pytest.approx([1100.0])


def test_a_slow_upload_makes_no_try_older_than_it_is() -> None:
    assert began(tally_of(line("new", 503, t=1030.0, time=30.0, header="0.002", upstream_time="0.002"))) == [1029.998]


def test_the_newest_success_stays_whatever_block_arrives_later_and_failures_keep_their_order_of_arrival() -> None:
    tally = tally_of(line("new", t=7.0), line("new", 502, t=6.0), line("new", t=5.0), line("new", 502, t=4.0))
    assert tally.said.last_ok == 7.0
    assert began(tally) == pytest.approx([5.996, 3.996])


def test_of_many_failures_the_newest_are_kept_and_all_are_counted() -> None:
    tally = tally_of(*(line("new", 503, t=float(second)) for second in range(1000)))
    assert began(tally) == pytest.approx([second - 0.004 for second in range(1000 - evidence.KEPT, 1000)])
    assert tally.failed_tries == 1000


@pytest.mark.parametrize(
    ("status", "old", "counts"),
    [("500", "200", True), ("500", "404", True), ("500", "500", False), ("501", "502", False), ("503", "500", True)],
)
def test_what_an_application_says_of_itself_on_both_sides_is_not_the_new_clusters_fault(
    status: str, old: str, counts: bool
) -> None:
    both = {"connect": "0.001 : 0.001", "header": "0.004 : 0.004", "upstream_time": "0.004 : 0.004"}
    tally = tally_of(line("fallback", int(old), upstream=f"{NEW} : {OLD}", upstream_status=f"{status} : {old}", **both))
    assert len(tally.said.failures) == int(counts)
    assert tally.failed_tries == 1
    assert tally.said.last_head == pytest.approx(999.996), "it is not silent"


def test_a_500_to_what_could_not_be_sent_again_counts() -> None:
    assert len(tally_of(line("new", 500, method="POST")).said.failures) == 1


@pytest.mark.parametrize(
    ("old", "seconds", "slow"),
    [
        (["0.050"], 2.9, False),
        (["0.050"], 3.0, True),
        (["1.000"], 4.9, False),
        (["1.000"], 5.1, True),
        ([], 9.9, False),
        ([], 10.1, True),
    ],
)
def test_an_answer_is_as_bad_as_none_when_it_takes_far_longer_than_olds(old: list[str], seconds: float, slow: bool) -> None:
    late = line("new", header=f"{seconds:.3f}", upstream_time=f"{seconds:.3f}")
    said = tally_of(*(line("old", header=one, upstream_time=one) for one in old), late).said
    assert (len(said.failures), len(said.good)) == (int(slow), int(not slow))


@pytest.mark.parametrize(("waited", "counts"), [("2.900", False), ("3.100", True)])
def test_a_client_that_left_after_a_long_wait_counts_and_where_old_takes_its_time_it_does_not(waited: str, counts: bool) -> None:
    left = line("new", 499, upstream_status="499", header="-", upstream_time=waited)
    assert len(tally_of(left).said.failures) == int(counts)
    patient = line("old", header="20.000", upstream_time="20.000")
    assert not tally_of(patient, left).said.failures


def test_old_is_dead_when_none_of_five_requests_got_through_lately_and_none_since() -> None:
    def dead(*lines: bytes, now: float = 1001.0) -> bool:
        return tally_of(*lines).said.old_is_dead(now)

    refused = [line("old", 502, t=1000.0 + number / 10, connect="-", header="-") for number in range(5)]
    assert dead(*refused)
    assert not dead(*refused[1:])
    assert not dead(*refused, now=1061.0), "somebody must find out whether it is back"
    assert not dead(*refused, line("old", 503, t=1002.0)), "an answer is an answer"
    assert dead(*refused, line("old", t=999.9)), "a line that comes late"
    assert not dead(*(line("old", 502, header="-") for _ in range(5))), "cut off is not unreachable"
    fallen = {"upstream": f"{NEW} : {OLD}", "upstream_status": "502 : 504", "connect": "- : 0.001", "header": "- : -"}
    assert dead(*(line("fallback", 504, upstream_time="0.001 : 0.500", **fallen) for _ in range(5)))


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
    assert (tally.slow, tally.failed_tries, list(tally.said.failures)) == (slow, 0, [])
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
    assert tally.failed_tries == len(tally.said.failures) == len(kinds) - kinds.count("ok") - kinds.count("left")
    assert sum(found.answers.values()) == sum(found.attempts.values()) - found.attempts["new", "timeout"]
    told, times = tally.traffic(), found.times
    assert {"new": told.new, "old": told.old} == found.chosen(), "the report is added up by itself, to the same"
    assert (told.answered_new, told.answered_old) == (times["new"].count, times["old"].count)
    assert (told.seconds_new, told.seconds_old) == pytest.approx((times["new"].sum, times["old"].sum))


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
