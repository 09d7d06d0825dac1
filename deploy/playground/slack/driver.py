"""A person at the keyboard, for tests and stories: the same acts as on the page, with outcomes to assert on.

    outcome = await slack.driver.command(people.U_ANN, "/migrate shift api-name01 5% try it")
    card = await slack.driver.wait_for(lambda: next((m for m in slack.driver.messages() if "Approval" in m.words), None))
    await slack.driver.click(people.U_BOB, card, "approve")

Messages and views are immutable: keep one, let the app update it, click the old one, and you have a stale click.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from deploy.playground.slack import form_state, interactions, people, records, workspace

T = TypeVar("T")
# Most predicates look at Slack and are woken by it; some look at something else as well, so they are asked now and then.
LOOK_AGAIN = 0.2


class Driver:
    def __init__(self, space: workspace.Workspace, acts: interactions.Interactions, *, bot_name: str) -> None:
        self._space = space
        self._acts = acts
        self._bot_name = bot_name

    # Acts

    async def command(self, user: str, text: str, *, channel: str = people.C_MIGRATION) -> interactions.CommandOutcome:
        """Types `text`, e.g. "/migrate shift api-name01 5% reason", and waits for the acknowledgement or its deadline."""
        return await self._acts.command(user, text, channel=channel)

    async def mention(self, user: str, text: str, *, channel: str = people.C_MIGRATION, thread_ts: str | None = None) -> str:
        """Says `text` to the bot by mention (added in front where it is missing); the message's ts."""
        handle = f"@{self._bot_name}"
        addressed = text if handle in text else f"{handle} {text}"
        return self._acts.say(user, addressed, channel=channel, thread_ts=thread_ts).ts

    async def say(self, user: str, text: str, *, channel: str = people.C_MIGRATION, thread_ts: str | None = None) -> str:
        """Says `text` to whoever is in the channel; the message's ts. `channel=people.im_id(user)` is the app itself."""
        return self._acts.say(user, text, channel=channel, thread_ts=thread_ts).ts

    async def shortcut(self, user: str, callback_id: str, *, channel: str = people.C_MIGRATION) -> interactions.Outcome:
        return await self._acts.shortcut(user, callback_id, channel=channel)

    async def click(
        self,
        user: str,
        screen: records.Message | records.View,
        action_id: str,
        *,
        value: str | None = None,
        filled: Mapping[str, Any] | None = None,
        confirm: bool = True,
    ) -> interactions.ClickOutcome:
        """Presses the element whose action_id is `action_id`, or starts with it, on the screen exactly as given.

        `value` picks the option of a menu, or one of several buttons. A confirm dialog is answered as `confirm` says.
        `filled`: what else stands in the form's fields. A field of a form speaks up only where its block has `dispatch_action`.
        LookupError names what could have been pressed.
        """
        block, element = _element(screen, action_id, value)
        dialog = element.get("confirm")
        if dialog is not None and not confirm:
            return interactions.ClickOutcome(dialog=dialog, delivered=False)
        if block["type"] == "input" and not block.get("dispatch_action"):
            raise LookupError(f"{action_id!r} is a field that tells the app nothing before the form is submitted")
        others = form_state.addressed(screen.blocks, filled or {})
        outcome = await self._acts.click(user, screen, block, element, value=value, filled=others)
        return interactions.as_click(outcome, dialog=dialog)

    async def submit(self, user: str, view: str | records.View, values: Mapping[str, Any]) -> interactions.SubmitOutcome:
        """Fills the fields (named by block_id or action_id; options by value or label) and submits."""
        found = self._view(user, view)
        return await self._acts.submit(user, found, form_state.addressed(found.blocks, values))

    async def close_view(self, user: str, *, everything: bool = False) -> None:
        top = self.open_view(user)
        if top is not None:
            self._acts.close(user, top, everything=everything)

    async def open_home(self, user: str) -> None:
        """Opens the app's Home tab; the app publishes it when it hears of that."""
        self._acts.open_home(user)

    # What is on the screens

    def messages(self, channel: str = people.C_MIGRATION) -> list[records.Message]:
        """What the channel shows: messages, and replies that were sent to it as well."""
        return [message for message in self._space.messages(channel) if not message.is_reply or message.broadcast]

    def thread(self, channel: str, ts: str) -> list[records.Message]:
        return self._space.replies(channel, ts)

    def find(self, channel: str, ts: str) -> records.Message | None:
        """The message as it stands now."""
        return self._space.find(channel, ts)

    def history(self, channel: str, ts: str) -> list[records.Message]:
        """Every revision of the message, oldest first: what slower screens still show."""
        return self._space.revisions(channel, ts)

    def ephemerals(self, user: str) -> list[records.Message]:
        """What only this person sees, from the app and from Slack itself, oldest first."""
        return self._space.ephemerals(user)

    def home(self, user: str) -> records.View | None:
        return self._space.screens.home(user)

    def open_view(self, user: str) -> records.View | None:
        """The modal in front of this person."""
        return self._space.screens.top(user)

    async def wait_for(self, predicate: Callable[[], T | None], *, within: float = 10.0) -> T:
        """The predicate's first value that is neither None, False nor empty. TimeoutError shows the screens as they are then."""
        try:
            async with asyncio.timeout(within):
                while True:
                    version = self._space.changes.version
                    if found := predicate():
                        return found
                    await self._next_look(version)
        except TimeoutError:
            raise TimeoutError(f"not within {within} s; Slack shows:\n{self.screens()}") from None

    async def _next_look(self, version: int) -> None:
        try:
            async with asyncio.timeout(LOOK_AGAIN):
                await self._space.changes.after(version)
        except TimeoutError:
            return

    def screens(self) -> str:
        """Everything visible, as text."""
        lines = []
        for channel in self._space.channels.values():
            shown = self._space.messages(channel.id)[-20:]
            lines += [f"#{channel.name}"] if shown else []
            lines += [f"  {'> ' if m.is_reply else ''}{self._name(m.user)} (rev {m.revision}): {_once(m.words)}" for m in shown]
        for person in self._space.people.values():
            lines += [f"only {person.name} sees: {_once(message.words)}" for message in self.ephemerals(person.id)[-10:]]
            lines += [f"modal of {person.name}: {_once(view.words)}" for view in self._space.screens.stack(person.id)]
        return "\n".join(lines) or "nothing"

    def _name(self, user: str) -> str:
        return self._space.people[user].name if user in self._space.people else user

    def _view(self, user: str, view: str | records.View) -> records.View:
        wanted = view if isinstance(view, str) else view.id
        found = self._space.screens.find(view_id=wanted)
        if found is None or found.user != user:
            raise LookupError(f"{self._name(user)} has no open view {wanted}")
        return found


def _once(words: str) -> str:
    """Each line once: the fallback text of a message says what its blocks say."""
    return "\n      ".join(dict.fromkeys(words.splitlines()))


def _element(screen: records.Message | records.View, action_id: str, value: str | None) -> tuple[records.Json, records.Json]:
    listed = list(records.elements_of(screen.blocks))
    for fits in (str.__eq__, str.startswith):
        for block, element in listed:
            is_button = element["type"] in ("button", "workflow_button")
            if fits(element["action_id"], action_id) and (not is_button or value is None or element.get("value") == value):
                return block, element
    raise LookupError(
        f"nothing here is called {action_id!r} (value {value!r}); there is: {', '.join(screen.action_ids) or 'nothing'}"
    )
