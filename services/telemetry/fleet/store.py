"""The SQL of the fleet's summary."""

from datetime import datetime
from typing import Any

from kit.database import Session

_AGENTS = """
SELECT count(*) AS agents, count(*) FILTER (WHERE connectivity = 'online') AS online,
    count(*) FILTER (WHERE connectivity = 'offline') AS offline,
    count(*) FILTER (WHERE connectivity = 'pending') AS pending, coalesce(sum(conditions), 0)::bigint AS conditions
FROM agents WHERE workspace_id = $1 AND state = 'active'
"""
_SILENCES = """
SELECT (SELECT count(*) FROM mass_silences WHERE workspace_id = $1) + (
    SELECT count(*) FROM silences
    JOIN agents ON agents.workspace_id = silences.workspace_id AND agents.id = silences.agent_id
    WHERE silences.workspace_id = $1 AND silences.is_raised AND agents.state = 'active'
)
"""
# A range of the table's key, in the order in which its rows were written.
_BATCHES = """
SELECT count(*) AS batches, coalesce(sum(accepted), 0)::bigint AS accepted,
    coalesce(sum(rejected), 0)::bigint AS rejected
FROM ingest_batches WHERE workspace_id = $1 AND created_at > $2 AND created_at <= $3
"""


async def agents(session: Session) -> dict[str, Any]:
    """How many `agents` are not revoked, how many of them are `online`, `offline`, `pending`, and the raised
    `conditions` of their thresholds and checks."""
    row = await session.fetchrow(_AGENTS, session.call.workspace_id)
    assert row is not None
    return dict(row)


async def raised_silences(session: Session) -> int:
    """Silences that are told of: of agents that are not revoked, and of many at once."""
    found: int = await session.fetchval(_SILENCES, session.call.workspace_id)
    return found


async def batches(session: Session, after: datetime, until: datetime) -> dict[str, Any]:
    """How many `batches` were taken in, and their `accepted` and `rejected` events."""
    row = await session.fetchrow(_BATCHES, session.call.workspace_id, after, until)
    assert row is not None
    return dict(row)
