"""What must be true of the numbers before more traffic goes to new: values and verdicts. Pure; `bot.prometheus` measures.

A ratio of few requests proves nothing, and a number that is not there is neither good nor bad: it is unknown, and unknown never
passes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Reading:
    """One number, or why there is none (`trouble`: NaN, no series, several series, too old), a sentence."""

    value: float | None = None
    trouble: str = "it was not measured"

    @classmethod
    def of(cls, value: float) -> "Reading":
        return cls(value, "")


@dataclass(frozen=True, slots=True)
class Side:
    """One cluster within the window. `requests`: tries at it (at old that is one a request). `failed`: of these.

    `average`, `p99`: seconds until the head of an answer.
    """

    requests: Reading = Reading()
    failed: Reading = Reading()
    average: Reading = Reading()
    p99: Reading = Reading()


@dataclass(frozen=True, slots=True)
class Measured:
    """A service's numbers within the last `window` seconds. `requests`: of clients, whoever answered; `share`, those of them that
    the proxies sent to new first, and `available`, those that clients saw answered below 500: 0 to 1.

    `changes`: how often the weight that is served changed meanwhile; `served`: that weight, percent, as Prometheus read it last.
    """

    new: Side = Side()
    old: Side = Side()
    requests: Reading = Reading()
    share: Reading = Reading()
    available: Reading = Reading()
    changes: Reading = Reading()
    served: Reading = Reading()
    window: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look at Prometheus. `cpu`, `memory`: of the busiest proxy against its limits, 0 to 1. `trouble`: why there is none that
    counts, a sentence; then there is nothing else in it.
    """

    at: datetime
    services: Mapping[str, Measured] = field(default_factory=dict)
    cpu: Reading = Reading()
    memory: Reading = Reading()
    trouble: str = ""


class Verdict(StrEnum):
    """ASK: both sides are bad, so that neither direction is right by itself; a person decides."""

    PASS = "pass"  # noqa: S105 a verdict
    FAIL = "fail"
    TOO_FEW = "not enough data"
    UNKNOWN = "unknown"
    ASK = "ask a person"


class Name(StrEnum):
    """All but the last two come from Prometheus."""

    ERRORS = "error rate"
    P99 = "p99"
    AVERAGE = "average"
    AVAILABILITY = "availability"
    SHARE = "share"
    CPU = "proxy cpu"
    MEMORY = "proxy memory"
    ALERTS = "alerts"
    WATCHDOG = "watchdog"


@dataclass(frozen=True, slots=True)
class Gate:
    """`name`: one of `Name`. `sentence`: what was measured, of how many, and the limit.

    `needed`: requests that are still needed for a verdict, where there are too few. `common`: of what all services share (a
    proxy, the document): where it does not pass nothing is raised and nothing counts, and no ladder pauses for it.
    """

    name: str
    verdict: Verdict
    sentence: str
    needed: int = 0
    common: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """Every gate; the worst of them is the verdict. `measured` None: Prometheus is not asked, or says nothing of the service."""

    gates: tuple[Gate, ...] = ()
    measured: Measured | None = None

    @property
    def judged(self) -> bool:
        """Whether the numbers of Prometheus have a part in the verdict. False: a pass says only that no alert fires."""
        return any(gate.name not in {Name.ALERTS, Name.WATCHDOG} for gate in self.gates)

    @property
    def verdict(self) -> Verdict:
        found = {gate.verdict for gate in self.gates}
        order = (Verdict.FAIL, Verdict.ASK, Verdict.UNKNOWN, Verdict.TOO_FEW)
        return next((verdict for verdict in order if verdict in found), Verdict.PASS)

    @property
    def own(self) -> "Judgement":
        """Of the service alone, without what all of them share."""
        return replace(self, gates=tuple(gate for gate in self.gates if not gate.common))

    def against(self) -> tuple[str, ...]:
        """Sentences of all that does not pass."""
        return tuple(gate.sentence for gate in self.gates if gate.verdict is not Verdict.PASS)
