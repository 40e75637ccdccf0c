"""The SQL of silence: who is silent, who may be told of, and when it was last looked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg

from kit.database import Session
from kit.unit_of_work import UnitOfWork
from services.telemetry.detection.silence_rules import Agent, Scope, Span

RelayConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# Agents of one unit of work.
ROUND = 500
_LOCK = 0x73696C65

_TAKE_LOCK = "SELECT pg_try_advisory_lock($1)"
# Columns as the migrations grant them.
_WORKSPACES_TO_SWEEP = """
SELECT workspace_id FROM agents WHERE state = 'active' AND connectivity = 'online' AND silent_at <= $1
UNION SELECT workspace_id FROM silences WHERE alert_at <= $1
UNION SELECT workspace_id FROM mass_silences
ORDER BY workspace_id
"""
_WORKSPACES_THAT_WAIT = """
SELECT workspace_id FROM agents WHERE state = 'active' AND connectivity = 'online'
UNION SELECT workspace_id FROM silences WHERE alert_at IS NOT NULL
ORDER BY workspace_id
"""
_SWEPT_AT = "SELECT swept_at FROM silence_sweeps WHERE workspace_id = $1"
_NOTE_SWEEP = """
INSERT INTO silence_sweeps (workspace_id, swept_at) VALUES ($1, $2)
ON CONFLICT (workspace_id) DO UPDATE SET swept_at = excluded.swept_at
"""
_ONLINE = "FROM agents WHERE workspace_id = $1 AND state = 'active' AND connectivity = 'online'"
_TAKE_SILENT = f"""
SELECT id, client_id, site_id, coalesce(last_seen_at, silent_at) AS last_seen_at {_ONLINE} AND silent_at <= $2
ORDER BY id LIMIT {ROUND} FOR UPDATE SKIP LOCKED
"""
# One that is told of already stays so.
_TURN_OFFLINE = """
WITH turned AS (
    UPDATE agents SET connectivity = 'offline', asset_status = 'offline', silent_at = NULL
    WHERE workspace_id = $1 AND id = ANY($2::uuid[])
)
INSERT INTO silences AS known (workspace_id, agent_id, began_at, alert_at)
SELECT $1, id, $4, alert_at FROM unnest($2::uuid[], $3::timestamptz[]) AS silent (id, alert_at)
ON CONFLICT (workspace_id, agent_id) DO UPDATE SET began_at = excluded.began_at,
    alert_at = CASE WHEN known.is_raised THEN NULL ELSE excluded.alert_at END
"""
_TAKE_ONLINE = f"SELECT id, client_id, site_id {_ONLINE} AND id > $2 ORDER BY id LIMIT {ROUND} FOR UPDATE SKIP LOCKED"
_GIVE_TIME = """
UPDATE agents SET silent_at = greatest(agents.silent_at, given.silent_at)
FROM unnest($2::uuid[], $3::timestamptz[]) AS given (id, silent_at)
WHERE agents.workspace_id = $1 AND agents.id = given.id
"""
_PUT_OFF_ALERTS = """
UPDATE silences SET alert_at = greatest(alert_at, $2) WHERE workspace_id = $1 AND alert_at IS NOT NULL
"""
_HEARD_OF = """
SELECT agents.id, agents.hostname, agents.client_id, agents.site_id, silences.began_at AS silent_since,
    coalesce(silences.alert_at <= $2, false) AS is_due
FROM agents LEFT JOIN silences ON silences.workspace_id = agents.workspace_id AND silences.agent_id = agents.id
WHERE agents.workspace_id = $1 AND agents.state = 'active'
    AND (agents.connectivity = 'online' OR agents.connectivity = 'offline' AND silences.agent_id IS NOT NULL)
"""
_IS_SOMETHING_TO_TELL = """
SELECT EXISTS (SELECT 1 FROM silences WHERE workspace_id = $1 AND alert_at <= $2)
    OR EXISTS (SELECT 1 FROM mass_silences WHERE workspace_id = $1)
