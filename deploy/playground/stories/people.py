"""Persons in Slack, as a story needs them: they type, click and confirm, and the cluster says what became of it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bot.slack import buttons
from deploy.playground import laptop, objects
from deploy.playground.slack import people, records, server
from deploy.playground.stories import stored
from handlers.rules import migration
from k8s import client, errors, record_document

T = TypeVar("T")
ANN, BOB = people.U_ANN, people.U_BOB
_LOOK_AGAIN = 0.02  # seconds
_ANSWER = 15.0
_END = 60.0


class Stuck(Exception):
    """The story cannot go on: somebody was refused, or nothing came. One sentence; `screens`: what Slack showed then."""

    def __init__(self, sentence: str, screens: str = "") -> None:
        super().__init__(sentence)
        self.screens = screens


class Persons:
    """Who acts is named by Slack's user id. Every wait has a limit, and ends in Stuck. `slack`: where; the playground's own."""

    def __init__(self, playground: laptop.Playground, slack: server.SlackStandIn | None = None) -> None:
        self._playground = playground
        self._driver = (slack or playground.slack).driver
        self.because = ""  # why the operation that was waited for last ended as it did

    async def ask(self, user: str, text: str) -> records.Message:
        """Types a command that asks for a change: its card, with the button Approve or Confirm."""
        before, heard = self.posted(), self._heard(user)
        outcome = await self._driver.command(user, text)
        if not outcome.acknowledged:
            raise Stuck(f"Slack got no answer to {text!r}: {outcome.error}")
        try:
            return await self._driver.wait_for(lambda: self._asking(before), within=_ANSWER)
        except TimeoutError:
            said = [message.text for message in self._driver.ephemerals(user) if message.ts > heard]
            answer = " / ".join(said).replace("\n", " ") or "nothing"
            raise Stuck(f"{text!r} brought no card; it was answered with: {answer}", self._driver.screens()) from None

    def posted(self) -> frozenset[str]:
        """Every message of the channel so far, for `asked`."""
        return frozenset(message.ts for message in self._driver.messages())

    async def asked(self, before: frozenset[str], *, within: float) -> records.Message:
        """A card that Ferry posts by itself, later than these messages, and that waits for somebody. Raises Stuck."""
        try:
            return await self._driver.wait_for(lambda: self._asking(before), within=within)
        except TimeoutError:
            raise Stuck(f"no card asked for the next step within {within:g} s", self._driver.screens()) from None

    async def told(self, user: str, text: str) -> str:
        """Types a command that brings no card: what only this person is told. Raises Stuck."""
        await self._answered(user, text)
        return self._driver.ephemerals(user)[-1].words

    async def hears(self, *words: str, since: str = "", within: float) -> str | None:
        """The oldest message of the channel, threads too, later than `since` and with all these words in it, small or large.

        None: none came within so many seconds.
        """

        def found() -> str | None:
            later = (one.words for one in self._everything() if one.ts > since)
            return next((text for text in later if all(word.lower() in text.lower() for word in words)), None)

        try:
            return await self._driver.wait_for(found, within=within)
        except TimeoutError:
            return None

    def newest(self) -> str:
        """The timestamp of the newest message of the channel, threads too, for `hears`."""
        return max((one.ts for one in self._everything()), default="")

    def _everything(self) -> list[records.Message]:
        posted = self._driver.messages()
        return [message for one in posted for message in (one, *self._driver.thread(one.channel, one.ts))]

    def _asking(self, before: frozenset[str]) -> records.Message | None:
        found = [message for message in self._driver.messages() if message.ts not in before and message.from_bot]
        waiting = (buttons.Action.APPROVE, buttons.Action.CONFIRM)
        return next((one for one in found if any(action in one.action_ids for action in waiting)), None)

    async def press(self, user: str, card: records.Message, action: buttons.Action) -> None:
        """Clicks a button of the card as it stands now, and the dialog's confirm button where there is one."""
        screen = await self._shown(card, action)
        outcome = await self._driver.click(user, screen, action)
        if not outcome.acknowledged:
            raise Stuck(f"Slack got no answer to the button {action}: {outcome.error}")

    async def refused(self, user: str, card: records.Message, action: buttons.Action) -> str:
        """Clicks a button that is not for this person: what only they are told. Stuck if nothing is said."""
        heard = self._heard(user)
        await self.press(user, card, action)
        await self._seen(lambda: self._heard(user) > heard, f"a refusal of {action}")
        return self._driver.ephemerals(user)[-1].words

    async def approved_and_confirmed(self, card: records.Message, *, by: str = BOB, requester: str = ANN) -> str:
        """Approve by another person, Confirm by the requester. The operation's id."""
        operation = operation_of(card)
        await self.press(by, card, buttons.Action.APPROVE)
        await self.press(requester, card, buttons.Action.CONFIRM)
        return operation

    async def shift(self, service: str, weight: int, reason: str) -> migration.Outcome:
        """The whole road: asked by Ann, approved by Bob, confirmed by Ann, until it is decided."""
        card = await self.ask(ANN, f"/migrate shift {service} {weight}% {reason}")
        return await self.ended(service, await self.approved_and_confirmed(card))

    async def release(self, service: str, reason: str) -> migration.Outcome:
        """`safe-mode off`, by the same road."""
        card = await self.ask(ANN, f"/migrate safe-mode off {service} {reason}")
        return await self.ended(service, await self.approved_and_confirmed(card))

    async def typed(self, service: str, text: str) -> migration.Outcome:
        """The same road by the keyboard alone (`/migrate approve`, `/migrate confirm`): Slack lets a card be posted once a
        second, and a person who types need not wait for it."""
        before = (await self.operation(service)).get("id", "")
        await self._answered(ANN, text)
        await self._answered(BOB, f"/migrate approve {service}")
        await self._answered(ANN, f"/migrate confirm {service}")
        return await self.ended(service, await self._newer(service, before))

    async def _newer(self, service: str, before: str) -> str:
        try:
            async with asyncio.timeout(_END):
                while True:
                    found = str((await self.operation(service)).get("id", ""))
                    if found != before:
                        return found
                    await asyncio.sleep(_LOOK_AGAIN)
        except TimeoutError:
            sentence = f"no record of {service} was written within {_END:g} s after its confirmation"
            raise Stuck(sentence, self._driver.screens()) from None

    async def _answered(self, user: str, text: str) -> None:
        heard = self._heard(user)
        outcome = await self._driver.command(user, text)
        if not outcome.acknowledged:
            raise Stuck(f"Slack got no answer to {text!r}: {outcome.error}")
        await self._seen(lambda: self._heard(user) > heard, f"an answer to {text!r}")

    async def ended(self, service: str, operation: str) -> migration.Outcome:
        """Waits until the cluster says how the operation ended. One that was taken back has another record after its own."""
        last: Mapping[str, Any] = {}
        try:
            async with asyncio.timeout(_END):
                while True:
                    seen = await self._seen_record(service)
                    last = (seen.operation if seen else None) or {}
                    if last.get("id") != operation:  # what changes objects alone writes no record
                        last = next(iter(await stored.operations(self._playground, operation)), last)
                    if last.get("id") == operation and last["outcome"] != migration.Outcome.OPEN:
                        self.because = str(last.get("because", ""))
                        await self._playground.fleet.look()  # "done" is judged by what the proxies served then
                        return migration.Outcome(last["outcome"])
                    if seen and seen.record and seen.record.operation == f"{operation}-revert":
                        self.because = str(last.get("because", ""))
                        return migration.Outcome.REVERTED
                    await asyncio.sleep(_LOOK_AGAIN)
        except TimeoutError:
            sentence = f"operation {operation} was not decided within {_END:g} s; last seen {last.get('phase')}"
            raise Stuck(sentence, self._driver.screens()) from None

    async def operation(self, service: str) -> Mapping[str, Any]:
        """The signed document of the service's newest operation; nothing before the first."""
        seen = await self._seen_record(service)
        return dict((seen.operation if seen else None) or {})

    async def weight(self, service: str) -> int | None:
        """What the newest record of the service carries; None before the first."""
        seen = await self._seen_record(service)
        return seen.record.exposure.weight if seen is not None and seen.record is not None else None

    async def _seen_record(self, service: str) -> record_document.Sighting | None:
        try:
            found = await self._playground.api.get(client.CONFIG_MAPS, objects.NAMESPACE, f"migration-record-{service}")
        except errors.ClusterError:
            return None
        return record_document.read(found, self._playground.verifier)

    def _heard(self, user: str) -> str:
        """The timestamp of the newest message that only this person sees; they are as long as each other, and grow."""
        whispers = self._driver.ephemerals(user)
        return whispers[-1].ts if whispers else ""

    async def _shown(self, card: records.Message, action: buttons.Action) -> records.Message:
        def screen() -> records.Message | None:
            found = self._driver.find(card.channel, card.ts)
            return found if found is not None and action in found.action_ids else None

        return await self._seen(screen, f"the button {action}")

    async def _seen(self, look: Callable[[], T | None], what: str) -> T:
        try:
            return await self._driver.wait_for(look, within=_ANSWER)
        except TimeoutError:
            raise Stuck(f"{what} did not come within {_ANSWER:g} s", self._driver.screens()) from None


def operation_of(card: records.Message) -> str:
    """The id that the card's buttons carry. Raises Stuck."""
    for _, element in records.elements_of(card.blocks):
        if found := buttons.OPERATION_VALUE.fullmatch(str(element.get("value", ""))):
            return found[1]
    raise Stuck("the card carries no operation")
