"""What the app was allowed when it was installed: its commands, scopes and events, read from a Slack app manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_MANIFEST: Mapping[str, Any] = {
    "display_information": {"name": "Ferry", "description": "Moves traffic from the old cluster to the new one"},
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True, "messages_tab_read_only_enabled": False},
        "bot_user": {"display_name": "ferry", "always_online": True},
        "slash_commands": [
            {
                "command": "/migrate",
                "description": "Shift traffic, show status, roll back",
                "usage_hint": "shift api-name01 5% reason | status | rollback api-name01 | help",
                "should_escape": True,
            },
        ],
        "shortcuts": [
            {"name": "Shift traffic", "type": "global", "callback_id": "shift", "description": "Opens the shift form"},
        ],
    },
    "oauth_config": {
        "scopes": {
            "bot": ["app_mentions:read", "chat:write", "commands", "im:history", "im:write", "users:read", "usergroups:read"],
        },
    },
    "settings": {
        "event_subscriptions": {"bot_events": ["app_home_opened", "app_mention", "message.im"]},
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": True,
    },
}


@dataclass(frozen=True, slots=True)
class SlashCommand:
    command: str
    description: str
    usage_hint: str
    should_escape: bool


@dataclass(frozen=True, slots=True)
class Shortcut:
    name: str
    kind: str
    callback_id: str


@dataclass(frozen=True, slots=True)
class AppManifest:
    name: str
    bot_name: str
    scopes: frozenset[str]
    events: frozenset[str]
    commands: tuple[SlashCommand, ...]
    shortcuts: tuple[Shortcut, ...]
    interactive: bool
    socket_mode: bool
    has_home: bool
    has_messages: bool

    def command(self, name: str) -> SlashCommand | None:
        return next((command for command in self.commands if command.command == name), None)


def read(document: Mapping[str, Any]) -> AppManifest:
    """The parts of a manifest that the stand-in enforces. Absent sections mean what they mean to Slack: not enabled."""
    features = document.get("features", {})
    settings = document.get("settings", {})
    home = features.get("app_home", {})
    name = document.get("display_information", {}).get("name", "Ferry")
    return AppManifest(
        name=name,
        bot_name=features.get("bot_user", {}).get("display_name", name.lower()),
        scopes=frozenset(document.get("oauth_config", {}).get("scopes", {}).get("bot", ())),
        events=frozenset(settings.get("event_subscriptions", {}).get("bot_events", ())),
        commands=tuple(
            SlashCommand(
                command=entry["command"],
                description=entry.get("description", ""),
                usage_hint=entry.get("usage_hint", ""),
                should_escape=bool(entry.get("should_escape", False)),
            )
            for entry in features.get("slash_commands", ())
        ),
        shortcuts=tuple(
            Shortcut(name=entry["name"], kind=entry.get("type", "global"), callback_id=entry["callback_id"])
            for entry in features.get("shortcuts", ())
        ),
        interactive=bool(settings.get("interactivity", {}).get("is_enabled", False)),
        socket_mode=bool(settings.get("socket_mode_enabled", False)),
        has_home=bool(home.get("home_tab_enabled", False)),
        has_messages=bool(home.get("messages_tab_enabled", False)),
    )
