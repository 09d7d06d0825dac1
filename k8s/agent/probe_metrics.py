"""What Prometheus reads about probes. Labels are bounded: services that are probed, and the few outcomes of a question."""

from collections.abc import Iterable, Iterator

from prometheus_client import core

from k8s.agent import probe, probe_answer


def probe_families(probes: probe.Probes) -> Iterator[core.Metric]:
    """May be asked from another thread: each value is copied in one step."""
    up = [(name, float(one)) for name, one in list(probes.up.items())]
    yield _gauge("ferry_agent_new_cluster_up", "1: the new cluster answers the agent's probe", up)
    seen = list(probes.seen.items())
    seconds = [(name, one.seconds) for name, one in seen]
    yield _gauge("ferry_agent_probe_seconds", "How long the last probe took", seconds)
    ends = [(name, one.certificate_expires) for name, one in seen if one.certificate_expires is not None]
    yield _gauge("ferry_agent_new_cluster_certificate_expires", "When new's certificate ends, in Unix seconds", ends)
    asked = core.CounterMetricFamily("ferry_agent_probes", "Probes by what became of them", labels=["service", "outcome"])
    for name, counts in list(probes.asked.items()):
        for outcome in probe_answer.OUTCOMES:
            asked.add_metric([name, outcome], counts[outcome])
    yield asked


def _gauge(name: str, text: str, values: Iterable[tuple[str, float]]) -> core.Metric:
    family = core.GaugeMetricFamily(name, text, labels=["service"])
    for service, value in values:
        family.add_metric([service], value)
    return family
