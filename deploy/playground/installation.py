"""Installs Ferry as a person would: the shipped manifests, and beside them what the kustomization says a person makes."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deploy.playground import objects
from deploy.playground.nodes import manifests, node_client
from deploy.playground.slack import people
from k8s import client, signing

BASE = Path(__file__).parents[1] / "kubernetes" / "base"
_WITH_TOKENS = (people.U_ANN, people.U_BOB)  # somebody who asks, and somebody who approves
_MANIFEST = Path(__file__).parents[1] / "slack" / "manifest-socket.yaml"
KINDS = {
    "Namespace": node_client.NAMESPACES,
    "Secret": node_client.SECRETS,
    "ConfigMap": client.CONFIG_MAPS,
    "Service": node_client.SERVICES,
    "EndpointSlice": node_client.ENDPOINT_SLICES,
    "Ingress": client.Resource("ingresses", "networking.k8s.io/v1"),
}


@dataclass(frozen=True, slots=True)
class SlackAccess:
    """How the bot reaches its Slack, and who is who there. `group` empty: only `approvers` approve."""

    api_url: str
    bot_token: str
    app_token: str = ""
    signing_secret: str = ""
    team: str = people.TEAM_ID
    channel: str = people.C_MIGRATION
    approvers: tuple[str, ...] = (people.U_BOB, people.U_CAROL)
    group: str = people.S_APPROVERS


@dataclass(frozen=True, slots=True)
class Keys:
    """Made fresh for every playground. `api_tokens`: of the API and the command line, by person."""

    signer: signing.Signer = field(default_factory=signing.Signer.generate)
    agent_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    alert_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    redis_password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    api_tokens: Mapping[str, str] = field(default_factory=lambda: {one: secrets.token_urlsafe(32) for one in _WITH_TOKENS})

    def texts(self) -> tuple[str, ...]:
        """What must appear in no log, no card and no audit entry."""
        pem = self.signer.private_pem().decode().splitlines()[1]
        return (self.agent_token, self.alert_token, self.redis_password, pem, *self.api_tokens.values())


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the bot finds what is not Ferry's. `limits`: the bot's own settings of that name, as its file spells them; `further`:
    sections of that file beside the playground's own. `folder`: where a token of the API stands for each person, as the bot reads
    it; None: nobody has one.
    """

    slack: SlackAccess
    redis_url: str
    alertmanager_url: str
    new_port: int
    limits: Mapping[str, str]
    further: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folder: Path | None = None

    def token_file(self, person: str) -> Path | None:
        return None if self.folder is None else self.folder / f"api-token-{person}"


def slack_manifest() -> Mapping[str, Any]:
    """What the shipped app manifest allows the bot in Slack."""
    found: Mapping[str, Any] = yaml.safe_load(_MANIFEST.read_text(encoding="utf-8"))
    return found


async def prepare(api: client.ClusterClient, keys: Keys, around: Surroundings) -> None:
    """Everything the manifests refer to and do not contain. Raises errors.ClusterError."""
    write_tokens(keys, around)
    for item in _beside(keys, around):
        await put(api, item)


def write_tokens(keys: Keys, around: Surroundings) -> None:
    """Each person's token of the API where the bot's settings name it, for its owner's eyes only."""
    for person, token in keys.api_tokens.items():
        if (file := around.token_file(person)) is not None:
            file.touch(mode=0o600)
            file.write_text(token, encoding="utf-8")


async def install(api: node_client.NodeClient) -> manifests.Applied:
    """The shipped base, as it is. Raises ManifestError, errors.ClusterError."""
    return await manifests.apply(api, BASE)


async def put(api: client.ClusterClient, item: objects.Json) -> None:
    """Applies one object, server-side."""
    await manifests.apply_one(api, item, KINDS[item["kind"]])


def _beside(keys: Keys, around: Surroundings) -> list[objects.Json]:
    slack = around.slack
    bot = {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "REDIS_URL": around.redis_url,
        "ALERTMANAGER_TOKEN": keys.alert_token,
    }
    acl = f"user default off\nuser ferry on >{keys.redis_password} ~* &* +@all\n"
    return [
        objects.secret("ferry-bot", {name: value for name, value in bot.items() if value}),
        objects.secret("ferry-signing-key", {"signing-key.pem": keys.signer.private_pem().decode()}),
        objects.secret("ferry-agent-token", {"token": keys.agent_token}),
        objects.secret("ferry-redis", {"users.acl": acl}),
        objects.config_map("ferry-public-keys", {f"{keys.signer.key_id}.pem": keys.signer.public_pem().decode()}),
        objects.config_map("ferry-settings", {"settings.yaml": settings(around, persons=tuple(keys.api_tokens))}),
    ]


def settings(around: Surroundings, *, persons: tuple[str, ...] = ()) -> str:
    """The bot's settings file: the playground's people, and everything else as shipped. `persons`: who has a token of the API."""
    slack = around.slack
    approvers = {"users": list(slack.approvers)} | ({"group": slack.group} if slack.group else {})
    document = {
        "slack": {
            "mode": "socket" if slack.app_token else "http",
            "team": slack.team,
            "channel": slack.channel,
            "approvers": approvers,
            **({"page": slack.group} if slack.group else {}),
        },
        "alertmanager": {"url": around.alertmanager_url, "poll": "1s"},
        "api": {
            "tokens": [
                {"person": one, "token_file": str(file)} for one in persons if (file := around.token_file(one)) is not None
            ]
        },
        "web": {"address": "0.0.0.0", "port": 8080},  # the node puts the pod's own address in its place
        "limits": dict(around.limits),
        "trust": {"soak": False},  # nobody here waits a day between two weights; a story that soaks says its own
        **around.further,
    }
    return yaml.safe_dump(document, sort_keys=False)
