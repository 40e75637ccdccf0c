"""The SQL of what GitHub delivers."""

from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork
from services.integrations.github.rules import Run

_COUNT = """
INSERT INTO github_deliveries AS known (workspace_id, event, action, count, created_at, last_received_at)
VALUES ($1, $2, $3, 1, $4, $4)
ON CONFLICT (workspace_id, event, action) DO UPDATE
SET count = known.count + 1, last_received_at = greatest(known.last_received_at, excluded.last_received_at)
"""
# The row is locked from here on, so that what is told of a pipeline keeps its order. Null when it was never heard of.
_HOLD = """
INSERT INTO pipelines AS known (workspace_id, fingerprint) VALUES ($1, $2)
ON CONFLICT (workspace_id, fingerprint) DO UPDATE SET fingerprint = excluded.fingerprint
RETURNING known.failed, known.ended_at
"""
_NOTE = """
UPDATE pipelines SET source = 'github', repository = $3, name = $4, branch = $5, failed = $6, ended_at = $7
WHERE workspace_id = $1 AND fingerprint = $2
"""
_DELIVERIES = """(
    SELECT workspace_id, event || coalesce('.' || nullif(action, ''), '') AS id, event, nullif(action, '') AS action,
        count, created_at, last_received_at
    FROM github_deliveries
) AS deliveries"""
DELIVERIES = TableListing(_DELIVERIES, "id, event, action, count, created_at, last_received_at", search="lower(id)")


async def count(work: UnitOfWork, event: str, action: str | None) -> None:
    await work.execute(_COUNT, work.call.workspace_id, event, action or "", work.now)


async def note(work: UnitOfWork, run: Run) -> bool | None:
    """How the pipeline's run before this one went: whether it failed, None when there was none. This one is noted as
    the latest; raises Late for one that is not."""
    workspace_id = work.call.workspace_id
    known = await work.fetchrow(_HOLD, workspace_id, run.fingerprint)
    assert known is not None, "it is there by now"
    if known["ended_at"] is not None and run.ended_at < known["ended_at"]:
        raise Late
    await work.execute(
        _NOTE, workspace_id, run.fingerprint, run.repository, run.name, run.branch, run.failed, run.ended_at
    )
    failed: bool | None = known["failed"]
    return failed


class Late(Exception):
    """A later run of the pipeline has been heard of already."""
