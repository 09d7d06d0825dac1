"""Whether the numbers allow more traffic at new: one look at Prometheus and what fires become gates. Pure, and asks nobody.

Unknown never passes, neither does too little. Where old is as bad as new the cause is likely one that both share, and going
back would not mend it: a person is asked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from handlers.rules import health, journeys, ratios
from handlers.rules.gates import Gate, Judgement, Look, Measured, Name, Reading, Verdict
from k8s import model

PROXY_LIMIT = 0.8  # of the proxies' CPU and memory limits, as the shipped alerts have it
LEAST_FOR_P99 = 100  # of fewer requests there is no slowest hundredth

_OLD = "the old one"
_NO_SERIES = "Prometheus has no numbers of it; see that it reads the proxies"


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What a service is measured against, and within which time."""

    measured: Measured
    limits: model.Gates
    baseline: journeys.Baseline | None

    @property
    def error_rate(self) -> float:
        return self.limits.error_rate / 100

    @property
    def within(self) -> str:
        return f"within {_span(self.measured.window)}"

    @property
    def old_fails(self) -> bool:
        """Old's own error rate is above the limit, beyond chance."""
        tries, failed = self.measured.old.requests.value, self.measured.old.failed.value
        return tries is not None and failed is not None and ratios.above(round(failed), round(tries), limit=self.error_rate)

    def slower(self, seconds: float, reference: float) -> bool:
        increase = 1 + self.limits.latency_increase / 100
        return seconds - reference > health.SLOWER_SECONDS and seconds > reference * increase


def judge(
    measured: Measured | None,
    look: Look,
    *,
    service: str,
    gates: model.Gates,
    weight: int,
    judge_share: bool,
    baseline: journeys.Baseline | None,
    firing: Sequence[str],
    common: Sequence[str] = (),
    blind: str,
    configured: bool,
) -> Judgement:
    """`measured`: of `service`, out of `look`. `weight`: percent in force. `judge_share`: chance alone draws each request.

    `baseline`: how old answered when it last carried traffic. `firing`: names of alerts about the service that fire now;
    `common`: of those about all services alike. `blind`: why nobody watches, empty: somebody does. `configured`: whether
    Prometheus is asked at all; where it is not, only alerts and the watchdog are judged (`Judgement.judged` is False).
    """
    watched = (_alerts(service, firing, common), _watchdog(blind))
    if not configured:
        return Judgement(watched)
    if look.trouble:
        numbers = tuple(_unknown(name, look.trouble) for name in _asked(judge_share=judge_share))
        return Judgement((*numbers, *watched))
    proxies = (_proxy(Name.CPU, look.cpu), _proxy(Name.MEMORY, look.memory))
    if measured is None:
        sentence = f"{service}: {_NO_SERIES}"
        numbers = tuple(_unknown(name, sentence) for name in _of_service(judge_share=judge_share))
        return Judgement((*numbers, *proxies, *watched))
    bounds = _Bounds(measured, gates, baseline)
    found = [
        _errors(bounds),
        _latency(Name.P99, bounds),
        _latency(Name.AVERAGE, bounds),
        _availability(bounds),
    ]
    if judge_share:
        found.append(_share(bounds, weight))
    return Judgement((*found, *proxies, *watched), measured)


def _of_service(*, judge_share: bool) -> tuple[Name, ...]:
    return (Name.ERRORS, Name.P99, Name.AVERAGE, Name.AVAILABILITY, *((Name.SHARE,) if judge_share else ()))


def _asked(*, judge_share: bool) -> tuple[Name, ...]:
    return (*_of_service(judge_share=judge_share), Name.CPU, Name.MEMORY)


def _unknown(name: Name, why: str) -> Gate:
    return Gate(name, Verdict.UNKNOWN, f"{name} is unknown: {why}")


