"""The SQL of sessions."""

from datetime import datetime
from typing import Any

from kit.database import Session
from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork

Row = dict[str, Any]

_COLUMNS = """
    id, client_id, contact_id, email, name, role::text AS role, invite_id, expires_at, idle_until, last_seen_at,
    ended_at, ended_by, created_at
"""
_BEGIN = f"""
INSERT INTO sessions
    (workspace_id, id, invite_id, client_id, contact_id, email, name, role, expires_at, idle_until, last_seen_at,
    created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING {_COLUMNS}
"""
_GET = f"SELECT {_COLUMNS} FROM sessions WHERE workspace_id = $1 AND id = $2"
_NOTE = "UPDATE sessions SET last_seen_at = $3, idle_until = $4 WHERE workspace_id = $1 AND id = $2"
_END = f"""
UPDATE sessions SET ended_at = coalesce(ended_at, $3), ended_by = coalesce(ended_by, $4)
WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""
_END_OF_INVITE = """
UPDATE sessions SET ended_at = $3, ended_by = $4 WHERE workspace_id = $1 AND invite_id = $2 AND ended_at IS NULL
"""
_FORGET = "DELETE FROM sessions WHERE workspace_id = $1 AND expires_at < $2"

# As rules.status_of says it.
_STATUS = """
    CASE WHEN ended_at IS NOT NULL THEN 'ended' WHEN least(expires_at, idle_until) <= now() THEN 'expired'
    ELSE 'active' END
"""
LISTING = TableListing(
    f"(SELECT *, {_STATUS} AS status FROM sessions) AS seen",
    f"{_COLUMNS}, status",
    search="lower(email || chr(10) || name)",
)


async def begin(work: UnitOfWork, session_id: str, invite: Row, *, expires_at: datetime, idle_until: datetime) -> Row:
    """Begin the session of an invite."""
    row = await work.fetchrow(
        _BEGIN,
        work.call.workspace_id,
        session_id,
        invite["id"],
        invite["client_id"],
        invite["contact_id"],
        invite["email"],
        invite["name"],
        invite["role"],
        expires_at,
        idle_until,
        work.now,
    )
    assert row is not None
    return dict(row)


async def get(session: Session, session_id: str) -> Row | None:
    row = await session.fetchrow(_GET, session.call.workspace_id, session_id)
    return dict(row) if row else None


async def of_caller(session: Session) -> Row | None:
    """The session that the caller's token belongs to; None for a token of another issuer."""
    session_id = session.call.principal.session_id
    return await get(session, session_id) if session_id is not None else None


async def note_use(work: UnitOfWork, session_id: str, *, idle_until: datetime) -> None:
    await work.execute(_NOTE, work.call.workspace_id, session_id, work.now, idle_until)


async def end(work: UnitOfWork, session_id: str) -> Row | None:
    """The session, ended now or earlier; None when there is none."""
    row = await work.fetchrow(_END, work.call.workspace_id, session_id, work.now, work.call.principal.subject)
    return dict(row) if row else None


async def forget(work: UnitOfWork, *, expired_before: datetime) -> None:
    """Forget sessions that were over by then in any case."""
    await work.execute(_FORGET, work.call.workspace_id, expired_before)


async def end_of_invite(work: UnitOfWork, invite_id: str) -> None:
    """End what began with an invite."""
    await work.execute(_END_OF_INVITE, work.call.workspace_id, invite_id, work.now, work.call.principal.subject)
