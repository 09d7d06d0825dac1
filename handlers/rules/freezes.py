"""Freeze windows: when nobody raises anything, by the wall clock of a time zone. Pure.

A window is a stretch between two instants. Where clocks are put back, a wall time comes twice: it begins with the first and
ends with the second. Where they are put forward, a wall time that never comes means the instant of the jump.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = 24 * 60
_MOST_IN_A_ROW = 60  # windows that follow each other without a gap: beyond that no end is named


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `begins` on, until before `ends`: aware UTC times."""

    begins: datetime
    ends: datetime

    def holds(self, at: datetime) -> bool:
        return self.begins <= at < self.ends


@dataclass(frozen=True, slots=True)
class Dated:
    """Once. `begins`, `ends`: naive, the wall clock of `zone`; the end is not part of it."""

    zone: ZoneInfo
    begins: datetime
    ends: datetime
    reason: str = ""

    def near(self, _at: datetime) -> tuple[Stretch, ...]:
        return (_stretch(self.begins, self.ends, self.zone),)


@dataclass(frozen=True, slots=True)
class Weekly:
    """Again every week. `days`: those on which it begins, 0 is Monday. `opens`, `closes`: minutes since midnight; a `closes` not
    after `opens` is on the next day.
    """

    zone: ZoneInfo
    days: frozenset[int] = frozenset(range(7))
    opens: int = 0
    closes: int = MIDNIGHT
    reason: str = ""

    def near(self, at: datetime) -> tuple[Stretch, ...]:
        """Those of the day before and of the day of `at`: no other can hold it."""
        today = at.astimezone(self.zone).date()
        days = (day for day in (today - timedelta(days=1), today) if day.weekday() in self.days)
        closes = self.closes if self.closes > self.opens else self.closes + MIDNIGHT
        return tuple(_stretch(_wall(day, self.opens), _wall(day, closes), self.zone) for day in days)


Freeze = Dated | Weekly


@dataclass(frozen=True, slots=True)
class Frozen:
    """`until`: the first moment that no window holds; None: windows follow each other for as long as anybody looks."""

    reason: str
    zone: ZoneInfo
    until: datetime | None

    @property
    def end(self) -> str:
        """`Mon 2026-01-05 06:00 Europe/Berlin (05:00 UTC)`."""
        if self.until is None:
            return "no end in sight"
        there, here = self.until.astimezone(self.zone), self.until.astimezone(UTC)
        day = "" if there.date() == here.date() else f"{here:%Y-%m-%d} "
        return f"{DAYS[there.weekday()].title()} {there:%Y-%m-%d %H:%M} {self.zone.key} ({day}{here:%H:%M} UTC)"


def frozen(windows: Iterable[Freeze], at: datetime) -> Frozen | None:
    """What holds this moment, with the reasons of all that do; the end is that of the whole row of windows."""
    known = tuple(windows)
    holding = [one for one in known if any(stretch.holds(at) for stretch in one.near(at))]
    if not holding:
        return None
    reason = "; ".join(dict.fromkeys(one.reason for one in holding if one.reason))
    until = at
    for _ in range(_MOST_IN_A_ROW):
        ends = [stretch.ends for one in known for stretch in one.near(until) if stretch.holds(until)]
        if not ends:
            return Frozen(reason, holding[0].zone, until)
        until = max(ends)
    return Frozen(reason, holding[0].zone, None)


def _wall(day: date, minutes: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minutes)


def _stretch(begins: datetime, ends: datetime, zone: ZoneInfo) -> Stretch:
    return Stretch(_instant(begins, zone, last=False), _instant(ends, zone, last=True))


def _instant(wall: datetime, zone: ZoneInfo, *, last: bool) -> datetime:
    """When the clocks of the zone show this. `last`: of a time that comes twice the second."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return (second if last else first) if first <= second else _jump(second, first, zone)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second with another offset than `before` has: zones change at whole seconds."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return after
