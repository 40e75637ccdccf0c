"""Business time, against vectors worked out by hand and against a count of every single minute."""

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ops.service_desk.sla.business_time import (
    Calendar,
    NeverUsedUp,
    add,
    calendar_of,
    consumed,
)

NEW_YORK = "America/New_York"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
WORKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


def nine_to_five(*holidays: str, zone: str = NEW_YORK) -> Calendar:
    return calendar_of(zone, [(day, "09:00", "17:00") for day in WORKDAYS], holidays)


def at(text: str, zone: str = NEW_YORK, *, fold: int = 0) -> datetime:
    """What the wall shows there, as an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def test_an_hour_on_friday_afternoon_ends_on_monday_morning() -> None:
    assert add(nine_to_five(), at("2026-01-09 16:30"), HOUR) == at("2026-01-12 09:30")


def test_a_holiday_is_skipped() -> None:
    assert add(nine_to_five("2026-01-12"), at("2026-01-09 16:30"), HOUR) == at("2026-01-13 09:30")


def test_a_wait_over_the_weekend_costs_only_its_business_hour() -> None:
    calendar = nine_to_five()
    start = at("2026-01-09 12:00")
    budget = consumed(calendar, start, at("2026-01-12 12:00"))
    used = consumed(calendar, start, at("2026-01-09 16:00"))
    assert add(calendar, at("2026-01-10 10:00"), budget - used) == at("2026-01-12 13:00")


def test_round_the_clock_goes_on_through_a_change_of_the_clock() -> None:
    start = at("2026-03-07 23:00")
    assert add(Calendar(NEW_YORK, always_open=True), start, 240 * MINUTE) == at("2026-03-08 04:00")
    every_hour = calendar_of(NEW_YORK, [(day, "00:00", "24:00") for day in (*WORKDAYS, "saturday", "sunday")], ())
    assert add(every_hour, start, 240 * MINUTE) == at("2026-03-08 04:00")


def test_what_comes_on_saturday_starts_on_monday() -> None:
    assert add(nine_to_five(), at("2026-01-10 11:00"), HOUR) == at("2026-01-12 10:00")


def test_a_budget_that_ends_with_the_day_ends_then_and_not_at_the_next_opening() -> None:
    assert add(nine_to_five(), at("2026-01-09 16:30"), 30 * MINUTE) == at("2026-01-09 17:00")


def test_a_lunch_break_does_not_count() -> None:
    windows = [(day, *hours) for day in WORKDAYS for hours in (("09:00", "12:00"), ("13:00", "17:00"))]
    calendar = calendar_of(NEW_YORK, windows, ())
    assert add(calendar, at("2026-01-09 11:30"), HOUR) == at("2026-01-09 13:30")
    assert consumed(calendar, at("2026-01-09 00:00"), at("2026-01-10 00:00")) == 7 * HOUR


def test_a_window_of_a_whole_day_runs_into_the_next() -> None:
    calendar = calendar_of(NEW_YORK, [("monday", "00:00", "24:00"), ("tuesday", "00:00", "08:00")], ())
    assert add(calendar, at("2026-01-12 23:00"), 2 * HOUR) == at("2026-01-13 01:00")
    assert consumed(calendar, at("2026-01-12 00:00"), at("2026-01-19 00:00")) == 32 * HOUR


def test_the_hour_that_is_left_out_does_not_count() -> None:
    calendar = calendar_of(NEW_YORK, [("sunday", "01:00", "04:00")], ())
    assert consumed(calendar, at("2026-03-08 00:00"), at("2026-03-09 00:00")) == 2 * HOUR
    half_past = calendar_of(NEW_YORK, [("sunday", "02:30", "05:00")], ())
    assert add(half_past, at("2026-03-08 00:00"), HOUR) == at("2026-03-08 04:00")


def test_the_hour_that_comes_twice_counts_twice() -> None:
    calendar = calendar_of(NEW_YORK, [("sunday", "01:00", "04:00")], ())
    assert consumed(calendar, at("2026-11-01 00:00"), at("2026-11-02 00:00")) == 4 * HOUR
    assert add(calendar, at("2026-11-01 00:00"), 90 * MINUTE) == at("2026-11-01 01:30", fold=1)


def test_two_times_of_one_zone_are_as_far_apart_as_they_really_are() -> None:
    start, end = (datetime(2026, 3, 8, hour, tzinfo=ZoneInfo(NEW_YORK)) for hour in (1, 4))
    assert consumed(Calendar(NEW_YORK, always_open=True), start, end) == 2 * HOUR


def test_lord_howe_moves_by_half_an_hour() -> None:
    calendar = calendar_of("Australia/Lord_Howe", [("sunday", "00:00", "24:00")], ())
    zone = "Australia/Lord_Howe"
    assert consumed(calendar, at("2026-10-04 00:00", zone), at("2026-10-05 00:00", zone)) == 23.5 * HOUR
    assert consumed(calendar, at("2026-04-05 00:00", zone), at("2026-04-06 00:00", zone)) == 24.5 * HOUR


def test_years_are_quick_and_exact() -> None:
    calendar = nine_to_five()
    start = at("2026-01-05 09:00")
    began = time.perf_counter()
    due = add(calendar, start, 52 * 10 * 40 * HOUR)
    assert due == at("2035-12-21 17:00")
    assert consumed(calendar, start, due) == 52 * 10 * 40 * HOUR
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize("calendar", [Calendar(), Calendar(NEW_YORK, windows={0: ()})])
def test_a_calendar_without_hours_uses_nothing_up(calendar: Calendar) -> None:
    assert consumed(calendar, at("2026-01-01 00:00"), at("2027-01-01 00:00")) == timedelta(0)
    with pytest.raises(NeverUsedUp):
        add(calendar, at("2026-01-01 00:00"), MINUTE)


def test_no_time_passes_backwards() -> None:
    assert consumed(nine_to_five(), at("2026-01-12 12:00"), at("2026-01-12 10:00")) == timedelta(0)
    assert add(nine_to_five(), at("2026-01-10 12:00"), -HOUR) == at("2026-01-10 12:00")


# Each zone with the week around each change of its clock; UTC has none.
WEEKS = [
    (NEW_YORK, "2026-03-05"),
    (NEW_YORK, "2026-10-29"),
    ("Europe/Dublin", "2026-03-26"),
    ("Europe/Dublin", "2026-10-22"),
    ("Australia/Lord_Howe", "2026-04-02"),
    ("Australia/Lord_Howe", "2026-10-01"),
    ("America/Havana", "2026-10-29"),
    ("UTC", "2026-03-05"),
]


@st.composite
def days(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    """The windows of a day: none to three, apart or touching, at any minute, up to the day's end."""
    edges = draw(st.lists(st.integers(0, 1440), max_size=6, unique=True).filter(lambda each: len(each) % 2 == 0))
    ordered = sorted(edges)
    return tuple(zip(ordered[::2], ordered[1::2], strict=True))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    """A calendar, and a minute in the week of a change of its clock."""
    zone, first = draw(st.sampled_from(WEEKS))
    begin = datetime.fromisoformat(first).replace(tzinfo=UTC)
    holidays = draw(st.sets(st.integers(0, 8), max_size=2))
    calendar = Calendar(
        zone,
        windows={day: draw(days()) for day in range(7)},
        holidays=frozenset(date.fromisoformat(first) + timedelta(days=each) for each in holidays),
    )
    return calendar, begin + draw(st.integers(0, 7 * 1440)) * MINUTE


