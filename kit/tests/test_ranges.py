"""Ranges of time in requests."""

from datetime import UTC, datetime, timedelta

import pytest

from kit.errors import Invalid
from kit.ranges import Range, range_of

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LAST_MICROSECOND = timedelta(microseconds=1)


def at(month: int, day: int) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, Range(NOW - 30 * DAY, NOW)),
        (at(3, 1), None, Range(at(3, 1), NOW)),
        (None, at(3, 1), Range(at(3, 1) - 30 * DAY, at(3, 1))),
        (at(2, 1), at(3, 1), Range(at(2, 1), at(3, 1))),
        (NOW - 366 * DAY, NOW, Range(NOW - 366 * DAY, NOW)),
        (None, datetime(1, 1, 5, tzinfo=UTC), Range(datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 5, tzinfo=UTC))),
    ],
)
def test_a_range_has_defaults(start: datetime | None, end: datetime | None, expected: Range) -> None:
    assert range_of(start, end, NOW) == expected


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (NOW, None, "before"),
        (NOW + DAY, None, "before"),
        (at(3, 1), at(3, 1), "before"),
        (at(3, 2), at(3, 1), "before"),
        (None, datetime(1, 1, 1, tzinfo=UTC), "before"),
        (NOW - 366 * DAY - LAST_MICROSECOND, None, "366 days"),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), "366 days"),
    ],
)
def test_what_is_no_range_is_refused(start: datetime | None, end: datetime | None, message: str) -> None:
    with pytest.raises(Invalid) as problem:
        range_of(start, end, NOW)
    assert [error.path for error in problem.value.errors] == ["from"]
    assert message in problem.value.errors[0].message
