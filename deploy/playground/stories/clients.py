"""People who use the service while a story breaks things: most of them read, some of them write, each with a deadline."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from deploy.playground import laptop, objects
from deploy.playground.world import traffic

READING = ("GET",) * 8 + ("HEAD", "OPTIONS")
READS, WRITES = 64.0, 16.0  # requests a second
DEADLINE = traffic.DEADLINE
_LOOK_AGAIN = 0.1


@dataclass(slots=True)
class Clients:
    """`reads`: GET, HEAD and OPTIONS, which never fail; `writes`: POST, which nobody may send twice. Counted since `anew`."""

    reads: traffic.Traffic
    writes: traffic.Traffic
    asked: int = 0
    failed: int = 0
    _begun: float = field(default_factory=time.monotonic)

    def anew(self) -> None:
        """Counts from zero; `asked` and `failed` keep the readers of the whole story."""
        self.asked, self.failed = self.asked + self.reads.counts.total, self.failed + self.reads.counts.failed
        self.reads.counts, self.writes.counts = traffic.Tally(), traffic.Tally()

    async def all_ended(self, asked_before: float) -> None:
        """Until nobody waits any more who asked before that (monotonic)."""
        while min(self.reads.waiting_since, self.writes.waiting_since) <= asked_before:  # noqa: ASYNC110 clients only count
            await asyncio.sleep(_LOOK_AGAIN)

    async def read_more(self, number: int) -> None:
        """Until so many more readers have been answered."""
        until = self.reads.counts.total + number
        while self.reads.counts.total < until:  # noqa: ASYNC110 clients only count
            await asyncio.sleep(_LOOK_AGAIN)

    def measured(self) -> dict[str, object]:
        """Since `anew`."""
        reads, writes = self.reads.counts, self.writes.counts
        return {
            "reads": reads.total,
            "failed_reads": reads.failed,
            "reads_over_1_s": reads.late,
            "longest_read_s": round(reads.longest, 2),
            "writes": writes.total,
            "failed_writes": writes.failed,
        }


@contextlib.asynccontextmanager
async def using(
    playground: laptop.Playground, app: objects.App, *others: objects.App, times: float = 1.0, writing: bool = True
) -> AsyncIterator[Clients]:
    """Instead of the page's steady traffic, which rests meanwhile. Of `others`: one reader in ten or so. `times`: more people.

    `writing` False: those who else write read, too.
    """
    await playground.traffic.stop()
    where = playground.ingress.address, playground.ingress.port
    reading = [traffic.Target(app.old_host, method=one) for one in READING]
    reading += [traffic.Target(one.old_host) for one in others]
    people = Clients(
        traffic.Traffic(*where, reading, rps=READS * times, deadline=DEADLINE),
        traffic.Traffic(
            *where, [traffic.Target(app.old_host, method="POST" if writing else "GET")], rps=WRITES * times, deadline=DEADLINE
        ),
    )
    await asyncio.gather(people.reads.start(), people.writes.start())
    try:
        yield people
    finally:
        await asyncio.gather(people.reads.stop(), people.writes.stop())
        people.anew()
        await playground.traffic.start()
