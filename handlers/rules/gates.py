"""What must be true of the numbers before more traffic goes to new: values and verdicts. Pure; `bot.prometheus` measures.

A ratio of few requests proves nothing, and a number that is not there is neither good nor bad: it is unknown, and unknown never
passes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """One cluster within the window. `requests`: attempts at new, requests at old. `failed`: of these. Times in seconds."""

    requests: Reading = Reading()
    failed: Reading = Reading()
    average: Reading = Reading()
    p99: Reading = Reading()


@dataclass(frozen=True, slots=True)
class Measured:
    """A service's numbers within the last `window` seconds. `share`: of its requests that new answered, 0 to 1.

    `available`: requests that clients saw answered below 500, 0 to 1, whoever answered.
    """

    new: Side = Side()
    old: Side = Side()
    share: Reading = Reading()
    available: Reading = Reading()
    window: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look at Prometheus. `cpu`, `memory`: of the busiest proxy against its limits, 0 to 1. `trouble`: why nothing was."""

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


@dataclass(frozen=True, slots=True)
class Gate:
    """`name`: error rate, p99, average, availability, share, proxy cpu, proxy memory, alerts, watchdog.

    `needed`: requests that are still needed for a verdict, where there are too few.
    """

    name: str
    verdict: Verdict
    sentence: str
    needed: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """Every gate; the worst of them is the verdict. `measured` None: nothing is asked of Prometheus here."""

    gates: tuple[Gate, ...] = ()
    measured: Measured | None = None

    @property
    def verdict(self) -> Verdict:
        found = {gate.verdict for gate in self.gates}
        order = (Verdict.FAIL, Verdict.ASK, Verdict.UNKNOWN, Verdict.TOO_FEW)
        return next((verdict for verdict in order if verdict in found), Verdict.PASS)

    def against(self) -> tuple[str, ...]:
        """Sentences of all that does not pass."""
        return tuple(gate.sentence for gate in self.gates if gate.verdict is not Verdict.PASS)
