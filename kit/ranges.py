"""Ranges of time in requests."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from kit.errors import FieldError, Invalid
from kit.instants import instant

DEFAULT = timedelta(days=30)
LONGEST = timedelta(days=366)


class Range(NamedTuple):
    """From `start` until before `end`."""

    start: datetime
    end: datetime


def asked_range(request: Any, now: datetime) -> Range:
    """The range that a request asks for with its fields `from` and `to`. Raises Invalid, naming the parameter."""
    return range_of(
        instant(request.range_from, "from") if request.HasField("range_from") else None,
        instant(request.range_to, "to") if request.HasField("range_to") else None,
        now,
    )


def range_of(start: datetime | None, end: datetime | None, now: datetime) -> Range:
    """The range between times in UTC, by default up to `now` and of 30 days. Raises Invalid for one that ends before it
    starts or is too long."""
    end = end or now
    if start is None:
        earliest = datetime.min.replace(tzinfo=UTC)
        start = end - DEFAULT if end - earliest > DEFAULT else earliest
    if start >= end:
        raise Invalid.fields(FieldError("from", "must be before the range's end: `to`, or now"))
    if end - start > LONGEST:
        raise Invalid.fields(FieldError("from", f"must be at most {LONGEST.days} days before the range's end"))
    return Range(start, end)
