"""Requests by the bucket of their key: what an agent counts from nginx's log, what it forgets, and what its report says of it."""

import dataclasses
import json
import random

import pytest

from k8s import errors, key_spread, model, nginx, proxy_report, report_document
from k8s.agent import spread, traffic

NOW = 1000.0


def exposure(sticky: str, **more: object) -> model.Exposure:
    built = model.Exposure(weight=0, old_host="api.old.example", new_host="api.new.example", sticky=model.sticky_from(sticky))
    return dataclasses.replace(built, **more)  # type: ignore[arg-type]  # fields by their own names


def line(slot: str, cluster: str = "old", **columns: object) -> bytes:
    fields: dict[str, object] = {
        "t": 1000.0, "service": "api", "ip": "10.0.0.1", "cluster": cluster, "slot": slot, "status": 200, "time": 0.004,
        "upstream": "10.1.0.1:80", "upstream_status": "200", "connect": "0.001", "header": "0.004", "upstream_time": "0.004",
        "in": 1, "out": 1,
    }  # fmt: skip
    return json.dumps(fields | columns).encode() + b"\n"


def tallies_of(kept: model.Exposure) -> traffic.Tallies:
    tallies = traffic.Tallies()
    tallies.follow({"api": kept}, now=NOW)
    return tallies


def seen(tallies: traffic.Tallies) -> key_spread.Spread:
    found = tallies.spread("api")
    assert found is not None
    return found


def taken(counts: tuple[int, ...]) -> dict[int, int]:
    return {bucket: count for bucket, count in enumerate(counts) if count}


def test_there_are_as_many_buckets_as_nginx_has() -> None:
    assert key_spread.BUCKETS == nginx.BUCKETS


def test_requests_are_counted_by_bucket_without_those_that_no_rule_means() -> None:
    tallies = tallies_of(exposure("cookie:session"))
    tallies.count(line("3", "new") + line("3", "fallback") + line("99") + line("none") + line(""))
    found = seen(tallies)
    assert (found.key, taken(found.recent), taken(found.quick), found.quick_new) == (
        "cookie:session",
        {3: 2, 99: 1},
        {3: 2, 99: 1},
        2,
    )
    assert tallies.unreadable == 0


def test_a_service_without_a_key_is_not_counted_by_one_and_needs_no_column_for_it() -> None:
    tallies = tallies_of(exposure("none"))
    columns = json.loads(line("3"))
    tallies.count(json.dumps({name: columns[name] for name in columns if name not in {"slot", "ip", "time"}}).encode() + b"\n")
    assert (tallies.spread("api"), tallies.unreadable) == (None, 0)
    assert tallies.traffic("api").old == 1


def test_a_request_that_lasted_long_is_one_of_a_key_but_tells_nothing_of_a_change() -> None:
    tallies = tallies_of(exposure("cookie:session"))
    tallies.count(line("3", "new", time=spread.QUICK + 1, upstream_time="3.0") + line("4", "new"))
    found = seen(tallies)
    assert (taken(found.recent), taken(found.quick), found.quick_new) == ({3: 1, 4: 1}, {4: 1}, 1)


def test_what_is_older_than_two_turns_is_not_recent_and_a_clock_that_jumped_catches_up() -> None:
    kept = exposure("client_ip")
    tallies = tallies_of(kept)
    tallies.count(line("3"))
    tallies.follow({"api": kept}, now=NOW + spread.TURN)
    tallies.count(line("4", ip="10.0.0.2"))
    assert taken(seen(tallies).recent) == {3: 1, 4: 1}
    assert seen(tallies).addresses.bit_count() == 2
    tallies.follow({"api": kept}, now=NOW + 2 * spread.TURN)
    assert taken(seen(tallies).recent) == {4: 1}
    assert seen(tallies).addresses.bit_count() == 1
    tallies.follow({"api": kept}, now=NOW + 9 * spread.TURN)
    assert (taken(seen(tallies).recent), seen(tallies).addresses) == ({}, 0)
    assert taken(seen(tallies).quick) == {3: 1, 4: 1}  # only grows


