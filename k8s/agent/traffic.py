"""What nginx's access log says, counted: per service, who answered, what became of every try, how long it took.

Counts only grow. A request that fell back was chosen for new and answered by old, and its tries at new failed. What never
left the proxy (its own breaker was open) is no try; a client that left says nothing about the cluster.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from k8s import proxy_report

SIDES = ("new", "old")
OK = "ok"
FAILURES = ("http_5xx", "connect", "timeout", "broken")  # answered 5xx; never connected; no answer in time; cut before one
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # upper bounds of the histogram
CLIENT_LEFT = 499
_NOBODY = "_cluster_backend_"  # in place of an address: no server of that upstream could be asked


@dataclass(slots=True)
class Timing:
    """Times from sending a request to the head of its answer, in seconds; `buckets` by `SECONDS`, the last is for longer ones."""

    sum: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))

    def add(self, seconds: float) -> None:
        self.sum += seconds
        self.buckets[bisect_left(SECONDS, seconds)] += 1

    @property
    def count(self) -> int:
        return sum(self.buckets)


@dataclass(slots=True)
class Tally:
    """Of one service. `requests` by (who answered, status class); `attempts` by (cluster, outcome).

    `fallbacks`: chosen for new, answered by old. `not_tried`: chosen for new while nginx let nothing through to it.
    """

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    times: dict[str, Timing] = field(default_factory=lambda: {side: Timing() for side in SIDES})
    fallbacks: int = 0
    not_tried: int = 0

    def traffic(self) -> proxy_report.Traffic:
        answered = dict.fromkeys(SIDES, 0)
        for (side, _), count in self.requests.items():
            answered[side] += count
        tries = {outcome: self.attempts["new", outcome] for outcome in (OK, *FAILURES)}
        return proxy_report.Traffic(
            new=answered["new"] + self.fallbacks,
            old=answered["old"] - self.fallbacks,
            attempts_new=sum(tries.values()),
            failed_new=sum(tries.values()) - tries[OK],
            answered_new=self.times["new"].count,
            answered_old=self.times["old"].count,
            seconds_new=self.times["new"].sum,
            seconds_old=self.times["old"].sum,
        )


class Tallies:
    """`count` takes whole lines of the log. `failed` collects services with a failed try at new until somebody takes them."""

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}
        self.unreadable = 0  # lines
        self.failed: set[str] = set()

    @property
    def tallies(self) -> Mapping[str, Tally]:
        return self._tallies

    def traffic(self, service: str) -> proxy_report.Traffic:
        tally = self._tallies.get(service)
        return tally.traffic() if tally else proxy_report.Traffic()

    def count(self, block: bytes) -> None:
        """Whole lines, each ended by a line feed."""
        try:
            # nginx escapes line feeds inside values: one parser call for the block costs half of one a line.
            entries = orjson.loads(b"[" + block[:-1].replace(b"\n", b",") + b"]")
        except orjson.JSONDecodeError:
            entries = [entry for line in block.splitlines() if (entry := self._read(line)) is not None]
        for entry in entries:
            try:
                self._add(entry)
            except (KeyError, TypeError, ValueError, IndexError):
                self.unreadable += 1

    def _read(self, line: bytes) -> Any:
        try:
            return orjson.loads(line)
        except orjson.JSONDecodeError:
            self.unreadable += 1
            return None

    def _add(self, entry: Mapping[str, Any]) -> None:
        service, cluster, status, header = entry["service"], entry["cluster"], entry["status"], entry["header"]
        if not service or not cluster:
            return  # refused before any service was known
        tally = self._tallies.get(service)
        if tally is None:
            tally = self._tallies[service] = Tally()
        side = "new" if cluster == "new" else "old"
        tally.requests[side, f"{status // 100}xx"] += 1
        if cluster == "fallback":
            tally.fallbacks += 1
        if " " not in header and header not in {"", "-"}:  # one try, and it was answered: nearly every line
            outcome = OK if entry["upstream_status"] < "500" else "http_5xx"
            tally.attempts[side, outcome] += 1
            tally.times[side].add(float(header))
            if side == "new" and outcome != OK:
                self.failed.add(service)
        else:
            self._add_tries(service, tally, entry, side)

    def _add_tries(self, service: str, tally: Tally, entry: Mapping[str, Any], side: str) -> None:
        """Several tries, or one without an answer. Tries at one upstream are parted by a comma, upstreams by a colon."""
        columns = [_groups(entry[name]) for name in ("upstream", "upstream_status", "connect", "header", "upstream_time")]
        last = len(columns[0]) - 1
        for place, group in enumerate(zip(*columns, strict=True)):
            here = side if place == last else "new"  # old is the last resort: whatever stands before it was new
            waited, answered = 0.0, False
            for address, status, connect, header, whole in zip(*group, strict=True):
                outcome = _outcome(status, connect, header, client_left=entry["status"] == CLIENT_LEFT)
                answered = header != "-"
                waited += float(header) if answered else _seconds(whole)
                if _NOBODY in address:
                    tally.not_tried += here == "new"
                elif outcome:
                    tally.attempts[here, outcome] += 1
                    if here == "new" and outcome != OK:
                        self.failed.add(service)
            if answered and place == last:
                tally.times[here].add(waited)


def _groups(text: str) -> list[list[str]]:
    return [group.split(", ") for group in text.split(" : ")] if text else []


def _seconds(text: str) -> float:
    return 0.0 if text == "-" else float(text)


def _outcome(status: str, connect: str, header: str, *, client_left: bool) -> str:
    """`ok` or one of FAILURES; empty when the client left before there was any."""
    if header != "-":
        return OK if status < "500" else "http_5xx"
    if client_left and status in {"-", "499"}:
        return ""
    if connect == "-":
        return "connect"
    return "timeout" if status == "504" else "broken"
