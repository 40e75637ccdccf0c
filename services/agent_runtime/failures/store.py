"""The SQL of jobs that failed for good."""

from typing import Any

from kit.database import Session

_MOST = 10_200
_DEAD = f"""
SELECT id, agent || '.' || reasoner AS subject, coalesce(reason, '') AS reason, tries AS attempts,
    finished_at AS created_at
FROM jobs WHERE workspace_id = $1 AND state = 'dead' ORDER BY finished_at DESC LIMIT {_MOST}
"""


async def dead_jobs(session: Session) -> list[dict[str, Any]]:
    """As failures: `id`, `subject`, `reason`, `attempts`, `created_at`."""
    return [dict(row) for row in await session.fetch(_DEAD, session.call.workspace_id)]
