"""The SQL of what was begun at AgentField's control plane, and of what it offered last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg

from kit.database import Session
from kit.unit_of_work import UnitOfWork
from services.agent_runtime.engines.port import Json, Task

RelayConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_COLUMNS = "lease, execution_id, attempt, their_id, target, created_at"
_OF_ATTEMPT = f"""
SELECT {_COLUMNS} FROM agentfield_runs WHERE workspace_id = $1 AND execution_id = $2 AND attempt = $3
ORDER BY created_at DESC, lease DESC FOR UPDATE
"""
_ADD = """
INSERT INTO agentfield_runs (workspace_id, lease, execution_id, attempt, target, created_at)
SELECT workspace_id, lease, execution_id, attempt, $5, $6 FROM jobs
WHERE workspace_id = $1 AND lease = $2 AND execution_id = $3 AND attempt = $4
RETURNING true
"""
_BEGUN = """
UPDATE agentfield_runs SET their_id = $3 WHERE workspace_id = $1 AND lease = $2 AND ended_at IS NULL RETURNING true
"""
_ADOPT = """
UPDATE agentfield_runs SET lease = $3, their_id = $4, ended_at = NULL WHERE workspace_id = $1 AND lease = $2
"""
_ENDED = "UPDATE agentfield_runs SET ended_at = $3 WHERE workspace_id = $1 AND lease = ANY($2::uuid[])"
# Of all workspaces, as the relay's role: columns as the migration grants them.
_ABANDONED = """
SELECT run.workspace_id, run.lease::text AS lease, run.execution_id::text AS execution_id, run.attempt, run.their_id,
    run.target, run.created_at
FROM agentfield_runs AS run JOIN jobs AS job USING (workspace_id, execution_id, attempt)
WHERE run.ended_at IS NULL AND job.state IN ('done', 'dead')
ORDER BY run.created_at LIMIT $1
"""
_SAVE_OFFERED = """
INSERT INTO agentfield_offers (workspace_id, capabilities, found_at) VALUES ($1, $2, $3)
ON CONFLICT (workspace_id) DO UPDATE SET capabilities = excluded.capabilities, found_at = excluded.found_at
"""
_OFFERED = "SELECT capabilities FROM agentfield_offers WHERE workspace_id = $1"


@dataclass(frozen=True)
class Run:
    """A try that asked for an execution over there. `their_id`: None while it is not known whether one was begun."""

    lease: str
    execution_id: str
    attempt: int
    their_id: str | None
    target: str
    created_at: datetime


@dataclass(frozen=True)
class Abandoned:
    """One that nobody waits for any more."""

    workspace_id: str
    run: Run


async def of_attempt(work: UnitOfWork, task: Task) -> list[Run]:
    """All tries of the task's attempt that asked for an execution, the latest first; locked."""
    rows = await work.fetch(_OF_ATTEMPT, task.workspace_id, task.execution_id, task.attempt)
    return [Run(**row) for row in rows]


async def add(work: UnitOfWork, task: Task) -> bool:
    """The task's try is about to ask for one. False: its lease does not hold any more."""
    values = (task.lease, task.execution_id, task.attempt, task.reasoner.full_name, work.now)
    return bool(await work.fetchval(_ADD, task.workspace_id, *values))


async def begun(work: UnitOfWork, task: Task, their_id: str) -> bool:
    """It has begun. False: another try has given it up meanwhile."""
    return bool(await work.fetchval(_BEGUN, task.workspace_id, task.lease, their_id))


async def adopt(work: UnitOfWork, task: Task, run: Run, their_id: str) -> None:
    """What an earlier try has begun is the task's from now on."""
    await work.execute(_ADOPT, task.workspace_id, run.lease, task.lease, their_id)


async def ended(work: UnitOfWork, leases: Sequence[str]) -> None:
    """Of these, nothing is left to be ended over there."""
    await work.execute(_ENDED, work.call.workspace_id, list(leases), work.now)


async def abandoned(connection: RelayConnection, most: int) -> list[Abandoned]:
    """The oldest ones whose job has ended, while they may not have."""
    rows = [dict(row) for row in await connection.fetch(_ABANDONED, most)]
    return [Abandoned(row.pop("workspace_id"), Run(**row)) for row in rows]


async def save_offered(work: UnitOfWork, capabilities: Sequence[Json]) -> None:
    """What the control plane offers, for the next start."""
    await work.execute(_SAVE_OFFERED, work.call.workspace_id, list(capabilities), work.now)


async def offered(session: Session) -> list[Json]:
    """What it offered last; nothing when it never did."""
    found: Any = await session.fetchval(_OFFERED, session.call.workspace_id)
    return found if isinstance(found, list) else []
