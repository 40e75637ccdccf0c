"""The SQL of jobs. Leases are measured by the database's clock: replicas' own may differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg

from kit import ids
from kit.unit_of_work import UnitOfWork
from services.agent_runtime.jobs.rules import Running, Waiting

RelayConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_COLUMNS = """id, execution_id, attempt, agent, reasoner, input, deadline_at, correlation_id, traceparent,
state::text AS state, outcome::text AS outcome, reason, tries, lease, created_at, started_at, finished_at"""

_ADD = """
INSERT INTO jobs (workspace_id, id, execution_id, attempt, agent, reasoner, input, deadline_at, correlation_id,
    traceparent, state, run_after, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'waiting', $11, $11)
ON CONFLICT (workspace_id, execution_id, attempt) DO NOTHING RETURNING true
"""
_REMEMBER_CANCELLED = f"""
INSERT INTO jobs (workspace_id, id, execution_id, attempt, input, deadline_at, correlation_id, state, outcome, reason,
    run_after, created_at, finished_at)
VALUES ($1, $2, $3, $4, '{{}}', $5, $6, 'done', 'cancelled', 'cancelled before it came', $5, $5, $5)
ON CONFLICT (workspace_id, execution_id, attempt) DO NOTHING RETURNING {_COLUMNS}
"""
_LOCK = f"SELECT {_COLUMNS} FROM jobs WHERE workspace_id = $1 AND id = $2 FOR UPDATE"
_LOCK_ATTEMPT = f"""
SELECT {_COLUMNS} FROM jobs WHERE workspace_id = $1 AND execution_id = $2 AND attempt = $3 FOR UPDATE
"""
_LOCK_EARLIER = f"""
SELECT {_COLUMNS} FROM jobs
WHERE workspace_id = $1 AND execution_id = $2 AND attempt < $3 AND state IN ('waiting', 'running')
ORDER BY attempt FOR UPDATE
"""
# Begun later than that, most would run out of time half done: where more is asked than can be done, nothing would end.
_IN_TIME = "deadline_at > {now} + LEAST(interval '5 seconds', (deadline_at - created_at) / 10)"
_TAKE = f"""
UPDATE jobs SET state = 'running', tries = tries + 1, lease = $3, worker = $4, started_at = $5,
    lease_until = now() + make_interval(secs => $6)
WHERE workspace_id = $1 AND id = (
    SELECT id FROM jobs
    WHERE workspace_id = $1 AND id = $2 AND state = 'waiting' AND run_after <= $5 AND {_IN_TIME.format(now="$5")}
    FOR UPDATE SKIP LOCKED
)
RETURNING {_COLUMNS}
"""
_LOCK_LEASED = f"SELECT {_COLUMNS} FROM jobs WHERE workspace_id = $1 AND id = $2 AND lease = $3 FOR UPDATE"
_LOCK_LOST = f"""
SELECT {_COLUMNS} FROM jobs WHERE workspace_id = $1 AND id = $2 AND state = 'running' AND lease_until < now()
FOR UPDATE SKIP LOCKED
"""
_LOCK_OVERDUE = f"""
SELECT {_COLUMNS} FROM jobs WHERE workspace_id = $1 AND id = $2 AND state = 'waiting' AND deadline_at <= $3
FOR UPDATE SKIP LOCKED
"""
_END = f"""
UPDATE jobs SET state = $3, outcome = $4, reason = $5, finished_at = $6, lease = NULL, lease_until = NULL
WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""
_RENEW = """
UPDATE jobs SET lease_until = now() + make_interval(secs => $3) WHERE workspace_id = $1 AND id = $2
"""
_PUT_BACK = """
UPDATE jobs SET state = 'waiting', tries = $5, run_after = $3, reason = $4, lease = NULL, lease_until = NULL
WHERE workspace_id = $1 AND id = $2
"""
_SETTLE_EARLIER = """
UPDATE jobs SET state = 'done' WHERE workspace_id = $1 AND execution_id = $2 AND attempt < $3 AND state = 'dead'
"""
_FORGET = """
DELETE FROM jobs WHERE workspace_id = $1 AND id IN (
    SELECT id FROM jobs WHERE workspace_id = $1 AND state = 'done' AND finished_at < $2 LIMIT $3
)
"""

