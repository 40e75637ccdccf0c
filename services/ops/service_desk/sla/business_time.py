"""Business time: how much of it lies between two instants, and when a budget of it is used up. Pure.

Windows are times of the wall clock. An instant is business time exactly when the clock on the wall, as it then stands
in the calendar's zone, shows a time within a window: an hour that a change of the clock leaves out does not count, one
that comes twice counts twice.

Both questions are answered arithmetically: time is cut into stretches of one UTC offset (two a year where clocks are
changed), and within a stretch the business time since a fixed Monday has a closed form. A span of years costs little
more than one of an hour.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import accumulate
from zoneinfo import ZoneInfo

# Monday to Sunday, as `date.weekday()` counts them.
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A Monday on every wall, whatever the zone; wall times are counted from it.
_MONDAY = date(1969, 12, 29)
_MICROSECOND = timedelta(microseconds=1)
_SECOND, _MINUTE, _DAY = 1_000_000, 60_000_000, 86_400_000_000
_EPOCH_ON_WALL = 3 * _DAY
# What is not used up by then never will be.
_HORIZON = 200 * 366 * _DAY

# Minutes since midnight at which a window opens and closes; 1440 is the end of the day.
Window = tuple[int, int]


class NeverUsedUp(ValueError):
    """The calendar is hardly ever open: the budget lasts for centuries."""


@dataclass(frozen=True)
class Calendar:
    """When a service desk works: `windows` of each weekday (0 is Monday) in order and apart from one another, on all
    days but `holidays`, in the IANA zone `time_zone`. With `always_open` neither windows nor holidays matter."""

    time_zone: str = "UTC"
    windows: Mapping[int, Sequence[Window]] = field(default_factory=dict)
    holidays: frozenset[date] = frozenset()
    always_open: bool = False

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @cached_property
    def week(self) -> tuple[tuple[Window, ...], ...]:
        """The windows of each day of a week, in microseconds since midnight."""
        return tuple(
            tuple((opens * _MINUTE, closes * _MINUTE) for opens, closes in sorted(self.windows.get(day, ())))
            for day in range(7)
        )

    @cached_property
    def day_lengths(self) -> tuple[int, ...]:
        """The business time of each day of a week, in microseconds."""
        return tuple(sum(closes - opens for opens, closes in day) for day in self.week)

    @cached_property
    def day_starts(self) -> tuple[int, ...]:
        """The business time of a week before each of its days, and at the end that of the whole week."""
        return (0, *accumulate(self.day_lengths))

    @cached_property
    def closed_days(self) -> tuple[int, ...]:
        """Holidays that take business time away, as days since the fixed Monday, in order."""
        return tuple(sorted((day - _MONDAY).days for day in self.holidays if self.day_lengths[day.weekday()]))

    @cached_property
    def taken_away(self) -> tuple[int, ...]:
        """The business time that the first n of `closed_days` take away, for n from 0."""
        return (0, *accumulate(self.day_lengths[day % 7] for day in self.closed_days))

    @property
    def minutes_per_week(self) -> int:
        """Business minutes of a week without holidays."""
        return 7 * 1440 if self.always_open else self.day_starts[-1] // _MINUTE


def consumed(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """The business time from `start` until `end` (both with a zone); nothing when `end` is not after `start`."""
    # In UTC: between two times of one zone Python compares and subtracts what the wall shows.
    begin, stop = _micros(start), _micros(end)
    if stop <= begin:
        return timedelta(0)
    if calendar.always_open:
        return (stop - begin) * _MICROSECOND
    total = 0
    for begins, ends in _stretches(calendar.zone, begin, stop):
        total += _before(calendar, ends) - _before(calendar, begins)
    return total * _MICROSECOND


def add(calendar: Calendar, start: datetime, budget: timedelta) -> datetime:
    """The first instant, in UTC, by which `budget` of business time has passed since `start`; `start` itself when there
    is no budget. Raises NeverUsedUp."""
    left, begin = budget // _MICROSECOND, _micros(start)
    if left <= 0:
        return start.astimezone(UTC)
    if calendar.always_open:
        return _instant(begin + left)
    if not calendar.minutes_per_week:
        raise NeverUsedUp("The calendar has no open hours.")
    instant = begin
    for begins, ends in _stretches(calendar.zone, begin, begin + _HORIZON):
        used = _before(calendar, begins)
        available = _before(calendar, ends) - used
        if available >= left:
            return _instant(instant + _first(calendar, begins, ends, used + left) - begins)
        left -= available
        instant += ends - begins
    raise NeverUsedUp("The calendar is hardly ever open.")


def calendar_of(time_zone: str, windows: Iterable[tuple[str, str, str]], holidays: Iterable[str]) -> Calendar:
    """A calendar from words: windows as `("monday", "09:00", "17:00")`, holidays as `"2026-12-25"`."""
    by_day: dict[int, list[Window]] = {}
    for day, opens, closes in windows:
        by_day.setdefault(WEEKDAYS.index(day), []).append((minutes(opens), minutes(closes)))
    return Calendar(
        time_zone=time_zone,
        windows={day: tuple(sorted(each)) for day, each in by_day.items()},
        holidays=frozenset(date.fromisoformat(day) for day in holidays),
    )


def minutes(text: str) -> int:
    """`"17:30"` as minutes since midnight; `"24:00"` is the end of the day."""
    hours, _, rest = text.partition(":")
    return int(hours) * 60 + int(rest)


def _before(calendar: Calendar, wall: int) -> int:
    """The business time from the fixed Monday until a wall time, as if no clock were ever changed."""
    day, time = divmod(wall, _DAY)
    weeks, weekday = divmod(day, 7)
    total = weeks * calendar.day_starts[7] + calendar.day_starts[weekday]
    passed = bisect_left(calendar.closed_days, day)
    total -= calendar.taken_away[passed]
    if passed < len(calendar.closed_days) and calendar.closed_days[passed] == day:
        return total
    return total + sum(min(closes, time) - opens for opens, closes in calendar.week[weekday] if opens < time)


def _first(calendar: Calendar, begins: int, ends: int, total: int) -> int:
    """The first wall time of a stretch at which `_before` reaches `total`, which it does there and not before."""
    low, high = begins // _DAY, ends // _DAY
    while low < high:
        middle = (low + high) // 2
        if _before(calendar, (middle + 1) * _DAY) >= total:
            high = middle
        else:
            low = middle + 1
    left = total - _before(calendar, low * _DAY)
    for opens, closes in calendar.week[low % 7]:
        if closes - opens >= left:
            return low * _DAY + opens + left
        left -= closes - opens
    raise AssertionError("the day on which it is reached has the time that is left")


def _stretches(zone: ZoneInfo, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretches of one UTC offset between two instants, each as the wall times of its beginning and end."""
    at = start
    while at < end:
        year = (_EPOCH + at * _MICROSECOND).year
        for until, offset in _year(zone, year):
            if until > at:
                stop = min(until, end)
                yield at + offset + _EPOCH_ON_WALL, stop + offset + _EPOCH_ON_WALL
                at = stop
                if at == end:
                    return


@lru_cache(maxsize=4096)
def _year(zone: ZoneInfo, year: int) -> tuple[tuple[int, int], ...]:
    """A year (in UTC) of a zone: until when each offset from UTC holds, and the offset; in microseconds."""
    begin, end = _micros(datetime(year, 1, 1, tzinfo=UTC)), _micros(datetime(year + 1, 1, 1, tzinfo=UTC))
    found: list[tuple[int, int]] = []
    offset = _offset(zone, begin)
    for day in range(begin, end, _DAY):
        after = _offset(zone, day + _DAY)
        if after != offset:
            found.append((_change(zone, day, day + _DAY, offset), offset))
            offset = after
    if not found or found[-1][0] < end:
        found.append((end, offset))
    return tuple(found)


def _change(zone: ZoneInfo, low: int, high: int, offset: int) -> int:
    """The first instant, to the second, between `low` and `high` at which the offset is no longer this one."""
    while high - low > _SECOND:
        middle = (low + high) // 2 // _SECOND * _SECOND
        if _offset(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = _instant(instant).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // _MICROSECOND


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _instant(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND
