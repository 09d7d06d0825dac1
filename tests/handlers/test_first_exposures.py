"""Since when a service sends anything to new is read once, however slow the answer is, and of a few services at a time."""

import asyncio
from dataclasses import replace

from handlers import exposed
from k8s import views
from tests.handlers import cluster_ports
from tests.handlers.world import World


class Slow(cluster_ports.Records):
    """Answers only when `go` is set. `asked`: how often it was, by service. `most`: how many at once."""

    def __init__(self, records: cluster_ports.Records) -> None:
        super().__init__(records.book, records.after_write)
        self.go, self.began = asyncio.Event(), asyncio.Event()
        self.asked: list[str] = []
        self.most = self._now = 0

    async def history(self, service: str) -> tuple[views.Revision, ...]:
        self.asked.append(service)
        self._now += 1
        self.began.set()
        self.most = max(self.most, self._now)
        try:
            await self.go.wait()
            return await super().history(service)
        finally:
            self._now -= 1


async def test_a_slow_answer_is_waited_for_and_not_asked_for_anew_at_every_round(world: World) -> None:
    await world.raised(5)
    slow = Slow(world.records)
    world.outside = replace(world.outside, records=slow)
    await world.restart()
    async with asyncio.timeout(10):
        await slow.began.wait()
    for _ in range(10):
        await world.clock.sleep(world.limits.tick)
    slow.go.set()
    for _ in range(3):
        await world.clock.sleep(world.limits.tick)
    assert slow.asked == ["shop"]


async def test_many_that_begin_together_are_read_a_few_at_a_time(world: World) -> None:
    await world.raised(5)
    slow = Slow(world.records)
    first = exposed.FirstExposures(slow)
    names = [f"api-name{number:02d}" for number in range(40)]
    shop = world.cluster.service("shop")
    reading = [asyncio.create_task(first.learn(replace(shop, name=name))) for name in names]
    await slow.began.wait()
    await asyncio.sleep(0)  # all of them have begun by then
    slow.go.set()
    await asyncio.gather(*reading)
    assert sorted(slow.asked) == names
    assert 1 < slow.most <= 8
