"""The SQL of a job's way."""

from datetime import datetime
from typing import NamedTuple

from kit.database import Session

_WAY = """
SELECT created_at, started_at, finished_at FROM jobs WHERE workspace_id = $1 AND execution_id = $2
ORDER BY attempt DESC LIMIT 1
"""


class Way(NamedTuple):
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


async def way_of(session: Session, execution_id: str) -> Way | None:
    """When the latest attempt of an execution came in, began and ended."""
    row = await session.fetchrow(_WAY, session.call.workspace_id, execution_id)
    return None if row is None else Way(*row)