# Of all workspaces, as the relay's role: columns as the migration grants them.
# A step from one line (a workspace's agent) to the next, so that a long line costs no more than a short one.
_WAITING = f"""
WITH RECURSIVE lines AS (
    (SELECT workspace_id, agent FROM jobs WHERE state = 'waiting' ORDER BY workspace_id, agent LIMIT 1)
    UNION ALL
    SELECT following.workspace_id, following.agent FROM lines, LATERAL (
        SELECT workspace_id, agent FROM jobs
        WHERE state = 'waiting' AND (workspace_id, agent) > (lines.workspace_id, lines.agent)
        ORDER BY workspace_id, agent LIMIT 1
    ) AS following
)
SELECT first.workspace_id, first.id::text AS id, first.agent, first.created_at FROM lines, LATERAL (
    SELECT workspace_id, id, agent, created_at FROM jobs
    WHERE state = 'waiting' AND workspace_id = lines.workspace_id AND agent = lines.agent AND run_after <= $1
        AND {_IN_TIME.format(now="$1")}
    ORDER BY created_at, id LIMIT $2
) AS first
"""
_RUNNING = (
    "SELECT workspace_id, agent, count(*) AS count FROM jobs WHERE state = 'running' GROUP BY workspace_id, agent"
)
BACKLOG = """
SELECT state::text AS state, count(*) AS many, min(created_at) AS oldest FROM jobs
WHERE state = 'waiting' GROUP BY state UNION ALL
SELECT state::text, count(*), min(created_at) FROM jobs WHERE state = 'running' GROUP BY state
"""
_WAITING_COUNT = "SELECT count(*) FROM (SELECT FROM jobs WHERE state = 'waiting' LIMIT $1) AS counted"
_LOST = "SELECT workspace_id, id::text AS id FROM jobs WHERE state = 'running' AND lease_until < now() LIMIT 500"
_OVERDUE = "SELECT workspace_id, id::text AS id FROM jobs WHERE state = 'waiting' AND deadline_at <= $1 LIMIT 500"
_OLD = "SELECT DISTINCT workspace_id FROM jobs WHERE state = 'done' AND finished_at < $1"
_EXTEND = """
UPDATE jobs SET lease_until = now() + make_interval(secs => $2)
WHERE state = 'running' AND lease = ANY($1::uuid[]) AND (workspace_id, id) IN (
    SELECT workspace_id, id FROM unnest($3::text[], $4::uuid[]) AS held (workspace_id, id)
)
RETURNING lease::text AS lease
"""
# The channel on which replicas hear that an execution is to be looked at: its payload is the execution's id.
CALLED_BACK = "agent_runtime_called_back"
_ANNOUNCE_CALLED_BACK = "SELECT pg_notify($1, $2)"


@dataclass(frozen=True)
class Job:
    """A row. `state`, `outcome`: words; `lease` only while it runs."""

    workspace_id: str
    id: str
    execution_id: str
    attempt: int
    agent: str | None
    reasoner: str | None
    input: dict[str, Any]
    deadline_at: datetime
    correlation_id: str
    traceparent: str | None
    state: str
    outcome: str | None
    reason: str | None
    tries: int
    lease: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def full_name(self) -> str:
        return f"{self.agent}.{self.reasoner}"


def _job(workspace_id: str, row: asyncpg.Record | None) -> Job | None:
    return None if row is None else Job(workspace_id, **row)


async def add(work: UnitOfWork, asked: Mapping[str, Any]) -> bool:
    """A new job, from the fields of its request. False when this attempt is there already."""
    names = ("execution_id", "attempt", "agent", "reasoner", "input", "deadline_at")
    call = work.call
    values = (*(asked[name] for name in names), call.correlation_id, call.traceparent, work.now)
    return bool(await work.fetchval(_ADD, call.workspace_id, ids.new_id(), *values))


async def remember_cancelled(work: UnitOfWork, execution_id: str, attempt: int) -> Job | None:
    """A job that is cancelled before it is asked for. None when this attempt is there already."""
    call = work.call
    row = await work.fetchrow(
        _REMEMBER_CANCELLED, call.workspace_id, ids.new_id(), execution_id, attempt, work.now, call.correlation_id
    )
    return _job(call.workspace_id, row)


async def lock(work: UnitOfWork, job_id: str) -> Job | None:
    return _job(work.call.workspace_id, await work.fetchrow(_LOCK, work.call.workspace_id, job_id))


async def lock_attempt(work: UnitOfWork, execution_id: str, attempt: int) -> Job | None:
    workspace_id = work.call.workspace_id
    return _job(workspace_id, await work.fetchrow(_LOCK_ATTEMPT, workspace_id, execution_id, attempt))


async def lock_earlier(work: UnitOfWork, execution_id: str, attempt: int) -> list[Job]:
    """Earlier attempts that have not ended."""
    workspace_id = work.call.workspace_id
    rows = await work.fetch(_LOCK_EARLIER, workspace_id, execution_id, attempt)
    return [Job(workspace_id, **row) for row in rows]


