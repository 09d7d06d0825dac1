"""Where each operation's one card was posted, and whose card a message is.

Never fails: while Redis is away the places of this process's own cards are kept in memory and written through later. Redis
lost for good costs a second card, nothing else.
"""

import json
from collections import OrderedDict
from typing import cast

import redis.asyncio
import structlog

from bot.store import connection
from handlers import errors
from handlers.rules import migration

KEPT_SECONDS = 30 * 86400
MOST_REMEMBERED = 10_000
_MOST_AT_ONCE = 200
_log = structlog.get_logger("ferry.store")


class RedisCards:
    def __init__(self, store: redis.asyncio.Redis) -> None:
        self._store = store
        self._places: OrderedDict[str, migration.Card] = OrderedDict()
        self._operations: dict[tuple[str, str], str] = {}
        self._unwritten: dict[str, migration.Card] = {}

    async def find(self, operation_id: str) -> migration.Card | None:
        """Where this operation's card is; None when it was never posted, or nobody knows any more."""
        if operation_id not in self._unwritten:
            try:
                await self._write_through()
                async with connection.reaching():
                    text = cast("str | None", await self._store.get(_of_operation(operation_id)))
            except errors.Away as away:
                _log.info("cards are looked up in memory", why=str(away))
            else:
                if (card := _read(text)) is not None:
                    return card
        return self._places.get(operation_id)

    async def keep(self, operation_id: str, card: migration.Card) -> None:
        """The card is there now; the newest place counts."""
        self._remember(operation_id, card)
        self._unwritten[operation_id] = card
        try:
            await self._write_through()
        except errors.Away as away:
            _log.info("a card's place is kept in memory", operation=operation_id, why=str(away))

    async def operation_at(self, channel: str, ts: str) -> str | None:
        """The id of the operation whose card this message is, or was."""
        try:
            await self._write_through()
            async with connection.reaching():
                found = cast("str | None", await self._store.get(_of_place(channel, ts)))
        except errors.Away as away:
            _log.info("cards are looked up in memory", why=str(away))
            found = None
        return found or self._operations.get((channel, ts))

    def _remember(self, operation_id: str, card: migration.Card) -> None:
        self._places[operation_id] = card
        self._places.move_to_end(operation_id)
        self._operations[card.channel, card.ts] = operation_id
        while len(self._places) > MOST_REMEMBERED:
            forgotten, _ = self._places.popitem(last=False)
            self._unwritten.pop(forgotten, None)
        if len(self._operations) > 2 * MOST_REMEMBERED:
            self._operations = {(place.channel, place.ts): one for one, place in self._places.items()}

    async def _write_through(self) -> None:
        batch = dict(list(self._unwritten.items())[:_MOST_AT_ONCE])
        if not batch:
            return
        async with connection.reaching(), self._store.pipeline(transaction=True) as together:
            for operation_id, card in batch.items():
                together.set(_of_operation(operation_id), json.dumps([card.channel, card.ts]), ex=KEPT_SECONDS)
                together.set(_of_place(card.channel, card.ts), operation_id, ex=KEPT_SECONDS)
            await together.execute()
        for operation_id, card in batch.items():
            if self._unwritten.get(operation_id) == card:  # not overtaken while it was written
                del self._unwritten[operation_id]


def _of_operation(operation_id: str) -> str:
    return f"ferry:card:{operation_id}"


def _of_place(channel: str, ts: str) -> str:
    return f"ferry:card-at:{channel}:{ts}"


def _read(text: str | None) -> migration.Card | None:
    try:
        channel, ts = json.loads(text) if text else ("", "")
    except (ValueError, TypeError):
        return None
    return migration.Card(channel, ts) if isinstance(channel, str) and isinstance(ts, str) and ts else None
