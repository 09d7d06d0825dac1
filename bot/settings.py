"""The bot's settings: the only place of the bot that reads the environment, and the file that FERRY_CONFIG names.

The file holds all that is no secret (see deploy/examples/settings.yaml), the environment holds secrets and what
Kubernetes sets. Every wrong value is named in one SettingsError, with its fix.
"""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import pydantic

from bot import settings_file, settings_journey, settings_problems, settings_trust
from bot import settings_values as values
from bot.settings_file import Problem

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_WEBHOOK_ONLY = (
    "alertmanager.url is empty, so that alerts come by webhook alone: each reaches one replica, the others do not know what "
    "fires, and a lost webhook stays lost; name Alertmanager's address, as deploy/examples/settings.yaml shows."
)
_NOBODY = pydantic.SecretStr("")
Port = Annotated[int, pydantic.Field(ge=0, le=65535)]


def _token_in(value: object) -> str:
    """What a token's file holds, without the line break at its end."""
    try:
        text = Path(str(value)).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ValueError(f"names {values.shown(value)}, which cannot be read ({reason}): mount it, or correct the name") from None
    return values.api_token(text)


def _one_person_each(tokens: tuple["ApiToken", ...]) -> tuple["ApiToken", ...]:
    if len({one.token_file.get_secret_value() for one in tokens}) < len(tokens):
        raise ValueError(
            "two files hold the same token, so nobody knows whose it is; make one for each with `openssl rand -hex 32`"
        )
    return tokens


class Approvers(values.Part):
    """Who may approve: these persons, and the members of the user group."""

    users: tuple[Annotated[str, values.USER_ID], ...] = ()
    group: Annotated[str, values.GROUP_ID] = ""


class Requesters(values.Part):
    """Who may ask for a change. Nobody named: every full member of the workspace."""

    users: tuple[Annotated[str, values.USER_ID], ...] = ()


class Slack(values.Part):
    """`channel`: where cards are posted. `page`: who is mentioned when somebody must act; empty: the channel alone."""

    mode: Literal["socket", "http"] = "socket"
    team: Annotated[str, values.TEAM_ID]
    app: Annotated[str, values.APP_ID] = ""
    channel: Annotated[str, values.CHANNEL_ID]
    channels: tuple[Annotated[str, values.CHANNEL_ID], ...] = ()
    approvers: Approvers = Approvers()
    requesters: Requesters = Requesters()
    page: Annotated[str, values.PAGED_ID] = ""
    bot_token: Annotated[pydantic.SecretStr, values.BOT_TOKEN]
    app_token: Annotated[pydantic.SecretStr, values.APP_TOKEN] = _NOBODY
    signing_secret: Annotated[pydantic.SecretStr, values.SIGNING_SECRET] = _NOBODY
    api_url: Annotated[str, values.SLACK_API_URL] = "https://slack.com/api/"

    @property
    def heard(self) -> tuple[str, ...]:
        """Ids of the channels where commands are heard."""
        return self.channels or (self.channel,)


class AlertMapping(values.Part):
    """Alerts that carry all these labels are about this service."""

    matchers: Annotated[dict[Annotated[str, values.LABEL_NAME], str], values.NOT_EMPTY]
    service: Annotated[str, values.SERVICE_NAME]


class Alertmanager(values.Part):
    """`url` empty: not polled. `poll`: seconds between two looks. `watchdog`: the alert that always fires; empty: none."""

    url: Annotated[str, values.HTTP_URL] = ""
    unmapped: Literal["tell", "all"] = "tell"
    poll: Annotated[float, values.time_between(1, 300)] = 5.0
    watchdog: Annotated[str, values.ALERT_NAME] = "FerryWatchdog"
    services: tuple[AlertMapping, ...] = ()
    token: Annotated[pydantic.SecretStr, values.WEBHOOK_TOKEN]


class Web(values.Part):
    """Where the bot listens. Port 0: a free one."""

    address: Annotated[str, values.ADDRESS] = "0.0.0.0"  # noqa: S104 - a pod is reached from outside of it
    port: Port = 8080


class ApiToken(values.Part):
    """Whoever shows what the file holds is this person of Slack. `token_file`: named in the file, here what it holds."""

    person: Annotated[str, values.USER_ID]
    token_file: Annotated[pydantic.SecretStr, pydantic.BeforeValidator(_token_in)]


class Api(values.Part):
    """Nobody named: the API answers nobody."""

    tokens: Annotated[tuple[ApiToken, ...], pydantic.AfterValidator(_one_person_each)] = ()


class Limits(values.Part):
    """Seconds: until every proxy serves a record, until every proxy holds, how long a finished shift is watched, and how long no
    proxy may be ready before the original entries are put back.
    """

    converge: Annotated[float, values.time_between(1, 3600)] = 30.0
    hold: Annotated[float, values.time_between(1, 3600)] = 30.0
    verify: Annotated[float, values.time_between(0, 3600)] = 10.0
    no_proxies: Annotated[float, values.time_between(5, 3600)] = 30.0


class Cluster(values.Part):
    """The way to the old cluster: a kubeconfig, or what a pod is told; and Ferry's namespace there."""

    namespace: Annotated[str, values.NAMESPACE] = "migration-system"
    kubeconfig: Path | None = None
    service_account: Path = _SERVICE_ACCOUNT
    api_host: Annotated[str, values.HOST] = "kubernetes.default.svc"
    api_port: Port = 443
    api_scheme: Literal["https", "http"] = "https"


