"""The shipped monitoring files are accepted by the programs that read them, and the safety rules fire when they must."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

MONITORING = Path(__file__).resolve().parents[2] / "deploy" / "monitoring"
RULES = [
    rule
    for group in yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
]


def _checked(program: str, *arguments: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: deploy/bootstrap.sh installs it")
    done = subprocess.run([program, *arguments], cwd=MONITORING, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "rules.yaml"), ("test", "rules", "rules_test.yaml"), ("check", "config", "prometheus.yaml")],
    ids=" ".join,
)
def test_prometheus_accepts_its_files_and_the_rules_do_what_they_say(arguments: tuple[str, ...]) -> None:
    _checked("promtool", *arguments)


def test_alertmanager_accepts_its_file() -> None:
    _checked("amtool", "check-config", "alertmanager.yaml")


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (("alertname=FerryNewClusterErrors", "severity=critical", "migration_service=a"), "ferry,people"),
        (("alertname=TheirOwn", "severity=critical", "migration_service=a"), "ferry,people"),
        (("alertname=FerryProxyBusy", "severity=warning"), "ferry,people"),
        (("alertname=FerryWatchdog", "severity=none"), "ferry"),
        (("alertname=SomethingElse", "severity=critical"), "people"),
    ],
)
def test_an_alert_goes_where_it_belongs(labels: tuple[str, ...], receivers: str) -> None:
    _checked("amtool", "config", "routes", "test", "--config.file=alertmanager.yaml", f"--verify.receivers={receivers}", *labels)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_alert_says_what_happened_and_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule["annotations"]) == {"summary", "runbook"}
    assert rule["annotations"]["runbook"].endswith(".")
    assert rule["labels"]["severity"] in {"critical", "warning", "none"}


@pytest.mark.parametrize("rule", [rule for rule in RULES if "by (service)" in rule["expr"]], ids=lambda rule: str(rule["alert"]))
def test_an_alert_about_a_service_names_it_for_the_bot(rule: dict[str, Any]) -> None:
    assert rule["labels"]["migration_service"] == "{{ $labels.service }}"


def test_safety_alerts_are_neither_grouped_nor_delayed_nor_cut() -> None:
    document = yaml.safe_load((MONITORING / "alertmanager.yaml").read_text())
    safety = [route for route in document["route"]["routes"] if route["receiver"] == "ferry"]
    assert safety
    assert all((route["group_by"], route["group_wait"], route["group_interval"]) == (["..."], "0s", "1s") for route in safety)
    webhook = document["receivers"][0]["webhook_configs"][0]
    assert webhook["max_alerts"] == 0
    assert webhook["send_resolved"] is True
    assert webhook["http_config"]["authorization"]["credentials_file"].startswith("/")
    assert "inhibit_rules" not in document
