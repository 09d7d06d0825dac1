"""What Prometheus reads of the traffic. Labels are bounded: services of the configuration, two clusters, few outcomes, and the
statuses that HTTP knows.
"""

from collections.abc import Iterator, Mapping

from prometheus_client import core

from k8s.agent import traffic

CLASSES = ("2xx", "5xx")  # there from the start, so that the first one is seen as an increase
KNOWN = frozenset(str(code) for code in range(100, 600))
OTHER = "other"
BOUNDS = (0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # of traffic.SECONDS: p99 needs some, and each costs two lines a service


def collect(tallies: Mapping[str, traffic.Tally]) -> Iterator[core.Metric]:
    """By service."""
    summaries = {name: tallies[name].summary() for name in sorted(tallies)}
    yield _requests(summaries)
    yield _answers(summaries)
    yield _attempts(summaries)
    yield _seconds(summaries)
    yield _bytes(summaries)
    yield _chosen(summaries)
    yield _one_each("ferry_proxy_fallbacks", "Requests chosen for new and answered by old", _fallbacks(summaries))
    kept_back = {name: tallies[name].not_tried for name in summaries}
    yield _one_each("ferry_proxy_kept_back", "Requests chosen for new that found none of its connections free", kept_back)
    retries = {name: tallies[name].retries for name in summaries}
    yield _one_each("ferry_proxy_retries", "Tries at new after a request's first one", retries)
    slow = {name: tallies[name].slow for name in summaries}
    text = (
        f"Answers of new after more than {traffic.SLOW:.0f} s, and clients that left new after more than {traffic.PATIENCE:.0f} s"
    )
    yield _one_each("ferry_proxy_slow", text, slow)


def _fallbacks(summaries: Mapping[str, traffic.Summary]) -> dict[str, int]:
    return {name: one.fallbacks for name, one in summaries.items()}


def _one_each(name: str, text: str, values: Mapping[str, int]) -> core.Metric:
    family = core.CounterMetricFamily(name, text, labels=["service"])
    for service, value in values.items():
        family.add_metric([service], value)
    return family


def _requests(summaries: Mapping[str, traffic.Summary]) -> core.Metric:
    family = core.CounterMetricFamily(
        "ferry_proxy_requests", "Requests by the cluster that answered", labels=["service", "cluster", "code_class"]
    )
    always = {(side, code) for side in traffic.SIDES for code in CLASSES}
    for service, one in summaries.items():
        for side, code in sorted(always.union(one.requests)):
            family.add_metric([service, side, code], one.requests[side, code])
    return family


def _answers(summaries: Mapping[str, traffic.Summary]) -> core.Metric:
    family = core.CounterMetricFamily(
        "ferry_proxy_answers", "Tries that were answered, by status", labels=["service", "cluster", "code"]
    )
    for service, one in summaries.items():
        others = dict.fromkeys(traffic.SIDES, 0)
        for (side, code), count in sorted(one.answers.items()):
            if code in KNOWN:
                family.add_metric([service, side, code], count)
            else:
                others[side] += count
        for side, count in others.items():
            if count:
                family.add_metric([service, side, OTHER], count)
    return family


def _attempts(summaries: Mapping[str, traffic.Summary]) -> core.Metric:
    family = core.CounterMetricFamily(
        "ferry_proxy_attempts", "Tries at a cluster by what became of them", labels=["service", "cluster", "outcome"]
    )
    for service, one in summaries.items():
        for side in traffic.SIDES:
            for outcome in (traffic.OK, *traffic.FAILURES):
                family.add_metric([service, side, outcome], one.attempts[side, outcome])
    return family


def _bytes(summaries: Mapping[str, traffic.Summary]) -> core.Metric:
    family = core.CounterMetricFamily(
        "ferry_proxy_bytes",
        "Bytes from (in) and to (out) the clients, by the cluster that answered",
        labels=["service", "cluster", "direction"],
    )
    for service, one in summaries.items():
        for (side, direction), count in sorted(one.bytes.items()):
            if count:
                family.add_metric([service, side, direction], count)
    return family


def _chosen(summaries: Mapping[str, traffic.Summary]) -> core.Metric:
    family = core.CounterMetricFamily(
        "ferry_proxy_chosen", "Requests by the cluster chosen for them, whoever answered", labels=["service", "choice"]
    )
    for service, one in summaries.items():
        for choice, count in one.chosen().items():
            family.add_metric([service, choice], count)
    return family


def _seconds(summaries: Mapping[str, traffic.Summary]) -> core.Metric:
    family = core.HistogramMetricFamily(
        "ferry_proxy_request_seconds", "From sending a request to the head of its answer", labels=["service", "cluster"]
    )
    ends = [traffic.SECONDS.index(bound) + 1 for bound in BOUNDS]
    for service, one in summaries.items():
        for side, timing in one.times.items():
            if count := timing.count:  # else it is lines for nothing, times a thousand services
                buckets = [(str(bound), sum(timing.buckets[:end])) for bound, end in zip(BOUNDS, ends, strict=True)]
                family.add_metric([service, side], [*buckets, ("+Inf", count)], timing.sum)
    return family
