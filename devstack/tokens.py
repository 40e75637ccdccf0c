"""Bearer tokens for trying the API, signed with the local platform's development secret."""

import time
import uuid
from collections.abc import Sequence
from typing import Literal

import jwt

from devstack.layout import Layout, StackError

ISSUER = "opsfield-dev"
AUDIENCE = "opsfield"
HALF_A_DAY = 12 * 3600

ROLES = (
    "msp_admin",
    "ops_engineer",
    "automation_operator",
    "integration_admin",
    "billing",
    "data_admin",
    "viewer",
    "platform_admin",
    "endpoint_agent",
    "client_portal",
)


def read_secret(layout: Layout) -> str:
    """The development secret. Raises StackError when the platform was never started here."""
    try:
        return layout.jwt_secret.read_text().strip()
    except OSError as error:
        raise StackError(
            f"There is no development secret in {layout.data} yet: start the platform with `make run` first."
        ) from error


def issue(
    secret: str,
    roles: Sequence[str],
    workspaces: Sequence[str] | Literal["*"],
    *,
    client: str | None = None,
    agent: str | None = None,
    subject: str | None = None,
    ttl: int = HALF_A_DAY,
) -> str:
    """A JWT for these roles and workspaces that ends after `ttl` seconds (a past end, for tests, if negative).

    Raises StackError for an unknown role or none.
    """
    unknown = [role for role in roles if role not in ROLES]
    if unknown or not roles:
        problem = f"There is no role named {', '.join(unknown)}" if unknown else "A token needs a role"
        raise StackError(f"{problem}; the roles are {', '.join(ROLES)}.")
    now = int(time.time())
    claims: dict[str, object] = {
        "sub": subject or f"dev-{roles[0]}",
        "roles": list(roles),
        "workspaces": workspaces if workspaces == "*" else list(workspaces),
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + ttl,
        "jti": str(uuid.uuid4()),
    }
    if client:
        claims["clientId"] = client
    if agent:
        claims["agentId"] = agent
    return jwt.encode(claims, secret, algorithm="HS256")
