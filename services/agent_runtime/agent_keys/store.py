"""The SQL of agent keys."""

from datetime import datetime

import asyncpg

from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork
from services.agent_runtime.agent_keys.keys import AgentKey

_COLUMNS = "id, name, expires_at, last_used_at, revoked_at, revoked_reason, created_at, created_by"
LISTING = TableListing("agent_keys", _COLUMNS, search="lower(name)", nullable=frozenset({"last_used_at"}))
_ADD = f"""
INSERT INTO agent_keys (workspace_id, id, hash, name, expires_at, created_at, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_COLUMNS}
"""
_BY_HASH = f"SELECT {_COLUMNS} FROM agent_keys WHERE workspace_id = $1 AND hash = $2"
_HOLD = f"SELECT {_COLUMNS} FROM agent_keys WHERE workspace_id = $1 AND id = $2 FOR SHARE"
_LOCK = f"SELECT {_COLUMNS} FROM agent_keys WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE"
_USE = "UPDATE agent_keys SET last_used_at = $3 WHERE workspace_id = $1 AND id = $2"
_REVOKE = f"""
UPDATE agent_keys SET revoked_at = $3, revoked_reason = $4 WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""


def key(row: asyncpg.Record | None) -> AgentKey | None:
    return None if row is None else AgentKey(**row)


async def add(
    work: UnitOfWork,
    key_id: str,
    hash: bytes,  # noqa: A002 - the column's name
    *,
    name: str,
    expires_at: datetime,
) -> AgentKey:
    call = work.call
    values = (call.workspace_id, key_id, hash, name, expires_at, work.now, call.principal.subject)
    added = key(await work.fetchrow(_ADD, *values))
    assert added is not None
    return added


async def by_hash(work: UnitOfWork, hash: bytes) -> AgentKey | None:  # noqa: A002 - as above
    return key(await work.fetchrow(_BY_HASH, work.call.workspace_id, hash))


async def hold(work: UnitOfWork, key_id: str) -> AgentKey | None:
    """The key, which nobody can revoke until the end of the unit of work."""
    return key(await work.fetchrow(_HOLD, work.call.workspace_id, key_id))


async def lock(work: UnitOfWork, key_id: str) -> AgentKey | None:
    return key(await work.fetchrow(_LOCK, work.call.workspace_id, key_id))


async def use(work: UnitOfWork, key_id: str) -> None:
    await work.execute(_USE, work.call.workspace_id, key_id, work.now)


async def revoke(work: UnitOfWork, key_id: str, reason: str | None) -> AgentKey:
    revoked = key(await work.fetchrow(_REVOKE, work.call.workspace_id, key_id, work.now, reason))
    assert revoked is not None, "it is locked"
    return revoked
