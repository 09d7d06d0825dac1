"""What all proxies say of one service, looked at often: when they agree on something, and since when."""

import asyncio
import signal
import time
from collections.abc import Callable

from deploy.playground import laptop
from k8s import proxy_report

_EVERY = 0.05  # seconds
NUMBER = 2  # proxies, as shipped


async def agree(
    playground: laptop.Playground, service: str, says: Callable[[proxy_report.ServiceReport], bool], *, within: float
) -> float | None:
    """Monotonic time when the first look was over at which every proxy said so; None: they did not, for so many seconds."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        await playground.fleet.look()
        reports = [one.services.get(service) for one in playground.fleet.latest.reports]
        if len(reports) == NUMBER and all(one is not None and says(one) for one in reports):
            return time.monotonic()
        await asyncio.sleep(_EVERY)
    return None


def said(playground: laptop.Playground, service: str) -> str:
    """What each of them said last, for the sentence that says why a story did not hold."""
    found = [
        f"{report.pod.rpartition('-')[2]} serves {one.served}% ({one.because})"
        for report in playground.fleet.latest.reports
        if (one := report.services.get(service)) is not None
    ]
    return "; ".join(found) or "no proxy answered"


def holds(playground: laptop.Playground, service: str, *, since: float) -> set[str]:
    """Ids of every hold that any proxy knew at any look since then (monotonic)."""
    reports = (report for one in playground.fleet.samples if one.at >= since for report in one.fleet.reports)
    return {hold for report in reports if service in report.services for hold in report.services[service].holds}


def send(playground: laptop.Playground, number: signal.Signals) -> None:
    """To every agent's process: frozen, they decide nothing while nginx goes on."""
    for pod in playground.pods("migration-proxy"):
        pod.processes["agent"].send(number)
