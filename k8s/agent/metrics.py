"""What Prometheus reads from the agent. Labels are bounded: services of the configuration, two clusters, few outcomes."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import core, registry

from k8s import views
from k8s.agent import pressure, probe, probe_metrics, serving, structure, traffic, traffic_metrics

REPAIRS = ("nginx", "orphans", "config")
_SEVERE = (views.DocumentState.UNREADABLE, views.DocumentState.MISSING)


class AgentMetrics(registry.Collector):
    """Everything is read when it is asked for, from a thread of its own: each value is copied in one step."""

    def __init__(
        self,
        *,
        tallies: traffic.Tallies,
        served: serving.Serving,
        nginx: structure.Structure,
        probes: probe.Probes,
        limits: pressure.Pressure,
        view: Callable[[], views.ClusterView],
        unready: Callable[[], str],
    ) -> None:
        """`unready`: why no request should be sent to this proxy; empty when it is ready."""
        self._tallies = tallies
        self._serving = served
        self._structure = nginx
        self._probes = probes
        self._limits = limits
        self._view = view
        self._unready = unready

    def collect(self) -> Iterator[core.Metric]:
        recorded = {name for name, memory in list(self._serving.memories.items()) if memory.record is not None}
        tallies = {name: traffic.Tally() for name in recorded} | dict(self._tallies.tallies)
        yield from traffic_metrics.collect(tallies)
        yield from self._agent()
        for name, text, share in (
            ("ferry_proxy_cpu_limit_ratio", "CPU used by nginx's container, of its limit", self._limits.cpu()),
            ("ferry_proxy_memory_limit_ratio", "Memory used by nginx's container, of its limit", self._limits.memory()),
        ):
            if share is not None:
                yield core.GaugeMetricFamily(name, text, value=share)

    def _agent(self) -> Iterator[core.Metric]:
        ready = "1: requests may be sent to this proxy; 0: it takes none, whatever its weights say"
        yield core.GaugeMetricFamily("ferry_agent_ready", ready, value=int(not self._unready()))
        memories = dict(self._serving.memories)
        names = sorted(memories)
        now = {name: self._serving.served(name) for name in names}
        yield _gauge("ferry_agent_weight", "Percent that nginx sends to new", ((name, now[name].weight) for name in names))
        yield _gauge("ferry_agent_generation", "Of the accepted record", ((name, now[name].generation) for name in names))
        converged = ((name, int(now[name].converged)) for name in names)
        yield _gauge("ferry_agent_converged", "1: nginx serves what the protocol says", converged)
        records = {name: memories[name].record for name in names}
        drawn = ((name, int(one is not None and one.exposure.drawn_anew)) for name, one in records.items())
        yield _gauge("ferry_agent_draws_each_request", "1: chance alone chooses, anew for each request", drawn)
        yield from probe_metrics.probe_families(self._probes)
        failures = core.CounterMetricFamily(
            "ferry_agent_config_failures", "Configurations nginx refused; the last good one stayed", labels=["service"]
        )
        for name in sorted({structure.NO_SERVICE, *names, *list(self._structure.failures)}):
            failures.add_metric([name], self._structure.failures[name])
        yield failures
        yield core.CounterMetricFamily("ferry_agent_reloads", "Changes of nginx's structure", value=self._structure.reloads)
        repairs = core.CounterMetricFamily("ferry_agent_repairs", "What was not as the agent had left it", labels=["what"])
        for what in REPAIRS:
            repairs.add_metric([what], self._structure.repairs[what])
        yield repairs
        yield core.GaugeMetricFamily(
            "ferry_agent_document_trouble",
            "1: migration.yaml is missing or cannot be read as a whole",
            value=int(self._view().document_state in _SEVERE),
        )
        yield core.CounterMetricFamily(
            "ferry_agent_unreadable_log_lines", "Lines of nginx's log that could not be counted", value=self._tallies.unreadable
        )


def _gauge(name: str, text: str, values: Iterable[tuple[str, int]]) -> core.Metric:
    family = core.GaugeMetricFamily(name, text, labels=["service"])
    for service, value in values:
        family.add_metric([service], value)
    return family
