"""The SQL of jobs. Leases are measured by the database's clock: replicas' own may differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg

from kit import ids
from kit.database import Session
from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork

RelayConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

COLUMNS = """workspace_id, id, type::text AS type, kind, format::text AS format, status::text AS status, upload_id,
mapping, external_id_column, dry_run, q, rows_done, rows_total, rows_failed, rows_created, rows_updated, retry_count,
error_code, error_message, cancel_requested, progress, sending, tries, lease, artifact_parts, artifact_filled,
correlation_id, created_at, created_by, queued_at, started_at, completed_at, files_removed_at,
profile, time_zone, defaults, provider"""
LISTING = TableListing(
    "jobs",
    COLUMNS,
    search="lower(kind || ' ' || created_by || ' ' || coalesce(error_code || ' ' || error_message, ''))",
    nullable=frozenset({"started_at", "completed_at"}),
)

BACKLOG = """
SELECT CASE status WHEN 'queued' THEN 'waiting' ELSE 'running' END AS state,
    count(*) AS many, min(queued_at) AS oldest FROM jobs
WHERE status IN ('queued', 'running') GROUP BY status
"""
_ADD = f"""
INSERT INTO jobs (workspace_id, id, type, kind, format, upload_id, mapping, external_id_column, dry_run, q,
    provider, profile, time_zone, defaults, correlation_id, created_at, created_by, queued_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $16) RETURNING {COLUMNS}
"""
_GET = f"SELECT {COLUMNS} FROM jobs WHERE workspace_id = $1 AND id = $2"
_LOCK = f"{_GET} FOR UPDATE"
_LOCK_LEASED = f"{_GET} AND lease = $3 FOR UPDATE"
# One job of a workspace at a time, so that none changes the external ids which another has just looked up. Those who
# would begin one wait for each other.
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended('jobs/' || $1, 0))"
_TAKE = f"""
UPDATE jobs SET status = 'running', lease = $3, lease_until = now() + make_interval(secs => $4), tries = tries + 1,
    started_at = coalesce(started_at, $5)
WHERE workspace_id = $1 AND id = $2 AND (status = 'queued' OR status = 'running' AND lease_until < now())
AND NOT EXISTS (SELECT FROM jobs AS other WHERE other.workspace_id = $1 AND other.id <> $2 AND other.status = 'running')
RETURNING {COLUMNS}
"""
_EXTEND = """
UPDATE jobs SET lease_until = now() + make_interval(secs => $4)
WHERE workspace_id = $1 AND id = $2 AND lease = $3 RETURNING true
"""
_GIVE_BACK = """
UPDATE jobs SET status = 'queued', lease = NULL, lease_until = NULL, tries = tries - 1
WHERE workspace_id = $1 AND id = $2 AND lease = $3
"""
_SET_SENDING = "UPDATE jobs SET sending = $3 WHERE workspace_id = $1 AND id = $2"
_ADVANCE = f"""
UPDATE jobs SET progress = $3, rows_done = rows_done + $4, rows_failed = rows_failed + $5,
    rows_created = rows_created + $6, rows_updated = rows_updated + $7, rows_total = coalesce($8, rows_total),
    artifact_parts = $9, artifact_filled = $10, sending = NULL, tries = 1
WHERE workspace_id = $1 AND id = $2 RETURNING {COLUMNS}
"""
_END = f"""
UPDATE jobs SET status = $3, error_code = $4, error_message = $5, completed_at = $6, lease = NULL, lease_until = NULL
WHERE workspace_id = $1 AND id = $2 RETURNING {COLUMNS}
"""
_REQUEUE = f"""
UPDATE jobs SET status = 'queued', retry_count = retry_count + 1, error_code = NULL, error_message = NULL,
    completed_at = NULL, cancel_requested = false, queued_at = $3, tries = 0
WHERE workspace_id = $1 AND id = $2 RETURNING {COLUMNS}
"""
_REQUEST_CANCEL = f"UPDATE jobs SET cancel_requested = true WHERE workspace_id = $1 AND id = $2 RETURNING {COLUMNS}"
_UNDER_WAY = """
SELECT id::text FROM jobs WHERE workspace_id = $1 AND kind = $2 AND status IN ('queued', 'running') LIMIT 1
"""
_LATEST = """
SELECT (array_agg(id::text ORDER BY created_at DESC, id DESC))[1] AS job_id,
    max(started_at) FILTER (WHERE status = 'succeeded') AS succeeded_at
