"""What Slack sends, acknowledged at once and handed on as a task: no decision, no word, nothing that waits."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot.slack import answer_cards, buttons, dialogs, discover_cards, origins, parsing, reception, shift_form
from handlers import tasks

Ack = Callable[..., Awaitable[Any]]
Body = Mapping[str, Any]
COMMAND = "/migrate"
SHORTCUT = "shift"
ANY = re.compile("")


class Listeners:
    def __init__(self, desk: reception.Reception, work: tasks.Tasks) -> None:
        self._desk = desk
        self._work = work

    def listen(self, app: AsyncApp) -> None:
        app.command(COMMAND)(self.command)
        app.action(shift_form.CHANGED)(self.form_changed)  # before the next line: the first that fits is called
        app.action(ANY)(self.click)  # those of older versions too: a kind sentence is better than Slack's warning sign
        app.view(dialogs.REJECT)(self.rejected)
        app.view(shift_form.VIEW)(self.filled_in)
        app.view(discover_cards.VIEW)(self.adjusted)
        app.shortcut(SHORTCUT)(self.shortcut)
        app.event("app_mention")(self.mention)
        app.event("message")(self.direct)
        app.event("app_home_opened")(self.home)

    async def command(self, ack: Ack, body: Body) -> None:
        origin = origins.of_command(body)
        try:
            asked = parsing.parse(str(body.get("text") or ""))
        except parsing.UsageError as error:
            shown = answer_cards.usage_card(error, self._desk.words_for(origin.user))
            await ack(text=shown.text, blocks=shown.blocks)
            self._work.start(self._desk.mistyped(error, origin), name="mistyped")
            return
        await ack()
        self._work.start(self._desk.typed(asked, origin), name="command")

    async def click(self, ack: Ack, body: Body, action: Body) -> None:
        await ack()
        work = self._desk.pressed(action.get("action_id"), action.get("value"), origins.of_click(body))
        self._work.start(work, name="click")

    async def rejected(self, ack: Ack, body: Body, view: Body) -> None:
        try:
            click, reason = dialogs.rejection(view)
        except buttons.ButtonError as error:
            await ack(response_action="errors", errors={dialogs.REASON_BLOCK: str(error)})
            return
        await ack()
        self._work.start(self._desk.rejected(click, reason, origins.of_view(body)), name="rejection")

    async def shortcut(self, ack: Ack, body: Body) -> None:
        await ack()
        self._work.start(self._desk.shift_form(origins.of_shortcut(body)), name="shortcut")

    async def form_changed(self, ack: Ack, body: Body, action: Body) -> None:
        await ack()
        strategy_chosen = str(action.get("action_id", "")).endswith(shift_form.STRATEGY)
        view = body.get("view")
        if isinstance(view, Mapping):
            work = self._desk.form_changed(view, origins.of_view(body), strategy_chosen=strategy_chosen)
            self._work.start(work, name="shift form changed")

    async def filled_in(self, ack: Ack, body: Body, view: Body) -> None:
        origin = origins.of_view(body)
        try:
            asked = shift_form.asked(view, self._desk.words_for(origin.user))
        except shift_form.FormError as error:
            await ack(response_action="errors", errors=error.wrong)
            return
        await ack()
        self._work.start(self._desk.filled_in(asked, origin), name="shift form")

    async def adjusted(self, ack: Ack, body: Body, view: Body) -> None:
        """What cannot be an entry is said in the form, where it can be mended."""
        origin = origins.of_view(body)
        name, text = discover_cards.adjusted(view)
        if wrong := discover_cards.wrong(text, self._desk.words_for(origin.user)):
            await ack(response_action="errors", errors={discover_cards.TEXT_BLOCK: wrong})
            return
        await ack()
        self._work.start(self._desk.adjusted(name, text, origin), name="discovered service")

    async def mention(self, body: Body, event: Body) -> None:
        if not _by_a_person(event):
            return
        self._work.start(self._desk.mentioned(str(event.get("text") or ""), origins.of_event(body)), name="mention")

    async def direct(self, body: Body, event: Body) -> None:
        """Only conversations with the app itself; whatever else is said in channels is not for Ferry."""
        if event.get("channel_type") == "im" and _by_a_person(event):
            await self.mention(body, event)

    async def home(self, body: Body, event: Body) -> None:
        if event.get("tab", "home") == "home":
            self._work.start(self._desk.home(origins.home_of(origins.of_event(body))), name="home")


def _by_a_person(event: Body) -> bool:
    """Not a bot's, and no edit or notice: what was once obeyed is not obeyed again because somebody mended its spelling."""
    return bool(event.get("user")) and not (event.get("bot_id") or event.get("edited") or event.get("subtype"))
