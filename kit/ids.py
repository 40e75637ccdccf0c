"""Identifiers: UUIDv7 (RFC 9562), so that new rows land at the end of every index."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import uuid_utils

from kit import clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id() -> str:
    """A new UUIDv7 in canonical lower-case form, carrying `clock.now()`."""
    microseconds = (clock.now() - _EPOCH) // timedelta(microseconds=1)
    return str(uuid_utils.uuid7(nanoseconds=microseconds * 1000))


def child_key(key: str, step: str) -> str:
    """The idempotency key of a step that follows from a request with `key`: the same for every retry of it."""
    return "child-" + sha256(f"{key}\n{step}".encode()).hexdigest()
