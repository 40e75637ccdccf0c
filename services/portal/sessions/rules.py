"""How long a session goes on. Pure."""

from datetime import datetime, timedelta
from typing import Any

# Its use is written down this often at most.
NOTED_EVERY = timedelta(seconds=60)


def goes_on(session: dict[str, Any], now: datetime) -> bool:
    """Whether it has neither been ended nor become too old, nor been left alone for too long."""
    return session["ended_at"] is None and session["expires_at"] > now and session["idle_until"] > now


def status_of(session: dict[str, Any], now: datetime) -> str:
    """`active`, `expired` or `ended`."""
    if session["ended_at"] is not None:
        return "ended"
    return "active" if goes_on(session, now) else "expired"


def is_to_be_noted(session: dict[str, Any], now: datetime) -> bool:
    """Whether it is time to write down that the session is used."""
    return bool(now - session["last_seen_at"] >= NOTED_EVERY)