class Settings(Cluster):
    """Everything the bot is told from outside. Immutable; secrets show as asterisks."""

    replica: Annotated[str, values.REPLICA]
    signing_key: Path
    agent_token: Annotated[pydantic.SecretStr, values.AGENT_TOKEN]
    agent_port: Port = 9080
    redis_url: Annotated[pydantic.SecretStr, values.REDIS_URL]
    slack: Slack
    alertmanager: Alertmanager
    web: Web = Web()
    api: Api = Api()
    trust: settings_trust.Trust = settings_trust.Trust()
    prometheus: settings_journey.Prometheus = settings_journey.Prometheus()
    entry: settings_journey.Entry = settings_journey.Entry()
    new_cluster: settings_journey.NewCluster = settings_journey.NewCluster()
    discovery: settings_journey.Discovery = settings_journey.Discovery()
    limits: Limits = Limits()
    locale: Literal["en", "zh-CN"] = "en"

    def secrets(self) -> tuple[str, ...]:
        """For `bot.logs.configure`: texts that must appear nowhere."""
        password = unquote(urlsplit(self.redis_url.get_secret_value()).password or "")
        known = (self.slack.bot_token, self.slack.app_token, self.slack.signing_secret, self.agent_token, self.alertmanager.token)
        api = (one.token_file for one in self.api.tokens)
        return tuple(text for text in (password, *(one.get_secret_value() for one in (*known, *api))) if text)

    def warnings(self) -> tuple[str, ...]:
        """What is allowed and hardly meant, one sentence each, with the fix."""
        if self.alertmanager.url:
            return ()
        return (_WEBHOOK_ONLY,)


_SECTIONS = (
    "slack", "alertmanager", "prometheus", "web", "api", "trust", "entry", "new_cluster", "discovery", "limits", "locale",
)  # fmt: skip


class SettingsError(ValueError):
    """The bot cannot start: `problems` lists every wrong value, each with its fix."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("the settings cannot be used:\n" + "\n".join(str(problem) for problem in problems))


def from_process() -> Settings:
    """From this process's environment. Raises SettingsError."""
    return load(os.environ)


def load(environment: Mapping[str, str]) -> Settings:
    """From these variables and the file that FERRY_CONFIG names. Raises SettingsError."""
    document = _file(environment.get("FERRY_CONFIG", "").strip())
    problems = list(document.problems)
    raw = _merged(document, environment, problems)
    problems += settings_problems.together(raw, document)
    try:
        found = Settings.model_validate(raw)
    except pydantic.ValidationError as error:
        problems += settings_problems.of_validation(error, document, Settings)
        raise SettingsError(tuple(dict.fromkeys(problems))) from None
    if problems:
        raise SettingsError(tuple(dict.fromkeys(problems)))
    return found


def redis_url(environment: Mapping[str, str] | None = None) -> pydantic.SecretStr:
    """REDIS_URL alone (None: this process's), for verbs that need nothing else. Raises SettingsError."""
    text = (os.environ if environment is None else environment).get("REDIS_URL", "").strip()
    try:
        if not text:
            raise SettingsError((settings_problems.missing(("redis_url",)),))
        return pydantic.TypeAdapter(Annotated[pydantic.SecretStr, values.REDIS_URL]).validate_python(text)
    except pydantic.ValidationError as error:
        raise SettingsError((Problem("REDIS_URL", str(error.errors()[0]["ctx"]["error"])),)) from None


def cluster(environment: Mapping[str, str] | None = None, *, namespace: str = "") -> Cluster:
    """The way to the cluster alone (None: this process's), for verbs that need nothing else. Raises SettingsError.

    `namespace`: goes before the environment's.
    """
    told = os.environ if environment is None else environment
    known = {str(path[0]): told.get(variable, "").strip() for path, (variable, _) in settings_problems.ENVIRONMENT.items()}
    raw = {name: text for name, text in known.items() if text and name in Cluster.model_fields}
    raw |= {"namespace": namespace} if namespace else {}
    try:
        if "kubeconfig" not in raw and "api_host" not in raw:
            raise SettingsError((settings_problems.NO_CLUSTER,))
        return Cluster.model_validate(raw)
    except pydantic.ValidationError as error:
        nothing = settings_file.Document("settings", problems=[], unreadable=True)
        raise SettingsError(tuple(settings_problems.of_validation(error, nothing, Cluster))) from None


def _file(name: str) -> settings_file.Document:
    if not name:
        missing = Problem("FERRY_CONFIG", "is missing: name the settings file; deploy/examples/settings.yaml shows one")
        return settings_file.Document("settings", problems=[missing], unreadable=True)
    try:
        return settings_file.read(Path(name).read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        wrong = Problem("FERRY_CONFIG", f"names {name}, which cannot be read ({reason}): mount it, or correct the name")
        return settings_file.Document(name, problems=[wrong], unreadable=True)


def _merged(document: settings_file.Document, environment: Mapping[str, str], problems: list[Problem]) -> dict[str, Any]:
    """The file's sections, and the environment's values where they belong; nothing of the environment from the file."""
    raw: dict[str, Any] = {name: value for name, value in document.values.items() if name in _SECTIONS}
    strange = [name for name in document.values if name not in _SECTIONS]
    problems += [document.problem((name,), settings_problems.unknown(name, _SECTIONS)) for name in strange]
    for name in ("slack", "alertmanager"):
        raw.setdefault(name, {})
    for path, (variable, _) in settings_problems.ENVIRONMENT.items():
        part = raw if len(path) == 1 else raw[str(path[0])]
        if not isinstance(part, dict):
            continue
        if len(path) == 2 and part.pop(str(path[1]), None) is not None:
            problems.append(document.problem(path, f"does not belong into the file; set {variable} in the environment"))
        text = environment.get(variable, "")
        if text.strip():
            part[str(path[-1])] = text if variable in settings_problems.KEEPS_SPACES else text.strip()
    raw.setdefault("replica", socket.gethostname())
    return raw
