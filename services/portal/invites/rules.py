"""What becomes of invites. Pure."""

from datetime import datetime, timedelta
from typing import Any

VALID = timedelta(hours=168)
# How long what is over is still listed.
KEPT = timedelta(days=90)


def status_of(invite: dict[str, Any], now: datetime) -> str:
    """`pending`, `used`, `expired` or `revoked`; only a pending one can be exchanged."""
    if invite["revoked_at"] is not None:
        return "revoked"
    if invite["used_at"] is not None:
        return "used"
    return "expired" if invite["expires_at"] <= now else "pending"
