"""The payloads that Slack sends to an app. Pure: state in, dicts out."""

from typing import Any

from deploy.playground.slack import people, records
from deploy.playground.slack.records import Json

VERIFICATION_TOKEN = "playground"  # the deprecated field that every payload still carries; apps verify signatures instead


def slash_command(*, command: str, text: str, user: people.Person, channel: people.Channel, trigger_id: str, url: str) -> Json:
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": people.TEAM_ID,
        "team_domain": people.TEAM_NAME.lower(),
        "channel_id": channel.id,
        "channel_name": "directmessage" if channel.is_im else channel.name,
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": people.APP_ID,
        "is_enterprise_install": "false",
        "response_url": url,
        "trigger_id": trigger_id,
    }


def _interaction(kind: str, user: people.Person) -> Json:
    return {
        "type": kind,
        "team": {"id": people.TEAM_ID, "domain": people.TEAM_NAME.lower()},
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
        "api_app_id": people.APP_ID,
        "token": VERIFICATION_TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def click_on_message(
    *,
    user: people.Person,
    channel: people.Channel,
    message: records.Message,
    action: Json,
    state: Json,
    trigger_id: str,
    url: str,
) -> Json:
    """block_actions; `message` is what the person's screen showed, which may be older than what stands now."""
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.ephemeral_for is not None,
    }
    if message.thread_ts is not None:
        container["thread_ts"] = message.thread_ts
    return _interaction("block_actions", user) | {
        "container": container,
        "trigger_id": trigger_id,
        "channel": {"id": channel.id, "name": "directmessage" if channel.is_im else channel.name},
        "message": message.as_payload(),
        "state": {"values": state},
        "response_url": url,
        "actions": [action],
    }


def click_on_view(*, user: people.Person, view: records.View, action: Json, trigger_id: str) -> Json:
    return _interaction("block_actions", user) | {
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": trigger_id,
        "view": view.as_payload(),
        "actions": [action],
    }


def submission(*, user: people.Person, view: records.View, trigger_id: str) -> Json:
    return _interaction("view_submission", user) | {"trigger_id": trigger_id, "view": view.as_payload(), "response_urls": []}


def closing(*, user: people.Person, view: records.View, is_cleared: bool) -> Json:
    return _interaction("view_closed", user) | {"view": view.as_payload(), "is_cleared": is_cleared}


def shortcut(*, user: people.Person, callback_id: str, trigger_id: str, action_ts: str) -> Json:
    return _interaction("shortcut", user) | {"callback_id": callback_id, "trigger_id": trigger_id, "action_ts": action_ts}


def event(content: Json, *, event_id: str, at: float, shared: bool) -> Json:
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": people.TEAM_ID,
        "api_app_id": people.APP_ID,
        "event": content,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(at),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": people.TEAM_ID,
                "user_id": people.BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            },
        ],
        "is_ext_shared_channel": shared,
        "event_context": event_id,
    }


def message_event(message: records.Message, *, kind: str, channel: people.Channel, author: people.Person) -> Json:
    """`app_mention`, or `message` in a direct conversation."""
    content: Json = {
        "type": kind,
        "user": message.user,
        "team": author.team_id,
        "text": message.text,
        "ts": message.ts,
        "event_ts": message.ts,
        "channel": message.channel,
        "client_msg_id": f"playground-{message.ts}",
        "blocks": list(message.as_payload().get("blocks", ())),
    }
    if channel.is_im:
        content["channel_type"] = "im"
    if message.thread_ts is not None:
        content["thread_ts"] = message.thread_ts
    return content


def home_opened(*, user: str, channel: str, tab: str, view: records.View | None, ts: str) -> Json:
    content: Json = {"type": "app_home_opened", "user": user, "channel": channel, "tab": tab, "event_ts": ts}
    if view is not None and tab == "home":
        content["view"] = view.as_payload()
    return content


def summary(kind: str, payload: Json) -> str:
    """One line for the inspector."""
    if kind == "slash_commands":
        return f"{payload['command']} {payload['text']}".strip()
    if kind == "events_api":
        content: Any = payload["event"]
        return f"{content['type']} {content.get('text', '')}".strip()
    if payload["type"] == "block_actions":
        return f"click {payload['actions'][0]['action_id']}"
    if payload["type"] == "shortcut":
        return f"shortcut {payload['callback_id']}"
    return f"{payload['type']} {payload['view']['callback_id']}".strip()
