"""From a parsed request to its answer: who asks, carry it out, tell them. Runs after Slack has its acknowledgement.

Nothing raises out of here: an edge that is away becomes a sentence for whoever asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from bot.slack import (
    answer_cards,
    asking,
    buttons,
    card_parts,
    clicks,
    commands,
    home_view,
    origins,
    parsing,
    people,
    replies,
    shift_form,
    use_cases,
    words,
)
from handlers import errors, messages
from handlers.rules import effects
from k8s import errors as cluster_errors
from k8s import model

MOST_REMEMBERED = 2_000
PREFILL_SECONDS = 1.5  # a form must open, and change, while somebody looks at it
Shown = card_parts.Shown
_log = structlog.get_logger("ferry.slack")


class Reception:
    """`channels`: ids of those where changes are heard. The Home tab has none of its own: it is drawn as in the first."""

    def __init__(
        self, behind: use_cases.Behind, persons: people.People, private: replies.Replies, *, channels: tuple[str, ...]
    ) -> None:
        self._behind = behind
        self._people = persons
        self._private = private
        self._channels = channels
        self._commands = commands.Commands(behind, channels=channels)
        self._clicks = clicks.Clicks(behind, self._commands, private)
        self._heard: dict[str, None] = {}

    def words_for(self, user: str) -> words.Words:
        return words.nearest(self._people.locale_of(user))

    async def typed(self, asked: parsing.Asked, origin: origins.Origin) -> None:
        async def carried_out() -> Shown:
            if commands.lowers(asked):
                by = await self._lowering(origin)
            else:
                by = await self._asking(origin, fresh=isinstance(asked, parsing.ApproveAsked))
            return await self._commands.run(asked, by)

        await self._answered(origin, carried_out)

    async def mentioned(self, text: str, origin: origins.Origin) -> None:
        """A mention or a direct message. Slack may deliver it twice; it is acted on once."""
        try:
            asked = parsing.parse(text)
        except parsing.UsageError as error:
            if await self._first_time(origin.id):
                await self._private.answer(origin, answer_cards.usage_card(error, self.words_for(origin.user)))
                await self.mistyped(error, origin)
            return
        # A hold is one however often it is ordered, so it waits for nobody's memory.
        if self._new_here(origin.id) and (commands.lowers(asked) or await self._first_anywhere(origin.id)):
            await self.typed(asked, origin)

    async def mistyped(self, error: parsing.UsageError, origin: origins.Origin) -> None:
        """Whoever typed it has their answer; what remains is that it was tried."""
        await self._refused(f"typed what is no command: {error.sentence}", origin)

    async def pressed(self, action_id: object, value: object, origin: origins.Origin) -> None:
        async def carried_out() -> Shown | None:
            try:
                click = buttons.decode(action_id, value)
            except buttons.ButtonError as error:
                return await self._not_ours(str(error), origin)
            if isinstance(click, buttons.OperationClick):
                there = origins.moved(origin, self._channels[0]) if origin.in_home else origin  # as the tab was drawn
                by = await self._asking(there, fresh=click.action is buttons.Action.APPROVE)
                return await self._clicks.about_operation(click, by)
            return await self._about_all(click, origin)

        await self._answered(origin, carried_out)
        if origin.in_home:
            await self.home(origin)

    async def _about_all(
        self, click: buttons.ServiceClick | buttons.PageClick | buttons.FoundClick, origin: origins.Origin
    ) -> Shown | None:
        """What is about no operation."""
        if click.action is buttons.Action.REFRESH:
            return None
        if click.action is buttons.Action.SHIFT:
            await self.shift_form(origin)
            return None
        there = origins.moved(origin, self._channels[0]) if origin.in_home else origin  # as the tab was drawn
        if isinstance(click, buttons.PageClick):
            return await self._clicks.about_page(click, await self._lowering(there))
        if isinstance(click, buttons.FoundClick):
            return await self._clicks.about_found(click, await self._asking(there))
        lowering = click.action in (buttons.Action.HOLD, buttons.Action.PAUSE)
        return await self._clicks.about_service(click, await (self._lowering(there) if lowering else self._asking(there)))

    async def adjusted(self, name: str, text: str, origin: origins.Origin) -> None:
        """The form of a proposal was submitted; it has no channel, and is answered in the first where changes are heard."""
        there = origins.moved(origin, self._channels[0])

        async def carried_out() -> Shown:
            return await self._commands.journey.accept_adjusted(name, text, await self._asking(there))

        await self._answered(there, carried_out)

    async def rejected(self, click: buttons.OperationClick, reason: str, origin: origins.Origin) -> None:
        """The reject view was submitted; it belongs where the card is."""
        card = await self._behind.cards.find(click.operation)
        there = origins.moved(origin, card.channel if card else "")

        async def carried_out() -> Shown | None:
            return await self._clicks.rejected(click, reason, await self._asking(there, fresh=True))

        await self._answered(there, carried_out)

    async def home(self, origin: origins.Origin) -> None:
        async def drawn() -> Shown | None:
            by = await self._asking(origins.moved(origin, self._channels[0]))
            view = {"type": "home", "blocks": answer_cards.refusal_card(by.turned_away(""), by.words).blocks}
            if by.known.member:
                overview = await self._behind.front.overview()
                events = await self._last_events()
                view = home_view.home(overview, by.person, by.words, at=by.at, events=events)
            await self._private.publish_home(origin.user, view)
            return None

        await self._answered(origin, drawn)

    async def _last_events(self) -> Sequence[tuple[datetime, effects.AuditEvent]]:
        """Convenient: without them the tab has everything to decide by."""
        try:
            return await self._behind.events("", home_view.MOST_EVENTS) if self._behind.events else ()
        except errors.Away as error:
            _log.info("the Home tab shows no events", why=str(error))
            return ()

    async def shift_form(self, origin: origins.Origin) -> None:
        """The global shortcut: the form, or why there is none. A view has to open within three seconds of the click."""
        by = await self._lowering(origin)
        names = self._behind.front.names()
        if by.known.member and names:
            only = names[0] if len(names) == 1 else ""
            chosen = shift_form.Chosen(only, await self._present(only))
            await self._private.open_view(origin, shift_form.shift_view(names, by.words, chosen))
            return
        card = answer_cards.help_card(by.words)
        if not by.known.member:
            card = answer_cards.refusal_card(by.turned_away(""), by.words)
        title = card_parts.plain_text("Ferry", 24)
        close = card_parts.plain_text(by.words.plain("dialog.close"), 24)
        await self._private.open_view(origin, {"type": "modal", "title": title, "close": close, "blocks": card.blocks})

    async def form_changed(self, view: Mapping[str, Any], origin: origins.Origin, *, strategy_chosen: bool) -> None:
        """A service or a strategy was chosen in the form: the fields that belong to it, filled with what is in force."""
        names = self._behind.front.names()
        service = self._behind.front.find(shift_form.chosen_service(view)) or ""
        strategy = shift_form.chosen_strategy(view) if strategy_chosen else None
        chosen = shift_form.Chosen(service, await self._present(service), strategy)
        if names:
            await self._private.update_view(view, shift_form.shift_view(names, self.words_for(origin.user), chosen))

    async def _present(self, service: str) -> model.Exposure | None:
        """What is in force, or would be by the document; None where nobody can say at once: the form then asks for no change."""
        try:
            async with asyncio.timeout(PREFILL_SECONDS):
                found = await self._behind.front.status(service) if service else None
        except (errors.Away, cluster_errors.ClusterError, TimeoutError) as error:
            _log.info("the form is not filled with what is in force", service=service, why=str(error) or type(error).__name__)
            return None
        if found is None or not found.synced:
            return None
        return found.exposure or (found.wished.exposure if found.wished else None)

    async def filled_in(self, asked: parsing.Shift, origin: origins.Origin) -> None:
        """The form was submitted. It has no channel: it counts, and is answered, in the first where changes are heard."""
        await self.typed(asked, origins.moved(origin, self._channels[0]))

    async def _asking(self, origin: origins.Origin, *, fresh: bool = False) -> asking.Asking:
        known = await self._people.person_of(origin.user, origin.team, origin.channel, fresh=fresh, shared=origin.shared)
        return asking.Asking(origin, known, self._behind.clock.now(), words.nearest(known.person.locale))

    async def _lowering(self, origin: origins.Origin) -> asking.Asking:
        known = await self._people.person_lowering(origin.user, origin.team)
        return asking.Asking(origin, known, self._behind.clock.now(), words.nearest(known.person.locale))

    async def _answered(self, origin: origins.Origin, work: Callable[[], Awaitable[Shown | None]]) -> None:
        told = self.words_for(origin.user)
        try:
            shown = await work()
        except (errors.Away, cluster_errors.ClusterError) as error:
            why = words.sentence(str(error).rstrip("."), 1_500)
            shown = answer_cards.told_card(told.live("said.not_done", error=why))
        except Exception:  # noqa: BLE001 - whoever asked must hear that it failed, whatever it was
            _log.exception("a request failed", origin=repr(origin))
            shown = answer_cards.told_card(told.live("said.failed"))
        if shown is not None:
            await self._private.answer(origin, shown)

    async def _not_ours(self, sentence: str, origin: origins.Origin) -> Shown:
        await self._refused("pressed a button whose value Ferry did not make", origin)
        return answer_cards.sentence_card(sentence, self.words_for(origin.user))

    async def _refused(self, tried: str, origin: origins.Origin) -> None:
        who = f"slack:{origin.team}/{origin.user}"
        await self._behind.audit.record(effects.AuditEvent(effects.EventKind.REFUSED, who, "", "", tried, messages.Source.SLACK))

    async def _first_time(self, event: str) -> bool:
        return self._new_here(event) and await self._first_anywhere(event)

    def _new_here(self, event: str) -> bool:
        if event in self._heard:
            return False
        self._heard[event] = None
        if len(self._heard) > MOST_REMEMBERED:
            del self._heard[next(iter(self._heard))]
        return True

    async def _first_anywhere(self, event: str) -> bool:
        """Over all replicas; while the store is away, this one's own memory has to do."""
        try:
            return await self._behind.seen.first_time(f"heard:{event}")
        except errors.Away as away:
            _log.info("whether another replica heard this is not known", why=str(away))
            return True
