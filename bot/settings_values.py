"""How single settings must look: each reader returns the value or raises ValueError with what is wrong and the fix. Pure."""

import ipaddress
import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import SplitResult, urlsplit

import pydantic

from bot import logs, loopback
from k8s import model

_DURATION = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?(?:(\d{1,9})ms)?")
_UNITS = (86400, 3600, 60, 1, 0.001)
_SLACK_HOSTS = frozenset({"slack.com", "www.slack.com", "slack-gov.com"})
_SHORTEST_SECRET = 16


class Part(pydantic.BaseModel):
    """A section of the file, or what stands in one: fields that nobody reads are refused, and no value shows in errors."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def shown(value: object) -> str:
    """For an error: never a secret, never long."""
    return logs.redact(repr(value))[:80]


def _id(letters: str, what: str, where: str, *, empty: bool = False) -> pydantic.BeforeValidator:
    pattern = re.compile(rf"[{letters}][A-Z0-9]+")

    def read(value: object) -> str:
        if isinstance(value, str) and (pattern.fullmatch(value) or (empty and not value)):
            return value
        raise ValueError(f"{shown(value)} is no {what} id; write the id that starts with {' or '.join(letters)} ({where})")

    return pydantic.BeforeValidator(read)


TEAM_ID = _id("T", "workspace", "it stands in the address of Slack in the browser: app.slack.com/client/T…")
CHANNEL_ID = _id("CG", "channel", "at the end of the channel's details in Slack; a name such as #migration is not enough")
USER_ID = _id("UW", "person", "in the person's profile in Slack: ⋮, copy member ID")
APP_ID = _id("A", "app", "api.slack.com/apps, Basic Information", empty=True)
GROUP_ID = _id("S", "user group", "in the address of the group in Slack's directory", empty=True)
PAGED_ID = _id("SUW", "user group or person", "they are mentioned when somebody must act", empty=True)


def _secret(pattern: str, fix: str) -> pydantic.BeforeValidator:
    form = re.compile(pattern)

    def read(value: object) -> str:
        text = str(value)
        if text != text.strip() or any(mark.isspace() for mark in text):
            raise ValueError("holds a space or a line break; store it again without (printf '%s' instead of echo)")
        if not form.fullmatch(text):
            raise ValueError(fix)
        return text

    return pydantic.BeforeValidator(read)


BOT_TOKEN = _secret(r"xoxb-[A-Za-z0-9-]{6,}", "is no bot token; use the one that starts with xoxb- (OAuth & Permissions)")
APP_TOKEN = _secret(
    r"xapp-[A-Za-z0-9-]{6,}", "is no app-level token; use the one that starts with xapp- (Basic Information, connections:write)"
)
SIGNING_SECRET = _secret(
    r"(?!xox|xapp)[!-~]{16,}",
    "is no signing secret; use the one under Basic Information (16 characters or more, no xoxb- or xapp-)",
)
WEBHOOK_TOKEN = _secret(
    rf"[!-~]{{{_SHORTEST_SECRET},}}",
    f"is shorter than {_SHORTEST_SECRET} characters or not plain ASCII; make one with `openssl rand -hex 32`",
)
_API_TOKEN = re.compile(r"[!-~]{32,512}")


def api_token(text: str) -> str:
    """The token itself never stands in the error."""
    if not _API_TOKEN.fullmatch(text):
        raise ValueError(
            "names a file that holds no token of 32 to 512 characters, plain ASCII without spaces; "
            "make one with `openssl rand -hex 32`"
        )
    return text


AGENT_TOKEN = _secret(r"[!-~]+", "is not plain ASCII; make one with `openssl rand -hex 32`")


def _redis(value: object) -> str:
    try:
        parts = urlsplit(str(value))
        reaches = bool(parts.path) if parts.scheme == "unix" else bool(parts.hostname) and (parts.port or 6379) > 0
    except ValueError:
        reaches = False
    if not reaches or parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(
            "is no address of Redis; write redis://USER:PASSWORD@HOST:6379/0 (rediss:// for TLS), special marks as %XX"
        )
    return str(value)


REDIS_URL = pydantic.BeforeValidator(_redis)


def _split(value: object) -> SplitResult:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*)?", value):
        raise ValueError(f"{shown(value)} is no plain address; write http:// or https://, a host, and no user, password or ?")
    try:
        parts = urlsplit(value)
        complete = bool(parts.hostname) and parts.port != 0  # .port raises beyond 65535
    except ValueError:
        complete = False
    if not complete:
        raise ValueError(f"{shown(value)} names no host, or no port that exists; write http://HOST:PORT")
    return parts


def _slack_api(value: object) -> str:
    parts = _split(value)
    host = parts.hostname or ""
    slacks_own = parts.scheme == "https" and host in _SLACK_HOSTS and parts.port in (None, 443)
    if not slacks_own and not loopback.names(host):
        raise ValueError(
            f"{shown(value)} is neither Slack's own nor on loopback: tokens would go there; remove it, or use https://slack.com/api/"
        )
    return f"{str(value).rstrip('/')}/"


SLACK_API_URL = pydantic.BeforeValidator(_slack_api)
HTTP_URL = pydantic.BeforeValidator(lambda value: "" if value == "" else _split(value).geturl().rstrip("/"))


def _address(value: object) -> str:
    try:
        return str(ipaddress.ip_address(value)) if isinstance(value, str) else _refuse_address(value)
    except ValueError:
        return _refuse_address(value)


def _refuse_address(value: object) -> str:
    raise ValueError(f"{shown(value)} is no IP address; write 0.0.0.0 for every interface, or 127.0.0.1")


ADDRESS = pydantic.BeforeValidator(_address)


def seconds(value: object) -> float:
    """`30s`, `10m`, `1h30m`, `500ms`, or a number of seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and value and (found := _DURATION.fullmatch(value)):
        return sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS, strict=True))
    raise ValueError(f"{shown(value)} is no time; write 30s, 10m, 1h, or a number of seconds")


