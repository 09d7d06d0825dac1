"""What Prometheus is told says what the registry collects, is made for one who asks at a time, and is never old."""

import asyncio
import threading
from collections.abc import Iterator

import prometheus_client
from prometheus_client import core, parser, registry

from k8s.agent import exposition, traffic, traffic_metrics
from tests.edges.test_agent_traffic import line

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in parser.text_string_to_metric_families(text)
        for one in family.samples
        if not one.name.endswith("_created")
    }


def test_it_says_what_the_librarys_own_text_says() -> None:
    books = prometheus_client.CollectorRegistry()
    strange = 'a "quoted" \\ name\nin two lines'
    prometheus_client.Counter("pushed", strange, ["service"], registry=books).labels(strange).inc(3)
    prometheus_client.Gauge("share", "of something", registry=books).set(float("inf"))
    prometheus_client.Gauge("small", "", ["a", "b"], registry=books).labels("x", "{y}").set(1e-9)
    tallies = traffic.Tallies()
    tallies.count(line("new", header="0.050") + line("old", header="0.500") + line("new", 503, header="20.0"))
    books.register(Traffic(tallies))
    ours, theirs = exposition.text_of(books.collect()).decode(), prometheus_client.generate_latest(books).decode()
    assert samples(ours) == samples(theirs)
    assert {one for one in theirs.splitlines() if one.startswith("# ") and "_created" not in one} == {
        one for one in ours.splitlines() if one.startswith("# ")
    }


def test_of_the_histogram_the_sum_the_count_and_a_few_bounds_are_told() -> None:
    tallies = traffic.Tallies()
    tallies.count(b"".join(line("new", header=one) for one in ("0.050", "0.100", "0.500", "2.000", "20.000")))
    told = samples(exposition.text_of(traffic_metrics.collect(tallies.tallies)).decode())
    name, new = "ferry_proxy_request_seconds", (("cluster", "new"), ("service", "api"))
    bounds = {dict(labels)["le"]: count for (one, labels), count in told.items() if one == f"{name}_bucket"}
    assert bounds == {"0.025": 0, "0.1": 2, "0.25": 2, "0.5": 3, "1.0": 3, "2.5": 4, "10.0": 4, "+Inf": 5}
    assert (told[f"{name}_count", new], round(told[f"{name}_sum", new], 3)) == (5, 22.65)


class Traffic(registry.Collector):
    def __init__(self, tallies: traffic.Tallies) -> None:
        self._tallies = tallies

    def collect(self) -> Iterator[core.Metric]:
        return traffic_metrics.collect(self._tallies.tallies)


class Slow(registry.Collector):
    """Ends when it is let go; each time it says another number."""

    def __init__(self) -> None:
        self.began, self.go, self.asked = threading.Event(), threading.Event(), 0

    def collect(self) -> Iterator[core.Metric]:
        self.asked += 1
        self.began.set()
        self.go.wait(10)
        yield core.GaugeMetricFamily("asked", "times", value=self.asked)


async def test_whoever_asks_while_it_is_made_gets_the_same_text_and_it_is_made_once() -> None:
    now, slow = [100.0], Slow()
    told = exposition.Exposition(slow, clock=lambda: now[0])
    asking = [asyncio.create_task(told.text()) for _ in range(3)]
    await asyncio.to_thread(slow.began.wait, 10)
    now[0] += 0.2
    slow.go.set()
    assert [b"asked 1\n" in text for text in await asyncio.gather(*asking)] == [True] * 3
    now[0] += 0.39
    assert b"asked 1\n" in await told.text(), "it took 0.2 s, and is told for twice as long"
    now[0] += 0.02
    assert b"asked 2\n" in await told.text()


async def test_a_text_that_takes_no_time_is_made_for_each_and_none_is_older_than_a_second() -> None:
    now, slow = [100.0], Slow()
    slow.go.set()
    told = exposition.Exposition(slow, clock=lambda: now[0])
    assert [b"asked 1\n" in await told.text(), b"asked 2\n" in await told.text()] == [True, True]
    slow.go.clear()
    slow.began.clear()
    asking = asyncio.create_task(told.text())
    await asyncio.to_thread(slow.began.wait, 10)
    now[0] += 30
    slow.go.set()
    assert b"asked 3\n" in await asking
    now[0] += 1.01
    assert b"asked 4\n" in await told.text()
