"""What `ferry playground` was asked for: each combination that cannot be served is refused with one sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bot import loopback
from deploy.playground import installation, kubeconfig

SABOTAGES = {
    "shift": ("no-entry",),
    "alert": ("frozen-agents", "wrong-token"),
    "real-alert": ("frozen-prometheus",),
    "new-cluster-dies": ("no-old", "frozen-agents"),
    "control-plane-gone": ("frozen-agents",),
    "journey": ("failing-new", "left-over"),
    "replace": ("no-bot",),
    "bypass": ("no-bot",),
}
STORIES = tuple(SABOTAGES)
_SLACK_WORDS = {
    "SLACK_BOT_TOKEN": "xoxb-…",
    "SLACK_APP_TOKEN": "xapp-…",
    "SLACK_TEAM": "T…, the workspace",
    "SLACK_CHANNEL": "C…, where cards go",
    "SLACK_APPROVERS": "U…,U…: who may approve",
}


class Refused(ValueError):
    """The flags cannot be served together; one sentence with what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """`port` 0: a free one. An empty address: the playground's own. `slack`: the real Slack, when there is one."""

    port: int = 0
    story: str = ""
    as_json: bool = False
    sabotage: str = ""
    kubeconfig: Path | None = None
    redis_url: str = ""
    alertmanager_url: str = ""
    alert_token: str = ""
    slack: installation.SlackAccess | None = None
    before_ferry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The flags as they were typed."""

    port: int = 0
    story: str = ""
    as_json: bool = False
    kubeconfig: Path | None = None
    disposable: bool = False
    slack_url: str = ""
    redis_url: str = ""
    alertmanager_url: str = ""
    sabotage: str = ""
    before_ferry: bool = False


def choose(typed: Typed, environment: Mapping[str, str]) -> Choices:
    """Raises Refused. `environment`: for the tokens of a real Slack and of an Alertmanager of one's own."""
    _story(typed)
    if typed.disposable and typed.kubeconfig is None:
        raise Refused("--disposable says something about the cluster of --kubeconfig, which is missing; give both or none")
    if typed.kubeconfig is not None:
        _cluster(typed.kubeconfig, disposable=typed.disposable)
    if typed.redis_url and urlsplit(typed.redis_url).scheme not in {"redis", "rediss", "unix"}:
        raise Refused(
            f"--redis-url is no address of Redis; write redis://HOST:6379/0 instead of {typed.redis_url.partition('@')[2]!r}"
        )
    token = environment.get("ALERTMANAGER_TOKEN", "")
    if typed.alertmanager_url:
        if urlsplit(typed.alertmanager_url).scheme not in {"http", "https"}:
            raise Refused(f"--alertmanager-url {typed.alertmanager_url!r} is no address; write http://HOST:9093")
        if len(token) < 16:
            raise Refused(
                "--alertmanager-url needs ALERTMANAGER_TOKEN (16 characters or more) in the environment: what that Alertmanager "
                "shows to the bot's webhook"
            )
    return Choices(
        port=typed.port,
        story=typed.story,
        as_json=typed.as_json,
        sabotage=typed.sabotage,
        kubeconfig=typed.kubeconfig,
        redis_url=typed.redis_url,
        alertmanager_url=typed.alertmanager_url.rstrip("/"),
        alert_token=token if typed.alertmanager_url else "",
        slack=_slack(typed.slack_url, environment) if typed.slack_url else None,
        before_ferry=typed.before_ferry,
    )


def _story(typed: Typed) -> None:
    if typed.story and typed.story not in STORIES:
        raise Refused(f"there is no story {typed.story!r}; tell one of {', '.join(STORIES)}")
    if typed.as_json and not typed.story:
        raise Refused("--json prints what a story measured; add --story with one of " + ", ".join(STORIES))
    if typed.sabotage and not typed.story:
        raise Refused("--sabotage breaks a story on purpose; add --story with one of " + ", ".join(STORIES))
    if typed.sabotage and typed.sabotage not in SABOTAGES[typed.story]:
        raise Refused(f"the story {typed.story} has no sabotage {typed.sabotage!r}; use {', '.join(SABOTAGES[typed.story])}")
    if typed.story and typed.slack_url:
        raise Refused("a story types and clicks in the playground's own Slack; leave --slack-url out, or leave --story out")
    if typed.story and typed.kubeconfig is not None:
        raise Refused(
            "a story is judged by the journal of the playground's own API server; leave --kubeconfig out, or leave --story out"
        )
    if typed.before_ferry and typed.story:
        raise Refused("a story knows by itself where it begins; leave --before-ferry out, or leave --story out")
    if typed.before_ferry and typed.kubeconfig is not None:
        raise Refused("--before-ferry installs an old application of its own, in the stand-in; leave --kubeconfig out")
    if typed.story == "real-alert" and typed.alertmanager_url:
        raise Refused("the story real-alert runs the shipped Alertmanager configuration; leave --alertmanager-url out")


def _cluster(path: Path, *, disposable: bool) -> None:
    try:
        server = kubeconfig.server(path)
    except kubeconfig.Unusable as error:
        raise Refused(f"--kubeconfig {path} cannot be used ({error}); see that kubectl works with it") from None
    if not disposable and not loopback.leads(server):
        raise Refused(
            f"the cluster of --kubeconfig is {server}, not on this machine: the playground deletes and replaces objects there; "
            "add --disposable if nothing in that cluster is needed by anybody"
        )


def _slack(url: str, environment: Mapping[str, str]) -> installation.SlackAccess:
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise Refused(f"--slack-url {url!r} is no address; write https://slack.com/api/")
    missing = [f"{name} ({words})" for name, words in _SLACK_WORDS.items() if not environment.get(name)]
    if missing:
        raise Refused(f"--slack-url needs {', '.join(missing)} in the environment")
    return installation.SlackAccess(
        api_url=url,
        bot_token=environment["SLACK_BOT_TOKEN"],
        app_token=environment["SLACK_APP_TOKEN"],
        team=environment["SLACK_TEAM"],
        channel=environment["SLACK_CHANNEL"],
        approvers=tuple(name.strip() for name in environment["SLACK_APPROVERS"].split(",") if name.strip()),
        group="",
    )
