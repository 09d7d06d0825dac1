"""Every alert has been seen to fire, to stay quiet and to end, and asks only for what agents tell."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s.agent import traffic

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
GROUPS = yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]
EVERY = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [(rule["alert"], rule["labels"].get("window", "")) for rule in EVERY if "alert" in rule]
FILES = {path.name: yaml.safe_load(path.read_text()) for path in sorted(MONITORING.glob("rules_test/*.yaml"))}
TESTS = [test for file in FILES.values() for test in file["tests"]]
SUFFIX = re.compile(r"_(total|sum|count|bucket)$")

Look = tuple[float, bool]


def seconds(text: str) -> float:
    """Of `1h2m3s`."""
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([dhms])", text))


def looks(test: dict[str, Any], alert: str, window: str) -> list[Look]:
    """When this test asked for the alert, and whether it had to fire, in order of time."""
    return sorted((*_by_alert(test, alert, window), *_by_expression(test, alert, window)))


def _by_alert(test: dict[str, Any], alert: str, window: str) -> Iterator[Look]:
    for asked in test.get("alert_rule_test", []):
        if asked["alertname"] == alert:
            fires = any(one["exp_labels"].get("window", "") == window for one in asked["exp_alerts"])
            yield seconds(asked["eval_time"]), fires


def _by_expression(test: dict[str, Any], alert: str, window: str) -> Iterator[Look]:
    """ALERTS that fire; those of another window are no word about this one."""
    for asked in test.get("promql_expr_test", []):
        if "ALERTS" not in asked["expr"] or alert not in asked["expr"].replace("FerryResponse.+", alert):
            continue
        narrowed = re.search(r'window="(\w+)"', asked["expr"])
        if narrowed and narrowed[1] != window:
            continue
        found = [sample["labels"] for sample in asked["exp_samples"]]
        of_alert = [labels for labels in found if "alertname=" not in labels or f'alertname="{alert}"' in labels]
        yield seconds(asked["eval_time"]), any(f'window="{window}"' in labels or not window for labels in of_alert)


@pytest.mark.parametrize(("alert", "window"), ALERTS)
def test_an_alert_was_seen_to_fire(alert: str, window: str) -> None:
    assert any(fired for test in TESTS for _, fired in looks(test, alert, window))


@pytest.mark.parametrize(("alert", "window"), ALERTS)
def test_an_alert_was_seen_to_end_after_it_had_fired(alert: str, window: str) -> None:
    courses = [[fired for _, fired in looks(test, alert, window)] for test in TESTS]
    assert any(True in course and False in course[course.index(True) :] for course in courses)


@pytest.mark.parametrize(("alert", "window"), ALERTS)
def test_an_alert_was_seen_to_stay_quiet_all_along(alert: str, window: str) -> None:
    courses = [[fired for _, fired in looks(test, alert, window)] for test in TESTS]
    assert any(course and not any(course) for course in courses)


def test_what_the_tests_ask_about_exists() -> None:
    asked = {one["alertname"] for test in TESTS for one in test.get("alert_rule_test", [])}
    assert asked <= {alert for alert, _ in ALERTS}


def told_by_agents() -> set[str]:
    found = set()
    for path in (ROOT / "k8s" / "agent").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"ferry_\w+", node.value):
                found.add(SUFFIX.sub("", node.value))
    return found


def test_the_rules_ask_only_for_metrics_that_agents_tell() -> None:
    agents = told_by_agents()
    asked = {name for rule in EVERY for name in re.findall(r"\bferry_\w+", rule["expr"])}
    assert {name for name in asked if SUFFIX.sub("", name) not in agents} == set()


def test_a_rule_asks_only_for_what_was_recorded_above_it() -> None:
    recorded: set[str] = set()
    for rule in EVERY:
        assert set(re.findall(r"\bferry:[\w:]+", rule["expr"])) <= recorded
        recorded |= {rule["record"]} if "record" in rule else set()


@pytest.mark.parametrize("name", FILES)
def test_the_groups_are_asked_in_the_order_of_their_file_and_not_by_chance(name: str) -> None:
    assert FILES[name]["group_eval_order"] == [group["name"] for group in GROUPS]


def test_the_rules_speak_of_clusters_and_outcomes_as_agents_do() -> None:
    said = {pair for rule in EVERY for pair in re.findall(r'(cluster|outcome|choice)!?="(\w+)"', rule["expr"])}
    assert said == {("cluster", "new"), ("cluster", "old"), ("outcome", traffic.OK), ("choice", "new")}
    assert set(traffic.SIDES) == {"new", "old"}


def test_what_decides_when_traffic_goes_back_is_asked_every_second() -> None:
    urgent = {"FerryNewClusterDown", "FerryNewClusterBreakerOpen", "FerryNewClusterBreakerStaysOpen", "FerryConfigUpdateFailed"}
    pace = {rule["alert"]: group["interval"] for group in GROUPS for rule in group["rules"] if rule.get("alert") in urgent}
    assert pace == dict.fromkeys(urgent, "1s")
