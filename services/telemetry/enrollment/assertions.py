"""How an agent proves who it is: a JWT signed by its own key (RFC 7523, section 3)."""

import base64
import re
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

AUDIENCE = "opsfield"
_LONGEST_SECONDS = 300
_LEEWAY_SECONDS = 60
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# A forged one may also make the parsers give up: JSON nested too deep, numbers out of range, wrong types.
_FLAWS = (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError)


class NotProven(Exception):
    """The assertion is none, or not one of the agent that it names."""


def named_agent(assertion: str) -> str:
    """The id of the agent that it claims to be of. Raises NotProven when it claims none."""
    try:
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except _FLAWS as error:
        raise NotProven from error
    subject = claims.get("sub")
    if not isinstance(subject, str) or not _ID.fullmatch(subject):
        raise NotProven
    return subject


def verify(assertion: str, agent_id: str, public_key: str) -> None:
    """Raises NotProven unless the agent's key signed it, for us, now."""
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(public_key + "="))
    try:
        claims = jwt.decode(
            assertion,
            key,
            algorithms=["EdDSA"],
            audience=AUDIENCE,
            issuer=agent_id,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["iss", "sub", "aud", "iat", "exp"], "strict_aud": True},
        )
        too_long = claims["exp"] - claims["iat"] > _LONGEST_SECONDS
    except _FLAWS as error:
        raise NotProven from error
    if claims["sub"] != agent_id or too_long:
        raise NotProven
