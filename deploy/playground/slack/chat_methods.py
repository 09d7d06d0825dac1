"""chat.*, reactions.add and conversations.history as the Web API answers them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from deploy.playground.slack import block_rules, people, records, workspace
from deploy.playground.slack.api_errors import ApiError

Json = dict[str, Any]
TEXT_CUT = 40_000
TEXT_OF_UPDATE = 4_000
METADATA_BYTES = 16_000


class ChatMethods:
    def __init__(self, space: workspace.Workspace, address: Callable[[], str]) -> None:
        self._space = space
        self._address = address

    @property
    def table(self) -> Mapping[str, Callable[[Json], Awaitable[Json]]]:
        return {
            "chat.postMessage": self.post_message,
            "chat.update": self.update,
            "chat.delete": self.delete,
            "chat.postEphemeral": self.post_ephemeral,
            "chat.getPermalink": self.get_permalink,
            "reactions.add": self.add_reaction,
            "conversations.history": self.history,
            "conversations.replies": self.replies,
        }

    async def post_message(self, asked: Json) -> Json:
        channel = self._place_with_bot(asked)
        text, blocks = self._content(asked)
        thread_ts = self._thread(channel, asked)
        ts = self._space.next_ts()
        message = self._space.post(
            records.Message(
                channel=channel.id,
                ts=ts,
                user=people.BOT_USER,
                text=text[:TEXT_CUT],
                blocks=blocks,
                attachments=tuple(asked.get("attachments") or ()),
                metadata=_metadata(asked.get("metadata")),
                thread_ts=thread_ts,
                broadcast=thread_ts is not None and _true(asked.get("reply_broadcast")),
            ),
        )
        return {"channel": channel.id, "ts": ts, "message": message.as_payload()}

    async def update(self, asked: Json) -> Json:
        """Text alone removes the blocks; blocks alone leave no "(edited)" mark; neither keeps what stands."""
        channel = self._place(asked)
        message = self._own_message(channel, asked, otherwise="cant_update_message")
        different: Json = {}
        has_text, has_blocks = bool(asked.get("text")), asked.get("blocks") is not None
        if len(str(asked.get("text") or "")) > TEXT_OF_UPDATE:
            raise ApiError("msg_too_long")
        if has_text or has_blocks:
            text, blocks = self._content(asked)
            different = {"blocks": blocks, "text": text if has_text else message.text}
            if has_text:
                different["edited"] = self._space.next_ts()
        if asked.get("attachments") is not None:
            different["attachments"] = tuple(asked["attachments"])
        if asked.get("metadata") is not None:
            different["metadata"] = _metadata(asked["metadata"])
        if not different:
            raise ApiError("no_text")
        newer = self._space.replace(message, **different)
        return {"channel": channel.id, "ts": newer.ts, "text": newer.text, "message": newer.as_payload()}

    async def delete(self, asked: Json) -> Json:
        channel = self._place(asked)
        message = self._own_message(channel, asked, otherwise="cant_delete_message")
        self._space.remove(message)
        return {"channel": channel.id, "ts": message.ts}

    async def post_ephemeral(self, asked: Json) -> Json:
        channel = self._place_with_bot(asked)
        user = str(asked.get("user") or "")
        if user not in channel.members:
            raise ApiError("user_not_in_channel")
        text, blocks = self._content(asked)
        message = self._space.whisper(
            records.Message(
                channel=channel.id,
                ts=self._space.next_ts(),
                user=people.BOT_USER,
                text=text[:TEXT_CUT],
                blocks=blocks,
                attachments=tuple(asked.get("attachments") or ()),
                thread_ts=self._thread(channel, asked),
                ephemeral_for=user,
            ),
        )
        return {"message_ts": message.ts}

    async def get_permalink(self, asked: Json) -> Json:
        channel = self._place(asked)
        message = self._space.find(channel.id, str(asked.get("message_ts")))
        if message is None:
            raise ApiError("message_not_found")
        return {"channel": channel.id, "permalink": permalink(self._address(), message)}

    async def add_reaction(self, asked: Json) -> Json:
        channel = self._place(asked)
        message = self._space.find(channel.id, str(asked.get("timestamp")))
        if message is None:
            raise ApiError("message_not_found")
        if asked.get("name") in message.reactions:
            raise ApiError("already_reacted")
        self._space.replace(message, reactions=(*message.reactions, str(asked.get("name"))))
        return {}

    async def history(self, asked: Json) -> Json:
        channel = self._place_with_bot(asked)
        oldest = str(asked.get("oldest") or "0")
        listed = [m for m in self._space.messages(channel.id) if (not m.is_reply or m.broadcast) and float(m.ts) >= float(oldest)]
        newest = listed[::-1][: int(asked.get("limit") or 100)]
        return {"messages": [_shown(message, asked) for message in newest], "has_more": len(newest) < len(listed)}

    async def replies(self, asked: Json) -> Json:
        channel = self._place_with_bot(asked)
        root = self._space.find(channel.id, str(asked.get("ts")))
        if root is None:
            raise ApiError("thread_not_found")
        thread = [root, *self._space.replies(channel.id, root.ts)]
        return {"messages": [_shown(message, asked) for message in thread], "has_more": False}

    # Looking things up

    def _place(self, asked: Json) -> people.Channel:
        if not asked.get("channel"):
            raise ApiError("invalid_arguments", ["[ERROR] missing required field: channel"])
        found = self._space.channel_named(str(asked["channel"]))
        if found is None:
            raise ApiError("channel_not_found")
        return found

    def _place_with_bot(self, asked: Json) -> people.Channel:
        channel = self._place(asked)
        if not channel.has_bot:
            raise ApiError("not_in_channel")
        return channel

    def _own_message(self, channel: people.Channel, asked: Json, *, otherwise: str) -> records.Message:
        message = self._space.find(channel.id, str(asked.get("ts")))
        if message is None:
            raise ApiError("message_not_found")
        if not message.from_bot:
            raise ApiError(otherwise)
        return message

    def _thread(self, channel: people.Channel, asked: Json) -> str | None:
        if not asked.get("thread_ts"):
            return None
        root = self._space.find(channel.id, str(asked["thread_ts"]))
        if root is None:
            raise ApiError("thread_not_found")
        return root.thread_ts or root.ts

    def _content(self, asked: Json) -> tuple[str, tuple[Json, ...]]:
        text, blocks = str(asked.get("text") or ""), asked.get("blocks") or []
        if not text and not blocks and not asked.get("attachments"):
            raise ApiError("no_text")
        wrong = block_rules.check_message(blocks)
        if wrong:
            raise ApiError("invalid_blocks", wrong)
        if block_rules.too_long(blocks):
            raise ApiError("msg_blocks_too_long")
        return text, self._space.with_ids(blocks)


def permalink(address: str, message: records.Message) -> str:
    return f"{address}archives/{message.channel}/p{message.ts.replace('.', '')}"


def _shown(message: records.Message, asked: Json) -> Json:
    shown = message.as_payload()
    if not _true(asked.get("include_all_metadata")):
        shown.pop("metadata", None)
    return shown


def _true(value: object) -> bool:
    return value in (True, 1, "1", "true", "True")


def _metadata(metadata: Any) -> Json | None:
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not metadata.get("event_type") or not isinstance(metadata.get("event_payload"), dict):
        raise ApiError("invalid_metadata_format")
    if len(str(metadata)) > METADATA_BYTES:
        raise ApiError("metadata_too_large")
    return metadata
