"""What was pressed, carried out. A button says which operation or service; everything else is looked up, and checked, here.

A click can come from a card that is hours old, or from a message that only looks like one: for a decision the message must be
the operation's own card, or the Home tab, which nobody but Ferry can draw. Afterwards the card is shown again, so that a
stale one heals.
"""

import asyncio

from bot.slack import answer_cards, buttons, card_parts, dialogs, origins, replies, use_cases, wanted
from bot.slack.asking import Asking
from bot.slack.commands import Commands
from handlers import answers, messages
from handlers.rules import effects, migration

_LATEST = 2.0  # seconds that the store may take to know a card that Slack shows already
_LOOK_AGAIN = 0.05

Action = buttons.Action
Shown = card_parts.Shown


class Clicks:
    def __init__(self, behind: use_cases.Behind, commands: Commands, private: replies.Replies) -> None:
        self._behind = behind
        self._front = behind.front
        self._commands = commands
        self._private = private

    async def about_service(self, click: buttons.ServiceClick, by: Asking) -> Shown | None:
        """None: nothing to say. The Home tab's refresh is the listeners' business."""
        match click.action:
            case Action.HOLD:
                return await self._commands.holding.hold(click.service, by)
            case Action.RELEASE:
                return await self._commands.holding.release(click.service, by)
            case Action.PAUSE:
                return await self._commands.run(wanted.Pause(click.service), by)
            case Action.RESUME:
                return await self._commands.run(wanted.Resume(click.service), by)
            case Action.STATUS:
                service = "" if click.service == buttons.ALL else click.service
                return await self._commands.run(wanted.Status(service), by)
            case _:
                return None

    async def about_page(self, click: buttons.PageClick, by: Asking) -> Shown:
        """Another page of a list, made anew: it may have moved on meanwhile."""
        if not by.known.member:
            return await self._commands.names.turned_away("", by)
        if click.action is Action.PROPOSALS:
            return await self._commands.journey.discovered(by, part=click.part, page=click.page)
        return await self._commands.list(by, page=click.page)

    async def about_found(self, click: buttons.FoundClick, by: Asking) -> Shown | None:
        """A proposal is accepted as it was shown, or its form is opened."""
        if not by.known.member:
            return await self._commands.names.turned_away("", by)
        journey = self._commands.journey
        if click.action is Action.ACCEPT:
            name = "" if click.name == buttons.ALL else click.name
            return await journey.accept(by, seen=click.seen, part=click.part, name=name)
        form = await journey.proposal(click.name, by)
        return form if isinstance(form, Shown) else await self._open(form, by)

    async def about_operation(self, click: buttons.OperationClick, by: Asking) -> Shown | None:
        """None: the card itself, or the view that was opened, is the answer."""
        operation = await self._front.operation(click.operation)
        if not by.known.member:
            return await self._commands.names.turned_away(operation.plan.service if operation else "", by)
        if operation is None:
            return answer_cards.forgotten_card(by.words)
        if click.action is Action.DETAILS:
            return await self._open(dialogs.details_view(operation, by.words, self._front.keys(operation.plan)), by)
        if not (by.origin.in_home or await self._is_its_card(operation, by.origin)):
            return await self._elsewhere(operation, by)
        if click.action is Action.REJECT and operation.outcome is migration.Outcome.OPEN:
            return await self._open(dialogs.reject_view(operation.id, operation.revision, by.words), by)
        return await self._decided(self._message(click, operation, by), operation, by)

    async def rejected(self, click: buttons.OperationClick, reason: str, by: Asking) -> Shown | None:
        """The reason was given."""
        operation = await self._front.operation(click.operation)
        if not by.known.member:
            return await self._commands.names.turned_away(operation.plan.service if operation else "", by)
        if operation is None:
            return answer_cards.forgotten_card(by.words)
        message = messages.Reject(**by.command(operation.plan.service), operation=operation.id, reason=reason)
        return await self._decided(message, operation, by)

    def _message(self, click: buttons.OperationClick, operation: migration.Operation, by: Asking) -> messages.Command:
        said = by.command(operation.plan.service)
        match click.action:
            case Action.APPROVE:
                return messages.Approve(**said, operation=operation.id, revision=click.revision)
            case Action.CONFIRM:
                return messages.Confirm(**said, operation=operation.id)
            case _:
                return messages.Reject(**said, operation=operation.id)

    async def _decided(self, message: messages.Command, operation: migration.Operation, by: Asking) -> Shown | None:
        answer: answers.Answer = await self._front.handle(message)
        if answer.refusal is None:
            return None
        newest = answer.operation
        await self._behind.chat.show(newest if newest is not None and newest.id == operation.id else operation)
        return answer_cards.answer_card(answer, by.words)

    async def _open(self, view: card_parts.Block, by: Asking) -> Shown | None:
        if not (why := await self._private.open_view(by.origin, view)):
            return None
        because = by.words.plain("click.too_late") if why.endswith("_trigger_id") else why
        return answer_cards.sentence_card(by.words.plain("click.no_window", because=because), by.words)

    async def _is_its_card(self, operation: migration.Operation, origin: origins.Origin) -> bool:
        """A card can be pressed as soon as Slack shows it, which is a moment before its place is known here."""
        for _ in range(round(_LATEST / _LOOK_AGAIN)):
            if (card := await self._behind.cards.find(operation.id)) is not None:
                return (card.channel, card.ts) == (origin.channel, origin.ts)
            await asyncio.sleep(_LOOK_AGAIN)
        return False

    async def _elsewhere(self, operation: migration.Operation, by: Asking) -> Shown:
        service = operation.plan.service
        tried = f"pressed a button on a message that is not the card of the request for {service}"
        event = effects.AuditEvent(effects.EventKind.REFUSED, by.person.id, service, operation.id, tried, messages.Source.SLACK)
        await self._behind.audit.record(event)
        await self._behind.chat.show(operation)
        return answer_cards.sentence_card(by.words.plain("click.elsewhere", service=service), by.words)
