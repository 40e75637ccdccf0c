"""The rows of agents, and of what they measured."""

from datetime import datetime, timedelta
from typing import Any

from kit.database import Session
from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork
from services.telemetry.agents.known import KnownAgent

COLUMNS = """id, hostname, state::text AS state, connectivity::text AS connectivity, client_id, site_id,
operating_system, agent_version, last_seen_at, clock_skew_seconds, conditions, revoked_at, revoked_reason, created_at,
version"""
LISTING = TableListing(
    "agents", COLUMNS, search="search", nullable=frozenset({"operating_system", "agent_version", "last_seen_at"})
)
STATUS_LISTING = TableListing(
    "agents",
    """id AS agent_id, hostname, client_id, site_id, last_seen_at, lag_seconds, batches, events_accepted,
    events_rejected, events_per_minute, created_at""",
    search="search",
    filters={"agent_id": "id"},
    nullable=frozenset({"last_seen_at", "lag_seconds"}),
)
_GET = f"SELECT {COLUMNS}, number FROM agents WHERE workspace_id = $1 AND id = $2"
_LOCK = """
SELECT id, number, hostname, client_id, site_id, connectivity::text AS connectivity, last_seen_at, watched, conditions,
    asset_status::text AS asset_status, inventory_digest, state::text AS state
FROM agents WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE
"""
_MARK_REVOKED = """
UPDATE agents SET state = 'revoked', revoked_at = $3, revoked_reason = $4, connectivity = 'offline', silent_at = NULL,
    asset_status = 'offline', watched = 0, conditions = 0, version = version + 1
WHERE workspace_id = $1 AND id = $2
"""
_MEASURED = """
FROM events WHERE workspace_id = $1 AND agent = $2 AND kind = 'metric' AND observed_at >= $3 AND observed_at < $4
    AND received_at >= $5
"""
_LATEST = f"""
SELECT DISTINCT ON (name, instance) name, instance, value, observed_at {_MEASURED}
ORDER BY name, instance, observed_at DESC LIMIT 500
"""
_LATEST_NAMED = f"""
SELECT DISTINCT ON (instance) name, instance, value, observed_at {_MEASURED}
    AND name = $6 AND ($7::text IS NULL OR instance = $7)
ORDER BY instance, observed_at DESC LIMIT 500
"""
_COURSE = f"""
SELECT instance, date_bin($8, observed_at, $3) AS at, avg(value) AS mean, min(value) AS minimum, max(value) AS maximum
{_MEASURED} AND name = $6 AND ($7::text IS NULL OR instance = $7)
GROUP BY 1, 2 ORDER BY 1, 2
"""
# How much later than it was received an event may claim to have been observed, and more.
_AHEAD = timedelta(minutes=10)

Row = dict[str, Any]


async def get(session: Session, agent_id: str) -> Row | None:
    row = await session.fetchrow(_GET, session.call.workspace_id, agent_id)
    return dict(row) if row else None


async def lock(work: UnitOfWork, agent_id: str) -> KnownAgent | None:
    """The agent, held against its other batches until the end; None when the workspace has no such one."""
    row = await work.fetchrow(_LOCK, work.call.workspace_id, agent_id)
    return KnownAgent(**dict(row)) if row else None


async def mark_revoked(work: UnitOfWork, agent_id: str, reason: str | None) -> None:
    await work.execute(_MARK_REVOKED, work.call.workspace_id, agent_id, work.now, reason)


async def latest(session: Session, agent: int, start: datetime, end: datetime) -> list[Row]:
    """The latest value of each series in the range."""
    return [dict(row) for row in await session.fetch(_LATEST, *_range(session, agent, start, end))]


async def latest_named(
    session: Session, agent: int, start: datetime, end: datetime, name: str, instance: str | None
) -> list[Row]:
    """As `latest`, of one metric."""
    rows = await session.fetch(_LATEST_NAMED, *_range(session, agent, start, end), name, instance)
    return [dict(row) for row in rows]


async def course(
    session: Session, agent: int, start: datetime, end: datetime, name: str, instance: str | None, step: timedelta
) -> list[Row]:
    """What a metric's values were in each step of the range."""
    rows = await session.fetch(_COURSE, *_range(session, agent, start, end), name, instance, step)
    return [dict(row) for row in rows]


def _range(session: Session, agent: int, start: datetime, end: datetime) -> tuple[Any, ...]:
    return session.call.workspace_id, agent, start, end, start - _AHEAD