FROM jobs WHERE workspace_id = $1 AND provider = $2
"""
# Of all workspaces, as the relay's role: one of each in which none is being worked on.
_OPEN = """
SELECT DISTINCT ON (workspace_id) workspace_id, id::text AS id, queued_at FROM jobs
WHERE status IN ('queued', 'running') AND (status = 'queued' OR lease_until < now()) AND NOT EXISTS (
    SELECT FROM jobs AS other WHERE other.workspace_id = jobs.workspace_id AND other.status = 'running'
    AND other.lease_until >= now()
)
ORDER BY workspace_id, status DESC, queued_at, id
"""


@dataclass(frozen=True)
class Job:
    """A row. `progress` and `sending` are the matter of whatever runs it; `lease` only while it runs."""

    workspace_id: str
    id: str
    type: str
    kind: str
    format: str
    status: str
    upload_id: str | None
    mapping: list[dict[str, str]]
    external_id_column: str | None
    dry_run: bool
    q: str | None
    rows_done: int
    rows_total: int | None
    rows_failed: int
    rows_created: int
    rows_updated: int
    retry_count: int
    error_code: str | None
    error_message: str | None
    cancel_requested: bool
    progress: dict[str, Any]
    sending: dict[str, Any] | None
    tries: int
    lease: str | None
    artifact_parts: int
    artifact_filled: int
    provider: str | None
    correlation_id: str
    created_at: datetime
    created_by: str
    queued_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    files_removed_at: datetime | None
    profile: str | None
    time_zone: str | None
    defaults: list[dict[str, str]]


@dataclass(frozen=True)
class Gain:
    """By how much a job has got on: its new progress, and counts to add."""

    progress: dict[str, Any]
    done: int
    failed: int = 0
    created: int = 0
    updated: int = 0
    total: int | None = None


async def add(
    work: UnitOfWork,
    *,
    of_type: str,
    kind: str,
    in_format: str,
    upload_id: str | None = None,
    mapping: Sequence[dict[str, str]] = (),
    external_id_column: str | None = None,
    dry_run: bool = False,
    q: str | None = None,
    provider: str | None = None,
    profile: str | None = None,
    time_zone: str | None = None,
    defaults: Sequence[dict[str, str]] = (),
) -> Job:
    """A new job, queued."""
    call = work.call
    asked = (of_type, kind, in_format, upload_id, list(mapping), external_id_column, dry_run, q)
    told = (provider, profile, time_zone, list(defaults))
    known = (call.correlation_id, work.now, call.principal.subject)
    return _sure(await work.fetchrow(_ADD, call.workspace_id, ids.new_id(), *asked, *told, *known))


@dataclass(frozen=True)
class Latest:
    """Of the syncs with certain books: the latest, and when the latest that succeeded was begun."""

    job_id: str | None
    succeeded_at: datetime | None


async def latest_of_provider(session: Session, provider: str) -> Latest:
    row = await session.fetchrow(_LATEST, session.call.workspace_id, provider)
    assert row is not None, "an aggregate has a row"
    return Latest(**row)


async def get(session: Session, job_id: str) -> Job | None:
    return _job(await session.fetchrow(_GET, session.call.workspace_id, job_id))


async def lock(work: UnitOfWork, job_id: str) -> Job | None:
    return _job(await work.fetchrow(_LOCK, work.call.workspace_id, job_id))


async def lock_leased(work: UnitOfWork, job: Job) -> Job | None:
    """The job, if the lease of this try still holds."""
    return _job(await work.fetchrow(_LOCK_LEASED, job.workspace_id, job.id, job.lease))


async def take(work: UnitOfWork, job_id: str, lease_seconds: float) -> Job | None:
    """The job, running, under a new lease. None when somebody else has it, or another job of the workspace runs."""
    workspace_id = work.call.workspace_id
    await work.fetchval(_ONE_BY_ONE, workspace_id)
    return _job(await work.fetchrow(_TAKE, workspace_id, job_id, ids.new_id(), lease_seconds, work.now))


async def extend(work: UnitOfWork, job: Job, lease_seconds: float) -> bool:
    """Whether the lease still held."""
    return bool(await work.fetchval(_EXTEND, job.workspace_id, job.id, job.lease, lease_seconds))


async def give_back(work: UnitOfWork, job: Job) -> None:
    """Whoever is next may go on with it at once."""
    await work.execute(_GIVE_BACK, job.workspace_id, job.id, job.lease)


async def set_sending(work: UnitOfWork, job: Job, sending: dict[str, Any]) -> None:
    await work.execute(_SET_SENDING, job.workspace_id, job.id, sending)


async def advance(work: UnitOfWork, job: Job, gain: Gain, *, parts: int, filled: int) -> Job:
    """The job as it is then. It is locked. `parts`, `filled`: of its artifact."""
    counts = (gain.done, gain.failed, gain.created, gain.updated, gain.total)
    row = await work.fetchrow(_ADVANCE, job.workspace_id, job.id, gain.progress, *counts, parts, filled)
    return _sure(row)


async def end(
    work: UnitOfWork, job: Job, status: str, *, error_code: str | None = None, error_message: str | None = None
) -> Job:
    """The job as it is then. It is locked."""
    return _sure(await work.fetchrow(_END, job.workspace_id, job.id, status, error_code, error_message, work.now))


async def requeue(work: UnitOfWork, job: Job) -> Job:
    return _sure(await work.fetchrow(_REQUEUE, job.workspace_id, job.id, work.now))


async def under_way(work: UnitOfWork, kind: str) -> str | None:
    """A job of that kind that is queued or running. Nobody else begins one, or queues one again, until the end."""
    workspace_id = work.call.workspace_id
    await work.fetchval(_ONE_BY_ONE, workspace_id)
    found: str | None = await work.fetchval(_UNDER_WAY, workspace_id, kind)
    return found


async def request_cancel(work: UnitOfWork, job: Job) -> Job:
    return _sure(await work.fetchrow(_REQUEST_CANCEL, job.workspace_id, job.id))


async def waiting(connection: RelayConnection) -> list[tuple[str, str]]:
    """Workspace and id of what can be begun now, of each workspace one; the longest waiting first."""
    rows = sorted(await connection.fetch(_OPEN), key=lambda row: (row["queued_at"], row["id"]))
    return [(row["workspace_id"], row["id"]) for row in rows]


def of_row(row: asyncpg.Record) -> Job:
    return Job(**row)


def _job(row: asyncpg.Record | None) -> Job | None:
    return of_row(row) if row else None


def _sure(row: asyncpg.Record | None) -> Job:
    assert row is not None, "it was added or locked in this transaction"
    return of_row(row)
