"""The rows of enrollment tokens, and of agents as they enroll."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.database import Session
from kit.unit_of_work import UnitOfWork

_COLUMNS = (
    """id, client_id, site_id, uses, most_uses, expires_at, is_superseded, created_at, created_by, last_used_at"""
)
_TOKENS = (
    f"SELECT {_COLUMNS} FROM enrollment_tokens WHERE workspace_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000"
)
_FORGET = "DELETE FROM enrollment_tokens WHERE workspace_id = $1 AND expires_at < $2"
_SUPERSEDE = """
UPDATE enrollment_tokens SET is_superseded = true, expires_at = least(expires_at, $4)
WHERE workspace_id = $1 AND client_id = $2 AND site_id IS NOT DISTINCT FROM $3
"""
_ADD = f"""
INSERT INTO enrollment_tokens
    (workspace_id, id, hash, client_id, site_id, most_uses, expires_at, created_at, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {_COLUMNS}
"""
_KNOWN = "SELECT true FROM enrollment_tokens WHERE workspace_id = $1 AND hash = $2"
# Compared and counted in one step, so that a token is used as often as it may be and not once more.
_USE = """
UPDATE enrollment_tokens SET uses = uses + 1, last_used_at = $3
WHERE workspace_id = $1 AND hash = $2 AND expires_at > $3 AND (most_uses IS NULL OR uses < most_uses)
RETURNING id, client_id, site_id
"""
_COUNTS = """
SELECT count(*) FILTER (WHERE state = 'active') AS active,
    count(*) FILTER (WHERE state = 'active' AND connectivity = 'online') AS online,
    count(*) FILTER (WHERE state = 'revoked') AS revoked
FROM agents WHERE workspace_id = $1
"""
_TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('enroll/' || $1 || '/' || $2, 0))"
_BY_KEY = """
SELECT id, client_id, site_id, state::text AS state, created_at FROM agents WHERE workspace_id = $1 AND public_key = $2
"""
_BY_ID = "SELECT id, public_key, state::text AS state FROM agents WHERE workspace_id = $1 AND id = $2"
_OF_HARDWARE = """
SELECT id FROM agents WHERE workspace_id = $1 AND client_id = $2 AND hardware_id = $3 AND state = 'active'
"""
_ADD_AGENT = """
INSERT INTO agents (workspace_id, id, public_key, hardware_id, hostname, operating_system, agent_version, client_id,
    site_id, enrollment_token_id, created_at, search)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class NewAgent:
    """What an agent begins with."""

    id: str
    public_key: str
    hardware_id: str | None
    hostname: str
    operating_system: str | None
    agent_version: str | None
    client_id: str
    site_id: str | None
    enrollment_token_id: str
    search: str


async def tokens(session: Session) -> list[Row]:
    """The workspace's tokens, the latest first."""
    return [dict(row) for row in await session.fetch(_TOKENS, session.call.workspace_id)]


async def agent_counts(session: Session) -> Row:
    row = await session.fetchrow(_COUNTS, session.call.workspace_id)
    assert row is not None
    return dict(row)


async def supersede(work: UnitOfWork, client_id: str, site_id: str | None, *, until: datetime) -> None:
    """Let the tokens for this client and site work until then, no longer."""
    await work.execute(_SUPERSEDE, work.call.workspace_id, client_id, site_id, until)


async def add_token(
    work: UnitOfWork,
    token_id: str,
    hash: bytes,  # noqa: A002 - the column's name
    *,
    client_id: str,
    site_id: str | None,
    most_uses: int | None,
    expires_at: datetime,
) -> Row:
    row = await work.fetchrow(
        _ADD,
        work.call.workspace_id,
        token_id,
        hash,
        client_id,
        site_id,
        most_uses,
        expires_at,
        work.now,
        work.call.principal.subject,
    )
    assert row is not None
    return dict(row)


async def forget_tokens(work: UnitOfWork, *, expired_before: datetime) -> None:
    await work.execute(_FORGET, work.call.workspace_id, expired_before)


async def is_known(work: UnitOfWork, hash: bytes) -> bool:  # noqa: A002 - as above
    """Whether the workspace has, or had, a token with this hash."""
    return bool(await work.fetchval(_KNOWN, work.call.workspace_id, hash))


async def use_token(work: UnitOfWork, hash: bytes) -> Row | None:  # noqa: A002 - as above
    """Use a token once more: whose agents it enrolls; None when there is none that can be used."""
    row = await work.fetchrow(_USE, work.call.workspace_id, hash, work.now)
    return dict(row) if row else None


async def agent_by_key(work: UnitOfWork, public_key: str) -> Row | None:
    """The agent with this key. Whoever else enrolls with the key waits until the end of the unit of work."""
    await work.fetchval(_TAKE_TURN, work.call.workspace_id, public_key)
    row = await work.fetchrow(_BY_KEY, work.call.workspace_id, public_key)
    return dict(row) if row else None


async def agent_by_id(session: Session, agent_id: str) -> Row | None:
    row = await session.fetchrow(_BY_ID, session.call.workspace_id, agent_id)
    return dict(row) if row else None


async def agents_of_hardware(work: UnitOfWork, client_id: str, hardware_id: str) -> list[str]:
    """The ids of the client's active agents on this machine."""
    rows = await work.fetch(_OF_HARDWARE, work.call.workspace_id, client_id, hardware_id)
    return [row["id"] for row in rows]


async def add_agent(work: UnitOfWork, agent: NewAgent) -> None:
    await work.execute(
        _ADD_AGENT,
        work.call.workspace_id,
        agent.id,
        agent.public_key,
        agent.hardware_id,
        agent.hostname,
        agent.operating_system,
        agent.agent_version,
        agent.client_id,
        agent.site_id,
        agent.enrollment_token_id,
        work.now,
        agent.search,
    )
