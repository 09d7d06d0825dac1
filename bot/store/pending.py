"""Operations under way: one a service, changed by compare-and-set over the revision.

`ferry:operation:<service>` is the open one. `ferry:by-id:<operation id>` is the newest form of each, decided ones
included, for a week: late clicks are answered from it. A document that cannot be read is logged and counts as absent.
"""

import json
from typing import Any, cast

import redis.asyncio
import structlog

from bot.store import connection
from handlers import errors, operation_document
from handlers.rules import migration

KEPT_SECONDS = 7 * 86400
_TRIES = 5
_log = structlog.get_logger("ferry.store")

# Only over exactly the text that was read ("": nothing). KEYS: of the service, of the id.
# ARGV: what was read, what is new ("": remove it), what is kept by id, for how many seconds.
_SWAP = """
local found = redis.call('GET', KEYS[1]) or ''
if found ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2]) end
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4])
return 1
"""


class RedisPending:
    """`handlers.ports.Pending`. Every method raises errors.Away; a save may then have been stored all the same."""

    def __init__(self, store: redis.asyncio.Redis) -> None:
        self._store = store

    async def load(self, service: str) -> migration.Operation | None:
        """The service's open operation."""
        async with connection.reaching():
            return _read(await self._get(_of_service(service)), _of_service(service))

    async def find(self, operation_id: str) -> migration.Operation | None:
        """The newest form of this operation, open or decided within the last week."""
        async with connection.reaching():
            return _read(await self._get(_of_id(operation_id)), _of_id(operation_id))

    async def save(self, operation: migration.Operation, expected_revision: int) -> bool:
        """Over exactly this revision of the same operation; 0: the service has none. False: nothing was stored."""
        key = _of_service(operation.plan.service)
        text = _text(operation)
        async with connection.reaching():
            for _ in range(_TRIES):
                raw = await self._get(key)
                found = _read(raw, key)
                if found is None and expected_revision:
                    return False
                if found is not None and (found.revision != expected_revision or found.id != operation.id):
                    return False
                if await self._swap(operation, seen=raw, new=text, kept=text):
                    return True
        return False

    async def drop(self, operation: migration.Operation) -> None:
        """It is decided: found by its id only. Another operation of the service stays."""
        key = _of_service(operation.plan.service)
        text = _text(operation)
        async with connection.reaching():
            for _ in range(_TRIES):
                raw = await self._get(key)
                found = _read(raw, key)
                stays = "" if found is not None and found.id == operation.id else raw
                if await self._swap(operation, seen=raw, new=stays, kept=text):
                    return
        raise errors.Away(f"the operation of {operation.plan.service} changed {_TRIES} times while it was closed; try again")

    async def _get(self, key: str) -> str:
        return cast("str | None", await self._store.get(key)) or ""

    async def _swap(self, operation: migration.Operation, *, seen: str, new: str, kept: str) -> bool:
        keys = (_of_service(operation.plan.service), _of_id(operation.id))
        answer: Any = self._store.eval(_SWAP, len(keys), *keys, seen, new, kept, str(KEPT_SECONDS))
        return bool(await answer)


def _of_service(service: str) -> str:
    return f"ferry:operation:{service}"


def _of_id(operation_id: str) -> str:
    return f"ferry:by-id:{operation_id}"


def _text(operation: migration.Operation) -> str:
    return json.dumps(operation_document.to_document(operation), separators=(",", ":"))


def _read(text: str, key: str) -> migration.Operation | None:
    if not text:
        return None
    try:
        return operation_document.from_document(json.loads(text))
    except (operation_document.UnreadableOperationError, ValueError, AttributeError, RecursionError) as error:
        _log.warning("a stored operation cannot be read and counts as absent", key=key, why=str(error))
        return None
