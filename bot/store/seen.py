"""Which messages were acted on already, over all replicas."""

import redis.asyncio

from bot.store import connection

KEPT_SECONDS = 86400  # Slack repeats for minutes, Alertmanager for hours


class RedisSeen:
    """`handlers.ports.Seen`."""

    def __init__(self, store: redis.asyncio.Redis) -> None:
        self._store = store

    async def first_time(self, message_id: str) -> bool:
        """True for exactly one caller a day. Raises errors.Away; the id may then be taken."""
        async with connection.reaching():
            return bool(await self._store.set(f"ferry:seen:{message_id}", "1", nx=True, ex=KEPT_SECONDS))
