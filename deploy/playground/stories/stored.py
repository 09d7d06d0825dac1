"""Operations as the bot's store keeps them, for a week: those that changed no record stand nowhere else."""

import json
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from deploy.playground import laptop

_OPERATION = "ferry:by-id:"


async def operations(playground: laptop.Playground, name: str = "*") -> list[dict[str, Any]]:
    """The newest form of each, or of the one with this id; nothing while the store is away."""
    store = redis.asyncio.from_url(playground.redis_url, decode_responses=True)
    try:
        texts = [await store.get(key) async for key in store.scan_iter(match=f"{_OPERATION}{name}", count=1000)]
    except (RedisError, OSError):
        return []
    finally:
        await store.aclose()
    return [json.loads(text)["operation"] for text in texts if text]
