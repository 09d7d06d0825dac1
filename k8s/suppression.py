"""Which proxies keep a service's requests from the new cluster by themselves, and why: read from what every agent said. Pure.

A breaker that suppresses is no lag: its proxy does what it must, and what was approved comes back by itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from k8s import proxy_report, views

BY_THE_BREAKER = "suppressed by the breaker"  # how an agent's `because` begins then; its reason follows in brackets
_LONGEST_WHY = 160
_NO_WORD = "it does not say why"


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The breaker at `pods`, of `total` live proxies, cuts what was approved. `lowest` to `highest`: the percent that the live
    proxies serve meanwhile. `why`: agents' own words, in English, foreign to whoever shows them. `since`: ISO time of the
    earliest of them, empty where no agent says it.
    """

    pods: tuple[str, ...]
    total: int
    lowest: int
    highest: int
    why: str
    since: str = ""

    @property
    def sentence(self) -> str:
        """Half a sentence, without a full stop: `the breaker at 2 of 2 proxies keeps traffic from new (why)`."""
        return f"the breaker at {len(self.pods)} of {self.total} proxies keeps traffic from new ({self.why})"


def of(fleet: views.Fleet, service: str) -> Suppressed | None:
    """None: no live proxy suppresses the service."""
    live = [(report.pod, report.services[service]) for report in _live(fleet) if service in report.services]
    cut = [(pod, one) for pod, one in live if one.suppression is not None]
    if not cut:
        return None
    return Suppressed(
        pods=tuple(pod for pod, _ in cut),
        total=len(live),
        lowest=min(one.served for _, one in live),
        highest=max(one.served for _, one in live),
        why="; ".join(dict.fromkeys(why(one) for _, one in cut)),
        since=min((one.suppressed_since for _, one in cut if one.suppressed_since), default=""),
    )


def sentences(reports: Iterable[proxy_report.ProxyReport], service: str) -> list[str]:
    """Half a sentence for each reason, with the proxies that give it, of those reports that suppress the service."""
    named: dict[str, list[str]] = {}
    for report in reports:
        one = report.services.get(service)
        if one is not None and one.suppression is not None:
            named.setdefault(why(one), []).append(report.pod)
    return [f"the breaker at {', '.join(pods)} keeps traffic from new ({reason})" for reason, pods in named.items()]


def against_raising(fleet: views.Fleet, service: str) -> list[str]:
    """Why nothing of the service may be raised or released now, each with what to do: its breaker cuts it somewhere, or the
    new cluster does not answer a live proxy's probe (of what is at 0 or held, no breaker says anything).
    """
    live = _live(fleet)
    found = [f"{said}; it ends by itself when the new cluster answers again" for said in sentences(live, service)]
    known = [(report.pod, report.services[service]) for report in live if service in report.services]
    down = [pod for pod, one in known if one.new_up is False and one.suppression is None]
    if down:
        look = f"see why under Trouble in `/migrate status {service}`, and wait until it answers"
        found.append(f"the new cluster does not answer the probe of {', '.join(down)}; {look}")
    return found


def why(one: proxy_report.ServiceReport) -> str:
    """The agent's reason alone, bounded, on one line."""
    said = " ".join(one.because.split())
    if said.startswith(BY_THE_BREAKER):
        said = said[len(BY_THE_BREAKER) :].strip()
        if said.startswith("(") and ")" in said:
            said = said[1 : said.rindex(")")]
    said = said.strip(" ;") or _NO_WORD
    return said if len(said) <= _LONGEST_WHY else said[: _LONGEST_WHY - 1] + "…"


def _live(fleet: views.Fleet) -> list[proxy_report.ProxyReport]:
    return [report for report in fleet.reports if not report.terminating]
