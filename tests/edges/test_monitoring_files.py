"""The shipped monitoring files are accepted by the programs that read them, and alerts go where they belong.

Without promtool and amtool these tests fail: deploy/bootstrap.sh installs both.
"""

import re
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
ROUTES = yaml.safe_load((MONITORING / "alertmanager.yaml").read_text())
# Mapped to the service, the first two would forbid its release, and the third would hold it at a cluster that is dead.
TOLD_ONLY = {"FerryAgentLatched", "FerryNewClusterCertificateExpires", "FerryOldClusterDead"}


def checked(program: str, *arguments: str) -> None:
    assert shutil.which(program), f"{program} is not installed; run deploy/bootstrap.sh"
    done = subprocess.run([program, *arguments], cwd=MONITORING, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def named(rule: dict[str, Any]) -> str:
    return f"{rule['alert']}-{rule['labels'].get('window', rule['labels']['severity'])}"


@pytest.mark.parametrize("arguments", [("rules", "rules.yaml"), ("config", "prometheus.yaml")], ids=" ".join)
def test_prometheus_accepts_its_files(arguments: tuple[str, ...]) -> None:
    checked("promtool", "check", *arguments)


@pytest.mark.parametrize("path", sorted(MONITORING.glob("rules_test/*.yaml")), ids=lambda path: str(path.stem))
def test_the_rules_do_what_they_say(path: Path) -> None:
    checked("promtool", "test", "rules", f"rules_test/{path.name}")


def test_alertmanager_accepts_its_file() -> None:
    checked("amtool", "check-config", "alertmanager.yaml")


def test_both_programs_come_with_the_bootstrap() -> None:
    installs = (MONITORING.parent / "bootstrap.sh").read_text()
    assert '"promtool prometheus prometheus"' in installs
    assert '"amtool prometheus-alertmanager alertmanager"' in installs


def routed(receivers: str, labels: dict[str, str]) -> None:
    said = [f"{name}={value}" for name, value in labels.items()]
    checked("amtool", "config", "routes", "test", "--config.file=alertmanager.yaml", f"--verify.receivers={receivers}", *said)


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_every_alert_of_ferrys_own_reaches_the_bot_and_people_but_the_watchdog_only_the_bot(rule: dict[str, Any]) -> None:
    labels = {"alertname": rule["alert"], "service": "api-name01"}
    labels |= {name: "api-name01" if "{{" in value else value for name, value in rule["labels"].items()}
    routed("ferry" if rule["alert"] == "FerryWatchdog" else "ferry,people", labels)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"alertname": "TheirOwn", "severity": "critical", "migration_service": "a"}, "ferry,people"),
        ({"alertname": "TheirOwn", "severity": "warning", "migration_service": "a"}, "ferry,people"),
        ({"alertname": "TheirOwn", "migration_service": "a"}, "ferry,people"),
        ({"alertname": "TheirOwn", "severity": "critical", "migration_service": "all"}, "ferry,people"),
        ({"alertname": "TheirOwn", "severity": "critical"}, "people"),
        ({"alertname": "NotFerrys", "severity": "critical"}, "people"),
    ],
    ids=str,
)
def test_somebody_elses_alert_reaches_the_bot_when_it_names_a_service(labels: dict[str, str], receivers: str) -> None:
    routed(receivers, labels)


def test_safety_alerts_are_neither_grouped_nor_delayed_nor_cut() -> None:
    safety = [route for route in ROUTES["route"]["routes"] if route["receiver"] == "ferry"]
    assert ROUTES["route"]["routes"][: len(safety)] == safety, "a route before them could take an alert away"
    assert len(safety) == 3
    assert all((route["group_by"], route["group_wait"], route["group_interval"]) == (["..."], "0s", "1s") for route in safety)
    webhook = ROUTES["receivers"][0]["webhook_configs"][0]
    assert webhook["max_alerts"] == 0
    assert webhook["send_resolved"] is True
    assert webhook["http_config"]["authorization"]["credentials_file"].startswith("/")


def test_nothing_in_the_file_can_inhibit_or_mute_an_alert() -> None:
    assert not {"inhibit_rules", "mute_time_intervals", "time_intervals"} & ROUTES.keys()
    for route in (ROUTES["route"], *ROUTES["route"]["routes"]):
        assert not {"mute_time_intervals", "active_time_intervals"} & route.keys()


def test_every_replica_of_the_shipped_bot_asks_alertmanager_besides() -> None:
    settings = yaml.safe_load((MONITORING.parent / "kubernetes/overlays/production/settings.yaml").read_text())
    assert re.fullmatch(r"http://[a-z.-]+:9093", settings["alertmanager"]["url"])


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_every_alert_says_what_happened_what_ferry_did_and_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule["annotations"]) == {"summary", "runbook"}
    assert re.fullmatch(r"[A-Z][^.]*(?:\.yaml[^.]*)*\. \S[^.]*(?:\.yaml[^.]*)*\.", rule["annotations"]["runbook"]), (
        "two sentences"
    )
    assert rule["labels"]["severity"] in {"critical", "warning", "none"}


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_an_alert_names_for_the_bot_whom_it_is_about(rule: dict[str, Any]) -> None:
    about = rule["labels"].get("migration_service", "")
    if rule["labels"]["severity"] == "none" or rule["alert"] in TOLD_ONLY:
        assert about == ""
    elif "by (service)" in rule["expr"] or "ferry:" in rule["expr"]:
        assert "{{ $labels.service }}" in about
    else:
        assert about == "all"
        assert rule["labels"]["severity"] == "warning", "one proxy's trouble is no reason to hold everything"
