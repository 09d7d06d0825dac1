"""The gates of a service as of the last look at its numbers: put together for `handlers.rules.judging`, at no cost."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from handlers import messages, outside
from handlers.rules import gates, journeys, judging
from k8s import model, views

_NONE = gates.Look(datetime.min.replace(tzinfo=UTC))  # stands where nothing is asked; nothing of it is read
LOUD = frozenset({messages.Severity.CRITICAL, messages.Severity.WARNING})
_OF_ALL = frozenset({"", model.ALL_SERVICES})


@dataclass(frozen=True, slots=True)
class Loud:
    """Names of loud alerts that fire. `own`: about the service, or about the new cluster as a whole. `common`: about what all
    services share (a proxy, the document), or mapped to none. `of_all`: the causes of `own`, where all of them are about the
    new cluster as a whole; empty: some are not.
    """

    own: tuple[str, ...] = ()
    common: tuple[str, ...] = ()
    of_all: tuple[str, ...] = ()


def look(world: outside.Outside) -> gates.Look | None:
    """None: Prometheus is not asked here."""
    return world.measures.look() if world.measures is not None else None


def judgement(
    seen: gates.Look | None,
    view: views.ServiceView,
    journey: journeys.Journey | None,
    *,
    firing: Loud,
    blind: str,
) -> gates.Judgement:
    """`seen`: see `look`. `firing`: see `loud`. `blind`: why nobody watches; empty: somebody does."""
    exposure = view.in_force or (view.wished.exposure if view.wished else None)
    return judging.judge(
        seen.services.get(view.name) if seen is not None else None,
        seen if seen is not None else _NONE,
        service=view.name,
        gates=view.wished.gates if view.wished else model.Gates(),
        weight=exposure.weight if exposure else 0,
        judge_share=view.in_force is not None and by_chance(view.in_force),
        baseline=journey.baseline if journey else None,
        firing=firing.own,
        common=firing.common,
        blind=blind,
        configured=seen is not None,
    )


def by_chance(exposure: model.Exposure) -> bool:
    """Each request is drawn for itself: the achieved share says something."""
    return exposure.strategy is model.Strategy.WEIGHT and exposure.sticky.kind is model.StickyKind.NONE


def loud(alerts: Iterable[messages.Alert]) -> Loud:
    """Of those that count for one service."""
    fires = [alert for alert in alerts if alert.firing and alert.severity in LOUD]
    own = [alert for alert in fires if alert.service not in _OF_ALL or (alert.service and alert.about_new)]
    common = [alert for alert in fires if alert not in own]
    of_all = tuple(sorted(alert.cause for alert in own)) if all(alert.service in _OF_ALL for alert in own) else ()
    return Loud(_names(own), _names(common), of_all)


def _names(alerts: Iterable[messages.Alert]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(alert.name for alert in alerts))
