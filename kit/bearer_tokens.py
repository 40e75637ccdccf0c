"""Bearer tokens that our own services issue to those they know: telemetry to its agents, the portal to its visitors.

JWTs in the shape of RFC 9068 (`typ` at+jwt), signed with the key that also signs the service's internal tokens: type,
issuer and audience keep the two apart. A service can grant its one role only; the gateway, which verifies them, leaves
any other out.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit import clock, ids
from kit.identity import private_key

TYPE = "at+jwt"
ROLE_OF_SERVICE: Mapping[str, str] = {"telemetry": "endpoint_agent", "portal": "client_portal"}
# A role that means something only for the one client or agent which the token names, and the claim that names it.
SCOPE_OF_ROLE: Mapping[str, str] = {"client_portal": "clientId", "endpoint_agent": "agentId"}
# Whose tokens belong to a session that may end before them: the rpc that tells whether it goes on.
SESSION_CHECKS: Mapping[str, str] = {"portal": "/opsfield.portal.v1.SessionService/CheckSession"}
# What every issuer of ours begins with; no other may.
ISSUERS = "opsfield/"


def issuer_of(service: str) -> str:
    """The `iss` of a service's tokens: `opsfield/telemetry`."""
    return ISSUERS + service


class BearerTokenIssuer:
    """Issues the tokens of one service. `audience`: the gateway's JWT_AUDIENCE."""

    def __init__(self, service: str, key: Ed25519PrivateKey, *, audience: str) -> None:
        self._service = service
        self._key = key
        self._audience = audience

    @classmethod
    def from_file(cls, service: str, path: Path, *, audience: str) -> "BearerTokenIssuer":
        """Raises ValueError when the file holds no Ed25519 private key in PEM."""
        return cls(service, private_key(path), audience=audience)

    def issue(
        self,
        subject: str,
        *,
        workspace_id: str,
        role: str,
        lifetime: timedelta,
        agent_id: str | None = None,
        client_id: str | None = None,
        session_id: str | None = None,
    ) -> tuple[str, datetime]:
        """A token for one workspace, and when it ends (a whole second, UTC). Raises ValueError for a role that this
        service cannot grant, or without the agent or client that the role is for, or the session where there must be
        one."""
        scope = {"agentId": agent_id, "clientId": client_id}
        if role != ROLE_OF_SERVICE.get(self._service) or not scope[SCOPE_OF_ROLE[role]]:
            raise ValueError(f"{self._service} cannot issue a token for the role {role}")
        if self._service in SESSION_CHECKS and not session_id:
            raise ValueError(f"{self._service} cannot issue a token without a session")
        now = clock.now().replace(microsecond=0)
        expires_at = now + lifetime
        claims: dict[str, Any] = {
            "iss": issuer_of(self._service),
            "aud": self._audience,
            "sub": subject,
            "roles": [role],
            "workspaces": [workspace_id],
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
            "jti": ids.new_id(),
            **{name: value for name, value in scope.items() if value},
            **({"sid": session_id} if session_id else {}),
        }
        headers = {"kid": self._service, "typ": TYPE}
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers=headers), expires_at