def _between(low: float, high: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        found = seconds(value)
        if not low <= found <= high:
            raise ValueError(f"{shown(value)} is not allowed; write a time from {low:g}s to {high:g}s")
        return found

    return read


def time_between(low: float, high: float) -> pydantic.BeforeValidator:
    """Seconds, as a number."""
    return pydantic.BeforeValidator(_between(low, high))


def span_between(low: float, high: float) -> pydantic.BeforeValidator:
    """The same as a timedelta."""
    return pydantic.BeforeValidator(lambda value: timedelta(seconds=_between(low, high)(value)))


def matching(pattern: re.Pattern[str], fix: str) -> pydantic.BeforeValidator:
    def read(value: object) -> str:
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        raise ValueError(f"{shown(value)} is not allowed; {fix}")

    return pydantic.BeforeValidator(read)


def _not_empty(value: object) -> object:
    if value in ({}, []):
        raise ValueError("is empty; write at least one entry, or remove it")
    return value


NOT_EMPTY = pydantic.BeforeValidator(_not_empty)
SERVICE_NAME = matching(
    re.compile(rf"(?!{model.ALL_SERVICES}\Z){model.SERVICE_NAME.pattern}"),
    "write the name of a service of migration.yaml (a-z 0-9 -; not 'all')",
)
NAMESPACE = matching(model.SERVICE_NAME, "write the name of a namespace: 1 to 63 of a-z 0-9 -")
REPLICA = matching(re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}"), "use letters, digits, - . _ (Kubernetes sets the pod's name)")
HOST = matching(re.compile(r"[A-Za-z0-9.:-]{1,253}"), "write a host name or an IP address")
LABEL_NAME = matching(re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}"), "write the name of an alert's label")
ALERT_NAME = matching(re.compile(r"([A-Za-z_:][A-Za-z0-9_:]{0,199})?"), 'write the name of an alert, or "" for none')
CLASS_NAME = matching(re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"), "write the name of an IngressClass, such as nginx")
OBJECT_NAME = matching(
    re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?"), 'write the name of an object of Kubernetes, or "" for none'
)
LINE = matching(re.compile(r"[^\x00-\x1f\x7f]{0,200}"), "write one line of at most 200 characters, in quotes")
