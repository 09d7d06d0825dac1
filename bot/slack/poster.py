"""What Ferry says of its own accord: cards, their threads, calls for people. Handed over at once, said when Slack lets it."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from bot.slack import card_parts, card_writer, handing_over, notice_board, outgoing
from handlers import messages, ports
from handlers.rules import migration

MOST_WRITERS = 500  # idle ones beyond are forgotten; where their cards are is in the store
MOST_WAITING = 200  # calls for people and alerts
MOST_ALERTS = 100  # of them: a storm of warnings leaves room for calls
SPACING = 1.0
_log = structlog.get_logger("ferry.slack")


class Poster:
    """`handlers.ports.Chat` and `Notices`. `channels`: where cards may be, the first one when nothing else is said.

    `draw_card`, `draw_page`, `draw_alert` and `draw_notice` make the messages, `draw_line` a line of a card's thread. `spacing`:
    seconds between two updates of one card, while it is the only one.
    """

    def __init__(
        self,
        out: outgoing.Outgoing,
        cards: card_writer.Cards,
        clock: ports.Clock,
        *,
        channels: Sequence[str],
        draw_card: card_writer.Draw,
        draw_page: Callable[[str, str, bool], card_parts.Shown],
        draw_alert: Callable[[messages.Alert], card_parts.Shown],
        draw_line: Callable[[str], card_parts.Shown],
        draw_notice: notice_board.Draw,
        spacing: float = SPACING,
    ) -> None:
        self._out = out
        self._cards = cards
        self._pace = card_writer.Pace(clock, spacing)
        self._channels = tuple(channels)
        self._draw_card = draw_card
        self._draw_page = draw_page
        self._draw_alert = draw_alert
        self._draw_line = draw_line
        self._notices = notice_board.NoticeBoard(out, cards, clock, channel=self._channels[0], pace=self._pace, draw=draw_notice)
        self._writers: dict[str, card_writer.CardWriter] = {}
        self._writing: dict[str, asyncio.Task[None]] = {}
        self._saying: set[asyncio.Task[None]] = set()
        self._hands_over: handing_over.HandingOver | None = None
        self._handed_over: set[str] = set()

    def tell_handovers(self, by: handing_over.HandingOver) -> None:
        """From now on the end of a service's migration is told in its thread; whoever tells it needs the front."""
        self._hands_over = by

    async def show(self, operation: migration.Operation) -> None:
        """Post the operation's card, or update it where it was posted; a newer form overtakes one that still waits."""
        self._writer(operation).show(operation)
        self._wake(operation.id)
        if self._hands_over is not None and handing_over.is_due(operation) and operation.id not in self._handed_over:
            self._handed_over.add(operation.id)
            self._start(self._hand_over(self._hands_over, operation), "a handover report")

    async def say(self, operation: migration.Operation, sentence: str) -> None:
        """One line in the thread of its card, after what was said before."""
        self._writer(operation).say(self._draw_line(sentence).text)
        self._wake(operation.id)

    async def alert(self, alert: messages.Alert) -> None:
        """Its card, in the first channel; nobody is mentioned."""
        shown = self._draw_alert(alert)
        self._start(self._post(shown, alert.service, lane="alerts"), f"alert {alert.name}", room=MOST_ALERTS)

    async def page(self, service: str, sentence: str, *, held: bool = False) -> None:
        """In the first channel, mentioning whoever must act. `held`: the service is at 100% old already."""
        shown = self._draw_page(service, sentence, held)
        self._start(self._post(shown, service, lane="people are called"), "a call for people")

    async def tell(self, service: str, sentence: str) -> None:
        """On the one card of the service's notices, in the first channel; nobody is mentioned."""
        if self._notices.note(service, sentence):
            self._start(self._notices.write(service), f"notices of {service}", room=MOST_ALERTS)

    async def drain(self, limit: float, *, hurry: bool = True) -> bool:
        """At most `limit` seconds until all is said; what is left then is dropped. False: something was.

        `hurry`: without the pauses between updates, for the end of the process.
        """
        if hurry:
            self._pace.hurry.set()
        if waiting := {*self._writing.values(), *self._saying}:
            await asyncio.wait(waiting, timeout=limit)
        self._pace.hurry.clear()
        left = [task for task in (*self._writing.values(), *self._saying) if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if left:
            _log.warning("messages to Slack were dropped at the end", count=len(left))
        return not left

    def _writer(self, operation: migration.Operation) -> card_writer.CardWriter:
        found = self._writers.pop(operation.id, None)
        if found is None:
            asked_in = [operation.place.channel] if operation.place.channel in self._channels else []
            found = card_writer.CardWriter(
                operation,
                out=self._out,
                cards=self._cards,
                pace=self._pace,
                draw=self._draw_card,
                channels=tuple(dict.fromkeys([*asked_in, self._channels[0]])),
            )
        self._writers[operation.id] = found
        for name in list(self._writers):
            if len(self._writers) <= MOST_WRITERS:
                break
            if name not in self._writing:
                del self._writers[name]
        return found

    def _wake(self, operation_id: str) -> None:
        if operation_id not in self._writing:
            task = asyncio.create_task(self._writers[operation_id].write(), name=f"card of {operation_id}")
            self._writing[operation_id] = task
            task.add_done_callback(lambda done: self._written(operation_id, done))

    def _written(self, operation_id: str, task: asyncio.Task[None]) -> None:
        del self._writing[operation_id]
        if not _report(task) and not task.cancelled() and self._writers[operation_id].waits:
            self._wake(operation_id)

    def _start(self, work: Coroutine[Any, Any, None], what: str, *, room: int = MOST_WAITING) -> None:
        if len(self._saying) >= room:
            work.close()
            _log.error("too much waits for Slack; this is not said", what=what)
            return
        task = asyncio.create_task(work, name=what)
        self._saying.add(task)
        task.add_done_callback(self._said)

    def _said(self, task: asyncio.Task[None]) -> None:
        self._saying.discard(task)
        _report(task)

    async def _hand_over(self, by: handing_over.HandingOver, operation: migration.Operation) -> None:
        card = operation.card if operation.card.ts else await self._cards.find(operation.id)
        where = {"channel": card.channel, "thread_ts": card.ts} if card else {"channel": self._channels[0]}
        for text in await by.pieces(operation):
            body = {**where, "text": text, "unfurl_links": False, "unfurl_media": False}
            try:
                await self._out.call("chat.postMessage", lambda body=body: body, lane="threads")  # type: ignore[misc]  # a default binds the loop's value
            except outgoing.SaidNo as no:
                _log.error("a handover report cannot be posted", operation=operation.id, why=str(no))
                return

    async def _post(self, shown: card_parts.Shown, service: str, *, lane: str) -> None:
        body = {"channel": self._channels[0], "text": shown.text, "blocks": shown.blocks, "unfurl_links": False}
        try:
            await self._out.call("chat.postMessage", lambda: body, lane=lane)
        except outgoing.SaidNo as no:
            _log.error("a message cannot be posted", what=lane, service=service, text=shown.text, why=str(no))


def _report(task: asyncio.Task[None]) -> bool:
    if task.cancelled() or (error := task.exception()) is None:
        return False
    _log.error("a message to Slack failed", task=task.get_name(), error=f"{type(error).__name__}: {error}", exc_info=error)
    return True
