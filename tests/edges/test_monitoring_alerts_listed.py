"""docs/ALERTS.md lists exactly the shipped alerts, with their severities and times, and says of each whether Ferry holds."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GROUPS = yaml.safe_load((ROOT / "deploy" / "monitoring" / "rules.yaml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
HOLDS = "Holds the service."


class Row(NamedTuple):
    name: str
    when: str
    severity: str
    by_itself: str
    next_step: str


def rows() -> list[Row]:
    lines = [line for line in (ROOT / "docs" / "ALERTS.md").read_text().splitlines() if line.startswith("| Ferry")]
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


def of(rule: dict[str, Any]) -> Row:
    return next(row for row in rows() if row.name == rule["alert"])


def times(rule: dict[str, Any]) -> set[str]:
    """How the rule writes its window, how long it waits and how long it goes on."""
    said = {rule["labels"].get("window"), rule.get("for"), rule.get("keep_firing_for")}
    return {time for time in said if time}


def test_the_page_lists_every_shipped_alert_once_and_no_other() -> None:
    assert sorted(row.name for row in rows()) == sorted({rule["alert"] for rule in RULES})


def test_the_alerts_are_listed_in_the_order_of_the_rules_so_that_each_is_found_beside_its_like() -> None:
    assert [row.name for row in rows()] == list(dict.fromkeys(rule["alert"] for rule in RULES))


@pytest.mark.parametrize("name", sorted({rule["alert"] for rule in RULES}))
def test_the_page_names_the_severity_and_every_time_of_the_rules_and_no_other(name: str) -> None:
    rules = [rule for rule in RULES if rule["alert"] == name]
    row = of(rules[0])
    assert {row.severity} == {rule["labels"]["severity"] for rule in rules}
    assert set(re.findall(r"`(\d+[smhd])`", row.when)) == set().union(*map(times, rules))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_the_page_says_of_what_holds_that_it_holds_and_of_nothing_else(rule: dict[str, Any]) -> None:
    holds = rule["labels"]["severity"] == "critical" and bool(rule["labels"].get("migration_service"))
    assert of(rule).by_itself.startswith(HOLDS) == holds


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_every_row_says_what_is_left_to_people(row: Row) -> None:
    assert len(row.next_step.split()) > 3
