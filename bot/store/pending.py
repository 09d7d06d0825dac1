"""Operations under way: one a service, changed by compare-and-set over the revision.

`ferry:operation:<service>` is the open one. `ferry:by-id:<operation id>` is the newest form of each, decided ones
included, for a week: late clicks are answered from it. A document that cannot be read is logged and counts as absent.

Beside each operation stands the run of Redis (`run_id`) that stored it. After a restart Redis may have an old copy, in
which a rejected request still waits: what waits counts only in the run that stored it. What runs or is decided counts
always, because others know of it too.
"""

import json
from dataclasses import dataclass
from typing import Any, cast

import redis.asyncio
import structlog

from bot.store import connection
from handlers import errors, operation_document
from handlers.rules import migration

KEPT_SECONDS = 7 * 86400
_TRIES = 5
_MOST_VOIDED = 1_000
_log = structlog.get_logger("ferry.store")

# Which run of Redis answers, asked in the same breath as everything else: nothing to remember, nothing to go stale.
_RUN = "local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''\n"

# KEYS: of what is read. Answers the run and the text ("": nothing).
_READ = _RUN + "return {run, redis.call('GET', KEYS[1]) or ''}"

# Only in the run and over exactly the text that were read ("": nothing). KEYS: of the service, of the id.
# ARGV: the run, what was read, what is new ("": remove it), what is kept by id, for how many seconds.
_SWAP = (
    _RUN
    + """
local found = redis.call('GET', KEYS[1]) or ''
if run ~= ARGV[1] or found ~= ARGV[2] then return 0 end
if ARGV[3] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[3]) end
redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])
return 1
"""
)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What Redis (in its run `run`) has under a key; `operation` was stored in the run `since`."""

    run: str
    text: str
    operation: migration.Operation | None = None
    since: str = ""

    @property
    def void(self) -> bool:
        """It waits for people, and the run that they spoke to is over."""
        if self.operation is None or self.operation.outcome is not migration.Outcome.OPEN:
            return False
        return self.operation.phase not in migration.RUNNING and self.since != self.run


class RedisPending:
    """`handlers.ports.Pending`. Every method raises errors.Away; a save may then have been stored all the same."""

    def __init__(self, store: redis.asyncio.Redis) -> None:
        self._store = store
        self._voided: set[str] = set()

    async def load(self, service: str) -> migration.Operation | None:
        """The service's open operation."""
        async with connection.reaching():
            return self._counting(await self._read(_of_service(service)))

    async def find(self, operation_id: str) -> migration.Operation | None:
        """The newest form of this operation, open or decided within the last week."""
        async with connection.reaching():
            return self._counting(await self._read(_of_id(operation_id)))

    async def save(self, operation: migration.Operation, expected_revision: int) -> bool:
        """Over exactly this revision of the same operation; 0: the service has none. False: nothing was stored."""
        key = _of_service(operation.plan.service)
        async with connection.reaching():
            for _ in range(_TRIES):
                stored = await self._read(key)
                found = self._counting(stored)
                if found is None and expected_revision:
                    return False
                if found is not None and (found.revision != expected_revision or found.id != operation.id):
                    return False
                text = _text(operation, stored.run)
                if await self._swap(operation, stored, new=text, kept=text):
                    return True
        return False

    async def drop(self, operation: migration.Operation) -> None:
        """It is decided: found by its id only. Another operation of the service stays."""
        key = _of_service(operation.plan.service)
        async with connection.reaching():
            for _ in range(_TRIES):
                stored = await self._read(key)
                gone = stored.operation is not None and stored.operation.id == operation.id
                kept = _text(operation, stored.run)
                if await self._swap(operation, stored, new="" if gone else stored.text, kept=kept):
                    return
        raise errors.Away(f"the operation of {operation.plan.service} changed {_TRIES} times while it was closed; try again")

    def _counting(self, stored: _Stored) -> migration.Operation | None:
        if stored.operation is None or not stored.void:
            return stored.operation
        if stored.operation.id not in self._voided:
            if len(self._voided) >= _MOST_VOIDED:
                self._voided.clear()
            self._voided.add(stored.operation.id)
            _log.warning(
                "Redis was restarted since this operation was stored: it waited, so it is void; ask for the change again",
                operation=stored.operation.id,
                service=stored.operation.plan.service,
            )
        return None

    async def _read(self, key: str) -> _Stored:
        answer: Any = self._store.eval(_READ, 1, key)
        run, text = cast("list[str]", await answer)
        if not text:
            return _Stored(run, "")
        try:
            document = json.loads(text)
            return _Stored(run, text, operation_document.from_document(document["operation"]), str(document["redis_run"]))
        except (
            operation_document.UnreadableOperationError,
            ValueError,
            AttributeError,
            LookupError,
            TypeError,
            RecursionError,
        ) as error:
            _log.warning("a stored operation cannot be read and counts as absent", key=key, why=str(error))
            return _Stored(run, text)

    async def _swap(self, operation: migration.Operation, stored: _Stored, *, new: str, kept: str) -> bool:
        keys = (_of_service(operation.plan.service), _of_id(operation.id))
        words = (stored.run, stored.text, new, kept, str(KEPT_SECONDS))
        answer: Any = self._store.eval(_SWAP, len(keys), *keys, *words)
        return bool(await answer)


def _of_service(service: str) -> str:
    return f"ferry:operation:{service}"


def _of_id(operation_id: str) -> str:
    return f"ferry:by-id:{operation_id}"


def _text(operation: migration.Operation, run: str) -> str:
    document = {"redis_run": run, "operation": operation_document.to_document(operation)}
    return json.dumps(document, separators=(",", ":"))
