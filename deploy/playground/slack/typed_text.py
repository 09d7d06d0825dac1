"""What Slack's client makes of what a person types, before an app sees it: mentions, channels, links, entities."""

import re
from collections.abc import Iterable

from deploy.playground.slack import people

_MENTION = re.compile(r"(?<![\w@.])@([A-Za-z0-9][\w.-]*)")
_CHANNEL = re.compile(r"(?<![\w#&])#([a-z0-9][a-z0-9_-]*)")
_LINK = re.compile(r"(?<![\w/@.<|])(https?://[^\s<>|]+)")
# A bare host becomes a link too; only endings that every client knows, so that a version like "1.2" stays text.
_BARE_HOST = re.compile(r"(?<![\w/@.:<|])((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:com|org|net|io|dev|cn))(?![\w.|-])")


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def as_sent(
    text: str,
    *,
    persons: Iterable[people.Person],
    channels: Iterable[people.Channel],
    groups: Iterable[people.UserGroup],
    with_names: bool,
) -> str:
    """The text as events and escaped commands carry it. `with_names` is the form of commands: `<@U1|ann>`, `<#C1|general>`."""
    handles = {person.name.lower(): f"<@{person.id}|{person.name}>" if with_names else f"<@{person.id}>" for person in persons}
    handles |= {group.handle: f"<!subteam^{group.id}|@{group.handle}>" for group in groups}
    places = {channel.name: f"<#{channel.id}|{channel.name if with_names else ''}>" for channel in channels if not channel.is_im}

    def mention(match: re.Match[str]) -> str:
        name = match[1].rstrip(".-")
        known = handles.get(name.lower())
        return known + match[1][len(name) :] if known else match[0]

    text = escaped(text)
    text = _LINK.sub(lambda match: f"<{match[1]}>", text)
    text = _BARE_HOST.sub(lambda match: f"<http://{match[1]}|{match[1]}>", text)
    text = _MENTION.sub(mention, text)
    return _CHANNEL.sub(lambda match: places.get(match[1], match[0]), text)
