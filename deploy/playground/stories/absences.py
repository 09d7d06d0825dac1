"""What Ferry stands on, taken away and brought back, and noted for the judge: meanwhile exposure can only stay or fall."""

import asyncio
import enum
import time

from deploy.playground import by_hand, laptop, objects
from deploy.playground.stories import history, recording
from k8s import client

_BOTS = 2
_LOOK_AGAIN = 0.05
_LIMIT = 60.0  # seconds, for anything to end or to be back


class What(enum.StrEnum):
    """Can be taken away."""

    BOT = "bot"
    REDIS = "redis"
    API = "API server"


_WORKLOADS = {What.BOT: ("ferry-bot", _BOTS), What.REDIS: ("ferry-redis", 1)}
_LAST = What.API  # without it nobody could be told to end


class Absences:
    """Of one story. What is missing at its end is missing to the end of its history."""

    def __init__(self, playground: laptop.Playground, notes: recording.Recording) -> None:
        self._playground = playground
        self._notes = notes
        self._since: dict[What, float] = {}

    async def take(self, *what: What) -> None:
        """Returns when they are gone. Raises TimeoutError."""
        async with asyncio.timeout(_LIMIT):
            for one in sorted(what, key=lambda each: each is _LAST):
                if one in _WORKLOADS:
                    await by_hand.scale(self._playground, _WORKLOADS[one][0], 0)
                    await self._pods(one, 0)
                    await self._forgotten(one)
                elif self._playground.cluster is not None:
                    await self._playground.cluster.stop()
                self._notes.outages.append(history.Outage(str(one), time.monotonic()))

    async def bring_back(self, *what: What) -> None:
        """Returns when they are ready, and a bot when it may raise. Raises TimeoutError."""
        async with asyncio.timeout(_LIMIT):
            for one in sorted(what, key=lambda each: each is not _LAST):
                if one in _WORKLOADS:
                    workload, replicas = _WORKLOADS[one]
                    await by_hand.scale(self._playground, workload, replicas)
                elif self._playground.cluster is not None:
                    await self._playground.cluster.start()
                self._notes.back(str(one), time.monotonic())
            for one in set(what) & _WORKLOADS.keys():
                await self._pods(one, _WORKLOADS[one][1])
            if What.BOT in what:
                await self._playground.seen_by_the_watchdog()

    async def _forgotten(self, one: What) -> None:
        """The API has no such pod any more."""
        workload = _WORKLOADS[one][0]
        while True:
            listed = (await self._playground.api.list(client.PODS, objects.NAMESPACE))["items"]
            if not any(pod["metadata"]["name"].startswith(f"{workload}-") for pod in listed):
                return
            await asyncio.sleep(_LOOK_AGAIN)

    async def _pods(self, one: What, ready: int) -> None:
        workload = _WORKLOADS[one][0]
        await self._playground.kubelet.until(
            lambda running: [pod.ready for pod in running if pod.name.startswith(f"{workload}-")] == [True] * ready
        )
