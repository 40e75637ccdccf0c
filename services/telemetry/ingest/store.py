"""The rows of events, of batches, and of agents as senders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from kit.errors import Unavailable
from kit.unit_of_work import UnitOfWork
from services.telemetry.ingest.events import Rejection
from services.telemetry.ingest.sorting import COLUMNS, Row

MOST_ERRORS = 100

# One statement, so one round trip. The rate forgets what was with a time constant of 5 minutes.
_NOTE = """
WITH batch AS (
    INSERT INTO ingest_batches (workspace_id, id, agent_id, format, accepted, rejected, bytes, errors,
        first_observed_at, last_observed_at, created_at)
    VALUES ($1, $3, $2, $4::text::batch_format, $5, $6, $7, $8, $9, $10, $11)
)
UPDATE agents SET connectivity = 'online', last_seen_at = $11, silent_at = $12, clock_skew_seconds = $13,
    lag_seconds = extract(epoch FROM $11 - $10), batches = batches + 1, events_accepted = events_accepted + $5,
    events_rejected = events_rejected + $6,
    events_per_minute = $5 * 0.2 + events_per_minute
        * exp(-least(extract(epoch FROM $11 - coalesce(last_seen_at, $11)), 10000)::double precision / 300),
    watched = $14, conditions = $15, asset_status = $16::text::asset_status,
    agent_version = coalesce($17, agent_version)
WHERE workspace_id = $1 AND id = $2
"""
_NOTE_INVENTORY = """
UPDATE agents SET hostname = $3, operating_system = coalesce($4, operating_system), inventory_digest = $5, search = $6
WHERE workspace_id = $1 AND id = $2
"""


@dataclass(frozen=True)
class Taken:
    """What is written down of a batch that was taken, and of its agent."""

    batch_id: str
    agent_id: str
    format: str
    accepted: int
    rejections: Sequence[Rejection]
    bytes: int
    first_observed_at: datetime | None
    last_observed_at: datetime | None
    silent_at: datetime
    clock_skew_seconds: float | None
    watched: int
    conditions: int
    asset_status: str
    agent_version: str | None


async def copy_events(work: UnitOfWork, rows: Sequence[Row]) -> None:
    """Store events in the partition of the day. Raises Unavailable when that is not there yet."""
    try:
        await work.copy(f"events_{work.now:%Y%m%d}", COLUMNS, rows, schema="partitions")
    except asyncpg.UndefinedTableError as error:
        raise Unavailable("There is no room for today's events yet; try again.", retry_after=5) from error


async def note(work: UnitOfWork, taken: Taken) -> None:
    errors = [{"index": each.position, "message": each.message} for each in taken.rejections[:MOST_ERRORS]]
    await work.execute(
        _NOTE,
        work.call.workspace_id,
        taken.agent_id,
        taken.batch_id,
        taken.format,
        taken.accepted,
        len(taken.rejections),
        taken.bytes,
        errors or None,
        taken.first_observed_at,
        taken.last_observed_at,
        work.now,
        taken.silent_at,
        taken.clock_skew_seconds,
        taken.watched,
        taken.conditions,
        taken.asset_status,
        taken.agent_version,
    )


async def note_inventory(
    work: UnitOfWork, agent_id: str, *, hostname: str, operating_system: str | None, digest: bytes, search: str
) -> None:
    await work.execute(_NOTE_INVENTORY, work.call.workspace_id, agent_id, hostname, operating_system, digest, search)
