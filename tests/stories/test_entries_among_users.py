"""The objects of a service's way, made where people use it: old application, real proxies, an ingress as slow as a real one.

No bot runs: the records that it would sign are signed here, and the steps are those of `k8s.entries` alone.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from deploy.playground import before_ferry, by_hand, laptop, objects
from deploy.playground.stories import clients, cluster_list, counting, proxies
from k8s import entry_change, records, views, wish_document
from k8s.entries import cluster_entries, entry_names

pytestmark = [pytest.mark.stories, pytest.mark.xdist_group("playground-entries"), pytest.mark.timeout(240)]
APP = before_ferry.APP
Stage = entry_change.Stage
ASKED = 300


class Town:
    """A playground before Ferry, whose bot is gone, with one service in migration.yaml."""

    def __init__(self, playground: laptop.Playground, people: clients.Clients, entry: str) -> None:
        self.playground, self.people = playground, people
        self.text = objects.document([APP], new_port=playground.new.port, further=[f"entry: {entry}"])
        self.service = wish_document.read(self.text).services[APP.name]
        self.entries = cluster_entries.Entries(
            playground.api, entry_names.EntrySettings(objects.NAMESPACE), lambda: {APP.name: self.service}
        )
        self.book = records.RecordBook(playground.api, objects.NAMESPACE, playground.keys.signer)
        self.generation = 0
        self.done: list[tuple[float, str]] = []

    async def stage(self, stage: entry_change.Stage) -> None:
        planned = await self.entries.plan(self.service, stage)
        assert planned.troubles == ()
        assert planned.conflicts == ()
        await self.entries.arrange(self.service, stage, planned.objects)
        self.done.append((time.monotonic(), stage))

    async def record(self, weight: int, *, finished: bool = False) -> None:
        """Signed, wished for, and served by both proxies."""
        change = views.RecordChange(
            APP.name, self.service.exposure.at(weight), self.generation, f"op-{self.generation + 1}", {},
            {"who": "test"}, finished=finished,
        )  # fmt: skip
        record, _ = await self.book.write(change)
        self.generation = record.generation
        await by_hand.put_document(self.playground, self.text.replace("percentage: 0", f"percentage: {weight}"))
        told = await proxies.agree(
            self.playground, APP.name, lambda one: (one.generation, one.served) == (self.generation, weight), within=20
        )
        assert told is not None, proxies.said(self.playground, APP.name)
        self.done.append((time.monotonic(), f"{weight}%{' for good' if finished else ''}"))

    def failures(self) -> str:
        """When requests failed, and when each act was done."""
        told = [(second, what.failed) for one in (self.people.reads, self.people.writes) for second, what in one.seconds.items()]
        return f"failed at {[one for one in told if one[1]]}, done at {self.done}"

    async def share(self) -> tuple[int, int]:
        """What old and new counted of a few hundred requests."""
        before = self._counted()
        await self.people.read_more(ASKED)
        old, new = (now - then for now, then in zip(self._counted(), before, strict=True))
        return old, new

    def through_proxies(self) -> int:
        reports = [one.services[APP.name].traffic for one in self.playground.fleet.latest.reports if APP.name in one.services]
        return sum(one.old + one.new for one in reports if one is not None)

    def old_pods(self) -> list[Any]:
        return [pod for pod in self.playground.kubelet.running() if pod.namespace == APP.namespace]

    def _counted(self) -> tuple[int, int]:
        assert self.playground.before is not None
        return self.playground.before.served().total, self.playground.new.counts.per_host[APP.new_host]


@contextlib.asynccontextmanager
async def town(entry: str) -> AsyncIterator[Town]:
    async with laptop.Playground(entry=False) as playground, clients.using(playground, APP) as people:
        await by_hand.scale(playground, "ferry-bot", 0)
        async with asyncio.timeout(30):
            await playground.kubelet.until(lambda _: not playground.pods("ferry-bot"))
        found = Town(playground, people, entry)
        await by_hand.put_document(playground, found.text)
        yield found
        reads, writes = people.reads.counts, people.writes.counts
        assert reads.total > ASKED
        assert reads.failed == 0, found.failures()
        # Nobody may send a POST twice: one whose idle connection a reload of nginx closes at that moment has failed.
        assert writes.failed <= writes.total / 250, found.failures()


@pytest.mark.parametrize("entry", ["canary", "replace"])
async def test_nobody_notices_how_a_host_is_handed_over_forwarded_and_its_old_application_removed(entry: str) -> None:
    async with town(entry) as found:
        assert (await found.share())[1] == 0
        assert found.through_proxies() == 0
        await found.stage(Stage.PREPARE)
        assert (await found.share())[1] == 0
        async with asyncio.timeout(20):
            while found.through_proxies() < ASKED:  # noqa: ASYNC110 proxies only count
                await asyncio.sleep(0.1)

        await found.record(50)
        old, new = await found.share()
        assert counting.within(old + new, new, 50)
        await found.record(100)
        assert (await found.share())[0] == 0

        await found.stage(Stage.FORWARD)
        await found.record(100, finished=True)
        assert (await found.share())[0] == 0
        processes = [child.pid for pod in found.old_pods() for child in pod.processes.values()]
        assert len(processes) == before_ferry.REPLICAS
        await found.stage(Stage.REMOVE)
        assert found.old_pods() == []
        for one in processes:
            with pytest.raises(ProcessLookupError):
                os.kill(one, 0)
        old, new = await found.share()
        assert (old, new) == (0, new)
        assert new >= ASKED
        assert cluster_list.differences(await cluster_list.standing(found.playground), cluster_list.FINISHED) == []
