"""Everything that was said and written during a story, gathered from outside Ferry for the judge."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from deploy.playground import laptop
from deploy.playground.slack import people
from deploy.playground.stories import history, stored


class Recording:
    """`accepted`, `outages`, `faults`, `asked` and `failed` are filled by the story; `gathered` reads the rest."""

    def __init__(self, playground: laptop.Playground) -> None:
        self._playground = playground
        self.accepted: list[history.Accepted] = []
        self.outages: list[history.Outage] = []
        self.faults: list[history.Fault] = []
        self.asked = 0
        self.failed = 0

    def clients(self, asked: int, failed: int) -> None:
        """So many requests were asked while nothing was broken on purpose, and so many of them failed."""
        self.asked += asked
        self.failed += failed

    def back(self, what: str, at: float) -> None:
        """What was missing under this name is on its way back."""
        self.outages = [replace(one, until=at) if one.what == what and one.until > at else one for one in self.outages]

    async def gathered(self) -> history.History:
        """The whole history so far."""
        playground = self._playground
        cluster = playground.cluster
        return history.History(
            verifier=playground.verifier,
            writes=list(cluster.writes) if cluster else [],
            accepted=self.accepted,
            samples=list(playground.fleet.samples),
            outages=list(self.outages),
            faults=list(self.faults),
            asked=self.asked,
            failed=self.failed,
            texts=[*await asyncio.to_thread(self._logs), *self._slack(), *await self._stored()],
            operations=await stored.operations(playground),
            epoch=time.time() - time.monotonic(),
            secrets=(*playground.keys.texts(), playground.slack.bot_token, playground.slack.app_token),
        )

    def _logs(self) -> list[str]:
        return [text for path in self._playground.logs() if (text := path.read_text(errors="replace"))]

    def _slack(self) -> list[str]:
        slack = self._playground.slack
        said = [json.dumps([call.method, call.arguments], default=str) for call in slack.calls]
        acks = [json.dumps(delivery.ack, default=str) for delivery in slack.deliveries if delivery.ack]
        whispers = [message.words for person in slack.space.people for message in slack.driver.ephemerals(person)]
        return [*said, *acks, *whispers, *(message.words for message in slack.driver.messages(people.C_MIGRATION))]

    async def _stored(self) -> list[str]:
        """Every value in Redis: the audit chains, pending operations, cards."""
        store = redis.asyncio.from_url(self._playground.redis_url, decode_responses=True)
        found: list[str] = []
        try:
            async for name in store.scan_iter(count=1000):
                found += await _values(store, name)
        except (RedisError, OSError):
            return found
        finally:
            await store.aclose()
        return found


async def _values(store: Any, name: str) -> list[str]:
    kind = await store.type(name)
    if kind == "string":
        return [str(await store.get(name))]
    if kind == "list":
        return [str(one) for one in await store.lrange(name, 0, -1)]
    if kind == "hash":
        return [json.dumps(await store.hgetall(name))]
    if kind == "stream":
        return [json.dumps(entry) for entry in await store.xrange(name)]
    if kind == "set":
        return [str(one) for one in await store.smembers(name)]
    return [str(one) for one in await store.zrange(name, 0, -1)]
