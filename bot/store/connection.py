"""The way to Redis: short limits, no retries, and one error for everything that can go wrong.

A command whose answer was lost is not sent again: nobody knows whether it ran, and a claim or a compare-and-set that ran
twice would say "somebody else was first" about itself.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import redis.asyncio
from redis import exceptions, maint_notifications
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bot import logs
from handlers import errors

SOCKET_SECONDS = 0.25
WHOLE_SECONDS = 1.0  # of one use: waiting for a free connection, connecting, and all its commands
_MOST_CONNECTIONS = 32


def open_redis(url: str) -> redis.asyncio.Redis:
    """A client for `redis://`, `rediss://` or `unix://`; it connects when first used. Close it with `aclose`."""
    return redis.asyncio.Redis.from_pool(  # which closes the pool with itself
        redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=_MOST_CONNECTIONS,
            timeout=WHOLE_SECONDS,
            decode_responses=True,
            encoding_errors="surrogateescape",  # what is no text comes back as it was, and is refused by its reader
            socket_timeout=SOCKET_SECONDS,
            socket_connect_timeout=SOCKET_SECONDS,
            retry=Retry(NoBackoff(), 0),
            maint_notifications_config=maint_notifications.MaintNotificationsConfig(enabled=False),
        )
    )


@asynccontextmanager
async def reaching() -> AsyncGenerator[None, None]:
    """Around commands: whatever Redis or the way to it does wrong becomes errors.Away, after WHOLE_SECONDS at the latest."""
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            yield
    except (exceptions.RedisError, OSError, TimeoutError) as error:
        why = logs.redact(str(error)).strip()[:200] or f"no answer within {WHOLE_SECONDS:g} s"
        raise errors.Away(f"Redis cannot be used ({why}); see that ferry-redis runs and that REDIS_URL is right") from None
