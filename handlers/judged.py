"""The gates of a service as of the last look at its numbers: put together for `handlers.rules.judging`, at no cost."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from handlers import messages, outside
from handlers.rules import gates, journeys, judging
from k8s import model, views

_NONE = gates.Look(datetime.min.replace(tzinfo=UTC))  # stands where nothing is asked; nothing of it is read
LOUD = frozenset({messages.Severity.CRITICAL, messages.Severity.WARNING})


def look(world: outside.Outside) -> gates.Look | None:
    """None: Prometheus is not asked here."""
    return world.measures.look() if world.measures is not None else None


def judgement(
    seen: gates.Look | None,
    view: views.ServiceView,
    journey: journeys.Journey | None,
    *,
    firing: Sequence[str],
    blind: str,
) -> gates.Judgement:
    """`seen`: see `look`. `firing`: names of loud alerts about the service. `blind`: why nobody watches; empty: somebody does."""
    exposure = view.in_force or (view.wished.exposure if view.wished else None)
    return judging.judge(
        seen.services.get(view.name) if seen is not None else None,
        seen if seen is not None else _NONE,
        service=view.name,
        gates=view.wished.gates if view.wished else model.Gates(),
        weight=exposure.weight if exposure else 0,
        judge_share=exposure is not None and by_chance(exposure),
        baseline=journey.baseline if journey else None,
        firing=firing,
        blind=blind,
        configured=seen is not None,
    )


def by_chance(exposure: model.Exposure) -> bool:
    """Each request is drawn for itself: the achieved share says something."""
    return exposure.strategy is model.Strategy.WEIGHT and exposure.sticky.kind is model.StickyKind.NONE


def loud(alerts: Iterable[messages.Alert]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(alert.name for alert in alerts if alert.firing and alert.severity in LOUD))
