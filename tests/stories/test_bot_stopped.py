"""With the bot stopped, people and kubectl alone: nothing they write raises anything, everything that lowers is obeyed.

The whole installation runs: the ingress, two real proxies, the shipped manifests. Requests are counted at the backends.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from deploy.playground import by_hand, laptop, objects
from deploy.playground.kubernetes import journal
from deploy.playground.stories import counting, people
from handlers.rules import migration
from k8s import client, holds, proxy_report, record_document

pytestmark = [pytest.mark.stories, pytest.mark.xdist_group("playground-bot-stopped"), pytest.mark.timeout(240)]
FIRST, SECOND = objects.FIRST.name, objects.SECOND.name
ASKED = 2_000


class Night:
    """A playground in which both services were shifted by the whole road, and whose bot is gone."""

    def __init__(self, playground: laptop.Playground) -> None:
        self.playground = playground
        self.persons = people.Persons(playground)

    async def at_new(self) -> int:
        """Of `ASKED` requests to the first service, how many reached the new cluster."""
        counts = self.playground.new.counts
        before = counts.per_host[objects.FIRST.new_host]
        burst = await self.playground.client_of([objects.FIRST]).burst(ASKED)
        assert burst.failed == 0
        return counts.per_host[objects.FIRST.new_host] - before

    async def served(self, holds_true: Callable[[proxy_report.ProxyReport], bool]) -> None:
        """Both proxies say so."""
        async with asyncio.timeout(30):
            while True:
                fleet = self.playground.fleet.latest
                if len(fleet.reports) == 2 and not fleet.silent and all(map(holds_true, fleet.reports)):
                    return
                await asyncio.sleep(0.05)

    async def edit(self, first: int, second: int) -> None:
        """One edit of both services: the second one's weight, which only falls here, tells that the agents have read it."""
        text = await by_hand.document(self.playground)
        head, middle, tail = text.split("migration_percentage: ")
        middle = str(first) + middle.lstrip("0123456789")
        tail = str(second) + tail.lstrip("0123456789")
        await by_hand.put_document(self.playground, "migration_percentage: ".join((head, middle, tail)))
        await self.served(lambda report: report.services[SECOND].served == second)

    async def bots(self, replicas: int) -> None:
        await by_hand.scale(self.playground, "ferry-bot", replicas)
        async with asyncio.timeout(60):
            await self.playground.kubelet.until(
                lambda running: [pod.ready for pod in running if pod.name.startswith("ferry-bot-")] == [True] * replicas
            )


@pytest_asyncio.fixture
async def night() -> AsyncIterator[Night]:
    async with laptop.Playground(limits={"verify": "100ms"}) as playground:
        await playground.watched_within()
        prepared = Night(playground)
        for service, weight in ((FIRST, 5), (FIRST, 25), (SECOND, 50)):
            assert await prepared.persons.shift(service, weight, "before the night") is migration.Outcome.DONE
        await playground.traffic.stop()
        await prepared.bots(0)
        yield prepared


def about(weight: int) -> range:
    low, high = counting.interval(ASKED, weight)
    return range(low, high + 1)


async def test_people_alone_can_only_lower_and_nothing_brings_it_back(night: Night) -> None:
    oldest = _records(night)[0]  # generation 1, at 5%

    await night.edit(80, 40)  # upwards by hand: a wish, nothing more
    assert await night.at_new() in about(25)

    await night.edit(10, 30)  # downwards by hand: obeyed at once
    assert await night.at_new() in about(10)

    await night.edit(25, 20)  # and not taken back by hand
    assert await night.at_new() in about(10)

    await by_hand.hold(night.playground, FIRST)  # one kubectl patch
    await night.served(lambda report: report.services[FIRST].served == 0)
    assert await night.at_new() == 0

    api = night.playground.api
    keys = dict.fromkeys((await api.get(client.CONFIG_MAPS, objects.NAMESPACE, holds.CONFIG_MAP))["data"])
    await api.patch(client.CONFIG_MAPS, objects.NAMESPACE, holds.CONFIG_MAP, {"data": keys})
    old = {"data": oldest.object["data"]}
    await api.patch(client.CONFIG_MAPS, objects.NAMESPACE, record_document.config_map_name(FIRST), old)
    await night.served(lambda report: any("restored by hand" in sentence for sentence in report.trouble))
    await night.edit(25, 10)  # the customer's document, applied again as it was
    assert await night.at_new() == 0

    await night.bots(2)  # the bot comes back, and signs no raise out of what it finds
    async with asyncio.timeout(60):
        while _weight(night) != 0:  # noqa: ASYNC110 the journal tells nobody
            await asyncio.sleep(0.05)
    assert await night.at_new() == 0


def _records(night: Night) -> list[journal.Write]:
    cluster = night.playground.cluster
    assert cluster is not None
    name = record_document.config_map_name(FIRST)
    return [one for one in cluster.writes if one.name == name and one.object.get("data", {}).get("record")]


def _weight(night: Night) -> int:
    seen = record_document.read(_records(night)[-1].object, night.playground.verifier)
    return seen.record.exposure.weight if seen.record else 100
