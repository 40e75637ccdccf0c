"""The SQL of invites."""

from datetime import datetime
from typing import Any

from kit import ids
from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork

Row = dict[str, Any]

_COLUMNS = """
    id, email, name, client_id, contact_id, role::text AS role, expires_at, used_at, revoked_at, created_at, created_by
"""
_ADD = f"""
INSERT INTO invites
    (workspace_id, id, hash, client_id, contact_id, email, name, role, expires_at, created_at, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING {_COLUMNS}
"""
_REVOKE_PENDING = """
UPDATE invites SET revoked_at = $3
WHERE workspace_id = $1 AND contact_id = $2 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $3
"""
_REVOKE = f"""
UPDATE invites SET revoked_at = coalesce(revoked_at, $3) WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""
_FORGET = """
DELETE FROM invites WHERE workspace_id = $1 AND expires_at < $2
    AND NOT EXISTS (SELECT FROM sessions WHERE sessions.workspace_id = invites.workspace_id AND invite_id = invites.id)
"""
# Compared and marked in one step, so that it is used once, whoever comes at the same time.
_USE = f"""
UPDATE invites SET used_at = $3
WHERE workspace_id = $1 AND hash = $2 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $3
RETURNING {_COLUMNS}
"""

# As rules.status_of says it.
_STATUS = """
    CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN used_at IS NOT NULL THEN 'used'
    WHEN expires_at <= now() THEN 'expired' ELSE 'pending' END
"""
LISTING = TableListing(
    f"(SELECT *, {_STATUS} AS status FROM invites) AS seen",
    f"{_COLUMNS}, status",
    search="lower(email || chr(10) || name || chr(10) || created_by)",
)


async def add(
    work: UnitOfWork,
    hash: bytes,  # noqa: A002 - the column's name
    *,
    client_id: str,
    contact_id: str,
    email: str,
    name: str,
    role: str,
    expires_at: datetime,
) -> Row:
    row = await work.fetchrow(
        _ADD,
        work.call.workspace_id,
        ids.new_id(),
        hash,
        client_id,
        contact_id,
        email,
        name,
        role,
        expires_at,
        work.now,
        work.call.principal.subject,
    )
    assert row is not None
    return dict(row)


async def forget(work: UnitOfWork, *, expired_before: datetime) -> None:
    """Forget invites that were over by then, but for those of sessions that are still known."""
    await work.execute(_FORGET, work.call.workspace_id, expired_before)


async def revoke_pending(work: UnitOfWork, contact_id: str) -> None:
    """Revoke what a contact has not used yet."""
    await work.execute(_REVOKE_PENDING, work.call.workspace_id, contact_id, work.now)


async def revoke(work: UnitOfWork, invite_id: str) -> Row | None:
    """The invite, revoked from now on or earlier; None when there is none."""
    row = await work.fetchrow(_REVOKE, work.call.workspace_id, invite_id, work.now)
    return dict(row) if row else None


async def use(work: UnitOfWork, hash: bytes) -> Row | None:  # noqa: A002 - as above
    """The pending invite with this hash, used now; None when there is none."""
    row = await work.fetchrow(_USE, work.call.workspace_id, hash, work.now)
    return dict(row) if row else None
