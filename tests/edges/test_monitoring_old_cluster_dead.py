"""The alert about a dead old cluster is critical, but to the bot it is about no service: it pages and holds nothing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import alertmanager_payload
from handlers import messages

MONITORING = Path(__file__).resolve().parents[2] / "deploy" / "monitoring"
NAME = "FerryOldClusterDead"
NOW = datetime(2025, 1, 1, tzinfo=UTC)


def fired() -> list[dict[str, str]]:
    """Its labels as promtool sees them, each time that the rules' tests expect it to fire."""
    tests = yaml.safe_load((MONITORING / "rules_test" / "answers_and_old_cluster.yaml").read_text())["tests"]
    asked = [one for test in tests for one in test.get("alert_rule_test", []) if one["alertname"] == NAME]
    return [alert["exp_labels"] | {"alertname": NAME} for one in asked for alert in one["exp_alerts"]]


def read(labels: dict[str, str], *matched: alertmanager_payload.Matched) -> messages.Alert:
    document: dict[str, Any] = {
        "alerts": [{"status": "firing", "labels": labels, "annotations": {}, "startsAt": NOW.isoformat(), "fingerprint": "a1"}]
    }
    notice = alertmanager_payload.from_webhook(document, alertmanager_payload.Reading(matched=matched), now=NOW)
    assert notice.trouble == ()
    return notice.alerts[0]


def test_it_calls_people_and_is_about_no_service_that_could_be_held() -> None:
    assert fired(), "the rules' tests see it fire"
    for labels in fired():
        alert = read(labels)
        assert alert.severity is messages.Severity.CRITICAL
        assert alert.service == ""
        assert labels["old_cluster_of"] == "api-name01"


@pytest.mark.parametrize("label", ["service", "migration_service"])
def test_settings_that_map_services_by_their_usual_label_do_not_make_it_hold(label: str) -> None:
    mapped = alertmanager_payload.Matched({label: "api-name01"}, "api-name01")
    another = {"alertname": "TheirOwn", "severity": "critical", label: "api-name01"}
    assert read(another, mapped).service == "api-name01"
    assert [read(labels, mapped).service for labels in fired()] == [""] * len(fired())
