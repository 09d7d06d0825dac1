"""Writes one operation's card and its thread: posted once, then updated, the newest state only, never too often."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from bot.slack import card_parts, outgoing
from bot.slack.words import foreign
from handlers import ports
from handlers.rules import migration

MOST_LINES = 50
LONGEST_TEXT = 3_000  # chat.update takes 4,000; the text is already escaped, so it is cut well before
ACTIVE_SECONDS = 60.0
SHARE = 1.25  # seconds for each active card: 48 updates a minute of the 50 that Slack allows an app
TOO_MUCH = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "metadata_too_large"})
GONE = frozenset(
    {"message_not_found", "channel_not_found", "is_archived", "cant_update_message", "edit_window_closed", "not_in_channel"}
)
_log = structlog.get_logger("ferry.slack")

Draw = Callable[[migration.Operation], card_parts.Shown]


class Cards(Protocol):
    """Where cards are: `bot.store.cards.RedisCards`."""

    async def find(self, operation_id: str) -> migration.Card | None: ...

    async def keep(self, operation_id: str, card: migration.Card) -> None: ...

    async def operation_at(self, channel: str, ts: str) -> str | None: ...


class Pace:
    """How long between two updates of one card: all cards of the app share one limit, so it grows with their number."""

    def __init__(self, clock: ports.Clock, least: float) -> None:
        self._clock = clock
        self._least = least
        self._written: dict[str, float] = {}
        self.hurry = asyncio.Event()  # set: no pauses, everything is about to end

    def wrote(self, operation_id: str) -> None:
        now = self._clock.monotonic()
        self._written = {one: at for one, at in self._written.items() if now - at < ACTIVE_SECONDS} | {operation_id: now}

    async def wait(self, operation_id: str) -> None:
        last = self._written.get(operation_id)
        if last is None or self.hurry.is_set() or (seconds := last + self.spacing - self._clock.monotonic()) <= 0:
            return
        either = {asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(self.hurry.wait())}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in either:
                one.cancel()

    @property
    def spacing(self) -> float:
        return max(1.0, SHARE * len(self._written)) * self._least


class CardWriter:
    """`channels`: where the card may be, best first."""

    def __init__(
        self,
        operation: migration.Operation,
        *,
        out: outgoing.Outgoing,
        cards: Cards,
        pace: Pace,
        draw: Draw,
        channels: Sequence[str],
    ) -> None:
        self._id = operation.id
        self._out = out
        self._cards = cards
        self._pace = pace
        self._draw = draw
        self._channels = tuple(channels)
        self._card: migration.Card | None = operation.card if operation.card.ts else None
        self._newest: migration.Operation | None = None
        self._shown = operation
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._given_up = False

    @property
    def waits(self) -> bool:
        return self._newest is not None or (bool(self._lines) and not self._given_up)

    def show(self, operation: migration.Operation) -> None:
        """A form older than what was shown already is passed over."""
        self._given_up = False
        if operation.revision >= (self._newest or self._shown).revision:
            self._newest = operation

    def say(self, sentence: str) -> None:
        self._lines.append(sentence)

    async def write(self) -> None:
        """Until nothing waits. Never raises for what Slack does."""
        while self.waits:
            if self._card is None:
                self._card = await self._cards.find(self._id)
            if self._newest is None and self._card is None:
                self._newest = self._shown  # a line with no card to stand under
            if self._newest is not None:
                await self._write_card()
            if self._lines and self._card is not None:
                await self._write_line(self._card)

    async def _write_card(self) -> None:
        await self._pace.wait(self._id)
        try:
            await (self._post() if self._card is None else self._update(self._card))
        except outgoing.SaidNo as no:
            if self._card is not None and no.word in GONE:
                await self._lost(self._card, no)
            else:
                self._give_up(no)

    async def _lost(self, gone: migration.Card, no: outgoing.SaidNo) -> None:
        """Another replica may have posted it anew meanwhile: then that one is the card."""
        self._newest = self._newest or self._shown
        self._card = await self._cards.find(self._id)
        if self._card is not None and self._card != gone:
            return
        _log.warning("the card is gone; it is posted anew", operation=self._id, why=str(no))
        self._card = None
        try:
            await self._post()
        except outgoing.SaidNo as again:
            self._give_up(again)

    def _give_up(self, no: outgoing.SaidNo) -> None:
        what = "the card cannot be shown; see slack.channel, whether Ferry was invited there, and its token"
        _log.error(what, operation=self._id, why=str(no))
        self._newest, self._given_up = None, True

    async def _post(self) -> None:
        for number, channel in enumerate(self._channels, start=1):
            try:
                answer = await self._send("chat.postMessage", {"channel": channel, "unfurl_links": False, "unfurl_media": False})
            except outgoing.SaidNo as no:
                if no.word not in GONE or number == len(self._channels):
                    raise
                _log.warning("the card cannot be where it was asked for", channel=channel, why=str(no))
            else:
                self._card = migration.Card(str(answer.get("channel") or channel), str(answer["ts"]))
                await self._cards.keep(self._id, self._card)
                return

    async def _update(self, card: migration.Card) -> None:
        await self._send("chat.update", {"channel": card.channel, "ts": card.ts})

    async def _send(self, method: str, where: outgoing.Body) -> Mapping[str, Any]:
        """The newest state at the moment of each try; plainer forms of it when Slack does not take the card as it is."""
        forms = (_whole, _plainer, _words_only)
        for number, form in enumerate(forms, start=1):
            try:
                answer = await self._out.call(method, lambda form=form: {**where, **form(self._take())})  # type: ignore[misc]  # a default binds the loop's value
            except outgoing.SaidNo as no:
                if no.word not in TOO_MUCH or number == len(forms):
                    raise
                _log.error("Slack refuses the card; a plainer one is sent", operation=self._id, why=str(no))
            else:
                self._pace.wrote(self._id)
                if self._newest is self._shown:
                    self._newest = None
                return answer
        raise AssertionError("unreachable")

    def _take(self) -> card_parts.Shown:
        """A card that cannot be drawn must not hide that something happens: then it is one sentence."""
        self._shown = self._newest or self._shown
        try:
            return self._draw(self._shown)
        except Exception:  # noqa: BLE001 - whatever it was, people must see the operation
            _log.exception("a card cannot be drawn", operation=self._id)
            one = self._shown
            where = one.phase if one.outcome is migration.Outcome.OPEN else one.outcome
            plain = foreign(f"{one.plan.service}: {one.plan.kind} to {one.plan.after.weight}%, {where}. {one.because}", 500)
            return card_parts.Shown(plain, [card_parts.section(plain)])

    async def _write_line(self, card: migration.Card) -> None:
        """Everything that waits goes as one message: fewer calls, and the order cannot change."""
        taken = list(self._lines)
        text = "\n".join(taken)[:LONGEST_TEXT]
        body = {"channel": card.channel, "thread_ts": card.ts, "text": text, "unfurl_links": False, "unfurl_media": False}
        try:
            await self._out.call("chat.postMessage", lambda: body, lane="threads")
        except outgoing.SaidNo as no:
            _log.error("a line of the thread cannot be posted", operation=self._id, why=str(no))
        for _ in taken:
            if self._lines:
                self._lines.popleft()


def _whole(shown: card_parts.Shown) -> outgoing.Body:
    return {"text": shown.text[:LONGEST_TEXT], "blocks": shown.blocks}


def _plainer(shown: card_parts.Shown) -> outgoing.Body:
    """The sentence and the buttons."""
    text = shown.text[:LONGEST_TEXT]
    words = {"type": "section", "text": {"type": "mrkdwn", "text": text or "-", "verbatim": True}}
    return {"text": text, "blocks": [words, *(block for block in shown.blocks if block.get("type") == "actions")]}


def _words_only(shown: card_parts.Shown) -> outgoing.Body:
    return {"text": shown.text[:LONGEST_TEXT], "blocks": []}
