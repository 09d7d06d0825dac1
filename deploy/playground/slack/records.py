"""What a workspace consists of: messages and views. Immutable, so that an old screen (a stale click) is simply an old value."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.playground.slack import people

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as one screen showed it at one moment. `revision` counts the updates; `ephemeral_for` is who alone sees it."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: tuple[Json, ...] = ()
    attachments: tuple[Json, ...] = ()
    files: tuple[Json, ...] = ()
    metadata: Json | None = None
    thread_ts: str | None = None
    broadcast: bool = False
    edited: str | None = None
    reactions: tuple[str, ...] = ()
    revision: int = 0
    ephemeral_for: str | None = None

    @property
    def from_bot(self) -> bool:
        return self.user == people.BOT_USER

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts

    @property
    def words(self) -> str:
        """Everything there is to read: the fallback text and every text in the blocks, one a line."""
        return "\n".join([self.text, *texts_of(self.blocks)])

    @property
    def action_ids(self) -> list[str]:
        return [str(element.get("action_id", "")) for _, element in elements_of(self.blocks)]

    def as_payload(self) -> Json:
        """The message as Slack's API and payloads show it; a deep copy, safe to hand out."""
        shown: Json = {"type": "message", "user": self.user, "text": self.text, "ts": self.ts, "team": people.TEAM_ID}
        if self.from_bot:
            shown |= {"bot_id": people.BOT_ID, "app_id": people.APP_ID}
        if self.ephemeral_for is not None:
            shown |= {"is_ephemeral": True}
        if self.thread_ts is not None:
            shown["thread_ts"] = self.thread_ts
        if self.broadcast:
            shown["subtype"] = "thread_broadcast"
        if self.edited is not None:
            shown["edited"] = {"user": people.BOT_ID, "ts": self.edited}
        for name in ("blocks", "attachments", "files"):
            if getattr(self, name):
                shown[name] = list(getattr(self, name))
        if self.metadata is not None:
            shown["metadata"] = self.metadata
        return copy.deepcopy(shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A modal or a Home tab. `hash` changes with every update; a `state` is what the person has filled in so far."""

    id: str
    kind: str
    user: str
    hash: str
    body: Json
    root_view_id: str
    previous_view_id: str | None = None
    external_id: str = ""
    state: Json = field(default_factory=dict)

    @property
    def blocks(self) -> tuple[Json, ...]:
        return tuple(self.body.get("blocks", ()))

    @property
    def callback_id(self) -> str:
        return str(self.body.get("callback_id", ""))

    @property
    def words(self) -> str:
        heading = [text for name in ("title", "submit", "close") if (text := (self.body.get(name) or {}).get("text"))]
        return "\n".join([*heading, *texts_of(self.blocks)])

    @property
    def action_ids(self) -> list[str]:
        return [str(element.get("action_id", "")) for _, element in elements_of(self.blocks)]

    def as_payload(self) -> Json:
        shown: Json = {
            "id": self.id,
            "team_id": people.TEAM_ID,
            "type": self.kind,
            "blocks": list(self.blocks),
            "private_metadata": self.body.get("private_metadata", ""),
            "callback_id": self.callback_id,
            "state": {"values": self.state},
            "hash": self.hash,
            "clear_on_close": bool(self.body.get("clear_on_close", False)),
            "notify_on_close": bool(self.body.get("notify_on_close", False)),
            "external_id": self.external_id,
            "root_view_id": self.root_view_id,
            "previous_view_id": self.previous_view_id,
            "app_id": people.APP_ID,
            "app_installed_team_id": people.TEAM_ID,
            "bot_id": people.BOT_ID,
        }
        shown |= {name: self.body.get(name) for name in ("title", "submit", "close") if self.kind == "modal"}
        return copy.deepcopy(shown)


def elements_of(blocks: Sequence[Json]) -> Iterator[tuple[Json, Json]]:
    """Every interactive element with the block it stands in, in reading order."""
    for block in blocks:
        candidates = [*block.get("elements", ()), block.get("accessory"), block.get("element"), *block.get("actions", ())]
        for element in candidates:
            if isinstance(element, dict) and element.get("action_id"):
                yield block, element
        yield from elements_of(block.get("child_blocks", ()))


def texts_of(part: Any) -> Iterator[str]:
    """Every readable string in a piece of Block Kit, in order."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "text" and isinstance(value, str):
                yield value
            elif isinstance(value, dict | list | tuple):
                yield from texts_of(value)
    elif isinstance(part, list | tuple):
        for item in part:
            yield from texts_of(item)
