"""What becomes of enrollment tokens, and what a public key may be."""

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any

from kit.errors import FieldError, Invalid

VALID = timedelta(hours=168)
GRACE = timedelta(minutes=60)
# How long a token that can no longer be used is still listed.
KEPT = timedelta(days=90)
_KEY_BYTES = 32


def state_of(token: dict[str, Any], now: datetime) -> str:
    """`active`, `superseded`, `expired` or `exhausted`; only the first two can be used."""
    if token["expires_at"] <= now:
        return "expired"
    if token["most_uses"] is not None and token["uses"] >= token["most_uses"]:
        return "exhausted"
    return "superseded" if token["is_superseded"] else "active"


def check_public_key(text: str) -> None:
    """Raises Invalid unless it is an Ed25519 public key (RFC 8032) in base64url without padding."""
    try:
        key = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise Invalid.fields(FieldError("publicKey", "must be 32 bytes in base64url without padding"))
