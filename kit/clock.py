"""The one source of the current time, so that tests and demo data can set it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_set_time: ContextVar[datetime | None] = ContextVar("set_time", default=None)


def now() -> datetime:
    """The current instant in UTC, or the one set by `at`."""
    return _set_time.get() or datetime.now(UTC)


@contextmanager
def at(instant: datetime) -> Iterator[None]:
    """Within the block, `now()` is `instant` (which must have a time zone)."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    token = _set_time.set(instant)
    try:
        yield
    finally:
        _set_time.reset(token)
