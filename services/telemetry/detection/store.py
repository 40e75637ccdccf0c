"""The SQL of conditions."""

from collections.abc import Sequence

from kit.unit_of_work import UnitOfWork
from services.telemetry.detection.rules import Condition, Series

_OF_AGENT = """
SELECT kind::text AS kind, name, instance, metric, state = 'raised' AS is_raised, severity::text AS severity, since,
    last_at, value, failures, raised_at
FROM conditions WHERE workspace_id = $1 AND agent_id = $2
"""
_KEEP = """
INSERT INTO conditions (workspace_id, agent_id, kind, name, instance, metric, state, severity, since, last_at, value,
    failures, raised_at)
SELECT $1, $2, kind::condition_kind, name, instance, metric,
    CASE WHEN raised_at IS NULL THEN 'pending' ELSE 'raised' END::condition_state, severity::condition_severity, since,
    last_at, value, failures, raised_at
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[],
    $10::float8[], $11::integer[], $12::timestamptz[])
    AS seen (kind, name, instance, metric, severity, since, last_at, value, failures, raised_at)
ON CONFLICT (workspace_id, agent_id, kind, name, instance) DO UPDATE SET
    metric = excluded.metric, state = excluded.state, severity = excluded.severity, since = excluded.since,
    last_at = excluded.last_at, value = excluded.value, failures = excluded.failures, raised_at = excluded.raised_at
"""
_FORGET = """
DELETE FROM conditions USING unnest($3::text[], $4::text[], $5::text[]) AS over (kind, name, instance)
WHERE workspace_id = $1 AND agent_id = $2 AND conditions.kind = over.kind::condition_kind
    AND conditions.name = over.name AND conditions.instance = over.instance
"""


async def of_agent(work: UnitOfWork, agent_id: str) -> list[Condition]:
    """The conditions of an agent, whose row is locked."""
    rows = await work.fetch(_OF_AGENT, work.call.workspace_id, agent_id)
    return [Condition(**row) for row in rows]


async def keep(work: UnitOfWork, agent_id: str, conditions: Sequence[Condition]) -> None:
    """Write conditions that are new or other than they were."""
    names = ("kind", "name", "instance", "metric", "severity", "since", "last_at", "value", "failures", "raised_at")
    columns = [[getattr(each, name) for each in conditions] for name in names]
    await work.execute(_KEEP, work.call.workspace_id, agent_id, *columns)


async def forget(work: UnitOfWork, agent_id: str, series: Sequence[Series]) -> None:
    """The conditions of these series are over."""
    await work.execute(_FORGET, work.call.workspace_id, agent_id, *map(list, zip(*series, strict=True)))
