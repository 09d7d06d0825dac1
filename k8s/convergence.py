"""Do all proxies serve what was written? Pure: a verdict over what every agent said.

A raise needs the expected number of ready proxies, none unknown, all serving exactly the generation, and no breaker that cuts
it, though it be to the very weight. Lowering needs
every live proxy, terminating ones too, to report the generation (or a later one) or the hold. No proxies: never.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from k8s import model, proxy_report, suppression, views


@dataclass(frozen=True, slots=True)
class Converged:
    """`count` proxies serve it; the sentence says so."""

    count: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """`done` of `total` proxies serve it. `lagging`: (pod, why), silent pods too. `suppressed`: pods that do not lag: they have
    it, and their breaker keeps its traffic from new.
    """

    done: int
    total: int
    lagging: tuple[tuple[str, str], ...]
    sentence: str
    suppressed: tuple[str, ...] = ()

    @property
    def all_suppressed(self) -> bool:
        """Every proxy has it, and none lets through what was asked for: nothing but the new cluster itself is in the way."""
        return bool(self.suppressed) and not self.done and not self.lagging


Verdict = Converged | Waiting


def of_raise(fleet: views.Fleet, service: str, *, generation: int, weight: int) -> Verdict:
    """Has the record `generation` at `weight` percent taken effect everywhere?"""
    serving = [report for report in fleet.reports if not report.terminating]
    lagging = [(report.pod, why) for report in serving if (why := _raise_lag(report, service, generation, weight))]
    behind = {pod for pod, _ in lagging}
    cut = [report for report in serving if report.pod not in behind and report.services[service].suppression is not None]
    done = len(serving) - len(lagging) - len(cut)
    total = max(fleet.expected, len(serving))
    lagging += [(pod, "gives no answer") for pod in fleet.silent]
    goal = f"generation {generation} at {weight}%"
    if fleet.expected > 0 and done >= fleet.expected and not lagging and not cut:
        return Converged(done, f"{done} of {total} proxies serve {goal}")
    return _waiting(done, total, lagging, goal, also=suppression.sentences(cut, service), suppressed=[one.pod for one in cut])


def of_finish(fleet: views.Fleet, service: str, *, generation: int) -> Verdict:
    """Has the finished record `generation` taken effect everywhere? From then on no proxy goes back to old."""
    verdict = of_raise(fleet, service, generation=generation, weight=100)
    open_ends = not_finished(fleet, service)
    if isinstance(verdict, Waiting) or not open_ends:
        return verdict
    return _waiting(max(0, verdict.count - len(open_ends)), verdict.count, open_ends, f"the finished generation {generation}")


def not_finished(fleet: views.Fleet, service: str) -> tuple[tuple[str, str], ...]:
    """(pod, why) of each proxy, terminating ones too, that may still send something of it to old."""
    lagging = [(pod, "gives no answer") for pod in fleet.silent]
    for report in fleet.reports:
        one = report.services.get(service)
        if one is None or not one.finished:
            lagging.append((report.pod, "does not report the end of it"))
    missing = fleet.expected - len(fleet.reports) - len(fleet.silent)
    return (*lagging, *((("the other proxies", f"{missing} of {fleet.expected} are not there"),) if missing > 0 else ()))


def of_lowering(fleet: views.Fleet, service: str, *, generation: int = 0, weight: int = 0, hold: str = "") -> Verdict:
    """Has every live proxy come down to at most `weight`, by record or by hold?

    `generation` 0 and `hold` empty mean that way does not count. `service` may be `all`: every service of every proxy then.
    """
    lagging = [(report.pod, why) for report in fleet.reports if (why := _lowering_lag(report, service, generation, weight, hold))]
    done = len(fleet.reports) - len(lagging)
    total = len(fleet.reports) + len(fleet.silent)
    lagging += [(pod, "gives no answer") for pod in fleet.silent]
    goal = f"hold {hold}" if hold else f"generation {generation} at {weight}%"
    if total > 0 and not lagging:
        return Converged(done, f"{done} of {total} proxies serve {goal}")
    return _waiting(done, total, lagging, goal)


def _waiting(
    done: int,
    total: int,
    lagging: Sequence[tuple[str, str]],
    goal: str,
    *,
    also: Sequence[str] = (),
    suppressed: Sequence[str] = (),
) -> Waiting:
    if total == 0:
        return Waiting(0, 0, (), f"no proxy is there to serve {goal}; look at the migration-proxy Deployment")
    who = "; ".join([*(f"{pod} {why}" for pod, why in lagging), *also]) or f"{total - done} of the expected proxies are not there"
    return Waiting(done, total, tuple(lagging), f"{done} of {total} proxies serve {goal}: {who}", tuple(suppressed))


def _raise_lag(report: proxy_report.ProxyReport, service: str, generation: int, weight: int) -> str:
    """Why this proxy does not serve it; empty when it does, or would if its breaker let it."""
    one = report.services.get(service)
    if not report.ready:
        return "is not ready"
    if one is None:
        return f"does not know {service}"
    if one.generation != generation:
        return f"serves generation {one.generation}"
    if not one.applied:
        return "has not applied the configuration"
    if one.served != weight and one.suppression is None:
        return f"serves {one.served}%" + (f" ({one.because})" if one.because else "")
    return ""


def _lowering_lag(report: proxy_report.ProxyReport, service: str, generation: int, weight: int, hold: str) -> str:
    if service == model.ALL_SERVICES:
        lags = (_lowering_lag(report, name, generation, weight, hold) for name in sorted(report.services))
        return next((lag for lag in lags if lag), "")
    one = report.services.get(service)
    if one is None:
        return f"does not know {service}"
    by_hold = bool(hold) and hold in one.holds
    by_record = generation > 0 and one.generation >= generation
    if not (by_hold or by_record):
        return f"has not seen hold {hold}" if hold else f"serves generation {one.generation}"
    if one.served > (0 if by_hold else weight):
        return f"still serves {one.served}%"
    return ""
