"""The SQL of queues, which are nothing but their jobs."""

from typing import Any

from kit.database import Session
from kit.table_listing import TableListing

_WAITED = "extract(epoch FROM now() - min(created_at) FILTER (WHERE state = 'waiting'))::float8"
_QUEUES = f"""(
    SELECT workspace_id, agent || '.' || reasoner AS id, agent, reasoner,
        count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'running') AS running,
        {_WAITED} AS oldest_waiting_seconds,
        count(*) FILTER (WHERE started_at IS NOT NULL AND finished_at > now() - interval '5 minutes') / 5.0::float8
            AS completed_per_minute,
        max(created_at) AS created_at
    FROM jobs
    WHERE agent IS NOT NULL AND (
        state = 'waiting' OR state = 'running'
        OR state = 'done' AND started_at IS NOT NULL AND finished_at > now() - interval '1 day'
        OR state = 'dead' AND finished_at > now() - interval '1 day'
    )
    GROUP BY workspace_id, agent, reasoner
) AS queues"""
LISTING = TableListing(
    _QUEUES,
    "id, agent, reasoner, waiting, running, oldest_waiting_seconds, completed_per_minute, created_at",
    search="lower(id)",
)

_COUNTS = f"""
SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'running') AS running,
    count(*) FILTER (WHERE state = 'dead') AS failed, {_WAITED} AS oldest_waiting_seconds
FROM jobs WHERE workspace_id = $1 AND state IN ('waiting', 'running', 'dead')
"""


async def counts(session: Session) -> dict[str, Any]:
    """`waiting`, `running`, `failed`, and `oldest_waiting_seconds`, which may be None."""
    return dict(await session.fetchrow(_COUNTS, session.call.workspace_id) or {})
