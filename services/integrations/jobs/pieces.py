"""The SQL of what jobs leave: the pieces that their artifacts are made of, until they are removed."""

from datetime import datetime

from kit.database import Session
from kit.unit_of_work import UnitOfWork
from services.integrations.jobs.store import COLUMNS, Job, of_row

_ADD = """
INSERT INTO job_artifact_pieces (workspace_id, job_id, part, number, path) VALUES ($1, $2, $3, $4, $5)
"""
_OF_PART = """
SELECT path FROM job_artifact_pieces WHERE workspace_id = $1 AND job_id = $2 AND part = $3 ORDER BY number
"""
_ALL = """
SELECT path FROM job_artifact_pieces WHERE workspace_id = $1 AND job_id = $2 ORDER BY part, number
"""

_OLDEST = f"""
SELECT {COLUMNS} FROM jobs WHERE workspace_id = $1 AND files_removed_at IS NULL AND completed_at <= $2
ORDER BY completed_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_DELETE = "DELETE FROM job_artifact_pieces WHERE workspace_id = $1 AND job_id = $2"
_FORGET = """
UPDATE jobs SET files_removed_at = $3, artifact_parts = 0, artifact_filled = 0 WHERE workspace_id = $1 AND id = $2
"""
# Of all workspaces, as the relay's role: those with jobs that ended so many `days` before $1.
DUE = """
SELECT DISTINCT workspace_id FROM jobs
WHERE files_removed_at IS NULL AND completed_at <= $1::timestamptz - make_interval(days => {days})
"""


async def add(work: UnitOfWork, job: Job, *, part: int, number: int, path: str) -> None:
    """The next piece of the job's artifact: numbers grow within a part."""
    await work.execute(_ADD, job.workspace_id, job.id, part, number, path)


async def of_part(session: Session, job_id: str, part: int) -> list[str]:
    """Where the pieces of a part lie, in order."""
    return [row["path"] for row in await session.fetch(_OF_PART, session.call.workspace_id, job_id, part)]


async def of_all_parts(session: Session, job_id: str) -> list[str]:
    """Where the pieces of all parts lie, in order."""
    return [row["path"] for row in await session.fetch(_ALL, session.call.workspace_id, job_id)]


async def lock_oldest_job(work: UnitOfWork, before: datetime) -> Job | None:
    """One that ended before then, whose files are there still."""
    row = await work.fetchrow(_OLDEST, work.call.workspace_id, before)
    return of_row(row) if row else None


async def forget(work: UnitOfWork, job: Job) -> None:
    """The job has none any more. It is locked."""
    await work.execute(_DELETE, job.workspace_id, job.id)
    await work.execute(_FORGET, job.workspace_id, job.id, work.now)
