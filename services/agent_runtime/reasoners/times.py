"""Times and days as the API writes them. Pure."""

from datetime import UTC, date, datetime, timedelta

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


def instant(text: object) -> datetime | None:
    """The instant of an RFC 3339 text, in UTC; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def day(text: object) -> date | None:
    """The day of "2026-02-28"; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def written(at: datetime) -> str:
    """RFC 3339 in UTC, to the second: "2026-02-28T08:00:00Z"."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def minutes(span: timedelta) -> int:
    """Whole minutes, rounded down."""
    return span // timedelta(minutes=1)


def in_words(span: timedelta) -> str:
    """As people say it: "3 days", "2 h 15 min", "40 min"; without a sign."""
    span = abs(span)
    if span >= 2 * _DAY:
        return f"{span // _DAY} days"
    hours, rest = divmod(span, _HOUR)
    short = f"{minutes(rest)} min"
    return f"{hours} h {short}" if hours else short
