"""Freeze windows by the wall clock of a zone, also where clocks are changed."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.rules import freezes

BERLIN, SHANGHAI, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
HAVANA = ZoneInfo("America/Havana")  # clocks change at midnight: a day begins at 01:00, or its first hour comes twice
FORWARD, BACK = date(2026, 3, 29), date(2026, 10, 25)  # Berlin: 02:00 → 03:00, and 03:00 → 02:00
AROUND_CHANGES = st.one_of(
    st.datetimes(datetime(2026, 3, 27), datetime(2026, 4, 1)),  # noqa: DTZ001 given UTC below
    st.datetimes(datetime(2026, 10, 23), datetime(2026, 11, 3)),  # noqa: DTZ001 given UTC below
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001 given UTC below
).map(lambda at: at.replace(tzinfo=UTC))
MINUTES = st.integers(0, freezes.MIDNIGHT - 1)
DAYS = st.frozensets(st.integers(0, 6), min_size=1)


def at(text: str, zone: ZoneInfo, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def shown(window: freezes.Weekly, moment: datetime) -> bool:
    """What a clock on the wall says, and nothing else."""
    wall = moment.astimezone(window.zone)
    minute = wall.hour * 60 + wall.minute
    today, yesterday = wall.weekday() in window.days, (wall.weekday() - 1) % 7 in window.days
    if window.closes > window.opens:
        return today and window.opens <= minute < window.closes
    return (today and minute >= window.opens) or (yesterday and minute < window.closes)


@settings(deadline=None)
@given(moment=AROUND_CHANGES, days=DAYS, opens=MINUTES, closes=st.integers(1, freezes.MIDNIGHT))
def test_without_changes_of_the_clock_it_is_what_the_wall_shows(
    moment: datetime, days: frozenset[int], opens: int, closes: int
) -> None:
    window = freezes.Weekly(SHANGHAI, days, opens, closes)
    assert (freezes.frozen((window,), moment) is not None) is shown(window, moment)


@settings(deadline=None)
@given(
    moment=AROUND_CHANGES,
    days=DAYS,
    opens=MINUTES,
    closes=st.integers(1, freezes.MIDNIGHT),
    zone=st.sampled_from([BERLIN, NEW_YORK, HAVANA]),
)
def test_whatever_the_wall_shows_is_frozen_and_more_only_in_the_hours_around_a_change(
    moment: datetime, days: frozenset[int], opens: int, closes: int, zone: ZoneInfo
) -> None:
    window = freezes.Weekly(zone, days, opens, closes)
    is_frozen = freezes.frozen((window,), moment) is not None
    if shown(window, moment):
        assert is_frozen
    elif is_frozen:
        offsets = {(moment + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in (-2, 0, 2)}
        assert len(offsets) > 1, "nothing was changed here, and the wall shows another time"


@settings(deadline=None)
@given(
    moment=AROUND_CHANGES, days=DAYS, opens=MINUTES, closes=st.integers(1, freezes.MIDNIGHT),
    zone=st.sampled_from([BERLIN, SHANGHAI, HAVANA]),
)  # fmt: skip
def test_the_end_that_is_named_is_the_first_free_moment(
    moment: datetime, days: frozenset[int], opens: int, closes: int, zone: ZoneInfo
) -> None:
    windows = (freezes.Weekly(zone, days, opens, closes),)
    found = freezes.frozen(windows, moment)
    if found is None or found.until is None:
        return
    assert moment < found.until
    assert freezes.frozen(windows, found.until) is None
    assert freezes.frozen(windows, found.until - timedelta(microseconds=1)) is not None


@settings(deadline=None)
@given(
    begins=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(lambda one: one.replace(microsecond=0)),  # noqa: DTZ001
    length=st.timedeltas(timedelta(hours=3), timedelta(days=40)).map(lambda one: timedelta(seconds=int(one.total_seconds()))),
    zone=st.sampled_from([BERLIN, SHANGHAI, NEW_YORK, HAVANA]),
)
def test_a_dated_window_ends_by_the_wall_clock_that_was_written(begins: datetime, length: timedelta, zone: ZoneInfo) -> None:
    window = freezes.Dated(zone, begins, begins + length)
    [stretch] = window.near(begins.replace(tzinfo=UTC))
    for written, found in ((begins, stretch.begins), (begins + length, stretch.ends)):
        wall = found.astimezone(zone).replace(tzinfo=None)
        exists = written.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == written
        assert wall == written if exists else timedelta(0) <= wall - written <= timedelta(hours=1)
    assert freezes.frozen((window,), stretch.begins)
    assert freezes.frozen((window,), stretch.begins - timedelta(microseconds=1)) is None
    assert freezes.frozen((window,), stretch.ends) is None


@pytest.mark.parametrize(
    ("opens", "closes", "begins", "ends"),
    [
        (90, 240, "00:30", "02:00"),  # 01:30–04:00: an hour shorter
        (150, 240, "01:00", "02:00"),  # 02:30 never comes: from the jump on
        (60, 150, "00:00", "01:00"),  # … or until the jump
    ],
)
def test_where_clocks_go_forward(opens: int, closes: int, begins: str, ends: str) -> None:
    [stretch] = freezes.Weekly(BERLIN, frozenset({FORWARD.weekday()}), opens, closes).near(at(f"{FORWARD} 12:00", BERLIN))
    assert (f"{stretch.begins:%H:%M:%S}", f"{stretch.ends:%H:%M:%S}") == (f"{begins}:00", f"{ends}:00")


def test_a_window_that_lies_in_the_hour_that_never_comes_freezes_nothing() -> None:
    window = freezes.Weekly(BERLIN, frozenset({FORWARD.weekday()}), 125, 175)
    [stretch] = window.near(at(f"{FORWARD} 12:00", BERLIN))
    assert stretch.begins == stretch.ends
    assert freezes.frozen((window,), stretch.begins) is None


@pytest.mark.parametrize(
    ("opens", "closes", "begins", "ends"),
    [
        (60, 240, "23:00", "03:00"),  # 01:00–04:00: an hour longer
        (150, 240, "00:30", "03:00"),  # 02:30 comes twice: from the first
        (90, 150, "23:30", "01:30"),  # … until the second
    ],
)
def test_where_clocks_go_back(opens: int, closes: int, begins: str, ends: str) -> None:
    [stretch] = freezes.Weekly(BERLIN, frozenset({BACK.weekday()}), opens, closes).near(at(f"{BACK} 12:00", BERLIN))
    assert (f"{stretch.begins:%H:%M:%S}", f"{stretch.ends:%H:%M:%S}") == (f"{begins}:00", f"{ends}:00")


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    window = freezes.Weekly(SHANGHAI, frozenset({4}), 22 * 60, 6 * 60)  # Fridays
    for text, is_frozen in (
        ("2026-01-02 21:59:59", False), ("2026-01-02 22:00", True), ("2026-01-03 05:59:59", True), ("2026-01-03 06:00", False),
        ("2026-01-03 22:00", False), ("2026-01-02 05:00", False),
    ):  # fmt: skip
        assert (freezes.frozen((window,), at(text, SHANGHAI)) is not None) is is_frozen, text


def test_the_end_is_named_in_the_zone_and_in_utc_after_the_whole_row_of_windows() -> None:
    friday, weekend = (
        freezes.Weekly(BERLIN, frozenset({4}), 18 * 60, freezes.MIDNIGHT, "Friday evening"),
        freezes.Weekly(BERLIN, frozenset({5, 6}), reason="weekend"),
    )
    found = freezes.frozen((weekend, friday), at("2026-10-23 19:00", BERLIN))
    assert found is not None
    assert (found.reason, found.until) == ("Friday evening", at("2026-10-26 00:00", BERLIN))
    assert found.end == "Mon 2026-10-26 00:00 Europe/Berlin (2026-10-25 23:00 UTC)"
    summer = freezes.frozen((weekend,), at("2026-06-06 12:00", BERLIN))
    assert summer is not None
    assert summer.end == "Mon 2026-06-08 00:00 Europe/Berlin (2026-06-07 22:00 UTC)"
    utc = freezes.frozen((freezes.Weekly(ZoneInfo("UTC"), closes=60),), datetime(2026, 1, 2, 0, 30, tzinfo=UTC))
    assert utc is not None
    assert utc.end == "Fri 2026-01-02 01:00 UTC (01:00 UTC)"


def test_what_never_ends_says_so() -> None:
    found = freezes.frozen((freezes.Weekly(SHANGHAI, reason="for good"),), datetime(2026, 1, 2, tzinfo=UTC))
    assert found == freezes.Frozen("for good", SHANGHAI, None)
    assert found.end == "no end in sight"


def test_every_reason_of_what_holds_now_is_named_once() -> None:
    windows = (
        freezes.Weekly(SHANGHAI, reason="a"), freezes.Weekly(BERLIN, reason="b"), freezes.Weekly(BERLIN, reason="a"),
        freezes.Weekly(BERLIN, frozenset({0}), reason="not today"),
    )  # fmt: skip
    found = freezes.frozen(windows, datetime(2026, 1, 2, 12, tzinfo=UTC))
    assert found is not None
    assert found.reason == "a; b"
