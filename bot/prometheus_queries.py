"""What is asked of Prometheus: PromQL by name, over what the proxies tell, each overridable by its name in the settings. Pure.

A query answers with one series for a service (label `service`), for each of its sides too where the table says so (label
`cluster`: new or old), or with a single one. `$window` stands for the time that is looked at. docs/GATES.md lists them.
"""

from collections.abc import Mapping
from enum import Enum

LONGEST = 4000  # characters: it goes into the address of a request


class Shape(Enum):
    """Which labels part the series of an answer."""

    BY_SIDE = "one series for each service and cluster"
    BY_SERVICE = "one series for each service"
    SINGLE = "one series"


# Agents tell counters at 0 before the first event: every service that has a record has its series, also where nothing came.
_QUERIES: Mapping[str, tuple[Shape, str]] = {
    "requests": (Shape.BY_SIDE, "sum by (service, cluster) (increase(ferry_proxy_attempts_total[$window]))"),
    "failed": (Shape.BY_SIDE, 'sum by (service, cluster) (increase(ferry_proxy_attempts_total{outcome!="ok"}[$window]))'),
    "average": (
        Shape.BY_SIDE,
        (
            "sum by (service, cluster) (increase(ferry_proxy_request_seconds_sum[$window]))"
            " / sum by (service, cluster) (increase(ferry_proxy_request_seconds_count[$window]))"
        ),
    ),
    "p99": (
        Shape.BY_SIDE,
        "histogram_quantile(0.99, sum by (service, cluster, le) (rate(ferry_proxy_request_seconds_bucket[$window])))",
    ),
    "clients": (Shape.BY_SERVICE, "sum by (service) (increase(ferry_proxy_chosen_total[$window]))"),
    "share": (
        Shape.BY_SERVICE,
        (
            'sum by (service) (increase(ferry_proxy_chosen_total{choice="new"}[$window]))'
            " / sum by (service) (increase(ferry_proxy_chosen_total[$window]))"
        ),
    ),
    "available": (
        Shape.BY_SERVICE,
        (
            'clamp_min(1 - sum by (service) (increase(ferry_proxy_requests_total{code_class="5xx"}[$window]))'
            " / sum by (service) (increase(ferry_proxy_chosen_total[$window])), 0)"
        ),
    ),
    "changes": (Shape.BY_SERVICE, "max by (service) (changes(ferry_agent_weight[$window]))"),
    # What the proxies served when they were read last: until that is what they serve now, the numbers are of before.
    "served": (Shape.BY_SERVICE, "avg by (service) (ferry_agent_weight)"),
    # A proxy that takes requests and does not tell is not one that is idle: then there is no answer.
    "cpu": (
        Shape.SINGLE,
        (
            "max(avg_over_time(ferry_proxy_cpu_limit_ratio[1m]))"
            " and count(last_over_time(ferry_proxy_cpu_limit_ratio[30s]))"
            " >= count(last_over_time(ferry_agent_ready[30s]) == 1)"
        ),
    ),
    "memory": (
        Shape.SINGLE,
        (
            "max(avg_over_time(ferry_proxy_memory_limit_ratio[1m]))"
            " and count(last_over_time(ferry_proxy_memory_limit_ratio[30s]))"
            " >= count(last_over_time(ferry_agent_ready[30s]) == 1)"
        ),
    ),
    # Counters go on to answer for the whole window after the last scrape: whether Prometheus still reads is asked by itself. One
    # scrape that failed is no news; a pod that left is asked for 30 s more.
    "scraped": (Shape.SINGLE, 'min(max_over_time(up{job="ferry-agents"}[30s]))'),
    "age": (Shape.SINGLE, "max(time() - max_over_time(timestamp(ferry_agent_ready)[30s:2s]))"),
}

NAMES = tuple(_QUERIES)
SHAPES: Mapping[str, Shape] = {name: shape for name, (shape, _) in _QUERIES.items()}


def problems(overrides: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with queries of the settings, a sentence each, naming the query; nothing: they may be asked."""
    found = []
    for name, text in overrides.items():
        if name not in _QUERIES:
            found.append(f"{name!r} is no query that is asked; the names are {', '.join(NAMES)}")
        elif not text.strip():
            found.append(f"{name!r} is empty; leave it out to ask what ships with Ferry")
        elif len(text) > LONGEST:
            found.append(f"{name!r} is longer than {LONGEST} characters; make it a recording rule and ask for that")
    return tuple(found)


def queries(overrides: Mapping[str, str], *, window: float) -> dict[str, str]:
    """Every query by its name. `window`: seconds. Raises ValueError with the sentences of `problems`."""
    if wrong := problems(overrides):
        raise ValueError("; ".join(wrong))
    if not window > 0:
        raise ValueError(f"a window of {window:g} s is none; it must be longer than two scrapes")
    span = f"{round(window * 1000)}ms"
    return {name: (overrides.get(name) or text).replace("$window", span) for name, (_, text) in _QUERIES.items()}
