"""Bearer tokens that our own services issue (kit/bearer_tokens.py): an agent's, a portal visitor's.

`iss` alone decides who checks a token. One that begins with `opsfield/` is checked with that service's key and no
other; any other never meets our keys. So no external issuer can speak for a service, nor a service for an external one.
"""

from pathlib import Path
from typing import Any

import jwt

from gateway.sessions import Session
from kit.bearer_tokens import ISSUERS, ROLE_OF_SERVICE, SESSION_CHECKS, TYPE, issuer_of
from kit.identity import PublicKeys, decode_with_any, public_keys

_LEEWAY = 5


class OwnTokens:
    """Checks tokens for one audience. `keys`: by the service's name; those that issue no tokens are left aside."""

    def __init__(self, audience: str, keys: PublicKeys) -> None:
        self._audience = audience
        self._keys = {name: key for name, key in keys.items() if name in ROLE_OF_SERVICE}

    @classmethod
    def from_file(cls, audience: str, path: Path) -> "OwnTokens":
        """`path`: as kit.identity.public_keys takes it. Raises OSError, or ValueError for a file that is none."""
        return cls(audience, public_keys(path))

    def claims_to_be(self, token: str) -> bool:
        """Whether the token says that it is from one of our services. Raises jwt.PyJWTError when it is none."""
        claims = jwt.decode(token, options={"verify_signature": False})
        return str(claims.get("iss")).startswith(ISSUERS)

    def verify(self, token: str) -> dict[str, Any]:
        """Its claims, with no role but the one that is the service's to grant. Raises jwt.PyJWTError for every flaw."""
        header = jwt.get_unverified_header(token)
        service = header.get("kid")
        if header.get("typ") != TYPE or service not in self._keys:
            raise jwt.InvalidTokenError("not of one of our services")
        claims = decode_with_any(
            token,
            self._keys[service],
            audience=self._audience,
            issuer=issuer_of(service),
            leeway=_LEEWAY,
            options={"require": ["exp", "iat", "sub", "iss", "aud", "jti"], "strict_aud": True},
        )
        workspaces, roles = claims.get("workspaces"), claims.get("roles")
        if not isinstance(workspaces, list) or len(workspaces) != 1 or not isinstance(roles, list):
            raise jwt.InvalidTokenError("not for one workspace, or without roles")
        if service in SESSION_CHECKS and not isinstance(claims.get("sid"), str):
            raise jwt.InvalidTokenError("of no session")
        return claims | {"roles": [role for role in roles if role == ROLE_OF_SERVICE[service]]}

    def session_of(self, claims: dict[str, Any]) -> Session | None:
        """The session that a token which was verified here belongs to, if its service has such."""
        service = str(claims["iss"]).removeprefix(ISSUERS)
        return Session(service, claims["workspaces"][0], claims["sid"]) if service in SESSION_CHECKS else None
