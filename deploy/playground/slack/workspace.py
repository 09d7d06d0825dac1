"""The state of the workspace: people, channels, messages with their earlier revisions, what only one person sees, files."""

import copy
import dataclasses
import random
import string
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

from deploy.playground.slack import changes, clock, element_rules, people, records, screens

MESSAGES_KEPT = 1000
REVISIONS_KEPT = 40
EPHEMERALS_KEPT = 100


class Workspace:
    def __init__(
        self,
        *,
        persons: Sequence[people.Person],
        channels: Sequence[people.Channel],
        groups: Sequence[people.UserGroup],
        bot_name: str,
        time: clock.Clock,
    ) -> None:
        self.changes = changes.Changes()
        self.clock = time
        self.bot = people.Person(id=people.BOT_USER, name=bot_name, real_name=bot_name.title(), role="app", is_bot=True)
        self.people = {person.id: person for person in [*persons, self.bot]}
        self.groups = {group.id: group for group in groups}
        ims = [
            people.Channel(id=people.im_id(person.id), name=person.name, members=(person.id,), is_im=True) for person in persons
        ]
        self.channels = {channel.id: channel for channel in [*channels, *ims]}
        self.screens = screens.Screens(notify=self.changes.notify)
        self.files: dict[str, records.Json] = {}
        self._messages: dict[str, deque[records.Message]] = defaultdict(lambda: deque(maxlen=MESSAGES_KEPT))
        self._revisions: dict[tuple[str, str], deque[records.Message]] = {}
        self._ephemerals: dict[str, deque[records.Message]] = defaultdict(lambda: deque(maxlen=EPHEMERALS_KEPT))
        self._last_ts = 0
        # Seeded: the ids that Slack fills in are the same in every run of the same story.
        self._lots = random.Random(1)

    # Ids

    def next_ts(self) -> str:
        """A message's timestamp, which is also its id in the channel: unique and growing."""
        self._last_ts = max(self._last_ts + 1, int(self.clock.now() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def token(self, length: int = 5) -> str:
        return "".join(self._lots.choices(string.ascii_letters + string.digits, k=length))

    def with_ids(self, blocks: Sequence[records.Json]) -> tuple[records.Json, ...]:
        """A deep copy with block_id and action_id filled in wherever the app left them out, as Slack does."""
        filled = copy.deepcopy(list(blocks))
        for block in filled:
            block.setdefault("block_id", self.token())
            elements = [*block.get("elements", ()), block.get("accessory"), block.get("element")]
            for element in elements:
                if isinstance(element, dict) and element.get("type") in element_rules.INTERACTIVE:
                    element.setdefault("action_id", self.token())
        return tuple(filled)

    # Messages

    def post(self, message: records.Message) -> records.Message:
        self._messages[message.channel].append(message)
        self._keep_revision(message)
        self.changes.notify()
        return message

    def replace(self, message: records.Message, **different: Any) -> records.Message:
        """The message with some fields changed, one revision later."""
        newer = dataclasses.replace(message, revision=message.revision + 1, **different)
        shelf = self._ephemerals[message.ephemeral_for] if message.ephemeral_for else self._messages[message.channel]
        for place, known in enumerate(shelf):
            if known.ts == message.ts:
                shelf[place] = newer
        self._keep_revision(newer)
        self.changes.notify()
        return newer

    def remove(self, message: records.Message) -> None:
        shelf = self._ephemerals[message.ephemeral_for] if message.ephemeral_for else self._messages[message.channel]
        for known in [known for known in shelf if known.ts == message.ts]:
            shelf.remove(known)
        self._revisions.pop((message.channel, message.ts), None)
        self.changes.notify()

    def messages(self, channel: str) -> list[records.Message]:
        return list(self._messages[channel])

    def find(self, channel: str, ts: str) -> records.Message | None:
        return next((message for message in self._messages[channel] if message.ts == ts), None)

    def replies(self, channel: str, ts: str) -> list[records.Message]:
        return [message for message in self._messages[channel] if message.is_reply and message.thread_ts == ts]

    def revisions(self, channel: str, ts: str) -> list[records.Message]:
        """Every kept revision of a message, oldest first."""
        return list(self._revisions.get((channel, ts), ()))

    def _keep_revision(self, message: records.Message) -> None:
        key = (message.channel, message.ts)
        if key not in self._revisions and len(self._revisions) >= 2 * MESSAGES_KEPT:
            del self._revisions[next(iter(self._revisions))]
        self._revisions.setdefault(key, deque(maxlen=REVISIONS_KEPT)).append(message)

    # What only one person sees

    def whisper(self, message: records.Message) -> records.Message:
        """Shows it to one person. In a thread that nobody has replied in, Slack takes it and shows it to nobody."""
        if message.ephemeral_for is None:
            raise ValueError("a whisper needs `ephemeral_for`: who is to see it")
        if message.is_reply and not self.replies(message.channel, str(message.thread_ts)):
            return message
        self._ephemerals[message.ephemeral_for].append(message)
        self._keep_revision(message)
        self.changes.notify()
        return message

    def ephemerals(self, user: str) -> list[records.Message]:
        return list(self._ephemerals[user])

    def ephemeral(self, user: str, ts: str) -> records.Message | None:
        return next((message for message in self._ephemerals[user] if message.ts == ts), None)

    # People and places

    def sees(self, user: str, channel: str) -> bool:
        found = self.channels.get(channel)
        return found is not None and user in found.members

    def channel_named(self, text: str) -> people.Channel | None:
        """By id, `#name`, or a person's id (their direct conversation with the app)."""
        if text in self.people:
            return self.channels.get(people.im_id(text))
        name = text.removeprefix("#")
        return self.channels.get(text) or next((c for c in self.channels.values() if c.name == name and not c.is_im), None)
