"""What may be wrong with the settings, in words: where the value stands, what is wrong with it, and the fix. Pure but for
looking whether a named file is there."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pydantic
from pydantic_core import ErrorDetails

from bot import settings_file, settings_values
from bot.settings_file import Problem

# Where each value of the environment goes, and what to do when one that is needed is missing.
ENVIRONMENT: Mapping[settings_file.Path, tuple[str, str]] = {
    ("namespace",): ("POD_NAMESPACE", ""),
    ("replica",): ("POD_NAME", ""),
    ("signing_key",): ("FERRY_SIGNING_KEY", "name the PEM file of the Secret ferry-signing-key (`ferry keys` makes one)"),
    ("agent_token",): ("FERRY_AGENT_TOKEN", "set it from the Secret ferry-agent-token, the same that the proxies have"),
    ("agent_port",): ("FERRY_AGENT_PORT", ""),
    ("redis_url",): ("REDIS_URL", "write redis://USER:PASSWORD@HOST:6379/0"),
    ("kubeconfig",): ("KUBECONFIG", ""),
    ("service_account",): ("FERRY_SERVICE_ACCOUNT", ""),
    ("api_host",): ("KUBERNETES_SERVICE_HOST", ""),
    ("api_port",): ("KUBERNETES_SERVICE_PORT", ""),
    ("api_scheme",): ("FERRY_API_SCHEME", ""),
    ("slack", "bot_token"): ("SLACK_BOT_TOKEN", "use the app's bot token, xoxb-… (OAuth & Permissions)"),
    ("slack", "app_token"): ("SLACK_APP_TOKEN", "Socket Mode needs the app-level token, xapp-… (Basic Information)"),
    ("slack", "signing_secret"): ("SLACK_SIGNING_SECRET", "HTTP mode needs it to know Slack's requests (Basic Information)"),
    ("slack", "api_url"): ("SLACK_API_URL", ""),
    ("alertmanager", "token"): ("ALERTMANAGER_TOKEN", "make one with `openssl rand -hex 32` and give it to Alertmanager too"),
}
# A line break in a secret would go into a header on one side only: it is refused, not mended.
KEEPS_SPACES = frozenset(
    {"FERRY_AGENT_TOKEN", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "ALERTMANAGER_TOKEN"}
)
NO_CLUSTER = Problem("KUBECONFIG", "is missing, and this is no pod of a cluster: name the file that leads to the old cluster")
_WORDS = {
    "string_type": "write a text, in quotes",
    "int_type": "write a whole number, without quotes",
    "int_parsing": "write a whole number",
    "bool_type": "write true or false",
    "int_from_float": "write a whole number",
    "tuple_type": "write a list: lines that start with -, or [ ]",
    "dict_type": "write fields as name: value",
    "model_type": "write fields as name: value",
    "model_attributes_type": "write fields as name: value",
}


def missing(path: settings_file.Path) -> Problem:
    """A value of the environment that must be there."""
    variable, fix = ENVIRONMENT[path]
    return Problem(variable, f"is missing: {fix}")


def unknown(name: str, known: Iterable[str]) -> str:
    """The sentence for a field that nobody reads."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"is not a known field; {f'did you mean {near[0]}? Else ' if near else ''}remove it, or use one of {', '.join(names)}"


def of_validation(
    error: pydantic.ValidationError, document: settings_file.Document, whole: type[pydantic.BaseModel]
) -> Iterator[Problem]:
    """Each of pydantic's findings; of a file that could not be read only what is not in the file."""
    for one in error.errors():
        path = one["loc"]
        if path in ENVIRONMENT:
            variable = ENVIRONMENT[path][0]
            secret = variable in KEEPS_SPACES or variable == "REDIS_URL"
            yield missing(path) if one["type"] == "missing" else Problem(variable, _sentence(one, secret=secret))
        elif one["type"] == "extra_forbidden" and not document.unreadable:
            yield document.problem(path, unknown(str(path[-1]), _fields_at(whole, path[:-1])))
        elif not document.unreadable:
            yield document.problem(path, _sentence(one))


def _fields_at(whole: type[pydantic.BaseModel], path: settings_file.Path) -> list[str]:
    """What may stand in the file at this place."""
    here = whole
    for part in path:
        if isinstance(part, str) and part in here.model_fields:
            kind = here.model_fields[part].annotation
            inner = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, pydantic.BaseModel)]
            here = inner[0] if inner else here
    names = ((field.alias or name) for name, field in here.model_fields.items())
    return [name for name in names if (*path, name) not in ENVIRONMENT]


def _sentence(one: ErrorDetails, *, secret: bool = False) -> str:
    own = one.get("ctx", {}).get("error")
    if isinstance(own, ValueError):
        return str(own)
    name = str(one["loc"][-1])
    if one["type"] == "missing":
        return f"is missing; add {name}: … as in deploy/examples/settings.yaml"
    fix = _WORDS.get(one["type"], one["msg"].replace("Input", "it"))
    return f"is not allowed; {fix}" if secret else f"{settings_values.shown(one['input'])} is not allowed; {fix}"


def together(raw: Mapping[str, Any], document: settings_file.Document) -> Iterator[Problem]:
    """What is wrong between values, whatever else is wrong."""
    slack = raw["slack"] if isinstance(raw["slack"], dict) else {}
    needed = {"socket": ("slack", "app_token"), "http": ("slack", "signing_secret")}.get(str(slack.get("mode", "socket")))
    if needed and needed[1] not in slack:
        yield missing(needed)
    if raw.get("kubeconfig") is None and "api_host" not in raw:
        yield NO_CLUSTER
    for path in (("signing_key",), ("kubeconfig",)):
        if (name := raw.get(path[0])) and not Path(name).is_file():
            yield Problem(ENVIRONMENT[path][0], f"names {name}, which is no file: mount it, or correct the name")
    approvers = slack.get("approvers") or {}
    if document.unreadable or not isinstance(approvers, dict):
        return
    users, group = approvers.get("users") or [], approvers.get("group")
    if not users and not group:
        yield document.problem(("slack", "approvers"), "names nobody, so nothing could be approved; add users: [U…] or group: S…")
    pairs = (raw.get("trust") or {}).get("approvers") if isinstance(raw.get("trust"), dict) else None
    wanted = [pair[1] for pair in pairs or [] if isinstance(pair, list) and len(pair) == 2 and type(pair[1]) is int]
    if users and not group and isinstance(users, list) and max(wanted, default=1) > len(set(map(str, users))):
        yield document.problem(
            ("trust", "approvers"),
            f"asks for {max(wanted)} persons and slack.approvers names {len(users)}; name more, or a group",
        )
