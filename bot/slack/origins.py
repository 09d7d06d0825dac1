"""Where a request of Slack came from, read out of its payload. Pure; who somebody is and may do is `people`'s business."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from handlers import messages

Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """`id`: of the request, from Slack's own ids. `team`: the person's. `ts`: of the message whose button was pressed.

    `thread`: where the answer belongs. `shared`: Slack says that the channel is another company's too.
    `response_url` and `trigger` are bearer capabilities: never logged.
    """

    id: str
    user: str
    team: str
    channel: str = ""
    thread: str = ""
    ts: str = ""
    shared: bool = False
    in_modal: bool = False
    in_home: bool = False
    response_url: str = ""
    trigger: str = ""

    @property
    def place(self) -> messages.Place:
        return messages.Place(self.channel, self.thread)

    def __repr__(self) -> str:
        return f"Origin(id={self.id!r}, user={self.user!r}, team={self.team!r}, channel={self.channel!r})"


def of_command(body: Payload) -> Origin:
    user = str(body.get("user_id", ""))
    # A trigger id is a capability, if only for seconds: its digest tells requests apart as well.
    digest = hashlib.sha256(str(body.get("trigger_id", "")).encode()).hexdigest()
    return Origin(
        id=f"slack-command:{user}:{digest[:24]}",
        user=user,
        team=str(body.get("team_id", "")),
        channel=str(body.get("channel_id", "")),
        response_url=str(body.get("response_url", "")),
        trigger=str(body.get("trigger_id", "")),
    )


def of_click(body: Payload) -> Origin:
    action = _part((body.get("actions") or [{}])[0])
    user, container = _part(body.get("user")), _part(body.get("container"))
    view = _part(body.get("view"))
    return Origin(
        id=f"slack-click:{user.get('id', '')}:{action.get('action_ts', '')}:{action.get('action_id', '')}",
        user=str(user.get("id", "")),
        team=str(user.get("team_id") or _part(body.get("team")).get("id", "")),
        channel=str(_part(body.get("channel")).get("id") or container.get("channel_id") or ""),
        thread=str(container.get("thread_ts") or ""),
        ts=str(container.get("message_ts") or ""),
        in_modal=view.get("type") == "modal",
        in_home=view.get("type") == "home",
        response_url=str(body.get("response_url") or ""),
        trigger=str(body.get("trigger_id") or ""),
    )


def of_view(body: Payload) -> Origin:
    user, view = _part(body.get("user")), _part(body.get("view"))
    return Origin(
        id=f"slack-view:{view.get('id', '')}:{view.get('hash', '')}",
        user=str(user.get("id", "")),
        team=str(user.get("team_id") or _part(body.get("team")).get("id", "")),
        trigger=str(body.get("trigger_id") or ""),
    )


def of_shortcut(body: Payload) -> Origin:
    user = _part(body.get("user"))
    return Origin(
        id=f"slack-shortcut:{user.get('id', '')}:{body.get('action_ts', '')}",
        user=str(user.get("id", "")),
        team=str(user.get("team_id") or _part(body.get("team")).get("id", "")),
        trigger=str(body.get("trigger_id") or ""),
    )


def of_event(body: Payload) -> Origin:
    """A mention, a direct message, an opened Home tab. Only a mention in a thread is answered in a thread: what one person
    alone may see is not shown by Slack in a thread that does not exist yet.
    """
    event = _part(body.get("event"))
    channel = str(event.get("channel") or "")
    own = channel.startswith("D")
    return Origin(
        id=f"slack-event:{body.get('event_id', '')}",
        user=str(event.get("user") or ""),
        team=str(event.get("user_team") or event.get("team") or body.get("team_id") or ""),
        channel=channel,
        thread="" if own else str(event.get("thread_ts") or ""),
        shared=bool(body.get("is_ext_shared_channel")),
    )


def _part(value: object) -> Payload:
    return value if isinstance(value, Mapping) else {}


def moved(origin: Origin, channel: str) -> Origin:
    """The same request, as if it came from that channel."""
    return replace(origin, channel=channel)


def home_of(origin: Origin) -> Origin:
    return replace(origin, channel="", thread="", in_home=True)