async def take(work: UnitOfWork, job_id: str, *, worker: str, lease_seconds: float) -> Job | None:
    """The job, running, under a new lease. None when somebody else has it or it waits no more."""
    lease = ids.new_id()
    row = await work.fetchrow(_TAKE, work.call.workspace_id, job_id, lease, worker, work.now, lease_seconds)
    return _job(work.call.workspace_id, row)


async def lock_leased(work: UnitOfWork, job: Job) -> Job | None:
    """The job, if the lease of this try still holds."""
    row = await work.fetchrow(_LOCK_LEASED, job.workspace_id, job.id, job.lease)
    return _job(job.workspace_id, row)


async def lock_try(work: UnitOfWork, job_id: str, lease: str) -> Job | None:
    """The job, if that is the lease of its try."""
    row = await work.fetchrow(_LOCK_LEASED, work.call.workspace_id, job_id, lease)
    return _job(work.call.workspace_id, row)


async def renew(work: UnitOfWork, job: Job, seconds: float) -> None:
    """Its try goes on here, under the same lease. It is locked."""
    await work.execute(_RENEW, job.workspace_id, job.id, seconds)


async def lock_lost(work: UnitOfWork, job_id: str) -> Job | None:
    """The job, if it runs and its lease is over."""
    return _job(work.call.workspace_id, await work.fetchrow(_LOCK_LOST, work.call.workspace_id, job_id))


async def lock_overdue(work: UnitOfWork, job_id: str, by: datetime) -> Job | None:
    """The job, if it waits and its deadline has passed by then."""
    return _job(work.call.workspace_id, await work.fetchrow(_LOCK_OVERDUE, work.call.workspace_id, job_id, by))


async def end(work: UnitOfWork, job: Job, *, state: str, outcome: str, reason: str | None) -> Job:
    """The job as it is then. It is locked."""
    row = await work.fetchrow(_END, job.workspace_id, job.id, state, outcome, reason, work.now)
    ended = _job(job.workspace_id, row)
    assert ended is not None, "it is locked"
    return ended


async def put_back(work: UnitOfWork, job: Job, *, tries: int, run_after: datetime, reason: str) -> None:
    """`tries`: how many there have been."""
    await work.execute(_PUT_BACK, job.workspace_id, job.id, run_after, reason, tries)


async def settle_earlier(work: UnitOfWork, execution_id: str, attempt: int) -> None:
    """Earlier attempts that failed for good need nobody any more: a later one takes their place."""
    await work.execute(_SETTLE_EARLIER, work.call.workspace_id, execution_id, attempt)


async def announce_called_back(work: UnitOfWork, execution_id: str) -> None:
    """Whichever replica runs it hears of it when this is committed."""
    await work.execute(_ANNOUNCE_CALLED_BACK, CALLED_BACK, execution_id)


async def forget(work: UnitOfWork, before: datetime, most: int) -> int:
    """Delete jobs that were done before that: how many."""
    return int((await work.execute(_FORGET, work.call.workspace_id, before, most)).split()[-1])


async def waiting(connection: RelayConnection, now: datetime, most: int) -> list[Waiting]:
    """The oldest ones of each agent of each workspace, so many of each at most."""
    return [Waiting(**row) for row in await connection.fetch(_WAITING, now, most)]


async def running(connection: RelayConnection) -> list[Running]:
    return [Running(**row) for row in await connection.fetch(_RUNNING)]


async def waiting_count(connection: RelayConnection, most: int) -> int:
    """How many wait, counted up to `most`."""
    return int(await connection.fetchval(_WAITING_COUNT, most))


async def lost(connection: RelayConnection) -> list[tuple[str, str]]:
    """Workspace and id of running jobs whose lease is over."""
    return [(row["workspace_id"], row["id"]) for row in await connection.fetch(_LOST)]


async def overdue(connection: RelayConnection, by: datetime) -> list[tuple[str, str]]:
    """Workspace and id of waiting jobs whose deadline has passed by then."""
    return [(row["workspace_id"], row["id"]) for row in await connection.fetch(_OVERDUE, by)]


async def workspaces_with_old(connection: RelayConnection, before: datetime) -> list[str]:
    return [row["workspace_id"] for row in await connection.fetch(_OLD, before)]


async def extend(connection: RelayConnection, jobs: Sequence[Job], seconds: float) -> set[str]:
    """Extend the leases of these: those that still hold."""
    leases, workspaces, job_ids = zip(*((each.lease, each.workspace_id, each.id) for each in jobs), strict=True)
    rows = await connection.fetch(_EXTEND, leases, seconds, workspaces, job_ids)
    return {row["lease"] for row in rows}