def _errors(bounds: _Bounds) -> Gate:
    name, new, limit = Name.ERRORS, bounds.measured.new, bounds.limits.error_rate
    if new.requests.value is None:
        return _unknown(name, f"tries at new: {new.requests.trouble}")
    if new.failed.value is None:
        return _unknown(name, f"failed tries at new: {new.failed.trouble}")
    tries, failed = round(new.requests.value), round(new.failed.value)
    ratio = ratios.against(failed, tries, limit=bounds.error_rate, minimum=bounds.limits.minimum_requests)
    seen = f"{failed} of {tries} tries at the new cluster failed {bounds.within}{_percent(failed, tries)}; at most {limit:g}%"
    return _of_ratio(name, ratio, seen, bounds)


def _availability(bounds: _Bounds) -> Gate:
    name, measured, limit = Name.AVAILABILITY, bounds.measured, bounds.limits.error_rate
    if measured.requests.value is None:
        return _unknown(name, f"requests: {measured.requests.trouble}")
    requests = round(measured.requests.value)
    share = measured.available.value if requests else 1.0  # of no request there is no share
    if share is None:
        return _unknown(name, measured.available.trouble)
    bad = max(0, round((1 - share) * requests))
    ratio = ratios.against(bad, requests, limit=bounds.error_rate, minimum=bounds.limits.minimum_requests)
    seen = (
        f"clients saw {requests - bad} of {requests} requests answered below 500 {bounds.within}"
        f"{_percent(requests - bad, requests)}; at least {100 - limit:g}%"
    )
    return _of_ratio(name, ratio, seen, bounds)


def _of_ratio(name: Name, ratio: ratios.Ratio, seen: str, bounds: _Bounds) -> Gate:
    if ratio.verdict is Verdict.TOO_FEW:
        return _too_few(name, seen, ratio.needed)
    if ratio.verdict is Verdict.FAIL and bounds.old_fails:
        old = bounds.measured.old
        failed, tries = round(old.failed.value or 0), round(old.requests.value or 0)
        also = f"{failed} of {tries} at the old cluster failed too{_percent(failed, tries)}"
        return Gate(name, Verdict.ASK, f"{name}: {seen}; but {also}: look for a cause that both share")
    return Gate(name, ratio.verdict, f"{name}: {seen}")


def _latency(name: Name, bounds: _Bounds) -> Gate:
    new, old = bounds.measured.new, bounds.measured.old
    least = bounds.limits.minimum_requests
    least = max(least, LEAST_FOR_P99) if name is Name.P99 else max(least, health.LEAST_ANSWERS)
    if new.requests.value is None:
        return _unknown(name, f"tries at new: {new.requests.trouble}")
    tries = round(new.requests.value)
    if tries < least:
        return _too_few(name, f"{tries} tries at the new cluster {bounds.within}, {least} are needed", least - tries)
    reading = new.p99 if name is Name.P99 else new.average
    if reading.value is None:
        return _unknown(name, f"at new: {reading.trouble}")
    compared = _reference(name, bounds, least)
    if isinstance(compared, Gate):
        return compared
    reference, whose = compared
    seen = (
        f"{name}: the new cluster answers in {_ms(reading.value)} (of {tries} {bounds.within}), {whose} in {_ms(reference)}; "
        f"at most {bounds.limits.latency_increase:g}% more"
    )
    if bounds.slower(reading.value, reference):
        return Gate(name, Verdict.FAIL, seen)
    usual = _usual(name, bounds.baseline)
    live = old.p99 if name is Name.P99 else old.average
    if whose == _OLD and usual is not None and live.value is not None and _both_slower(bounds, reading.value, live.value, usual):
        also = f"both are slower than the old one was ({_ms(usual)}): look for a cause that they share"
        return Gate(name, Verdict.ASK, f"{seen}; but {also}")
    return Gate(name, Verdict.PASS, seen)


