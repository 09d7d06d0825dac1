"""Is the new cluster well, judged by what the proxies counted since the change? Pure: two looks at the fleet, one verdict.

Few requests are neither good nor bad news, and a proxy that does not answer or count is not healthy: it is unknown. A breaker
that opens is bad news by itself: what it keeps from new is counted nowhere.
"""

import math
from dataclasses import dataclass, fields

from handlers.rules import key_outlook
from k8s import model, proxy_report, suppression, views

SHARE_SIGMAS = 3.29  # two-sided 99.9% of a binomial share
SHARE_SLACK = 0.01
TOO_FEW = "needed to judge"  # in every sentence of `TooFew`: an operation keeps nothing else of that verdict
LATE_REQUESTS = 10  # begun before the change and logged after it: of few requests they are a large share
ERROR_SIGMAS = 2.33  # one-sided 99%: a naked ratio of few attempts says nothing
LEAST_FAILURES = 3
LEAST_ANSWERS = 30
SLOWER_SECONDS = 0.02  # differences below this are the distance between the clusters, not a slow service


@dataclass(frozen=True, slots=True)
class Healthy:
    sentence: str


@dataclass(frozen=True, slots=True)
class Unhealthy:
    sentence: str


@dataclass(frozen=True, slots=True)
class TooFew:
    """Too quiet to judge."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Somebody who must be asked does not answer."""

    sentence: str


Verdict = Healthy | Unhealthy | TooFew | Unknown


def verdict(
    start: views.Fleet,
    now: views.Fleet,
    *,
    service: str,
    weight: int,
    gates: model.Gates,
    judge_share: bool = True,
    keyed: model.Exposure | None = None,
) -> Verdict:
    """`judge_share`: the weight applies to all requests, and each is drawn anew (strategy weight, not sticky). `keyed`: what was
    raised, to be judged by what its key makes due, where it has one.
    """
    if kept := _kept_from_new(start, now, service):
        return Unhealthy(kept)
    if now.silent or not now.reports:
        who = ", ".join(now.silent) or "every proxy"
        return Unknown(f"no answer from {who}: nobody knows what is served there")
    seen = since(start, now, service)
    if seen is None:
        return Unknown(f"a proxy does not count the requests of {service}; is its agent of the bot's version?")
    total = seen.new + seen.old
    if bad := _errors(seen, gates) or _latency(seen, gates):
        return Unhealthy(bad)
    if total < gates.minimum_requests:
        return TooFew(f"only {total} requests came ({gates.minimum_requests} are {TOO_FEW}); nothing bad was seen")
    share = seen.new / total
    off = abs(share - weight / 100)
    if judge_share and off > _allowed(weight / 100, total):
        return Unhealthy(f"{share:.1%} of {total} requests went to the new cluster, {weight}% was asked for")
    by_key = key_outlook.due(start, now, service, keyed) if keyed is not None else None
    if by_key is not None and by_key.requests >= gates.minimum_requests:
        return _by_key(by_key, weight, _figures(seen))
    by_rule = keyed is not None and keyed.strategy in {model.Strategy.HEADER, model.Strategy.IP}
    if by_rule and seen.new < gates.minimum_requests:
        least = f"{gates.minimum_requests} there are {TOO_FEW}"
        return TooFew(f"only {seen.new} of {total} requests were such as go to the new cluster ({least}); nothing bad was seen")
    return Healthy(f"{share:.1%} of {total} requests went to the new cluster{_figures(seen)}")


def _by_key(seen: key_outlook.Due, weight: int, figures: str) -> Verdict:
    """No chance is in it: which requests they were is known, and where each of their buckets has to go."""
    went, due = seen.new / seen.requests, seen.due / seen.requests
    measured = f"{went:.1%} of {seen.requests} requests that a key decided went to the new cluster"
    if abs(went - due) > max(SHARE_SLACK, LATE_REQUESTS / seen.requests):
        return Unhealthy(f"{measured}, {due:.1%} had to: those of {weight}% of the keys")
    return Healthy(f"{measured}, as those of {weight}% of the keys had to{figures}")


def since(start: views.Fleet, now: views.Fleet, service: str) -> proxy_report.Traffic | None:
    """What all proxies together counted between two looks. None: one of them does not count.

    A proxy that was not there at the start, or whose agent started anew (numbers fell), counts from its own start.
    """
    earlier = {report.pod: _traffic(report, service) for report in start.reports}
    sums = dict.fromkeys((one.name for one in fields(proxy_report.Traffic)), 0.0)
    for report in now.reports:
        later = _traffic(report, service)
        if later is None:
            return None
        before = earlier.get(report.pod) or proxy_report.Traffic()
        if before.new > later.new or before.old > later.old:
            before = proxy_report.Traffic()
        for name in sums:
            sums[name] += getattr(later, name) - getattr(before, name)
    whole = {name: value if name.startswith("seconds") else round(value) for name, value in sums.items()}
    return proxy_report.Traffic(**whole)  # type: ignore[arg-type]  # counts are whole again, by name


def _kept_from_new(start: views.Fleet, now: views.Fleet, service: str) -> str:
    """A proxy that began after the change serves little until its own probe was answered: that proves nothing."""
    there = {report.pod for report in start.reports}
    known = [report for report in now.reports if report.pod in there and not report.terminating]
    return "; ".join(suppression.sentences(known, service))


def _traffic(report: proxy_report.ProxyReport, service: str) -> proxy_report.Traffic | None:
    one = report.services.get(service)
    return one.traffic if one else None


def _allowed(share: float, total: int) -> float:
    return SHARE_SIGMAS * math.sqrt(share * (1 - share) / total) + max(SHARE_SLACK, LATE_REQUESTS / total)


def _errors(seen: proxy_report.Traffic, gates: model.Gates) -> str:
    if seen.failed_new < LEAST_FAILURES or seen.attempts_new == 0:
        return ""
    rate, limit = seen.failed_new / seen.attempts_new, gates.error_rate / 100
    if at_least(seen.failed_new, seen.attempts_new) <= limit:
        return ""
    return (
        f"{seen.failed_new} of {seen.attempts_new} attempts at the new cluster failed ({rate:.1%}; at most {gates.error_rate:g}%)"
    )


def at_least(failed: int, attempts: int) -> float:
    """The lower end of Wilson's interval: the share of failures is at least this, as far as these attempts can tell."""
    z, share = ERROR_SIGMAS, failed / attempts
    middle = share + z * z / (2 * attempts)
    spread = z * math.sqrt(share * (1 - share) / attempts + z * z / (4 * attempts * attempts))
    return (middle - spread) / (1 + z * z / attempts)


def _latency(seen: proxy_report.Traffic, gates: model.Gates) -> str:
    if min(seen.answered_new, seen.answered_old) < LEAST_ANSWERS:
        return ""
    new, old = seen.seconds_new / seen.answered_new, seen.seconds_old / seen.answered_old
    if new - old <= SLOWER_SECONDS or new <= old * (1 + gates.latency_increase / 100):
        return ""
    return f"the new cluster answers in {_ms(new)}, the old one in {_ms(old)} (at most {gates.latency_increase:g}% more)"


def _figures(seen: proxy_report.Traffic) -> str:
    parts = []
    if seen.attempts_new:
        parts.append(f"{seen.failed_new} of {seen.attempts_new} attempts at it failed")
    if seen.answered_new:
        parts.append(f"it answers in {_ms(seen.seconds_new / seen.answered_new)}")
    if seen.answered_old:
        parts.append(f"the old one in {_ms(seen.seconds_old / seen.answered_old)}")
    return "; " + ", ".join(parts) if parts else ""


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
