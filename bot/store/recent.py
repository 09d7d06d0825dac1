"""The newest audit events of all replicas, for people to read. Convenient: the proof is the log and the chain (`proof`)."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import redis.asyncio

from bot.store import audit, connection
from handlers import messages
from handlers.rules import effects
from k8s import model

_LOOKED_AT = 2_000  # newest events of each replica
Line = tuple[datetime, effects.AuditEvent]


class RecentEvents:
    def __init__(self, store: redis.asyncio.Redis) -> None:
        self._store = store

    async def newest(self, service: str, most: int) -> tuple[Line, ...]:
        """Newest first, at most `most`. `service` empty: of every one. Raises errors.Away."""
        found: list[Line] = []
        async with connection.reaching():
            keys = [name async for name in self._store.scan_iter(match=audit.key("*"), count=1000)]
            answers = await asyncio.gather(*(self._of(name) for name in keys))
        for texts in answers:
            found += [line for text in texts if (line := _line(text)) is not None and _about(line[1], service)]
        return tuple(sorted(found, key=lambda line: line[0], reverse=True)[:most])

    async def _of(self, name: str) -> Sequence[str]:
        answer: Any = self._store.lrange(name, -_LOOKED_AT, -1)
        return cast("Sequence[str]", await answer)


def _about(event: effects.AuditEvent, service: str) -> bool:
    return not service or event.service in (service, model.ALL_SERVICES)


def _line(text: str) -> Line | None:
    """None: what a newer version, or somebody else, wrote there."""
    event = audit.read(text)
    try:
        if event is None:
            return None
        at = datetime.fromisoformat(event["at"])
        told = effects.AuditEvent(
            kind=effects.EventKind(event["kind"]),
            who=str(event["who"]),
            service=str(event["service"]),
            operation=str(event["operation"]),
            sentence=str(event["sentence"]),
            source=messages.Source(event["source"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)), told
