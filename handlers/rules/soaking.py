"""Soak: how long a weight has served well. Only watched seconds count, one tick after the other; no date is ever subtracted.

A tick is what one process saw without a gap: across a restart nothing counts, and a clock that jumps changes nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from handlers.rules import gates, journeys
from k8s import model

LONGEST_TICK = 60.0  # seconds; between two looks that are further apart nobody watched
_KEEP_EVERY = 300.0
_KEEP_PARTS = 50  # of a soak: one of some seconds is kept as finely as one of a day
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look says about the record in force: its `generation` and `weight` (0 where a hold stands or there is none).

    `converged`: every proxy serves it. `quiet`: why nothing counts, beside the gates (an operation, a suppression, a hold …), one
    clause; empty: nothing is against it. `verdict`, `sentence`: of the gates. `alert_or_drift`: what `quiet` names also sends
    the soak back to 0. `base`: the record's exposure at 0.
    """

    generation: int
    weight: int
    converged: bool
    quiet: str = ""
    verdict: gates.Verdict = gates.Verdict.PASS
    sentence: str = ""
    alert_or_drift: bool = False
    base: model.Exposure | None = None

    @property
    def missing(self) -> str:
        """Why nothing counts now, a clause; empty: it counts."""
        if self.quiet:
            return _clause(self.quiet)
        if self.alert_or_drift:
            return "an alert fires or something was changed by hand"
        if not self.converged:
            return "not every proxy serves it"
        if self.verdict is gates.Verdict.PASS:
            return ""
        if self.verdict is gates.Verdict.TOO_FEW and self.weight >= 100:
            return ""  # nothing more is raised: what counts is time that was watched and not bad, also of a quiet service
        return _clause(self.sentence) or f"its gates say: {self.verdict}"


def counted(
    journey: journeys.Journey, sight: Sight, seconds: float, now: datetime, wished: model.Service | None = None
) -> journeys.Journey:
    """One tick of `seconds` (monotonic, since the look before) later. The revision stays: who keeps it moves it on.

    Another record begins at 0, and so does whatever an alert or drift interrupts. `wished`: where it is given, a weight whose
    soak is full is noted in `served`.
    """
    if sight.weight == 0:
        return replace(journey, soak=None) if journey.soak else journey
    known = journey.soak
    if known is None or (known.generation, known.weight) != (sight.generation, sight.weight):
        known = journeys.Soak(sight.weight, sight.generation, 0.0, now, sight.missing)
    elif sight.alert_or_drift:
        known = emptied(known, sight.missing, now)
    elif sight.missing:
        known = replace(known, missing=sight.missing)
    else:
        known = replace(known, seconds=known.seconds + _watched(seconds), missing="")
    after = replace(journey, soak=known)
    if sight.base is not None and sight.base != journey.base:
        after = replace(after, base=sight.base, served=())
    if sight.weight == 100 and sight.converged and after.hundred is None:
        after = replace(after, hundred=now)
    if wished is not None and served(after, wished) and known.weight not in after.served:
        after = replace(after, served=(*after.served, known.weight))
    return after


def emptied(soak: journeys.Soak, why: str, now: datetime) -> journeys.Soak:
    """Back at 0, and counted as a reset where anything is lost by it."""
    lost = soak.seconds > 0
    return replace(soak, seconds=0.0, began=now if lost else soak.began, missing=_clause(why), resets=soak.resets + lost)


def needed(wished: model.Service, weight: int) -> float:
    """Seconds before a weight may be left upwards; at 100% they end with the backup time, which begins with the first of them."""
    if weight <= 0:
        return 0.0
    return max(wished.soak, wished.backup) if weight >= 100 else wished.soak


def served(journey: journeys.Journey | None, wished: model.Service) -> bool:
    """Whether the soak that the journey names is full (see `remaining` for that of a given record)."""
    return journey is not None and journey.soak is not None and journey.soak.seconds >= needed(wished, journey.soak.weight)


def remaining(journey: journeys.Journey | None, wished: model.Service, weight: int, generation: int) -> float:
    """Seconds that the record of this generation, at this weight, still has to serve; 0: none."""
    wants = needed(wished, weight)
    soak = journey.soak if journey is not None else None
    if soak is None or (soak.generation, soak.weight) != (generation, weight):
        return wants
    return max(0.0, wants - soak.seconds)


def left(journey: journeys.Journey | None, wished: model.Service, weight: int, generation: int) -> str:
    """`3 h 12 min of 24 h at 25% are missing; nothing counts now because …`, a clause for people; empty: it is served."""
    missing = remaining(journey, wished, weight, generation)
    if missing <= 0:
        return ""
    wants, soak = needed(wished, weight), journey.soak if journey is not None else None
    what = "backup time" if weight >= 100 and wished.backup > 0 else "soak"
    said = f"{span(missing)} of the {what} of {span(wants)} at {weight}% are missing"
    if soak is None or (soak.generation, soak.weight) != (generation, weight):
        return f"{said}; it has not begun to count"
    again = f"; it went back to 0 {soak.resets} times" if soak.resets > 1 else "; it went back to 0 once" if soak.resets else ""
    return f"{said}{again}" + (f"; nothing counts now because {soak.missing}" if soak.missing else "")


def unserved(journey: journeys.Journey | None, wished: model.Service, after: model.Exposure, *, besides: int) -> tuple[int, ...]:
    """Steps of the ladder below `after` that have not soaked with its rules and its target. `besides`: one asked about apart."""
    known = journey.served if journey is not None and journey.base == after.at(0) else ()
    return tuple(step for step in sorted(wished.ladder) if step < after.weight and step != besides and step not in known)


def worth_keeping(before: journeys.Journey | None, after: journeys.Journey, soak: float) -> bool:
    """Whether `after` is to be written over `before`, what is kept now. `soak`: seconds that are needed at this weight.

    Every min(300 s, a fiftieth of it), when it is full, and whatever does not only add seconds.
    """
    old, new = before.soak if before is not None else None, after.soak
    was = (before.served, before.hundred, before.base) if before is not None else ((), None, None)
    if was != (after.served, after.hundred, after.base):
        return True
    if old is None or new is None:
        return old is not new
    if (old.generation, old.weight, old.resets) != (new.generation, new.weight, new.resets) or new.seconds < old.seconds:
        return True
    if new.seconds >= soak > old.seconds:
        return True
    return new.seconds > old.seconds and new.seconds - old.seconds >= min(_KEEP_EVERY, soak / _KEEP_PARTS)


def span(seconds: float) -> str:
    """`3 h 12 min`, `6 d 2 h`, `45 s`: the two largest units, rounded up, so that what is missing is never said to be nothing."""
    whole = max(1, -int(-seconds // 1)) if seconds > 0 else 0
    if whole >= 3600:
        whole = -(-whole // 60) * 60
    parts = []
    for name, size in _UNITS:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def _watched(seconds: float) -> float:
    """What no look can have seen counts for nothing: a clock that went back, no number, a process that stood still."""
    return seconds if 0 <= seconds <= LONGEST_TICK else 0.0


def _clause(sentence: str) -> str:
    return sentence.strip().rstrip(".")
