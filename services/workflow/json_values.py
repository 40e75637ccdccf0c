"""JSON values as they are kept: in one canonical form, known by its digest."""

from hashlib import sha256
from typing import Any

import rfc8785


def canonical(value: Any) -> bytes:
    """The value as canonical JSON (RFC 8785). Raises ValueError for what JSON cannot hold: a number that is none, or a
    whole one that a double cannot hold exactly."""
    try:
        found: bytes = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise ValueError(f"cannot be written as JSON: {error}") from error
    return found


def digest(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return sha256(data).hexdigest()


def holds_nul(value: Any) -> bool:
    """Whether a text in the value holds the character NUL, which the database's texts cannot."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in name or holds_nul(each) for name, each in value.items())
    return isinstance(value, list) and any(map(holds_nul, value))
