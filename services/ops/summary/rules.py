"""The days in a range of time, and what counts add up to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import Any

from kit.ranges import Range

MOST_DAYS = 92
# A promise that falls due so soon is at risk.
RISK = timedelta(minutes=60)
SCHEDULED_SOON = timedelta(days=7)
ENDING_SOON = timedelta(days=30)
# Where a ticket's age and an invoice's days past due pass into the next group.
AGES = (timedelta(days=1), timedelta(days=3), timedelta(days=7))
DAYS_PAST_DUE = (0, 30, 60, 90)
MONEY_ROLES = frozenset({"billing", "data_admin", "msp_admin"})

_DAY = timedelta(days=1)
# Wide enough for the sum of all that a database can hold of the largest amounts.
_EXACT = Context(prec=80)

Counted = Mapping[str, Any]


@dataclass(frozen=True)
class Span:
    """A part of a range. `day` is the day (UTC) of which it is the whole or the part within the range; None for what
    comes before the days that are told one by one."""

    start: datetime
    end: datetime
    day: date | None


def spans(asked: Range) -> list[Span]:
    """The range in parts, oldest first: its days, and before them, when they are too many, all of the range that is
    not told by day."""
    last = (asked.end - timedelta(microseconds=1)).date()
    count = min((last - asked.start.date()).days + 1, MOST_DAYS)
    days = [last - timedelta(days=back) for back in range(count - 1, -1, -1)]
    starts = [max(asked.start, _midnight(day)) for day in days]
    parts = [Span(*each) for each in zip(starts, [*starts[1:], asked.end], days, strict=True)]
    return [*([Span(asked.start, starts[0], None)] if starts[0] > asked.start else []), *parts]


def age_limits(now: datetime) -> tuple[datetime, ...]:
    """What was created at or before the first is a day old or older, and so on."""
    return tuple(now - age for age in AGES)


def due_limits(today: date) -> tuple[date, ...]:
    """What was due before the first is past due, before the second by more than 30 days, and so on."""
    return tuple(today - timedelta(days=days) for days in DAYS_PAST_DUE)


def tally(rows: Iterable[Counted], key: str, count: str = "count") -> dict[Any, int]:
    """For each value of `key`, the counts of its rows added up."""
    found: dict[Any, int] = {}
    for row in rows:
        found[row[key]] = found.get(row[key], 0) + row[count]
    return found


def total(rows: Iterable[Counted], count: str = "count") -> int:
    """The counts of the rows added up."""
    return sum(row[count] for row in rows)


def amounts(
    rows: Iterable[Counted], key: Callable[[Counted], tuple[Any, ...]], amount: str = "amount"
) -> dict[tuple[Any, ...], tuple[int, Decimal]]:
    """For each key, in the order of the keys: how many, and what they come to, exactly."""
    found: dict[tuple[Any, ...], tuple[int, Decimal]] = {}
    with localcontext(_EXACT):
        for row in rows:
            count, so_far = found.get(key(row), (0, Decimal(0)))
            found[key(row)] = count + row["count"], so_far + Decimal(row[amount])
    return dict(sorted(found.items()))


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """The amounts added up, with all their digits."""
    with localcontext(_EXACT):
        return sum(amounts, Decimal(0))


def mean_seconds(rows: Iterable[Counted], count: str = "count", spent: str = "spent") -> int | None:
    """The mean of the times that the rows sum up, in whole seconds; None when there are none."""
    found = [(row[count], row[spent]) for row in rows if row[count]]
    if not found:
        return None
    whole: timedelta = sum((each for _, each in found), timedelta(0))
    count_of_all: int = sum(each for each, _ in found)
    return round(whole.total_seconds() / count_of_all)


def may_see_money(roles: Iterable[str]) -> bool:
    """Whether someone with these roles may know what clients owe."""
    return not MONEY_ROLES.isdisjoint(roles)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
