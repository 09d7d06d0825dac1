"""From what Prometheus answers to numbers that may be judged. Pure: what is not exactly one plain, fresh number says why."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot import prometheus_queries
from handlers.rules import gates

CLOCKS_APART = 60.0  # seconds between the bot's clock and the time of an answer, with no meaning
OLDEST_SCRAPE = 60.0  # seconds: the query of it looks back for half of that
_SIDES = ("new", "old")
_ROUNDING = 1e-6
_Key = tuple[str, str]  # service and cluster, empty where the query does not part by it


@dataclass(frozen=True, slots=True)
class Answer:
    """To one query: series as custom_query gives them, or why there are none (`trouble`, a sentence without secrets)."""

    series: Any = ()
    trouble: str = ""


class _Samples:
    """One answer, by service and cluster. `trouble`: the answer as a whole cannot be read."""

    def __init__(self, name: str, answer: Answer) -> None:
        self.trouble = f"query {name}: {answer.trouble}" if answer.trouble else ""
        self.found: dict[_Key, list[tuple[float, float]]] = defaultdict(list)
        self._name = name
        if self.trouble:
            return
        shape = prometheus_queries.SHAPES[name]
        try:
            for one in answer.series:
                key, sample = _sample(one, shape)
                self.found[key].append(sample)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            self.found.clear()
            self.trouble = f"query {name} does not answer with plain numbers; {shape.value} is expected"

    def reading(self, service: str = "", cluster: str = "", *, now: float, most: float = math.inf) -> gates.Reading:
        """`now`: Unix seconds. `most`: larger cannot be."""
        if self.trouble:
            return gates.Reading(None, self.trouble)
        found = self.found.get((service, cluster), [])
        if len(found) != 1:
            many = f"{len(found)} series answer where one is expected" if found else "no series answers"
            return gates.Reading(None, f"query {self._name}: {many}")
        (value, at) = found[0]
        if why := _wrong(value, at, now=now, most=most):
            return gates.Reading(None, f"query {self._name}: {why}")
        return gates.Reading.of(min(value, most))


def look(answers: Mapping[str, Answer], *, window: float, at: datetime) -> gates.Look:
    """`answers`: by the name of the query. `window`: seconds. `at`: when they were asked for."""
    now = at.timestamp()
    samples = {name: _Samples(name, answers.get(name, Answer(trouble="it was not asked"))) for name in prometheus_queries.NAMES}
    if why := _unseen(samples["scraped"].reading(now=now), samples["age"].reading(now=now)):
        return gates.Look(at, trouble=why)
    parted = (one for name, one in samples.items() if prometheus_queries.SHAPES[name] is not prometheus_queries.Shape.SINGLE)
    services = sorted({service for one in parted for service, _ in one.found if service})
    return gates.Look(
        at,
        services={service: _measured(service, samples, window=window, now=now) for service in services},
        cpu=_proxies(samples["cpu"].reading(now=now), "CPU"),
        memory=_proxies(samples["memory"].reading(now=now), "memory"),
    )


def _measured(service: str, samples: Mapping[str, _Samples], *, window: float, now: float) -> gates.Measured:
    sides = {
        side: gates.Side(*(samples[name].reading(service, side, now=now) for name in ("requests", "failed", "average", "p99")))
        for side in _SIDES
    }
    return gates.Measured(
        **sides,
        requests=samples["clients"].reading(service, now=now),
        share=samples["share"].reading(service, now=now, most=1.0),
        available=samples["available"].reading(service, now=now, most=1.0),
        changes=samples["changes"].reading(service, now=now),
        served=samples["served"].reading(service, now=now, most=100.0),
        window=window,
    )


def _sample(one: Mapping[str, Any], shape: prometheus_queries.Shape) -> tuple[_Key, tuple[float, float]]:
    """Its key, and value with the Unix seconds of it. Raises whatever a strange answer leads to."""
    labels, (at, value) = one["metric"], one["value"]
    key = ("", "")
    if shape is not prometheus_queries.Shape.SINGLE:
        key = (str(labels.get("service", "")), "")
    if shape is prometheus_queries.Shape.BY_SIDE:
        key = (key[0], str(labels.get("cluster", "")))
    return key, (float(value), float(at))


def _wrong(value: float, at: float, *, now: float, most: float) -> str:
    """Why the sample is no number to judge; empty: it is one."""
    if not abs(now - at) <= CLOCKS_APART:
        when = f"{now - at:.0f} s old" if now > at else f"{at - now:.0f} s ahead"
        return f"its answer is {when}; see that the clocks agree and that no cache answers"
    if math.isnan(value):
        return "it is not a number: nothing was counted"
    if math.isinf(value):
        return "it is infinite"
    if value < 0:
        return f"{value:g} cannot be, it is below 0"
    return f"{value:g} cannot be, it is above {most:g}" if value > most + _ROUNDING else ""


def _unseen(scraped: gates.Reading, age: gates.Reading) -> str:
    """Why the numbers are not of now, though Prometheus answers; empty: it reads every proxy."""
    for reading in (scraped, age):
        if reading.value is None:
            return f"Whether Prometheus reads the proxies is unknown ({reading.trouble}); see its job ferry-agents."
    if scraped.value != 1:
        return "Prometheus cannot read a proxy; check the pods, and the network policy between Prometheus and port 9080."
    if age.value is not None and age.value > OLDEST_SCRAPE:
        return f"Prometheus last read a proxy {age.value:.0f} s ago; see its job ferry-agents."
    return ""


def _proxies(reading: gates.Reading, what: str) -> gates.Reading:
    if reading.value is not None:
        return reading
    hint = f"every proxy's nginx needs a {what} limit to be measured against"
    return gates.Reading(None, f"{reading.trouble}; {hint}")
