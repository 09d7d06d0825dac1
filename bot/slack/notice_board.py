"""One card a service for what nobody is called for: posted once, then updated where it stands, with the newest lines."""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from bot.slack import card_parts, card_writer, outgoing
from handlers import ports
from handlers.rules import migration

MOST_LINES = 6
MOST_SERVICES = 1_000
_log = structlog.get_logger("ferry.slack")
Draw = Callable[[str, Sequence[tuple[datetime, str]]], card_parts.Shown]


class NoticeBoard:
    """`note` and then `write`; what is noted while a card is being written goes with the next one."""

    def __init__(
        self,
        out: outgoing.Outgoing,
        cards: card_writer.Cards,
        clock: ports.Clock,
        *,
        channel: str,
        pace: card_writer.Pace,
        draw: Draw,
    ) -> None:
        self._out = out
        self._cards = cards
        self._clock = clock
        self._channel = channel
        self._pace = pace
        self._draw = draw
        self._lines: OrderedDict[str, deque[tuple[datetime, str]]] = OrderedDict()
        self._unwritten: set[str] = set()
        self._writing: set[str] = set()

    def note(self, service: str, sentence: str) -> bool:
        """Newest first. False: somebody writes this card, and writes it again."""
        lines = self._lines.setdefault(service, deque(maxlen=MOST_LINES))
        lines.appendleft((self._clock.now(), sentence))
        self._lines.move_to_end(service)
        while len(self._lines) > MOST_SERVICES:
            self._lines.popitem(last=False)
        self._unwritten.add(service)
        return service not in self._writing

    async def write(self, service: str) -> None:
        """Until nothing new is noted. Never raises for what Slack does."""
        if service in self._writing:
            return
        self._writing.add(service)
        try:
            while service in self._unwritten:
                await self._write(service, f"notice/{service}")
        except outgoing.SaidNo as no:
            _log.error("a notice cannot be shown; see slack.channel and Ferry's token", service=service, why=str(no))
        finally:
            self._writing.discard(service)

    async def _write(self, service: str, name: str) -> None:
        await self._pace.wait(name)
        card = await self._cards.find(name)
        if card is not None:
            try:
                where = {"channel": card.channel, "ts": card.ts}
                await self._out.call("chat.update", lambda: {**where, **self._body(service)})
            except outgoing.SaidNo as no:
                if no.word not in card_writer.GONE:
                    raise
                _log.warning("the card of notices is gone; it is posted anew", service=service, why=str(no))
            else:
                self._pace.wrote(name)
                return
        posted = {"channel": self._channel, "unfurl_links": False, "unfurl_media": False}
        answer = await self._out.call("chat.postMessage", lambda: {**posted, **self._body(service)}, lane="notices")
        self._pace.wrote(name)
        await self._cards.keep(name, migration.Card(str(answer.get("channel") or self._channel), str(answer["ts"])))

    def _body(self, service: str) -> outgoing.Body:
        """As it is at the moment of each try."""
        self._unwritten.discard(service)
        shown = self._draw(service, tuple(self._lines.get(service, ())))
        return {"text": shown.text[: card_writer.LONGEST_TEXT], "blocks": shown.blocks}
