"""The SQL of triggers beyond the standard one."""

from typing import Any

from kit.database import Session
from kit.unit_of_work import UnitOfWork

# Of a deleted trigger nothing is started; whoever has hold of one counts what it has started.
_ENABLED = """
SELECT id, name, reasoner, input, filter, most_per_minute FROM triggers
WHERE workspace_id = $1 AND topic = $2 AND enabled AND deleted_at IS NULL ORDER BY created_at, id
"""
_HOLD = """
SELECT true FROM triggers WHERE workspace_id = $1 AND id = $2 AND enabled AND deleted_at IS NULL FOR NO KEY UPDATE
"""
_COUNT = """
INSERT INTO trigger_counts AS known (workspace_id, trigger_id, outcome, count, last_at) VALUES ($1, $2, $3, 1, $4)
ON CONFLICT (workspace_id, trigger_id, outcome) DO UPDATE SET count = known.count + 1, last_at = excluded.last_at
"""


async def enabled(session: Session, topic: str) -> list[dict[str, Any]]:
    """The workspace's enabled triggers of a topic, the oldest first."""
    return [dict(row) for row in await session.fetch(_ENABLED, session.call.workspace_id, topic)]


async def hold(work: UnitOfWork, trigger_id: str) -> bool:
    """Keep others from starting anything by this trigger until the end of the unit of work. False: it is no more."""
    return bool(await work.fetchval(_HOLD, work.call.workspace_id, trigger_id))


async def count(work: UnitOfWork, trigger_id: str, outcome: str) -> None:
    """Count what became of an event that a trigger matched."""
    await work.execute(_COUNT, work.call.workspace_id, trigger_id, outcome, work.now)
