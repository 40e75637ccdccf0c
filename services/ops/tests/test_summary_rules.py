"""The days of ranges of time, and what counts add up to."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from kit.ranges import Range
from services.ops.summary import rules
from services.ops.summary.rules import Span

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LAST_MICROSECOND = timedelta(microseconds=1)


def at(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def test_a_range_is_told_by_day_with_parts_of_the_first_and_the_last() -> None:
    assert rules.spans(Range(at(3, 8, 18), at(3, 10, 6))) == [
        Span(at(3, 8, 18), at(3, 9), date(2026, 3, 8)),
        Span(at(3, 9), at(3, 10), date(2026, 3, 9)),
        Span(at(3, 10), at(3, 10, 6), date(2026, 3, 10)),
    ]
    assert rules.spans(Range(at(3, 8), at(3, 9))) == [Span(at(3, 8), at(3, 9), date(2026, 3, 8))]
    assert rules.spans(Range(at(3, 8, 1), at(3, 8, 2))) == [Span(at(3, 8, 1), at(3, 8, 2), date(2026, 3, 8))]


@pytest.mark.parametrize(("days", "hours", "before"), [(92, 0, False), (92, 1, True), (366, 0, True)])
def test_of_a_long_range_the_last_days_are_told_and_the_rest_is_one_part(days: int, hours: int, before: bool) -> None:
    asked = Range(at(3, 10) - days * DAY - timedelta(hours=hours), at(3, 10))
    found = rules.spans(asked)
    told = [span.day for span in found if span.day]
    assert told == [date(2026, 3, 9) - back * DAY for back in range(91, -1, -1)]
    assert [span.day for span in found[: len(found) - 92]] == ([None] if before else [])
    assert (found[0].start, found[-1].end) == (asked.start, asked.end)
    assert all(first.end == second.start for first, second in pairwise(found))


def test_the_last_day_there_is_can_be_told() -> None:
    end = datetime.max.replace(tzinfo=UTC)
    assert rules.spans(Range(end - timedelta(hours=1), end))[-1].day == date(9999, 12, 31)


def group(age: timedelta) -> int:
    return sum(NOW - age <= limit for limit in rules.age_limits(NOW))


def test_ages_of_tickets() -> None:
    for index, limit in enumerate((DAY, 3 * DAY, 7 * DAY)):
        assert (group(limit - LAST_MICROSECOND), group(limit)) == (index, index + 1)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(-1, 0), (0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4), (1000, 4)],
)
def test_ages_of_receivables(days: int, expected: int) -> None:
    today = NOW.date()
    assert sum(today - days * DAY < limit for limit in rules.due_limits(today)) == expected


def test_counts_add_up() -> None:
    rows = [{"status": "new", "count": 2}, {"status": "open", "count": 3}, {"status": "new", "count": 5}]
    assert rules.tally(rows, "status") == {"new": 7, "open": 3}
    assert rules.total(rows) == 10
    assert rules.total([]) == 0


def test_amounts_add_up_exactly_in_the_order_of_their_keys() -> None:
    much = "123456789012345678901234567890.01"
    rows = [
        {"currency": "USD", "count": 1, "amount": "0.10"},
        {"currency": "EUR", "count": 1, "amount": much},
        {"currency": "USD", "count": 2, "amount": "0.20"},
        {"currency": "EUR", "count": 1, "amount": "0.02"},
    ]
    assert list(rules.amounts(rows, lambda row: (row["currency"],)).items()) == [
        (("EUR",), (2, Decimal("123456789012345678901234567890.03"))),
        (("USD",), (3, Decimal("0.30"))),
    ]
    assert rules.exact_sum([Decimal(much), Decimal("0.02")]) == Decimal("123456789012345678901234567890.03")


def test_a_mean_is_of_all_and_none_of_nothing() -> None:
    pairs = [(1, timedelta(seconds=10)), (0, None), (3, DAY)]
    rows: list[dict[str, Any]] = [{"count": count, "spent": spent} for count, spent in pairs]
    assert rules.mean_seconds(rows) == round((10 + 86400) / 4)
    assert rules.mean_seconds([{"count": 0, "spent": None}]) is None
    assert rules.mean_seconds([]) is None


@pytest.mark.parametrize("role", ["billing", "data_admin", "msp_admin"])
def test_who_sees_money(role: str) -> None:
    assert rules.may_see_money(["viewer", role])
    assert not rules.may_see_money(["viewer", "ops_engineer"])
    assert not rules.may_see_money([])
