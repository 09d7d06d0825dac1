"""What Prometheus reads of why a service serves less than people asked for: its holds, its latches, its breaker."""

from collections.abc import Iterator
from dataclasses import replace

from prometheus_client import core, registry

from k8s import protocol
from k8s.agent import breaker, latches, protection, serving

_NEVER = breaker.Breaker()
UNCUT = 100  # percent: nothing is suppressed


class SafetyMetrics(registry.Collector):
    """Read when asked for, from a thread of its own. Every service of the agent has its lines from the start."""

    def __init__(self, *, served: serving.Serving, protection: protection.Protection) -> None:
        self._serving = served
        self._protection = protection

    def collect(self) -> Iterator[core.Metric]:
        names = sorted(self._serving.memories)
        yield from self._holds(names)
        breakers = dict(self._protection.breakers)
        cap = core.GaugeMetricFamily(
            "ferry_agent_suppression",
            "Percent to which the breaker cuts the approved weight; 100: it does not",
            labels=["service"],
        )
        is_open = core.GaugeMetricFamily("ferry_agent_breaker_open", "1: the breaker is open or half open", labels=["service"])
        openings = core.CounterMetricFamily("ferry_agent_breaker_openings", "Times the breaker opened", labels=["service"])
        for name in names:
            one = breakers.get(name, _NEVER)
            cut = self._serving.served(name).effective.suppression
            cap.add_metric([name], UNCUT if cut is None else cut)
            is_open.add_metric([name], int(one.phase is not breaker.Phase.CLOSED))
            openings.add_metric([name], one.opened)
        dead = set(self._protection.old_unusable())
        unusable = core.GaugeMetricFamily(
            "ferry_agent_old_unusable", "1: the old cluster answers nobody, so that traffic stays at new", labels=["service"]
        )
        for name in names:
            unusable.add_metric([name], int(name in dead))
        yield from (cap, is_open, openings, unusable)

    def _holds(self, names: list[str]) -> Iterator[core.Metric]:
        requested = core.GaugeMetricFamily(
            "ferry_agent_requested_weight", "Percent that wish and record ask for, whatever holds", labels=["service"]
        )
        held = core.GaugeMetricFamily("ferry_agent_held", "Holds that stand", labels=["service"])
        latched = core.GaugeMetricFamily(
            "ferry_agent_latched",
            "1: a hold stands that an agent made, as new was down or failed again and again",
            labels=["service"],
        )
        for name in names:
            memory = self._serving.memories[name]
            free = protocol.effective(replace(memory, holds=(), present=frozenset()))
            requested.add_metric([name], free.weight)
            held.add_metric([name], len(memory.held))
            latched.add_metric([name], int(any(hold.startswith(latches.PREFIX) for hold in memory.held)))
        yield from (requested, held, latched)
