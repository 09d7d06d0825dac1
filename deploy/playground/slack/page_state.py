"""What a browser is told: the workspace as one person sees it. Pure reading, no sockets."""

from typing import Any

from deploy.playground.slack import call_log, faults, manifest, people, records, workspace

Json = dict[str, Any]
MESSAGES_SHOWN = 150
LOG_SHOWN = 40


def introduction(space: workspace.Workspace, app: manifest.AppManifest) -> Json:
    """What does not change while the stand-in runs."""
    return {
        "kind": "hello",
        "team": people.TEAM_NAME,
        "app": {"name": app.name, "bot": people.BOT_USER, "home": app.has_home, "messages": app.has_messages},
        "people": [
            {
                "id": person.id,
                "name": person.name,
                "real_name": person.real_name,
                "role": person.role,
                "locale": person.locale,
                "guest": person.is_restricted or person.is_ultra_restricted,
                "stranger": person.is_stranger,
                "bot": person.is_bot,
            }
            for person in space.people.values()
        ],
        "groups": [{"id": group.id, "handle": group.handle, "members": group.members} for group in space.groups.values()],
        "commands": [
            {"command": command.command, "description": command.description, "usage_hint": command.usage_hint}
            for command in app.commands
        ],
        "shortcuts": [{"name": shortcut.name, "callback_id": shortcut.callback_id} for shortcut in app.shortcuts],
    }


def as_seen(space: workspace.Workspace, *, viewer: str, channel: str) -> Json:
    """The channels of this person, one of them with its messages, what only they see, and what they have open."""
    places = [place for place in space.channels.values() if viewer in place.members]
    shown = space.messages(channel)[-MESSAGES_SHOWN:] if space.sees(viewer, channel) else []
    whispered = [message for message in space.ephemerals(viewer) if message.channel == channel]
    home = space.screens.home(viewer)
    return {
        "kind": "state",
        "viewer": viewer,
        "channel": channel,
        "channels": [
            {
                "id": place.id,
                "name": place.name,
                "topic": place.topic,
                "im": place.is_im,
                "bot": place.has_bot,
                "shared": place.is_ext_shared,
                "members": len(place.members) + place.has_bot,
                "latest": _latest(space, place.id, viewer),
            }
            for place in places
        ],
        "messages": [message_as_seen(space, message) for message in shown],
        "ephemerals": [message_as_seen(space, message) for message in whispered],
        "views": [view.as_payload() for view in space.screens.stack(viewer)],
        "home": home.as_payload() if home is not None else None,
    }


def message_as_seen(space: workspace.Workspace, message: records.Message) -> Json:
    return message.as_payload() | {
        "channel": message.channel,
        "revision": message.revision,
        "ephemeral": message.ephemeral_for is not None,
        "reactions": list(message.reactions),
        "older": any(older.action_ids for older in space.revisions(message.channel, message.ts)[:-1]),
    }


def _latest(space: workspace.Workspace, channel: str, viewer: str) -> str:
    return next((m.ts for m in reversed(space.messages(channel)) if m.user != viewer and not m.is_reply), "0")


def wire(log: call_log.CallLog, knobs: faults.SlackFaults, *, connections: int, socket_mode: bool) -> Json:
    """The inspector's half: the last envelopes and calls, and which faults stand."""
    return {
        "kind": "wire",
        "mode": "Socket Mode" if socket_mode else "signed HTTP",
        "connections": connections,
        "faults": knobs.active,
        "deliveries": [
            {
                "number": entry.number,
                "at": entry.at,
                "kind": entry.kind,
                "summary": entry.summary,
                "attempt": entry.attempt,
                "via": entry.connection,
                "ms": entry.milliseconds,
                "error": entry.error,
            }
            for entry in list(log.deliveries)[-LOG_SHOWN:]
        ],
        "calls": [
            {
                "number": call.number,
                "at": call.at,
                "method": call.method,
                "status": call.status,
                "ms": call.milliseconds,
                "error": call.error,
            }
            for call in list(log.calls)[-LOG_SHOWN:]
        ],
    }


def detail(log: call_log.CallLog, number: int) -> Json:
    """What one line of the inspector hides. LookupError when the log has forgotten it."""
    for entry in log.deliveries:
        if entry.number == number:
            return {"payload": entry.payload, "acknowledgement": entry.ack, "via": entry.connection}
    for call in log.calls:
        if call.number == number:
            return {"arguments": call.arguments, "status": call.status, "error": call.error}
    raise LookupError("the log has forgotten it")
