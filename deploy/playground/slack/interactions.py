"""What a person can do in the client: type, press, submit, close, open. Each act becomes a delivery; outcomes are values."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.playground.slack import (
    deliveries,
    form_state,
    grants,
    manifest,
    modal_answers,
    payloads,
    people,
    posting,
    records,
    typed_text,
    workspace,
)

Json = dict[str, Any]
NEXT_STEP = {
    "operation_timeout": "the app did not answer within 3 seconds",
    "dispatch_failed": "the app is not connected",
    "connection_failed": "the app's address refuses the connection",
    "http_error": "the app answered with an error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the app took an act. `error` is Slack's word (operation_timeout, …) and empty when acknowledged in time."""

    error: str = ""
    milliseconds: float = 0.0
    payload: Json | None = None

    @property
    def acknowledged(self) -> bool:
        return not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOutcome(Outcome):
    """`text` and `blocks` are what the app said in the acknowledgement itself; later answers are messages."""

    @property
    def text(self) -> str:
        return str((self.payload or {}).get("text", ""))

    @property
    def blocks(self) -> list[Json]:
        return list((self.payload or {}).get("blocks", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickOutcome(Outcome):
    """`dialog` is the confirm dialog that was shown; `delivered` is False when the person pressed its deny button."""

    dialog: Json | None = None
    delivered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOutcome(Outcome):
    """`errors` maps block_id to the sentence beside the field, from the client itself or from the app."""

    errors: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False


class Interactions:
    def __init__(
        self,
        *,
        space: workspace.Workspace,
        sender: deliveries.Deliveries,
        app: manifest.AppManifest,
        triggers: grants.Triggers,
        response_urls: grants.ResponseUrls,
        response_address: Callable[[str], str],
    ) -> None:
        self._space = space
        self._sender = sender
        self._app = app
        self._triggers = triggers
        self._response_urls = response_urls
        self._address = response_address

    async def command(self, user: str, text: str, *, channel: str) -> CommandOutcome:
        """A line that starts with a slash. The line itself appears nowhere: in Slack a command is not a message."""
        name, _, rest = text.strip().partition(" ")
        known = self._app.command(name) if "commands" in self._app.scopes else None
        if known is None:
            posting.slackbot(
                self._space, user=user, channel=channel, text=f"`{typed_text.escaped(name)}` is not a valid command."
            )
            return CommandOutcome(error="unknown_command")
        place = self._space.channels[channel]
        secret = self._response_urls.issue(user=user, channel=channel)
        payload = payloads.slash_command(
            command=name,
            text=self._encoded(rest.strip(), with_names=True) if known.should_escape else rest.strip(),
            user=self._space.people[user],
            channel=place,
            trigger_id=self._triggers.issue(user),
            url=self._address(secret),
        )
        ack = await self._sender.deliver("slash_commands", payload)
        if ack.error:
            self._complain(user, channel, f'`{name}` failed with the error "{ack.error}"', ack.error)
        elif ack.payload:
            grant = grants.ResponseUrl(user=user, channel=channel, expires=0, source=None, thread_ts=None)
            refused = posting.post(self._space, grant, ack.payload)
            if refused:
                self._complain(user, channel, f"`{name}` answered with something Slack cannot show", refused)
                return CommandOutcome(error=refused, milliseconds=ack.milliseconds, payload=ack.payload)
        return CommandOutcome(error=ack.error, milliseconds=ack.milliseconds, payload=ack.payload)

    def say(self, user: str, text: str, *, channel: str, thread_ts: str | None = None) -> records.Message:
        """An ordinary message. It reaches the app when it mentions the bot, or is addressed to it directly."""
        message = self._space.post(
            records.Message(
                channel=channel,
                ts=self._space.next_ts(),
                user=user,
                text=self._encoded(text, with_names=False),
                thread_ts=thread_ts,
            ),
        )
        place, author = self._space.channels[channel], self._space.people[user]
        mentioned = f"<@{people.BOT_USER}>" in message.text
        if place.is_im and "message.im" in self._app.events and "im:history" in self._app.scopes:
            self._sender.publish(payloads.message_event(message, kind="message", channel=place, author=author))
        elif mentioned and not place.is_im and "app_mention" in self._app.events and "app_mentions:read" in self._app.scopes:
            # Where the app is not a member Slack offers to invite it; the app hears nothing.
            if place.has_bot:
                event = payloads.message_event(message, kind="app_mention", channel=place, author=author)
                self._sender.publish(event, shared=place.is_ext_shared)
            else:
                posting.slackbot(
                    self._space,
                    user=user,
                    channel=channel,
                    text=f"{self._app.name} is not in this channel and did not see this.",
                )
        return message

    async def click(
        self,
        user: str,
        screen: records.Message | records.View,
        block: Json,
        element: Json,
        *,
        value: Any = None,
        filled: Any = None,
    ) -> Outcome:
        """Presses `element` on `screen` as that screen showed it; confirm dialogs are the caller's business."""
        action = form_state.action(block, element, value=value, action_ts=self._space.next_ts())
        person = self._space.people[user]
        chosen = {} if element["type"] in ("button", "overflow") else {(block["block_id"], element["action_id"]): value}
        if isinstance(screen, records.View):
            state = form_state.state_of(screen.blocks, {**(filled or {}), **chosen})
            seen = self._space.screens.replace(screen, state=state) if screen.kind == "modal" else screen
            trigger_id = self._triggers.issue(user, view=seen if seen.kind == "modal" else None)
            payload = payloads.click_on_view(user=person, view=seen, action=action, trigger_id=trigger_id)
        else:
            payload = payloads.click_on_message(
                user=person,
                channel=self._space.channels[screen.channel],
                message=screen,
                action=action,
                state=form_state.state_of(screen.blocks, {**(filled or {}), **chosen}),
                trigger_id=self._triggers.issue(user),
                url=self._address(self._response_urls.issue(user=user, channel=screen.channel, source=screen)),
            )
        ack = await self._sender.deliver("interactive", payload)
        if ack.error and isinstance(screen, records.Message):
            self._complain(user, screen.channel, f'That did not work: "{ack.error}"', ack.error, thread_ts=screen.thread_ts)
        return Outcome(error=ack.error, milliseconds=ack.milliseconds, payload=ack.payload)

    async def submit(self, user: str, view: records.View, filled: form_state.Filled) -> SubmitOutcome:
        complaints = form_state.complaints(view.blocks, filled)
        if complaints:
            return SubmitOutcome(error="incomplete", errors=complaints)
        view = self._space.screens.replace(view, state=form_state.state_of(view.blocks, filled))
        trigger_id = self._triggers.issue(user, view=view)
        payload = payloads.submission(user=self._space.people[user], view=view, trigger_id=trigger_id)
        ack = await self._sender.deliver("interactive", payload)
        if ack.error:
            return SubmitOutcome(error=ack.error, milliseconds=ack.milliseconds)
        answer = modal_answers.apply(self._space, view, ack.payload or {})
        return SubmitOutcome(
            error=answer.error,
            milliseconds=ack.milliseconds,
            payload=ack.payload,
            errors=answer.errors,
            closed=answer.closed,
        )

    def close(self, user: str, view: records.View, *, everything: bool = False) -> None:
        """The cross, or Cancel: the modal is gone; the app hears of it where it asked to."""
        for closed in self._space.screens.close(view, everything=everything):
            if closed.body.get("notify_on_close"):
                payload = payloads.closing(user=self._space.people[user], view=closed, is_cleared=everything)
                self._sender.in_background(self._sender.deliver("interactive", payload))

    def open_home(self, user: str, *, tab: str = "home") -> None:
        if "app_home_opened" in self._app.events:
            home = self._space.screens.home(user)
            self._sender.publish(
                payloads.home_opened(user=user, channel=people.im_id(user), tab=tab, view=home, ts=self._space.next_ts()),
            )

    async def shortcut(self, user: str, callback_id: str, *, channel: str) -> Outcome:
        payload = payloads.shortcut(
            user=self._space.people[user],
            callback_id=callback_id,
            trigger_id=self._triggers.issue(user),
            action_ts=self._space.next_ts(),
        )
        ack = await self._sender.deliver("interactive", payload)
        if ack.error:
            self._complain(user, channel, f'The shortcut failed with the error "{ack.error}"', ack.error)
        return Outcome(error=ack.error, milliseconds=ack.milliseconds, payload=ack.payload)

    def dismiss(self, message: records.Message) -> None:
        self._space.remove(message)

    def _encoded(self, text: str, *, with_names: bool) -> str:
        space = self._space
        return typed_text.as_sent(
            text,
            persons=space.people.values(),
            channels=space.channels.values(),
            groups=space.groups.values(),
            with_names=with_names,
        )

    def _complain(self, user: str, channel: str, sentence: str, error: str, *, thread_ts: str | None = None) -> None:
        why = NEXT_STEP.get(error, "nothing is known about why")
        posting.slackbot(self._space, user=user, channel=channel, text=f"{sentence}: {why}.", thread_ts=thread_ts)


def as_click(outcome: Outcome, *, dialog: Json | None) -> ClickOutcome:
    return ClickOutcome(**{part.name: getattr(outcome, part.name) for part in dataclasses.fields(Outcome)}, dialog=dialog)
