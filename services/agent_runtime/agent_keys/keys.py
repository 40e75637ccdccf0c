"""Agent keys: `<workspace>.agent_<43 characters>`. Only their hash is stored; there are 256 bits of chance in one, so
that a plain hash suffices."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256


@dataclass(frozen=True)
class AgentKey:
    """A row."""

    id: str
    name: str
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    revoked_reason: str | None
    created_at: datetime
    created_by: str

    def state(self, now: datetime) -> str:
        """`active`, `expired` or `revoked`; only the first can be used."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if now < self.expires_at else "expired"


def new_key(workspace_id: str) -> str:
    return f"{workspace_id}.agent_{secrets.token_urlsafe(32)}"


def hash_of(key: str) -> bytes:
    return sha256(key.encode()).digest()