def _reference(name: Name, bounds: _Bounds, least: int) -> tuple[float, str] | Gate:
    """Seconds and whose: old's of the same time, and where it carries too little of it for that, its baseline."""
    old = bounds.measured.old
    live = old.p99 if name is Name.P99 else old.average
    if old.requests.value is None:
        return _unknown(name, f"tries at old: {old.requests.trouble}")
    tries = round(old.requests.value)
    if tries >= least:
        return _unknown(name, f"at old: {live.trouble}") if live.value is None else (live.value, _OLD)
    usual = _usual(name, bounds.baseline)
    if usual is not None and bounds.baseline is not None:
        return usual, f"{_OLD} when it last carried traffic (of {bounds.baseline.requests})"
    why = (
        f"nothing to compare with: {tries} tries at the old cluster {bounds.within}, {least} are needed, and there is no baseline"
    )
    return _too_few(name, why, least - tries)


def _usual(name: Name, baseline: journeys.Baseline | None) -> float | None:
    if baseline is None:
        return None
    seconds = baseline.p99 if name is Name.P99 else baseline.average
    return seconds if math.isfinite(seconds) else None


def _both_slower(bounds: _Bounds, new: float, old: float, usual: float) -> bool:
    return bounds.slower(new, usual) and bounds.slower(old, usual)


def _share(bounds: _Bounds, weight: int) -> Gate:
    name, measured, least = Name.SHARE, bounds.measured, bounds.limits.minimum_requests
    if measured.requests.value is None:
        return _unknown(name, f"requests: {measured.requests.trouble}")
    if measured.changes.value is None:
        return _unknown(name, f"changes of the weight: {measured.changes.trouble}")
    requests = round(measured.requests.value)
    if requests < least:
        return _too_few(name, f"{requests} requests {bounds.within}, {least} are needed", least - requests)
    if measured.changes.value > 0:
        return _too_few(name, f"the weight changed {bounds.within}; the share is judged when that is past", least)
    if measured.served.value is None:
        return _unknown(name, f"the weight that is served: {measured.served.trouble}")
    if measured.served.value != weight:
        seen = f"Prometheus has read proxies at {measured.served.value:g}% so far, not at {weight}%"
        return _too_few(name, seen, least)
    if measured.share.value is None:
        return _unknown(name, measured.share.trouble)
    due, share = weight / 100, measured.share.value
    allowed = health.SHARE_SIGMAS * math.sqrt(due * (1 - due) / requests) + health.SHARE_SLACK
    seen = (
        f"{name}: {share:.1%} of {requests} requests were sent to the new cluster {bounds.within}, {weight}% was asked for; "
        f"at most {allowed * 100:.1f} points away"
    )
    return Gate(name, Verdict.FAIL if abs(share - due) > allowed else Verdict.PASS, seen)


def _proxy(name: Name, reading: Reading) -> Gate:
    if reading.value is None:
        return _unknown(name, reading.trouble)
    verdict = Verdict.PASS if reading.value < PROXY_LIMIT else Verdict.FAIL
    seen = f"{name}: the busiest proxy uses {reading.value:.0%} of its limit; below {PROXY_LIMIT:.0%}"
    return Gate(name, verdict, seen, common=True)


def _alerts(service: str, firing: Sequence[str], common: Sequence[str]) -> Gate:
    name = Name.ALERTS
    if firing:
        return Gate(name, Verdict.FAIL, f"{name}: {', '.join(firing)} fires for {service}; mend its cause first")
    if common:
        return Gate(name, Verdict.FAIL, f"{name}: {', '.join(common)} fires for all; mend its cause first", common=True)
    return Gate(name, Verdict.PASS, f"{name}: none fires for {service}")


def _watchdog(blind: str) -> Gate:
    name = Name.WATCHDOG
    if blind:
        return _unknown(name, blind)
    return Gate(name, Verdict.PASS, f"{name}: somebody watches")


def _too_few(name: Name, seen: str, needed: int) -> Gate:
    more = f"more than {needed:,}" if needed >= ratios.MOST_NEEDED else f"{needed:,} more"
    return Gate(name, Verdict.TOO_FEW, f"{name}: {seen}; {more} requests are needed to judge", needed)


def _percent(part: int, of: int) -> str:
    return f" ({part / of:.2%})" if of else ""


def _span(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
