"""How much of a core counting nginx's log costs, and what `/metrics` costs with many services. One JSON object a row.

    make bench BENCH=agent

`ok` compares with what was reached before. It counts CPU time; the best of some rounds, as other programs only slow it down.
"""

import json
import time
from collections.abc import Callable

from k8s import model
from k8s.agent import exposition, traffic, traffic_metrics
from tests.bench import rows

LINES, BLOCK, ROUNDS, SERVICES = 400_000, 400, 5, 1_000
NEW, OLD = "10.0.0.1:443", "10.1.0.1:80"


def line(number: int, service: str, cluster: str, **columns: object) -> bytes:
    fields: dict[str, object] = {
        "t": 1700000000 + number / 1000,
        "service": service,
        "id": f"{number:032x}",
        "ip": "10.2.3.4",
        "method": "GET",
        "uri": "/v1/orders/17",
        "status": 200,
        "cluster": cluster,
        "rule": "weight",
        "slot": "37",
        "upstream": NEW if cluster == "new" else OLD,
        "upstream_status": "200",
        "connect": "0.000",
        "header": "0.004",
        "upstream_time": "0.004",
        "time": 0.004,
        "in": 512,
        "out": 2048,
        "conn": number,
    }
    return json.dumps(fields | columns, separators=(",", ":")).encode() + b"\n"


def fallback(number: int) -> bytes:
    return line(
        number,
        "api",
        "fallback",
        upstream=f"{NEW}, {NEW} : {OLD}",
        upstream_status="502, 503 : 200",
        connect="-, 0.001 : 0.000",
        header="-, 0.002 : 0.007",
        upstream_time="0.001, 0.003 : 0.009",
    )


def fastest(work: Callable[[], object]) -> float:
    """Seconds of CPU of the best round: whatever else runs on this machine only slows a round down."""
    found = []
    for _ in range(ROUNDS):
        before = time.process_time()
        work()
        found.append(time.process_time() - before)
    return min(found)


def counting(bench: str, block: bytes, target: float, *, sticky: str = "none") -> None:
    tallies = traffic.Tallies()
    kept = model.Exposure(weight=0, old_host="a.example", new_host="b.example", sticky=model.sticky_from(sticky))
    tallies.follow({"api": kept}, now=0.0)

    def count() -> None:
        for _ in range(LINES // BLOCK):
            tallies.count(block)

    rate = LINES / fastest(count)
    rows.at_least(bench, round(rate), "lines/s and core", target)
    if tallies.unreadable:
        raise RuntimeError(f"{bench}: {tallies.unreadable} lines were not understood")


def scraping() -> None:
    """Every service busy on both sides: more than one proxy ever has."""
    tallies = traffic.Tallies()
    ends = [("new", 200), ("old", 200), ("new", 404), ("old", 404), ("new", 503), ("old", 302)]
    for number in range(SERVICES):
        name = f"service-{number}"
        tallies.count(b"".join(line(number, name, side, status=end, upstream_status=str(end)) for side, end in ends))

    def told() -> bytes:
        return exposition.text_of(traffic_metrics.collect(tallies.tallies))

    seconds, text = fastest(told), told()
    rows.at_most(f"agent-metrics-{SERVICES}-services", round(seconds, 3), "s of CPU a scrape", 0.3)
    rows.at_most(f"agent-metrics-{SERVICES}-services-size", round(len(text) / 1e6, 2), "MB", 5, n=text.count(b"\n"))


async def measure() -> None:
    """Raises RuntimeError when a line was not understood."""
    counting("agent-log-plain", b"".join(line(n, "api", "new" if n % 2 else "old") for n in range(BLOCK)), 300_000)
    spread = b"".join(line(n, f"service-{n}", "new" if n % 2 else "old") for n in range(BLOCK))
    counting("agent-log-plain-400-services", spread, 300_000)
    keyed = b"".join(line(n, "api", "new" if n % 2 else "old", slot=str(n % 100), ip=f"10.2.3.{n % 250}") for n in range(BLOCK))
    counting("agent-log-sticky-addresses", keyed, 250_000, sticky="client_ip")
    counting("agent-log-fallbacks", b"".join(fallback(n) for n in range(BLOCK)), 60_000)
    scraping()
