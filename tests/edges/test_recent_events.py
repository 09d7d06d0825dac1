"""The newest audit events of every replica, from a real Redis: in order, of one service, and nothing that is none of ours."""

import functools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest_asyncio
import redis.asyncio

from bot.store import audit, connection, recent
from deploy.playground.world import redis as redis_world
from handlers import messages
from handlers.rules import effects

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[redis.asyncio.Redis]:
    server = redis_world.Redis(tmp_path / "redis")
    await server.start()
    opened = connection.open_redis(server.url)
    yield opened
    await opened.aclose()
    await server.stop()


def event(service: str, sentence: str) -> effects.AuditEvent:
    return effects.AuditEvent(effects.EventKind.PROPOSED, "Ann", service, "", sentence, messages.Source.SLACK)


async def test_events_of_all_replicas_are_told_newest_first(store: redis.asyncio.Redis) -> None:
    clock = {"a": NOON, "b": NOON + timedelta(minutes=1)}
    for replica in clock:
        chain = audit.AuditChain(store, replica, now=functools.partial(clock.__getitem__, replica))
        await chain.record(event("shop", f"by {replica}"))
        await chain.record(event("cart" if replica == "a" else "all", f"more by {replica}"))
        await chain.close()
    await store.rpush(audit.key("a"), "no json", json.dumps({"seq": 9, "hash": "x", "kind": "of a newer version"}))
    read = recent.RecentEvents(store)
    assert {one.sentence for _, one in (await read.newest("", 10))[:2]} == {"by b", "more by b"}
    assert len(await read.newest("", 10)) == 4
    assert len(await read.newest("", 3)) == 3
    of_shop = await read.newest("shop", 10)
    assert {one.sentence for _, one in of_shop} == {"by a", "by b", "more by b"}, "an order to all is about it, too"
    assert {at for at, _ in of_shop} == {NOON, NOON + timedelta(minutes=1)}
