"""What Alertmanager sends (webhook, version 4) and answers (`GET /api/v2/alerts`), as typed messages. Pure.

Everything in it is foreign text. Only ids count: a service's name must look like one, the fingerprint like hex digits;
names and summaries are shown to people, shortened, and decide nothing. What one alert says wrongly costs only that alert.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from handlers import messages
from k8s import model

_LONGEST_NAME, _LONGEST_SUMMARY = 100, 400
_MOST_TROUBLES = 20
_LONGEST_FINGERPRINT = 64
_HEX = frozenset("0123456789abcdef")
_ABOUT_NEW = ("FerryNewCluster", "FerryResponseTime")  # Ferry's rules whose subject is the new cluster itself


@dataclass(frozen=True, slots=True)
class Matched:
    """Alerts whose labels have all these values are about this service."""

    matchers: Mapping[str, str]
    service: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How alerts are read: the name of the alert that always fires (empty: none), and services by labels, first match wins."""

    watchdog: str = ""
    matched: tuple[Matched, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """One webhook call, or one answer to a poll. `watchdog`: the alert that always fires is among them, firing.

    `truncated`: alerts that Alertmanager left out. `trouble`: sentences on what could not be read.
    """

    alerts: tuple[messages.Alert, ...]
    watchdog: bool = False
    truncated: int = 0
    trouble: tuple[str, ...] = ()


def from_webhook(document: Mapping[str, object], reading: Reading, *, now: datetime) -> Notice:
    """`now` stands for a start that cannot be read. An object that is no webhook gives no alerts and a trouble."""
    listed = document.get("alerts")
    if not isinstance(listed, list):
        sentence = "the payload has no list `alerts`; point only Alertmanager's webhook_configs (version 4) at this address"
        return Notice((), trouble=(sentence,))
    cut = document.get("truncatedAlerts")
    return _notice(listed, reading, now=now, truncated=cut if isinstance(cut, int) else 0)


def from_api(listed: Sequence[object], reading: Reading, *, now: datetime) -> Notice:
    """Silenced and inhibited alerts count: muting a page must not move traffic forward."""
    return _notice(listed, reading, now=now, truncated=0)


def _notice(listed: Sequence[object], reading: Reading, *, now: datetime, truncated: int) -> Notice:
    alerts: list[messages.Alert] = []
    trouble: list[str] = []
    watchdog = False
    for place, entry in enumerate(listed):
        if not isinstance(entry, dict):
            trouble.append(f"alert {place} of the payload is no object; it is left out, the others count")
            continue
        alert = _alert(entry, reading, now=now, trouble=trouble)
        if reading.watchdog and alert.name == reading.watchdog:
            watchdog = watchdog or alert.firing
        else:
            alerts.append(alert)
    if len(trouble) > _MOST_TROUBLES:
        trouble[_MOST_TROUBLES:] = [f"and {len(trouble) - _MOST_TROUBLES} more troubles of this kind"]
    return Notice(tuple(alerts), watchdog, truncated, tuple(trouble))


def _alert(entry: Mapping[str, object], reading: Reading, *, now: datetime, trouble: list[str]) -> messages.Alert:
    labels, notes = _texts(entry.get("labels")), _texts(entry.get("annotations"))
    name = _shown(labels.get("alertname", ""), _LONGEST_NAME) or "(an alert without a name)"
    started, written = _started(entry.get("startsAt"))
    if started is None:
        trouble.append(f"{name}: its start cannot be read; it counts as started now")
    firing = entry.get("status") != "resolved"  # the API's status is an object: what it lists fires
    cause = f"{_fingerprint(entry.get('fingerprint'), labels)}-{written}"
    return messages.Alert(
        id=f"alert-{cause}-{'firing' if firing else 'resolved'}",
        at=now,
        service=_service(labels, reading, name=name, trouble=trouble),
        name=name,
        cause=cause,
        severity=_severity(labels.get("severity", "")),
        firing=firing,
        started=started or now,
        summary=_shown(_first(notes, "summary", "description", "message"), _LONGEST_SUMMARY),
        about_new=labels.get("about") == "new-cluster" or name.startswith(_ABOUT_NEW),
    )


def _service(labels: Mapping[str, str], reading: Reading, *, name: str, trouble: list[str]) -> str:
    """The label `migration_service` first, then the settings; empty where the alert maps to none."""
    said = labels.get("migration_service", "").strip()
    if said:
        if model.SERVICE_NAME.fullmatch(said):
            return said
        trouble.append(f"{name}: its label migration_service is no service's name; correct the rule that sets it")
    for one in reading.matched:
        if one.matchers and all(labels.get(label) == value for label, value in one.matchers.items()):
            return one.service
    return ""


def _severity(text: str) -> messages.Severity:
    said = text.strip().lower()
    return messages.Severity(said) if said in {"critical", "warning"} else messages.Severity.OTHER


def _started(value: object) -> tuple[datetime | None, str]:
    """The time, and as it is written in a cause.

    The webhook writes nanoseconds and any zone, the API milliseconds: only what both can say makes one cause of one alert.
    """
    text = value if isinstance(value, str) else ""
    try:
        time = datetime.fromisoformat(text)
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None, "at" + hashlib.sha256(repr(value).encode("utf-8", "replace")).hexdigest()[:12]
    return time, f"{time:%Y%m%dT%H%M%S}.{time.microsecond // 1000:03}Z"


def _fingerprint(value: object, labels: Mapping[str, str]) -> str:
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_FINGERPRINT and _HEX.issuperset(value):
        return value
    canonical = json.dumps([repr(value) if value else "", sorted(labels.items())])
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _texts(value: object) -> dict[str, str]:
    """Labels or annotations: names with texts; whatever is no text is left out."""
    if not isinstance(value, dict):
        return {}
    return {name: text for name, text in value.items() if isinstance(name, str) and isinstance(text, str)}


def _first(texts: Mapping[str, str], *names: str) -> str:
    return next((texts[name] for name in names if texts.get(name, "").strip()), "")


def _shown(text: str, longest: int) -> str:
    """One line of bounded length, without control characters."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: longest * 4]).split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"
