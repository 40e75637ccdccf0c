"""The SQL of the summary: each statement reads one index that was made for it."""

from datetime import datetime
from typing import Any

from kit.database import Session

# From the index alone: it includes all that is asked for.
_ENDED_AS = """
SELECT status::text AS status, agent, failure_code::text AS failure_code, count(*) AS count FROM executions
WHERE workspace_id = $1 AND created_at >= $2 AND created_at < $3 GROUP BY 1, 2, 3
"""
_OLDEST_QUEUED = "SELECT min(queued_at) FROM executions WHERE workspace_id = $1 AND status = 'queued'"
_DECISIONS_WAITING = "SELECT count(*) FROM executions WHERE workspace_id = $1 AND status = 'approval_required'"


async def counts(session: Session, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Executions that were asked for in the range, by `status`, `agent` and `failure_code`: `count`."""
    return [dict(row) for row in await session.fetch(_ENDED_AS, session.call.workspace_id, start, end)]


async def oldest_queued(session: Session) -> datetime | None:
    """Since when the one that has waited longest has been in the queue."""
    found: datetime | None = await session.fetchval(_OLDEST_QUEUED, session.call.workspace_id)
    return found


async def decisions_waiting(session: Session) -> int:
    found: int = await session.fetchval(_DECISIONS_WAITING, session.call.workspace_id)
    return found
