"""How formatted strings are written: one pattern per `Format` of the contract, used at the edge and in the services."""

import re
from collections.abc import Callable
from datetime import date
from functools import cache
from zoneinfo import available_timezones

from opsfield.options.v1 import field_pb2

PATTERNS: dict[int, str] = {
    field_pb2.UUID: r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    field_pb2.DECIMAL: r"^[0-9]{1,15}(\.[0-9]{1,4})?$",
    field_pb2.CURRENCY: r"^[A-Z]{3}$",
    field_pb2.COUNTRY: r"^[A-Z]{2}$",
    field_pb2.EMAIL: r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    field_pb2.URL: r"^https?://[^\s]+$",
    field_pb2.DATE: r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
    field_pb2.TIME_OF_DAY: r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
    field_pb2.TIME_ZONE: r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
}

# What a person is told when the pattern does not match.
DESCRIPTIONS: dict[int, str] = {
    field_pb2.UUID: "must be a UUID in lower case",
    field_pb2.DECIMAL: 'must be a decimal number as a string, with at most 4 decimals, such as "1250.00"',
    field_pb2.CURRENCY: 'must be an ISO 4217 currency code, such as "EUR"',
    field_pb2.COUNTRY: 'must be an ISO 3166-1 country code, such as "DE"',
    field_pb2.EMAIL: "must be an e-mail address",
    field_pb2.URL: "must be an http or https URL",
    field_pb2.DATE: 'must be a date of the calendar, such as "2026-02-28"',
    field_pb2.TIME_OF_DAY: 'must be a time of day of 24 hours, such as "17:30"',
    field_pb2.TIME_ZONE: 'must be a time zone of the IANA database, such as "Europe/Dublin"',
}

COMPILED: dict[int, re.Pattern[str]] = {
    fmt: re.compile(pattern.replace("$", r"\Z")) for fmt, pattern in PATTERNS.items()
}


def is_date(text: str) -> bool:
    """Whether the calendar has it; the pattern lets 30 February pass."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_time_zone(text: str) -> bool:
    """Whether the time zone database has it."""
    return text in _time_zones()


@cache
def _time_zones() -> set[str]:
    # Found by walking the database's files, so not before it is needed.
    return available_timezones()


# What no pattern can say.
EXISTS: dict[int, Callable[[str], bool]] = {
    field_pb2.DATE: is_date,
    field_pb2.TIME_ZONE: is_time_zone,
}

# A workspace's id: what `x-workspace-id` may hold. Safe to write into SQL as a literal.
WORKSPACE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
CORRELATION_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
