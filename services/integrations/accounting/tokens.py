"""The SQL of the refresh tokens of connections to books of others."""

from kit.database import Session
from kit.unit_of_work import UnitOfWork

_GET = """
SELECT sealed FROM accounting_tokens WHERE workspace_id = $1 AND provider = $2 AND secret_version = $3
"""
_PUT = """
INSERT INTO accounting_tokens (workspace_id, provider, secret_version, sealed, updated_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (workspace_id, provider) DO UPDATE
SET secret_version = excluded.secret_version, sealed = excluded.sealed, updated_at = excluded.updated_at
"""


async def get(session: Session, provider: str, secret_version: int) -> bytes | None:
    """Sealed; None when none has come of that version of the secret."""
    found: bytes | None = await session.fetchval(_GET, session.call.workspace_id, provider, secret_version)
    return found


async def put(work: UnitOfWork, provider: str, secret_version: int, sealed: bytes) -> None:
    await work.execute(_PUT, work.call.workspace_id, provider, secret_version, sealed, work.now)
