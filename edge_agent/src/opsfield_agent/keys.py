"""The agent's key pair, Ed25519. The private key never leaves the machine."""

import base64
import binascii
import json
import uuid
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

AUDIENCE = "opsfield"
_ASSERTION_SECONDS = 120
# The `Date` header by which the server's time is known is right to a second.
_BACKDATED_SECONDS = 5


class AgentKey:
    """A private key; its text form is the 32 bytes in base64url."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> "AgentKey":
        """A new one."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_text(cls, text: str) -> "AgentKey":
        """The key of `to_text`. Raises ValueError."""
        try:
            return cls(Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(text.strip() + "=")))
        except (ValueError, binascii.Error):
            raise ValueError("not a private key") from None

    def to_text(self) -> str:
        """The private key: only for a file that nobody else reads."""
        return _base64url(self._key.private_bytes_raw())

    @property
    def public(self) -> str:
        """The public key, 43 characters of base64url (`x` in RFC 8037)."""
        return _base64url(self._key.public_key().public_bytes_raw())

    def assertion(self, agent_id: str, now: float) -> str:
        """A JWT (RFC 7523) that proves to be this agent; `now` is the server's time."""
        claims = {
            "iss": agent_id,
            "sub": agent_id,
            "aud": AUDIENCE,
            "iat": int(now) - _BACKDATED_SECONDS,
            "exp": int(now) + _ASSERTION_SECONDS,
            "jti": str(uuid.uuid4()),
        }
        signed = f"{_json64({'alg': 'EdDSA', 'typ': 'JWT'})}.{_json64(claims)}"
        return f"{signed}.{_base64url(self._key.sign(signed.encode()))}"


def _json64(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
