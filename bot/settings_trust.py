"""The section `trust` of the settings: who must approve what, and when nothing is raised. Pure but for reading zones."""

import difflib
import re
import zoneinfo
from datetime import date, datetime, time, timedelta
from typing import Annotated

import pydantic

from bot import settings_values as values
from handlers.rules import freezes, migration

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?")
_DAYS = ", ".join(freezes.DAYS)
Weight = Annotated[int, pydantic.Field(ge=0, le=100, strict=True)]
Persons = Annotated[int, pydantic.Field(ge=1, le=20, strict=True)]


def _zone(value: object) -> zoneinfo.ZoneInfo:
    try:
        if isinstance(value, str) and value:
            return zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass  # the sentence below
    near = difflib.get_close_matches(str(value), sorted(zoneinfo.available_timezones()), n=1)
    hint = f"did you mean {near[0]}? Else write" if near else "write"
    raise ValueError(f"{values.shown(value)} is no time zone; {hint} a name such as Europe/Berlin, Asia/Shanghai or UTC")


def _day(value: object) -> int:
    if isinstance(value, str) and value.lower() in freezes.DAYS:
        return freezes.DAYS.index(value.lower())
    raise ValueError(f"{values.shown(value)} is no day; write some of {_DAYS}")


def _hours(value: object) -> tuple[int, int]:
    """Minutes since midnight."""
    found = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'{values.shown(value)} is no time of day; write "18:00-24:00", or "22:00-06:00" until the next day')
    opens, opens_minute, closes, closes_minute = (int(part) for part in found.groups() if part is not None)
    begins, ends = opens * 60 + opens_minute, closes * 60 + closes_minute
    if begins == ends:
        raise ValueError(f'{values.shown(value)} ends when it begins; leave hours away for the whole day, or write "00:00-24:00"')
    return begins, ends


def _moment(value: object, *, end: bool) -> datetime:
    """YAML has made some of them dates already. A day as an end is meant with all of its hours."""
    found = value
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            found = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{values.shown(value)} is no date that exists; correct the day or the time") from None
    if isinstance(found, datetime):
        if found.tzinfo is not None:
            raise ValueError(f"{values.shown(value)} names an offset, and `zone` does that; write 2026-12-24 18:00")
        return found
    if isinstance(found, date):
        return datetime.combine(found + timedelta(days=1) if end else found, time())
    raise ValueError(f"{values.shown(value)} is no date; write 2026-12-24 for the whole day, or 2026-12-24 18:00")


class Freeze(values.Part):
    """`from` and `to`: once, by the wall clock of `zone` (a day as the end is part of it). Otherwise every week: the `days` on
    which it begins (none: every day), at these `hours` (none: the whole day).
    """

    zone: Annotated[zoneinfo.ZoneInfo, pydantic.BeforeValidator(_zone)]
    reason: Annotated[str, values.LINE] = ""
    begins: Annotated[
        datetime | None, pydantic.Field(alias="from"), pydantic.BeforeValidator(lambda value: _moment(value, end=False))
    ] = None
    ends: Annotated[
        datetime | None, pydantic.Field(alias="to"), pydantic.BeforeValidator(lambda value: _moment(value, end=True))
    ] = None
    days: Annotated[tuple[Annotated[int, pydantic.BeforeValidator(_day)], ...], values.NOT_EMPTY] = ()
    hours: Annotated[tuple[int, int] | None, pydantic.BeforeValidator(_hours)] = None

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> "Freeze":
        weekly, dated = bool(self.days or self.hours), (self.begins, self.ends)
        if weekly and any(dated):
            raise ValueError(
                "names dates and also days or hours; write two entries, one with from and to, one with days and hours"
            )
        if not weekly and None in dated:
            raise ValueError("does not say when; write from and to, or days and hours")
        if self.begins and self.ends and self.begins >= self.ends:
            raise ValueError("ends before it begins; write the later time as `to`")
        return self

    @property
    def window(self) -> freezes.Freeze:
        if self.begins is not None and self.ends is not None:
            return freezes.Dated(self.zone, self.begins, self.ends, self.reason)
        opens, closes = self.hours or (0, freezes.MIDNIGHT)
        return freezes.Weekly(self.zone, frozenset(self.days or range(7)), opens, closes, self.reason)


class Wave(values.Part):
    """What all waves may move at once: so many `together`, and at most `traffic` percent of the requests of all services."""

    together: Annotated[int, pydantic.Field(ge=1, le=50, strict=True)] = 3
    traffic: Annotated[int, pydantic.Field(ge=1, le=100, strict=True)] = 20


class Trust(values.Part):
    """The approval policy, as `handlers.rules.migration.Trust` has it. `approvers`: pairs (from this weight on, persons)."""

    expires: Annotated[timedelta, values.span_between(60, 7 * 86400)] = timedelta(hours=1)
    largest_step: Annotated[int, pydantic.Field(ge=1, le=100, strict=True)] = 100
    approvers: Annotated[tuple[tuple[Weight, Persons], ...], values.NOT_EMPTY] = ((0, 1),)
    soak: Annotated[bool, pydantic.Field(strict=True)] = True
    freeze: tuple[Freeze, ...] = ()
    protected: tuple[Annotated[str, values.SERVICE_NAME], ...] = ()
    standing: Annotated[timedelta, values.span_between(3600, 365 * 86400)] = timedelta(days=30)
    wave: Wave = Wave()

    @property
    def policy(self) -> migration.Trust:
        return migration.Trust(
            lasts=self.expires,
            approvers=self.approvers,
            largest_step=self.largest_step,
            soak=self.soak,
            freeze=tuple(one.window for one in self.freeze),
            protected=frozenset(self.protected),
            standing=self.standing,
            wave=migration.Together(members=self.wave.together, traffic=self.wave.traffic),
        )
