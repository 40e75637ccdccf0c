"""The SQL of what the two sides see differently."""

from collections.abc import Collection
from typing import Any

from kit import ids
from kit.database import Session
from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork
from services.integrations.accounting.rules import Difference

Row = dict[str, Any]

_COLUMNS = """id::text AS id, provider, code, kind::text AS kind, resource_id::text AS resource_id, external_id, ours,
theirs, message, status::text AS status, created_at, seen_at, job_id::text AS job_id"""
LISTING = TableListing(
    "accounting_conflicts",
    _COLUMNS,
    search="lower(code || ' ' || message || ' ' || coalesce(ours, '') || ' ' || coalesce(theirs, ''))",
    # Also for a word that is none of the enum's.
    filters={"kind": "kind::text"},
)
# One that was dismissed stays so while it is the same.
_PUT = """
INSERT INTO accounting_conflicts AS known (workspace_id, provider, kind, subject, id, code, resource_id, external_id,
    ours, theirs, message, incoming, status, created_at, seen_at, job_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'open', $13, $13, $14)
ON CONFLICT (workspace_id, provider, kind, subject) WHERE status <> 'resolved' DO UPDATE
SET code = excluded.code, resource_id = excluded.resource_id, external_id = excluded.external_id,
    ours = excluded.ours, theirs = excluded.theirs, message = excluded.message, incoming = excluded.incoming,
    seen_at = excluded.seen_at, job_id = excluded.job_id,
    status = CASE WHEN (known.code, known.ours, known.theirs) IS DISTINCT FROM
        (excluded.code, excluded.ours, excluded.theirs) THEN 'open' ELSE known.status END,
    created_at = CASE WHEN (known.code, known.ours, known.theirs) IS DISTINCT FROM
        (excluded.code, excluded.ours, excluded.theirs) THEN excluded.created_at ELSE known.created_at END
"""
_SOLVE = """
UPDATE accounting_conflicts SET status = 'resolved', seen_at = $4, job_id = $5
WHERE workspace_id = $1 AND provider = $2 AND status <> 'resolved'
AND (kind::text, subject) IN (SELECT * FROM unnest($3::text[], $6::text[]))
"""
# Of each what can be tried again: not what only the other side can put right.
_OPEN = """
SELECT id::text AS id, kind::text AS kind, subject, incoming FROM accounting_conflicts
WHERE workspace_id = $1 AND provider = $2 AND status = 'open' AND job_id <> $3 AND NOT starts_with(subject, 'there/')
ORDER BY accounting_conflicts.kind, accounting_conflicts.id LIMIT $4
"""
_INCOMING = """
SELECT subject FROM accounting_conflicts WHERE workspace_id = $1 AND provider = $2 AND kind = 'incoming'
AND status <> 'resolved' AND (subject = $3 OR starts_with(subject, $3 || '/'))
"""
_COUNT_OPEN = "SELECT count(*) FROM accounting_conflicts WHERE workspace_id = $1 AND provider = $2 AND status = 'open'"
_DISMISS = f"""
UPDATE accounting_conflicts SET status = 'dismissed'
WHERE workspace_id = $1 AND id = $2 AND status = 'open' RETURNING {_COLUMNS}
"""
_GET = f"SELECT {_COLUMNS} FROM accounting_conflicts WHERE workspace_id = $1 AND id = $2"


async def put(work: UnitOfWork, provider: str, found: Difference, job_id: str) -> None:
    """Note it; one of the same subject becomes this one."""
    values = (found.code, found.resource_id, found.external_id, found.ours, found.theirs, found.message, found.incoming)
    named = (work.call.workspace_id, provider, found.kind, found.subject, ids.new_id())
    await work.execute(_PUT, *named, *values, work.now, job_id)


async def solve(work: UnitOfWork, provider: str, subjects: Collection[tuple[str, str]], job_id: str) -> None:
    """There is nothing of these (kinds and subjects) any more."""
    if subjects:
        kinds, names = zip(*sorted(subjects), strict=True)
        await work.execute(_SOLVE, work.call.workspace_id, provider, kinds, work.now, job_id, names)


async def open_before(session: Session, provider: str, job_id: str, most: int) -> list[Row]:
    """Those that this job has not looked at: clients first, then invoices, what is to come in, payments."""
    return [dict(row) for row in await session.fetch(_OPEN, session.call.workspace_id, provider, job_id, most)]


async def incoming(session: Session, provider: str, payment: str) -> set[str]:
    """The subjects of those about a payment that does not come in, or parts of it, by its id there."""
    rows = await session.fetch(_INCOMING, session.call.workspace_id, provider, payment)
    return {row["subject"] for row in rows}


async def count_open(session: Session, provider: str) -> int:
    return int(await session.fetchval(_COUNT_OPEN, session.call.workspace_id, provider))


async def dismiss(work: UnitOfWork, conflict_id: str) -> Row | None:
    """None when it is not open."""
    row = await work.fetchrow(_DISMISS, work.call.workspace_id, conflict_id)
    return dict(row) if row else None


async def get(session: Session, conflict_id: str) -> Row | None:
    row = await session.fetchrow(_GET, session.call.workspace_id, conflict_id)
    return dict(row) if row else None
