"""The audit of one replica: a chain of hashes, in the log and in Redis.

Every event carries the hash of the one before, so that a changed, removed or inserted event shows. The chain goes on in
memory and in the log whatever Redis does; what Redis missed (or lost) is pushed again when it is back. Redis keeps the newest
events of each replica, and those of one that fell silent for a while; the log has all. The newest hash is anchored in the
audit entry of the next revision in the cluster (`anchor`), which nobody can rewrite without the signing key: see `proof`.
"""

import asyncio
import hashlib
import itertools
import json
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import redis.asyncio
import structlog

from bot import logs
from bot.store import connection
from handlers import errors
from handlers.rules import effects

MOST_KEPT = 10_000  # events in memory for Redis; the log has all of them
MOST_STORED = 10_000  # events of one replica in Redis
STORED_SECONDS = 30 * 86400  # after a replica's last event
AGAIN_SECONDS = 1.0
_MOST_AT_ONCE = 200
_log = structlog.get_logger("ferry.audit")
Event = dict[str, Any]
FIELDS = ("seq", "at", "replica", "kind", "who", "source", "service", "operation", "sentence", "previous", "hash")

# Appends only after the event that is expected last, so that an answer that was lost makes no double. KEYS: the list.
# ARGV: how many stay, for how many seconds, that event ("": the list is empty), then new ones. Answers nil, or whatever is
# last instead ("": nothing).
_APPEND = """
local last = redis.call('LINDEX', KEYS[1], -1) or ''
if last ~= ARGV[3] then return last end
for at = 4, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[at]) end
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[1]), -1)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return false
"""


def key(replica: str) -> str:
    """Of the Redis list with this replica's events, oldest first."""
    return f"ferry:audit:{replica}"


def hash_of(event: Event) -> str:
    """SHA-256, hex, of the canonical JSON of everything in the event but its hash."""
    content = {name: event[name] for name in FIELDS if name != "hash" and name in event}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class AuditChain:
    """`handlers.ports.AuditLog`. `start` before the first event, `close` at the end; `record` works without either."""

    def __init__(
        self, store: redis.asyncio.Redis, replica: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._replica = replica
        self._now = now
        self._seq = 0
        self._head = ""
        self._continued = False
        self._kept: deque[Event] = deque(maxlen=MOST_KEPT)
        self._stored_seq, self._stored_text = 0, ""
        self._turn = asyncio.Lock()
        self._pushing: asyncio.Task[None] | None = None

    @property
    def head(self) -> str:
        """Hash of the newest event; empty before the first."""
        return self._head

    @property
    def anchor(self) -> str:
        """The head, its number and whose chain it ends, as `proof.Anchor` reads it; empty before the first event."""
        return f"{self._replica} {self._seq} {self._head}" if self._head else ""

    async def start(self) -> None:
        """Goes on after the last event that Redis has of this replica; without Redis a new chain begins."""
        async with self._turn:
            if self._continued:
                return
            try:
                async with connection.reaching():
                    answer: Any = self._store.lindex(key(self._replica), -1)
                    self._stored_text = cast("str | None", await answer) or ""
            except errors.Away as away:
                _log.warning("a new audit chain begins: the one before cannot be read", replica=self._replica, why=str(away))
            self._continued = True
            if (last := read(self._stored_text)) is not None:
                self._seq = self._stored_seq = last["seq"]
                self._head = last["hash"]

    async def record(self, event: effects.AuditEvent) -> None:
        """Into the log before this returns; into Redis soon after. Waits for nothing and never raises."""
        if not self._continued:
            await self.start()
        linked = self._linked(event)
        self._kept.append(linked)
        _log.info("audit", **linked)
        if self._pushing is None or self._pushing.done():
            self._pushing = asyncio.create_task(self._push_until_done(), name="audit to Redis")

    async def flush(self) -> bool:
        """Push what Redis does not have yet. False: Redis is away, it stays in memory (and is in the log)."""
        async with self._turn:
            try:
                while unsent := self._unsent():
                    await self._append(unsent)
            except errors.Away as away:
                _log.warning("audit events wait for Redis", replica=self._replica, waiting=self.waiting, why=str(away))
                return False
        return True

    @property
    def waiting(self) -> int:
        """Events that Redis does not have yet."""
        return self._kept[-1]["seq"] - max(self._stored_seq, self._kept[0]["seq"] - 1) if self._kept else 0

    async def close(self) -> None:
        """One last push; nothing runs afterwards."""
        task, self._pushing = self._pushing, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self.flush()

    def _linked(self, event: effects.AuditEvent) -> Event:
        said = {
            "kind": str(event.kind),
            "who": event.who,
            "source": str(event.source),
            "service": event.service,
            "operation": event.operation,
            "sentence": event.sentence,
        }
        self._seq += 1
        linked: Event = {
            "seq": self._seq,
            "at": self._now().astimezone(UTC).isoformat(),
            "replica": self._replica,
            **{name: logs.redact(text) for name, text in said.items()},
            "previous": self._head,
        }
        self._head = linked["hash"] = hash_of(linked)
        return linked

    async def _push_until_done(self) -> None:
        while True:
            if await self.flush() and not self.waiting:
                return
            await asyncio.sleep(AGAIN_SECONDS)

    def _unsent(self) -> list[Event]:
        first = len(self._kept) - self.waiting
        return list(itertools.islice(self._kept, first, first + _MOST_AT_ONCE))

    async def _append(self, events: list[Event]) -> None:
        words = [_text(event) for event in events]
        async with connection.reaching():
            kept = (str(MOST_STORED), str(STORED_SECONDS))
            answer: Any = self._store.eval(_APPEND, 1, key(self._replica), *kept, self._stored_text, *words)
            last = cast("str | None", await answer)
        if last is None:
            self._stored_seq, self._stored_text = events[-1]["seq"], words[-1]
        else:
            self._go_on_after(last)

    def _go_on_after(self, last: str) -> None:
        """Redis ends with something else than it did: an event of ours, nothing, an older copy, or another writer's."""
        self._stored_text = last
        found = read(last)
        seq = found["seq"] if found else 0
        ours = any(_text(event) == last for event in self._kept)
        if ours or seq < self._kept[0]["seq"]:
            self._stored_seq = seq
        if not ours:
            _log.warning("Redis does not end with this replica's audit; it gets what memory has", replica=self._replica)


def _text(event: Event) -> str:
    return json.dumps(event, separators=(",", ":"))


def read(text: str) -> Event | None:
    """One stored event; None: it is none of ours, or was cut off."""
    try:
        event = json.loads(text) if text else None
    except ValueError:
        return None
    fits = isinstance(event, dict) and type(event.get("seq")) is int and isinstance(event.get("hash"), str)
    return event if fits else None


async def stored(store: redis.asyncio.Redis) -> list[str]:
    """Every stored event of every replica, as its JSON text, oldest first. Raises errors.Away."""
    texts: list[str] = []
    async with connection.reaching():
        keys = sorted([name async for name in store.scan_iter(match=key("*"), count=1000)])
    for name in keys:
        async with connection.reaching():
            answer: Any = store.lrange(name, 0, -1)
            texts += await answer
    return texts
