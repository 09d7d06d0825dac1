"""Answers of Prometheus become numbers, or sentences that say why there is none."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot import prometheus_queries as queries
from bot import prometheus_readings as readings
from handlers.rules import gates

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AT = NOW.timestamp()


def one(value: str, at: float = AT, **labels: str) -> dict[str, Any]:
    return {"metric": labels, "value": [at, value]}


def answers(**changes: Any) -> dict[str, readings.Answer]:
    found: dict[str, readings.Answer] = {}
    for name, shape in queries.SHAPES.items():
        if shape is queries.Shape.SINGLE:
            series = [one("1" if name in {"scraped", "age"} else "0.25")]
        elif shape is queries.Shape.BY_SERVICE:
            series = [one("0.5", service="shop")]
        else:
            series = [one("40", service="shop", cluster="new"), one("60", service="shop", cluster="old")]
        found[name] = readings.Answer(series)
    return found | {name: readings.Answer(series) for name, series in changes.items()}


def look(**changes: Any) -> gates.Look:
    return readings.look(answers(**changes), window=600, at=NOW)


def test_each_answer_finds_its_place() -> None:
    seen = look(
        requests=[one("1", service="shop", cluster="new"), one("5", service="shop", cluster="old")],
        failed=[one("2", service="shop", cluster="new"), one("6", service="shop", cluster="old")],
        average=[one("3", service="shop", cluster="new"), one("7", service="shop", cluster="old")],
        p99=[one("4", service="shop", cluster="new"), one("8", service="shop", cluster="old")],
        clients=[one("9", service="shop")],
        share=[one("0.1", service="shop")],
        available=[one("0.2", service="shop")],
        changes=[one("10", service="shop")],
        served=[one("11", service="shop")],
        cpu=[one("0.3")],
        memory=[one("0.4")],
    )
    read = gates.Reading.of
    measured = gates.Measured(
        new=gates.Side(read(1), read(2), read(3), read(4)),
        old=gates.Side(read(5), read(6), read(7), read(8)),
        requests=read(9),
        share=read(0.1),
        available=read(0.2),
        changes=read(10),
        served=read(11),
        window=600,
    )
    assert seen == gates.Look(NOW, {"shop": measured}, read(0.3), read(0.4))


@pytest.mark.parametrize(
    ("series", "trouble"),
    [
        ([], "query share: no series answers"),
        ([one("0.5", service="other")], "query share: no series answers"),
        ([one("0.5", service="shop"), one("0.5", service="shop", pod="2")], "query share: 2 series answer where one is expected"),
        ([one("NaN", service="shop")], "query share: it is not a number: nothing was counted"),
        ([one("+Inf", service="shop")], "query share: it is infinite"),
        ([one("-Inf", service="shop")], "query share: it is infinite"),
        ([one("-0.1", service="shop")], "query share: -0.1 cannot be, it is below 0"),
        ([one("1.2", service="shop")], "query share: 1.2 cannot be, it is above 1"),
        (
            [one("0.5", AT - 300, service="shop")],
            "query share: its answer is 300 s old; see that the clocks agree and that no cache answers",
        ),
        (
            [one("0.5", AT + 300, service="shop")],
            "query share: its answer is 300 s ahead; see that the clocks agree and that no cache answers",
        ),
        (
            [one("0.5", float("nan"), service="shop")],
            "query share: its answer is nan s ahead; see that the clocks agree and that no cache answers",
        ),
    ],
)
def test_what_is_not_one_plain_fresh_number_says_why(series: list[Any], trouble: str) -> None:
    seen = look(share=series).services["shop"]
    assert seen.share == gates.Reading(None, trouble)
    assert seen.available.value == 0.5  # the others are not touched


STRANGE: list[Any] = [
    [AT, "1"],  # a scalar
    [{"metric": {"service": "shop"}, "values": [[AT, "1"]]}],  # a range
    [{"metric": {"service": "shop"}, "histogram": [AT, {}]}],
    [{"metric": {"service": "shop"}, "value": [AT, "many"]}],
    [{"metric": {"service": "shop"}, "value": []}],
    [{"metric": None, "value": [AT, "1"]}],
    None,
    7,
]


@pytest.mark.parametrize("series", STRANGE)
def test_a_strange_answer_is_no_number(series: Any) -> None:
    seen = look(share=series).services["shop"].share
    assert seen.value is None
    assert seen.trouble == "query share does not answer with plain numbers; one series for each service is expected"


def test_rounding_of_a_share_is_not_too_much() -> None:
    assert look(share=[one("1.0000000002", service="shop")]).services["shop"].share == gates.Reading.of(1.0)


def test_a_refused_query_concerns_its_own_numbers() -> None:
    asked = answers() | {"p99": readings.Answer(trouble="Prometheus refuses it: parse error")}
    seen = readings.look(asked, window=600, at=NOW).services["shop"]
    assert seen.new.p99.trouble == seen.old.p99.trouble == "query p99: Prometheus refuses it: parse error"
    assert seen.new.average.value == 40


def test_proxies_without_limits_are_told_what_is_missing() -> None:
    seen = look(cpu=[], memory=[one("NaN")])
    assert seen.cpu.trouble == "query cpu: no series answers; every proxy's nginx needs a CPU limit to be measured against"
    assert seen.memory.trouble.startswith("query memory: it is not a number")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scraped": [one("0")]}, "Prometheus cannot read a proxy"),
        ({"scraped": []}, "Whether Prometheus reads the proxies is unknown (query scraped: no series answers)"),
        ({"age": []}, "Whether Prometheus reads the proxies is unknown (query age: no series answers)"),
        ({"age": [one("NaN")]}, "Whether Prometheus reads the proxies is unknown"),
        ({"age": [one("61")]}, "Prometheus last read a proxy 61 s ago"),
    ],
)
def test_numbers_of_proxies_that_nobody_reads_any_more_are_none(changes: dict[str, Any], sentence: str) -> None:
    seen = look(**changes)
    assert seen.trouble.startswith(sentence)
    assert not seen.services
    assert seen.cpu.value is None


def test_a_query_that_was_not_asked_is_unknown() -> None:
    asked = answers()
    del asked["changes"]
    seen = readings.look(asked, window=600, at=NOW).services["shop"].changes
    assert seen == gates.Reading(None, "query changes: it was not asked")


def test_queries_of_the_settings_take_the_place_of_what_ships() -> None:
    asked = queries.queries({"share": "max by (service) (my:share[$window])"}, window=2.5)
    assert asked["share"] == "max by (service) (my:share[2500ms])"
    assert tuple(asked) == queries.NAMES
    assert not [text for text in asked.values() if "$" in text]
    assert "[2500ms]" in asked["p99"]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"shares": "x"}, "'shares' is no query that is asked; the names are requests, failed,"),
        ({"share": "  "}, "'share' is empty; leave it out"),
        ({"share": "x" * 4001}, "'share' is longer than 4000 characters"),
    ],
)
def test_queries_that_cannot_be_asked_are_refused(overrides: dict[str, str], sentence: str) -> None:
    assert queries.problems(overrides)[0].startswith(sentence)
    with pytest.raises(ValueError, match=r"\w"):
        queries.queries(overrides, window=600)


@pytest.mark.parametrize("window", [0, -1, float("nan")])
def test_no_window_is_refused(window: float) -> None:
    with pytest.raises(ValueError, match="longer than two scrapes"):
        queries.queries({}, window=window)


def test_a_look_is_a_value() -> None:
    assert look() == look()
    assert replace(look(), trouble="x") != look()