def is_open(calendar: Calendar, instant: datetime) -> bool:
    """What the wall clock says at an instant."""
    wall = instant.astimezone(ZoneInfo(calendar.time_zone))
    minute = wall.hour * 60 + wall.minute
    windows = calendar.windows[wall.weekday()]
    return wall.date() not in calendar.holidays and any(opens <= minute < closes for opens, closes in windows)


def counted(calendar: Calendar, start: datetime, length: int) -> int:
    """The open ones among `length` minutes, counted one by one."""
    return sum(is_open(calendar, start + each * MINUTE) for each in range(length))


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(0, 3 * 1440))
def test_it_is_as_much_as_one_counts_minute_by_minute(case: tuple[Calendar, datetime], length: int) -> None:
    calendar, start = case
    assert consumed(calendar, start, start + length * MINUTE) == counted(calendar, start, length) * MINUTE


@settings(max_examples=100, deadline=None)
@given(cases(), st.integers(1, 1440))
def test_the_end_of_a_budget_is_the_minute_at_which_the_count_reaches_it(
    case: tuple[Calendar, datetime], budget: int
) -> None:
    calendar, start = case
    left, minute = budget, start
    while left and minute < start + timedelta(days=9):
        left -= is_open(calendar, minute)
        minute += MINUTE
    if not left:
        assert add(calendar, start, budget * MINUTE) == minute


@settings(max_examples=300, deadline=None)
@given(cases(), st.timedeltas(timedelta(0), timedelta(days=400)), st.timedeltas(timedelta(0), timedelta(days=400)))
def test_parts_add_up(case: tuple[Calendar, datetime], first: timedelta, second: timedelta) -> None:
    calendar, a = case
    b, c = a + first, a + first + second
    assert consumed(calendar, a, b) + consumed(calendar, b, c) == consumed(calendar, a, c)


@settings(max_examples=300, deadline=None)
@given(cases(), st.timedeltas(timedelta(0), timedelta(hours=300)))
def test_what_is_added_is_consumed_then(case: tuple[Calendar, datetime], budget: timedelta) -> None:
    calendar, start = case
    if calendar.minutes_per_week:
        due = add(calendar, start, budget)
        assert consumed(calendar, start, due) == budget
        assert not budget or consumed(calendar, start, due - timedelta(microseconds=1)) < budget


@settings(max_examples=300, deadline=None)
@given(cases(), st.timedeltas(timedelta(0), timedelta(hours=300)), st.timedeltas(timedelta(0), timedelta(hours=300)))
def test_more_budget_never_ends_sooner(case: tuple[Calendar, datetime], less: timedelta, more: timedelta) -> None:
    calendar, start = case
    if calendar.minutes_per_week:
        assert add(calendar, start, min(less, more)) <= add(calendar, start, max(less, more))