@pytest.mark.parametrize(
    "other", [exposure("cookie:other"), exposure("cookie:session", strategy=model.Strategy.IP, cidrs=("10.2.0.0/16",))]
)
def test_another_key_or_another_rule_begins_anew_and_another_weight_or_target_does_not(other: model.Exposure) -> None:
    kept = exposure("cookie:session")
    tallies = tallies_of(kept)
    tallies.count(line("3"))
    tallies.follow({"api": dataclasses.replace(kept, new_host="other.new.example").at(5)}, now=NOW)
    assert taken(seen(tallies).recent) == {3: 1}
    tallies.follow({"api": other}, now=NOW)
    assert taken(seen(tallies).recent) == {}
    tallies.count(line("7"))
    assert taken(seen(tallies).recent) == {7: 1}


def test_users_are_counted_by_what_names_them() -> None:
    rule = model.UserRule(model.sticky_from("header:X-User"), ("ann",))
    tallies = tallies_of(exposure("none", strategy=model.Strategy.USER, user=rule))
    tallies.count(line("0") + line("none"))
    assert (seen(tallies).key, taken(seen(tallies).recent)) == ("header:X-User", {0: 1})


@pytest.mark.parametrize("addresses", [1, 20, 500, 4_000])
def test_distinct_addresses_are_told_to_some_percent_over_several_agents(addresses: int) -> None:
    agents = [tallies_of(exposure("client_ip")) for _ in range(2)]
    for number in range(addresses):
        for one in agents if number % 2 else agents[:1]:  # half of them by both
            one.count(line(str(number % 100), ip=f"10.0.{number // 256}.{number % 256}"))
    together = seen(agents[0]).addresses | seen(agents[1]).addresses
    keys = key_spread.distinct(together.bit_count(), key_spread.ADDRESS_PLACES)
    assert not keys.more
    assert abs(keys.number - addresses) <= 2 + addresses * 0.08


@pytest.mark.parametrize("number", [1, 3, 30, 100, 200])
def test_the_number_of_keys_follows_from_the_buckets_they_take(number: int) -> None:
    lots = random.Random(7)
    found = []
    for _ in range(50):
        keys = key_spread.distinct(len({lots.randrange(100) for _ in range(number)}), 100)
        assert not keys.more
        found.append(keys.number)
    assert abs(sum(found) / len(found) - number) <= number * 0.05


def test_more_keys_than_buckets_can_tell_are_called_more() -> None:
    assert key_spread.distinct(0, 100) == (0, False)
    assert key_spread.distinct(100, 100) == (300, True)
    assert key_spread.distinct(99, 100) == (300, True)


def test_a_report_says_it_and_one_without_it_is_of_an_older_agent() -> None:
    tallies = tallies_of(exposure("client_ip"))
    tallies.count(line("3", "new") + line("98"))
    report = proxy_report.ServiceReport("api", generation=1, served=5, spread=seen(tallies))
    document = json.loads(json.dumps(report_document.service_as_document(report)))
    assert report_document.service_from(document) == report
    assert report_document.service_from({**document, "spread": None}).spread is None
    del document["spread"]
    assert report_document.service_from(document).spread is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"recent": [0] * 99}, {"recent": [-1] + [0] * 99}, {"quick": [0.5] + [0] * 99}, {"quick": None}, {"quick_new": True},
        {"addresses": "xyz"}, {"addresses": "-1"}, {"addresses": "f" * 501}, {"key": None}, {"rules": 3},
    ],
)  # fmt: skip
def test_a_spread_that_cannot_be_is_an_error(wrong: dict[str, object]) -> None:
    right = key_spread.as_document(key_spread.Spread("cookie:a", "r", (0,) * 100, (0,) * 100))
    assert key_spread.from_document(right) is not None
    with pytest.raises(errors.BadReply):
        key_spread.from_document(right | wrong)
    with pytest.raises(errors.BadReply):
        key_spread.from_document("spread")