"""
_MASS_SILENCES = "SELECT client_id, site_id, since_at, until_at FROM mass_silences WHERE workspace_id = $1"
_NOTE_MASS = """
INSERT INTO mass_silences (workspace_id, fingerprint, client_id, site_id, since_at, until_at, raised_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true
"""
_EXTEND_MASS = "UPDATE mass_silences SET since_at = $3, until_at = $4 WHERE workspace_id = $1 AND fingerprint = $2"
_END_MASS = "DELETE FROM mass_silences WHERE workspace_id = $1 AND fingerprint = $2 RETURNING true"
# Locked as ingest locks them, so that none is told of which is being heard of right now.
_NOTE_RAISED = """
WITH still AS (
    SELECT id FROM agents WHERE workspace_id = $1 AND id = ANY($2::uuid[]) AND state = 'active'
    AND connectivity = 'offline' ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE silences SET is_raised = true, alert_at = NULL
WHERE workspace_id = $1 AND agent_id IN (SELECT id FROM still) AND NOT is_raised AND alert_at IS NOT NULL
RETURNING agent_id
"""
_DROP_ALERTS = "UPDATE silences SET alert_at = NULL WHERE workspace_id = $1 AND agent_id = ANY($2::uuid[])"
# Of agents that are offline no longer, or revoked.
_DROP_OTHERS = """
DELETE FROM silences USING agents
WHERE silences.workspace_id = $1 AND agents.workspace_id = $1 AND agents.id = silences.agent_id
    AND (agents.state <> 'active' OR agents.connectivity <> 'offline')
RETURNING silences.agent_id, silences.is_raised
"""
_END = "DELETE FROM silences WHERE workspace_id = $1 AND agent_id = $2 RETURNING is_raised"


@dataclass(frozen=True)
class Belonging:
    """An agent, locked, and where it belongs; `last_seen_at` is there where it was asked for."""

    id: str
    client_id: str
    site_id: str | None
    last_seen_at: datetime | None = None


async def take_lock(connection: RelayConnection) -> bool:
    """Whether this is the connection of the one that sweeps, as it is then until it closes."""
    return bool(await connection.fetchval(_TAKE_LOCK, _LOCK))


async def workspaces_to_sweep(connection: RelayConnection, now: datetime) -> list[str]:
    """Those in which an agent has become silent, an alert is due or a mass silence goes on."""
    return [row["workspace_id"] for row in await connection.fetch(_WORKSPACES_TO_SWEEP, now)]


async def workspaces_that_wait(connection: RelayConnection) -> list[str]:
    """Those in which an agent may become silent, or be told of."""
    return [row["workspace_id"] for row in await connection.fetch(_WORKSPACES_THAT_WAIT)]


async def swept_at(session: Session) -> datetime | None:
    """When a sweep was last at work; the session is the platform's."""
    found: datetime | None = await session.fetchval(_SWEPT_AT, session.call.workspace_id)
    return found


async def note_sweep(work: UnitOfWork) -> None:
    await work.execute(_NOTE_SWEEP, work.call.workspace_id, work.now)


async def take_silent(work: UnitOfWork) -> list[Belonging]:
    """The next agents that are silent for too long; those that someone else has hold of are passed over."""
    return [Belonging(**row) for row in await work.fetch(_TAKE_SILENT, work.call.workspace_id, work.now)]


async def turn_offline(work: UnitOfWork, alerts: Mapping[str, datetime | None]) -> None:
    """The agents by id, each with when an alert of it is due."""
    await work.execute(_TURN_OFFLINE, work.call.workspace_id, list(alerts), list(alerts.values()), work.now)


async def take_online(work: UnitOfWork, after: str) -> list[Belonging]:
    """The next agents that are online, by id; those that someone else has hold of are passed over."""
    return [Belonging(**row) for row in await work.fetch(_TAKE_ONLINE, work.call.workspace_id, after)]


async def give_time(work: UnitOfWork, until: Mapping[str, datetime]) -> None:
    """No agent counts as silent before the time that is given for it, by id."""
    await work.execute(_GIVE_TIME, work.call.workspace_id, list(until), list(until.values()))


async def put_off_alerts(work: UnitOfWork, until: datetime) -> None:
    await work.execute(_PUT_OFF_ALERTS, work.call.workspace_id, until)


async def is_something_to_tell(work: UnitOfWork) -> bool:
    """Whether an alert is due, or a mass silence goes on."""
    return bool(await work.fetchval(_IS_SOMETHING_TO_TELL, work.call.workspace_id, work.now))


async def heard_of(work: UnitOfWork) -> list[Agent]:
    """All agents of the workspace that are active and were ever heard of."""
    return [Agent(**row) for row in await work.fetch(_HEARD_OF, work.call.workspace_id, work.now)]


async def mass_silences(work: UnitOfWork) -> dict[Scope, Span]:
    rows = await work.fetch(_MASS_SILENCES, work.call.workspace_id)
    return {(row["client_id"], row["site_id"]): Span(row["since_at"], row["until_at"]) for row in rows}


async def note_mass(work: UnitOfWork, fingerprint: str, scope: Scope, span: Span) -> bool:
    """Whether it was not known yet."""
    client_id, site_id = scope
    arguments: tuple[Any, ...] = (fingerprint, client_id, site_id, span.since, span.until, work.now)
    return bool(await work.fetchval(_NOTE_MASS, work.call.workspace_id, *arguments))


async def extend_mass(work: UnitOfWork, fingerprint: str, span: Span) -> None:
    await work.execute(_EXTEND_MASS, work.call.workspace_id, fingerprint, span.since, span.until)


async def end_mass(work: UnitOfWork, fingerprint: str) -> bool:
    """Whether it was known."""
    return bool(await work.fetchval(_END_MASS, work.call.workspace_id, fingerprint))


async def note_raised(work: UnitOfWork, agent_ids: Iterable[str]) -> set[str]:
    """Those whose silence is to be told now: they are offline, and nobody else has told it or has hold of them."""
    rows = await work.fetch(_NOTE_RAISED, work.call.workspace_id, list(agent_ids))
    return {row["agent_id"] for row in rows}


async def drop_alerts(work: UnitOfWork, agent_ids: Sequence[str]) -> None:
    """There is to be no alert of these."""
    await work.execute(_DROP_ALERTS, work.call.workspace_id, agent_ids)


async def drop_others(work: UnitOfWork) -> list[str]:
    """Forget the silence of agents that it no longer matters of: those of them whose silence was told."""
    rows = await work.fetch(_DROP_OTHERS, work.call.workspace_id)
    return [row["agent_id"] for row in rows if row["is_raised"]]


async def end(work: UnitOfWork, agent_id: str) -> bool:
    """The silence of an agent is over: whether it was told."""
    return bool(await work.fetchval(_END, work.call.workspace_id, agent_id))
