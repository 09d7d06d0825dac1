"""What the bot counts, for Prometheus. No label carries foreign text: values come from fixed sets."""

from collections.abc import Callable

import prometheus_client

from handlers.rules import migration

# A hold is written in milliseconds; the upper ones show an API server in trouble.
_HOLD_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_MOST_REMEMBERED = 1000


class Metrics:
    """A registry of its own, so that two bots in one process (tests) do not share counts."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        self._webhooks = prometheus_client.Counter(
            "ferry_bot_webhook_calls", "Calls of the alert webhook by what was answered", ["answer"], registry=self.registry
        )
        self._alerts = prometheus_client.Counter(
            "ferry_bot_alerts", "Alerts read, by severity and by the way they came", ["severity", "way"], registry=self.registry
        )
        self._holds = prometheus_client.Counter(
            "ferry_bot_holds", "Holds ordered, by whether the cluster took them", ["written"], registry=self.registry
        )
        self._hold_seconds = prometheus_client.Histogram(
            "ferry_bot_hold_seconds",
            "From ordering a hold to the cluster's answer",
            buckets=_HOLD_SECONDS,
            registry=self.registry,
        )
        self._operations = prometheus_client.Counter(
            "ferry_bot_operations", "Operations that were decided, by outcome", ["outcome"], registry=self.registry
        )
        for answer in ("accepted", "unauthorised", "unreadable", "too_large", "late", "lost"):
            self._webhooks.labels(answer)  # a series that begins at 0 can be alerted on from its first event
        for outcome in migration.Outcome:
            if outcome is not migration.Outcome.OPEN:
                self._operations.labels(outcome)
        for written in ("yes", "no"):
            self._holds.labels(written)
        self._decided: dict[str, None] = {}

    def webhook_answered(self, answer: str) -> None:
        self._webhooks.labels(answer).inc()

    def alert_read(self, severity: str, way: str) -> None:
        """`way`: webhook or poll."""
        self._alerts.labels(severity, way).inc()

    def hold_placed(self, seconds: float, *, written: bool) -> None:
        self._holds.labels("yes" if written else "no").inc()
        self._hold_seconds.observe(seconds)

    def operation_decided(self, operation: migration.Operation) -> None:
        """Told twice of the same operation, it counts once."""
        if operation.id in self._decided:
            return
        self._decided[operation.id] = None
        if len(self._decided) > _MOST_REMEMBERED:
            del self._decided[next(iter(self._decided))]
        self._operations.labels(operation.outcome).inc()

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """A gauge that is asked at every scrape; `ferry_bot_` comes in front of `name`."""
        prometheus_client.Gauge(f"ferry_bot_{name}", meaning, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return prometheus_client.generate_latest(self.registry)
