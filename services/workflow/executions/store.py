"""The SQL of executions."""

from datetime import datetime
from typing import Any

import asyncpg

from kit.database import Session
from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork
from services.workflow.executions.rules import Row

# What changes in an execution's life, beside its version and what it is found by.
_CHANGING = [
    "status",
    "output_ref",
    "evidence_ref",
    "failure_code",
    "failure_detail",
    "attempt",
    "tries",
    "retry_count",
    "duration_ms",
    "deadline_at",
    "times_out_at",
    "queued_at",
    "started_at",
    "completed_at",
    "proposals",
    "proposals_digest",
    "decision",
    "applies_at",
    "apply_tries",
]
_LASTING = [
    "agent",
    "reasoner",
    "input_ref",
    "deadline_seconds",
    "trigger_id",
    "trigger_event_id",
    "causation_depth",
    "created_at",
    "created_by",
]
_COLUMNS = "id, version, updated_at, status::text AS status, failure_code::text AS failure_code, " + ", ".join(
    name for name in (*_LASTING, *_CHANGING) if name not in ("status", "failure_code")
)
_STORED = (*_LASTING, *_CHANGING)

_INSERT = f"""
INSERT INTO executions (workspace_id, id, version, updated_at, search, {", ".join(_STORED)})
VALUES ($1, $2, 1, $3, $4, {", ".join(f"${place}" for place in range(5, 5 + len(_STORED)))})
RETURNING {_COLUMNS}
"""
_UPDATE = f"""
UPDATE executions SET version = version + 1, updated_at = $3, search = $4,
    {", ".join(f"{name} = ${place}" for place, name in enumerate(_CHANGING, 5))}
WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""
_GET = f"SELECT {_COLUMNS} FROM executions WHERE workspace_id = $1 AND id = $2"
_LOCK = f"{_GET} FOR UPDATE"
_DEPTH = "SELECT causation_depth FROM executions WHERE workspace_id = $1 AND id = $2"
_STARTED_BY = "SELECT count(*) FROM executions WHERE workspace_id = $1 AND trigger_id = $2 AND created_at > $3"
_TAKE_TIMED_OUT = f"""
SELECT {_COLUMNS} FROM executions WHERE workspace_id = $1 AND times_out_at <= $2
ORDER BY times_out_at LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_TAKE_TO_APPLY = f"""
SELECT {_COLUMNS} FROM executions WHERE workspace_id = $1 AND applies_at <= $2
ORDER BY applies_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_PUT_OFF = """
UPDATE executions SET applies_at = $3, apply_tries = $4 WHERE workspace_id = $1 AND id = $2 AND applies_at IS NOT NULL
"""
_LEASE = """
UPDATE executions SET applies_at = $3, proposals = $4 WHERE workspace_id = $1 AND id = $2 AND applies_at IS NOT NULL
"""
_ANNOUNCE_APPLYING = "SELECT pg_notify('workflow_applying', '')"

LISTING = TableListing(
    "executions",
    _COLUMNS,
    search="search",
    nullable=frozenset({"duration_ms", "started_at", "completed_at"}),
)


async def insert(work: UnitOfWork, row: Row) -> Row:
    """`row` holds all but what is the same for every new execution."""
    values = [row[name] for name in _STORED]
    record = await work.fetchrow(_INSERT, work.call.workspace_id, row["id"], work.now, _search(row), *values)
    assert record is not None
    return dict(record)


async def save(work: UnitOfWork, row: Row) -> Row:
    """Write an execution that is locked, as its next version."""
    values = [row[name] for name in _CHANGING]
    record = await work.fetchrow(_UPDATE, work.call.workspace_id, row["id"], work.now, _search(row), *values)
    assert record is not None
    if row["applies_at"] is not None:
        # Whoever applies proposals hears of it when this is committed.
        await work.execute(_ANNOUNCE_APPLYING)
    return dict(record)


async def get(session: Session, execution_id: str) -> Row | None:
    return _row(await session.fetchrow(_GET, session.call.workspace_id, execution_id))


async def lock(work: UnitOfWork, execution_id: str) -> Row | None:
    """The execution, held against other changes until the end of the unit of work."""
    return _row(await work.fetchrow(_LOCK, work.call.workspace_id, execution_id))


async def depth(session: Session, execution_id: str) -> int | None:
    """How many executions stand behind it; None when the workspace has none by that id."""
    found: int | None = await session.fetchval(_DEPTH, session.call.workspace_id, execution_id)
    return found


async def started_by(session: Session, trigger_id: str, since: datetime) -> int:
    """How many executions the trigger has started since then."""
    found: int = await session.fetchval(_STARTED_BY, session.call.workspace_id, trigger_id, since)
    return found


async def take_timed_out(work: UnitOfWork, most: int) -> list[Row]:
    """Those whose deadline has passed before the runtime reported, locked; those that someone has hold of are left."""
    return [dict(each) for each in await work.fetch(_TAKE_TIMED_OUT, work.call.workspace_id, work.now, most)]


async def take_to_apply(work: UnitOfWork) -> Row | None:
    """One whose approved proposals are to be done now, locked."""
    return _row(await work.fetchrow(_TAKE_TO_APPLY, work.call.workspace_id, work.now))


async def lease(work: UnitOfWork, row: Row, until: datetime) -> None:
    """Nobody else is to do its proposals until then; what is noted of them is kept. No new version either."""
    await work.execute(_LEASE, work.call.workspace_id, row["id"], until, row["proposals"])


async def put_off(work: UnitOfWork, execution_id: str, until: datetime, tries: int) -> None:
    """Nobody else is to do its proposals until then. This is bookkeeping, not a new version."""
    await work.execute(_PUT_OFF, work.call.workspace_id, execution_id, until, tries)


def _row(record: asyncpg.Record | None) -> Row | None:
    return dict(record) if record else None


def _search(row: Row) -> str:
    """What `q` searches: every text of the execution in lower case, a line each."""
    decision: dict[str, Any] = row["decision"] or {}
    texts = (
        row["id"],
        f"{row['agent']}.{row['reasoner']}",
        row["created_by"],
        row["trigger_event_id"],
        row["failure_detail"],
        decision.get("reason"),
        decision.get("decided_by"),
        *(each["summary"] for each in row["proposals"]),
    )
    return "\n".join(text for text in texts if text).lower()
