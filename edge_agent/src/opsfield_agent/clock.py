"""Three clocks: a steady one for intervals, the machine's for what people read, the server's for signing.

The machine's clock may jump, or be years off. So within the agent a moment is a reading of the steady clock, and
becomes a date only when a batch is written.
"""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Counts the time of a suspend too, where there is such a clock.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """Seconds on a clock that never jumps and is the same for all processes until the machine boots anew."""
    return time.clock_gettime(_STEADY)


def wall() -> float:
    """Seconds since 1970, as the machine's clock has it."""
    return time.time()


@cache
def boot_id() -> str | None:
    """Which run of the machine this is: readings of `steady` can be compared within one. None where unknown."""
    try:
        return _BOOT_ID.read_text().strip() or None
    except OSError:
        return None


def rfc3339(seconds: float) -> str:
    """The moment as `2026-03-01T12:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_rfc3339(text: str) -> float:
    """Seconds since 1970. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()


def from_http_date(text: str | None) -> float | None:
    """Seconds since 1970 of a `Date` or `Retry-After` header; None when it is none."""
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


class ServerClock:
    """What time the server has, as far as its answers told; until then, the machine's."""

    def __init__(self) -> None:
        self._ahead_of_steady: float | None = None

    def learn(self, date_header: str | None) -> None:
        """Take the time of an answer that has just come."""
        seconds = from_http_date(date_header)
        if seconds is not None:
            self._ahead_of_steady = seconds - steady()

    def now(self) -> float:
        """Seconds since 1970."""
        return wall() if self._ahead_of_steady is None else steady() + self._ahead_of_steady
