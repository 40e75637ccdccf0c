"""Links to artifacts: whoever has one may fetch what it names, for 15 minutes."""

from datetime import timedelta
from typing import Any

import jwt

from kit import clock
from kit.errors import NotFound

_LIFETIME = timedelta(minutes=15)
_AUDIENCE = "job-artifacts"


class Links:
    """`keys`: 32 bytes each that only this service knows. The first signs, each knows what it has signed."""

    def __init__(self, *keys: bytes) -> None:
        self._keys = keys

    def url(self, workspace_id: str, job_id: str) -> str:
        """Where the job's artifact can be fetched from now on."""
        expires_at = int((clock.now() + _LIFETIME).timestamp())
        claims = {"aud": _AUDIENCE, "workspace": workspace_id, "job": job_id, "exp": expires_at}
        # The workspace stands before it so that the gateway, which has not the key, knows whose it claims to be.
        return f"/api/v1/job-artifacts/{workspace_id}.{jwt.encode(claims, self._keys[0], algorithm='HS256')}"

    def job_of(self, workspace_id: str, token: str) -> str:
        """The job that the last part of a link names. Raises NotFound for what is no link of that workspace, or one no
        longer."""
        _, _, signed = token.partition(".")
        for key in self._keys:
            claims = _claims(signed, key)
            if claims.get("workspace") == workspace_id:
                return str(claims["job"])
        raise NotFound("There is nothing here, or no longer: ask for the job again.", code="link-not-valid")


def _claims(signed: str, key: bytes) -> dict[str, Any]:
    """Empty where the key has not signed it, or it has ended."""
    try:
        claims: dict[str, Any] = jwt.decode(
            signed,
            key,
            algorithms=["HS256"],
            audience=_AUDIENCE,
            options={"require": ["aud", "exp", "workspace", "job"]},
        )
    except jwt.PyJWTError:
        return {}
    return claims
