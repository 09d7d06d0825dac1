"""The handover report into the thread of the card that ended a service's migration: once, whoever shows the card again."""

from collections.abc import Iterator
from typing import Protocol

from bot.slack import escaping
from bot.slack.words import Words
from handlers import answers, errors, handover, ports
from handlers.rules import migration

ENDS = frozenset({migration.Kind.FINISH, migration.Kind.REMOVE})
LONGEST_PIECE = 3_000  # characters of a message, before escaping


class Reads(Protocol):
    async def status(self, service: str) -> answers.ServiceStatus | None: ...

    async def history(self, service: str) -> tuple[answers.Past, ...]: ...


def is_due(operation: migration.Operation) -> bool:
    """It was finished, or the old application has gone; both tell the whole way."""
    return operation.outcome is migration.Outcome.DONE and operation.plan.kind in ENDS


class HandingOver:
    """`words`: of the channel; the report itself is in English, as the history is."""

    def __init__(self, front: Reads, seen: ports.Seen, words: Words) -> None:
        self._front = front
        self._seen = seen
        self._words = words

    async def pieces(self, operation: migration.Operation) -> tuple[str, ...]:
        """Messages in mrkdwn, in order; none where somebody had them already. Raises k8s.errors.ClusterError."""
        status = await self._front.status(operation.plan.service)
        if status is None or status.journey is None or not await self._first(operation):
            return ()
        text = handover.report(status.journey, await self._front.history(operation.plan.service), status.wished)
        return (self._words.live("handover.heading", service=operation.plan.service), *_fenced(text))

    async def _first(self, operation: migration.Operation) -> bool:
        try:
            return await self._seen.first_time(f"handover:{operation.id}")
        except errors.Away:
            return True  # twice is better than never


def _fenced(text: str) -> Iterator[str]:
    """As it is to be copied: in fences, in which Slack formats nothing."""
    piece = ""
    for line in text.replace("```", "'''").splitlines():
        shown = f"{escaping.visible(line)}\n"
        if piece and len(piece) + len(shown) > LONGEST_PIECE:
            yield _fence(piece)
            piece = ""
        piece += shown
    if piece.strip():
        yield _fence(piece)


def _fence(piece: str) -> str:
    escaped = piece.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"```\n{escaped}```"
