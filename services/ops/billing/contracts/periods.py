"""The periods of a contract, on the calendar. Pure.

The n-th period begins n times 1, 3 or 12 months after the contract's first day, on the same day of the month or the
last one that the month has. It is always counted from the first day, never from the period before, so that a contract
that began on 31 January goes on on 28 February and then again on 31 March.
"""

from calendar import monthrange
from datetime import MAXYEAR, date, timedelta

MONTHS = {"monthly": 1, "quarterly": 3, "yearly": 12}


def add_months(day: date, months: int) -> date:
    """The same day of the month that many months later, or the last day of a shorter month. Raises OverflowError after
    the year 9999."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > MAXYEAR:
        raise OverflowError(f"{months} months after {day} the calendar has ended")
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def period_start(starts_on: date, billing_period: str, index: int) -> date:
    """First day of a period; the first has index 0."""
    return add_months(starts_on, index * MONTHS[billing_period])


def period_index(starts_on: date, billing_period: str, day: date) -> int:
    """Index of the period that `day` is in; 0 for a day before the first."""
    months = (day.year - starts_on.year) * 12 + day.month - starts_on.month
    index = max(months // MONTHS[billing_period], 0)
    return index - 1 if index and period_start(starts_on, billing_period, index) > day else index


def first_start_from(starts_on: date, billing_period: str, day: date) -> date:
    """First day of the first period that does not begin before `day`."""
    index = period_index(starts_on, billing_period, day)
    start = period_start(starts_on, billing_period, index)
    return start if start >= day else period_start(starts_on, billing_period, index + 1)


def next_start(starts_on: date, billing_period: str, start: date) -> date:
    """First day of the period after the one that begins on `start`."""
    return period_start(starts_on, billing_period, period_index(starts_on, billing_period, start) + 1)


def last_day(starts_on: date, billing_period: str, start: date, ends_on: date | None) -> date:
    """Last day of the period that begins on `start`: that of the contract, where it comes sooner."""
    last = next_start(starts_on, billing_period, start) - timedelta(days=1)
    return last if ends_on is None else min(last, ends_on)
