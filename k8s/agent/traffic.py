"""What nginx's access log says, counted: per service, who answered, what became of every try, how long it took.

Counts only grow. A request that fell back was chosen for new and answered by old, and its tries at new failed. What never
left the proxy (no server of new was free) is no try; a client that left is no failure of the cluster, but one that had
waited long for the new one is a sign that it is slow. What the breaker may conclude from all that is `evidence`'s to say.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from k8s import key_spread, model, proxy_report
from k8s.agent import evidence, spread

SIDES = ("new", "old")
OK = "ok"
HTTP_5XX = "http_5xx"
WITHOUT_HEAD = ("connect", "timeout", "broken")  # never connected; no answer in time; cut before one
FAILURES = (HTTP_5XX, *WITHOUT_HEAD)
UNREACHED = ("connect", "timeout")
OWN_FAULTS = ("500", "501")  # what an application says of itself: of the cluster it says something where old says otherwise
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # upper bounds of the histogram
SLOW = evidence.SLOW
PATIENCE = 1.0  # seconds without a head, after which a client that leaves says something about the cluster
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

    def merge(self, other: "Timing") -> None:
        self.sum += other.sum
        self.buckets = [mine + its for mine, its in zip(self.buckets, other.buckets, strict=True)]

    @property
    def count(self) -> int:
        return sum(self.buckets)


@dataclass(slots=True)
class Alike:
    """Requests that went alike: how many, their bytes, and the time to the head where one try was all there was."""

    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    timing: Timing = field(default_factory=Timing)


@dataclass(slots=True)
class Summary:
    """A tally added up. `requests` by (who answered, status class); `attempts` by (side, OK or one of FAILURES); `answers` by
    (side, status as text) of every try that was answered; `bytes` by (who answered, "in" from or "out" to the client).

    `fallbacks`: chosen for new, answered by old.
    """

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    bytes: Counter[tuple[str, str]] = field(default_factory=Counter)
    times: dict[str, Timing] = field(default_factory=lambda: {side: Timing() for side in SIDES})
    fallbacks: int = 0

    def chosen(self) -> dict[str, int]:
        """Requests by the side that nginx chose for them, whoever answered in the end."""
        answered = dict.fromkeys(SIDES, 0)
        for (side, _), count in self.requests.items():
            answered[side] += count
        return {"new": answered["new"] + self.fallbacks, "old": answered["old"] - self.fallbacks}

    def add_tries(self, side: str, end: str, count: int) -> None:
        """`end`: a status, or one of WITHOUT_HEAD."""
        if end in WITHOUT_HEAD:
            self.attempts[side, end] += count
            return
        self.attempts[side, OK if end < "500" else HTTP_5XX] += count
        self.answers[side, end] += count


@dataclass(slots=True)
class Tally:
    """Of one service. Lines are many and readers few: a line changes as little as it can, and `summary` adds it up.

    `alike` by (cluster as the log names it, status, status of the only try); of requests with several tries, or none that
    was answered, the last is empty, their tries are in `tries` by (side, status or one of WITHOUT_HEAD), their times in `times`.
    `not_tried`: chosen for new while nginx let nothing through to it. `retries`: tries at new after a request's first one.
    `slow`: answers of new after evidence.SLOW, and clients that left new after PATIENCE. `ok_tries`, `failed_tries`: at new.
    `said`: what requests say for the breaker. `by_key`: None where no key decides.
    """

    alike: dict[tuple[str, int, str], Alike] = field(default_factory=dict)
    tries: Counter[tuple[str, str]] = field(default_factory=Counter)
    times: dict[str, Timing] = field(default_factory=lambda: {side: Timing() for side in SIDES})
    not_tried: int = 0
    retries: int = 0
    slow: int = 0
    ok_tries: int = 0
    failed_tries: int = 0
    said: evidence.Evidence = field(default_factory=evidence.Evidence)
    by_key: spread.Counting | None = None

    def requests_like(self, cluster: str, code: int, end: str) -> Alike:
        return self.alike.setdefault((cluster, code, end), Alike())

    def head_from_new(self, status: str, *, began: float, seconds: float) -> bool:
        """New began to answer the only try of a request; whether that is something to look at."""
        if status >= "500":
            self.failed_tries += 1
            self.said.new_answered_badly(began, seconds)
            return True
        self.ok_tries += 1
        if seconds >= evidence.SLOW:
            self.slow += 1
            self.said.new_was_slow(began, seconds)
            return True
        self.said.new_answered_well(began, seconds)
        return False

    def summary(self) -> Summary:
        """May be asked from another thread: what is counted meanwhile is in it or not."""
        found = Summary()
        for side, timing in self.times.items():
            found.times[side].merge(timing)
        for (side, end), count in dict(self.tries).items():
            found.add_tries(side, end, count)
        for (cluster, code, end), one in list(self.alike.items()):
            side, count = _side(cluster), one.requests
            found.requests[side, f"{code // 100}xx"] += count
            found.bytes[side, "in"] += one.bytes_in
            found.bytes[side, "out"] += one.bytes_out
            found.fallbacks += count if cluster == "fallback" else 0
            if end:
                found.add_tries(side, end, count)
                found.times[side].merge(one.timing)
        return found

    def traffic(self) -> proxy_report.Traffic:
        """The same without the histograms and whatever else `/status` has no use for: it is asked for often."""
        requests, answered = dict.fromkeys(SIDES, 0), {side: one.count for side, one in self.times.items()}
        seconds, fallbacks = {side: one.sum for side, one in self.times.items()}, 0
        for (cluster, _, end), one in self.alike.items():
            side, count = _side(cluster), one.requests
            requests[side] += count
            if cluster == "fallback":
                fallbacks += count
            if end:
                answered[side] += count  # each of them was added to its timing, too
                seconds[side] += one.timing.sum
        return proxy_report.Traffic(
            new=requests["new"] + fallbacks,
            old=requests["old"] - fallbacks,
            attempts_new=self.ok_tries + self.failed_tries,
            failed_new=self.failed_tries,
            answered_new=answered["new"],
            answered_old=answered["old"],
            seconds_new=seconds["new"],
            seconds_old=seconds["old"],
        )


class Tallies:
    """`count` takes whole lines of the log. `touched`: services with a failed or slow try at new, or one at old that
    did not reach it, since somebody cleared it.
    """

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}
        self.unreadable = 0  # lines
        self.touched: set[str] = set()
        self._spreads = spread.Spreads()

    def follow(self, served: Mapping[str, model.Exposure], *, now: float) -> None:
        """By which keys nginx decides, see `spread.Spreads.follow`; to be called now and then."""
        self._spreads.follow(served, now=now)
        for name, tally in self._tallies.items():
            tally.by_key = self._spreads.get(name)

    def spread(self, service: str) -> key_spread.Spread | None:
        return self._spreads.of(service)

    @property
    def tallies(self) -> Mapping[str, Tally]:
        return self._tallies

    def traffic(self, service: str) -> proxy_report.Traffic:
        tally = self._tallies.get(service)
        return tally.traffic() if tally else proxy_report.Traffic()

    def count(self, block: bytes) -> None:
        """Whole lines, each ended by a line feed."""
        # nginx escapes line feeds inside values: one parser call for the block costs half of one a line.
        joined = b"[" + block[:-1].replace(b"\n", b",") + b"]"
        try:
            entries = orjson.loads(joined)
        except orjson.JSONDecodeError:
            entries = self._read_all(joined.decode(errors="replace"), block)
        for entry in entries:
            try:
                self._add(entry)
            except (KeyError, TypeError, ValueError):
                self.unreadable += 1

    def _read_all(self, joined: str, block: bytes) -> list[Any]:
        """Paths may be of any encoding, and nginx leaves their bytes as they are."""
        try:
            found: list[Any] = orjson.loads(joined)
        except orjson.JSONDecodeError:
            return [entry for line in block.split(b"\n") if line and (entry := self._read(line)) is not None]
        return found

    def _read(self, line: bytes) -> Any:
        try:
            return orjson.loads(line.decode(errors="replace"))
        except orjson.JSONDecodeError:
            self.unreadable += 1
            return None

    def _add(self, entry: Mapping[str, Any]) -> None:
        service, cluster, status, header = entry["service"], entry["cluster"], entry["status"], entry["header"]
        if not service or not cluster:
            return  # refused before any service was known
        tally = self._tallies.get(service)
        if tally is None:
            tally = self._tallies[service] = Tally(by_key=self._spreads.get(service))
        if " " not in header and header not in {"", "-"}:  # one try, and it was answered: nearly every line
            seconds, end = float(header), entry["upstream_status"]
            alike = tally.alike.get((cluster, status, end)) or tally.requests_like(cluster, status, end)
            timing = alike.timing
            timing.sum += seconds
            timing.buckets[bisect_left(SECONDS, seconds)] += 1
            whole = entry["upstream_time"]
            # Not the request's own time: nginx takes in a slow upload before it asks anybody.
            began = entry["t"] - (seconds if whole == header else float(whole))
            if cluster != "new":
                tally.said.old_answered(began + seconds, seconds)
            elif tally.head_from_new(end, began=began, seconds=seconds):
                self.touched.add(service)
        else:
            alike = tally.requests_like(cluster, status, "")
            if _add_tries(tally, entry):
                self.touched.add(service)
        alike.requests += 1
        alike.bytes_in += entry["in"]
        alike.bytes_out += entry["out"]
        if tally.by_key is not None:
            tally.by_key.add(entry)


def _add_tries(tally: Tally, entry: Mapping[str, Any]) -> bool:
    """Several tries, or one without an answer: tries at one upstream are parted by a comma, upstreams by a colon.

    Whether any of them is something to look at.
    """
    columns = [_groups(entry[name]) for name in ("upstream", "upstream_status", "connect", "header", "upstream_time")]
    last = len(columns[0]) - 1
    left = entry["status"] == CLIENT_LEFT
    at = entry["t"] - sum(_seconds(whole) for group in columns[-1] for whole in group)
    at_new, touched = 0, False
    voices: dict[str, _Voice] = {}
    for place, group in enumerate(zip(*columns, strict=True)):
        side = _side(entry["cluster"]) if place == last else "new"  # old is the last resort: whatever was before it was new
        new = side == "new"
        waited, answered = 0.0, False
        for address, status, connect, header, whole in zip(*group, strict=True):
            answered = header != "-"
            seconds = float(header) if answered else _seconds(whole)
            waited += seconds
            if _NOBODY in address:
                tally.not_tried += new
                continue
            at_new += new
            end = status if answered else "" if left and status in {"-", "499"} else _why(status, connect)
            voices[side] = _Voice(end, at, seconds, waited)
            touched |= _add_try(tally, side, voices[side])
            at += _seconds(whole)
        if answered and place == last:
            tally.times[side].add(waited)
    tally.retries += max(0, at_new - 1)
    _speak(tally.said, voices)
    return touched


class _Voice(NamedTuple):
    """A request's last try at one cluster. `end`: its status, one of WITHOUT_HEAD, or empty: the client left before. `seconds` of
    this try and `waited`, of all tries there: until its head, or its end without one.
    """

    end: str
    began: float
    seconds: float
    waited: float


def _add_try(tally: Tally, side: str, one: _Voice) -> bool:
    """Whether it is something to look at."""
    if one.end:
        tally.tries[side, one.end] += 1
    if side != "new":
        return one.end in UNREACHED
    if not one.end:
        slow = one.waited >= PATIENCE
    elif one.end >= "500":  # and all of WITHOUT_HEAD
        tally.failed_tries += 1
        return True
    else:
        tally.ok_tries += 1
        slow = one.seconds >= evidence.SLOW
    tally.slow += slow
    return slow


def _speak(said: evidence.Evidence, voices: Mapping[str, _Voice]) -> None:
    old, new = voices.get("old"), voices.get("new")
    if old is not None and old.end in UNREACHED:
        said.old_failed(old.began, old.waited)
    elif old is not None and old.end and old.end not in WITHOUT_HEAD:
        said.old_answered(old.began + old.seconds, old.waited)
    if new is None:
        return
    if not new.end:
        said.client_left_new(new.began, new.waited)
    elif new.end in WITHOUT_HEAD:
        said.new_failed(new.began, new.waited)
    elif new.end < "500":
        said.new_was_slow(new.began, new.seconds)
    elif new.end not in OWN_FAULTS or old is None or "" < old.end < "500":
        said.new_answered_badly(new.began, new.seconds)
    else:  # old says the same, or nobody knows: that is the application, not where it runs
        said.last_head = max(said.last_head, new.began + new.seconds)


def _side(cluster: str) -> str:
    return "new" if cluster == "new" else "old"


def _groups(text: str) -> list[list[str]]:
    return [group.split(", ") for group in text.split(" : ")] if text else []


def _seconds(text: str) -> float:
    return 0.0 if text == "-" else float(text)


def _why(status: str, connect: str) -> str:
    """One of WITHOUT_HEAD."""
    if connect == "-":
        return "connect"
    return "timeout" if status == "504" else "broken"
