"""Invite tokens: `<workspace>.invite_<43 characters>`. Only their hash is stored; there are 256 bits of chance in one,
so that a plain hash suffices."""

import secrets
from hashlib import sha256


def new_token(workspace_id: str) -> str:
    return f"{workspace_id}.invite_{secrets.token_urlsafe(32)}"


def hash_of(token: str) -> bytes:
    return sha256(token.encode()).digest()
