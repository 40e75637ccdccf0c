"""The SQL of edge policies beyond the standard one: revisions, and what holds for whom."""

from collections.abc import Sequence
from typing import Any

from kit.database import Session
from kit.formats import COMPILED
from kit.unit_of_work import UnitOfWork
from opsfield.options.v1 import field_pb2

# Whom a policy is for: its scope and the id in it.
Scope = tuple[str, str | None]
# A policy as it stands at one time: its id and version.
Edition = tuple[str, int]

_GROW = """
INSERT INTO policy_revisions AS known (workspace_id, revision) VALUES ($1, 1)
ON CONFLICT (workspace_id) DO UPDATE SET revision = known.revision + 1
"""
_REVISION = "SELECT revision FROM policy_revisions WHERE workspace_id = $1"
_EDITIONS = """
SELECT scope::text AS scope, scope_id, id, version FROM edge_policies WHERE workspace_id = $1 AND deleted_at IS NULL
"""
_CONTENTS = """
SELECT id, send_seconds, metrics_seconds, inventory_seconds, offline_after_seconds, offline_alert_seconds,
    offline_alerts, collectors::text[] AS collectors, thresholds, checks
FROM edge_policies WHERE workspace_id = $1 AND id = ANY($2::uuid[]) AND deleted_at IS NULL
"""
_AGENT = "SELECT client_id, site_id, state::text AS state FROM agents WHERE workspace_id = $1 AND id = $2"


async def grow_revision(work: UnitOfWork) -> None:
    """The workspace's policies are others from the end of this unit of work on."""
    await work.execute(_GROW, work.call.workspace_id)


async def revision(session: Session) -> int:
    """Another one after each change of any policy of the workspace; 0 before the first."""
    found: int | None = await session.fetchval(_REVISION, session.call.workspace_id)
    return found or 0


async def editions(session: Session) -> dict[Scope, Edition]:
    """For whom in the workspace there are policies, and which."""
    rows = await session.fetch(_EDITIONS, session.call.workspace_id)
    return {(row["scope"], row["scope_id"]): (row["id"], row["version"]) for row in rows}


async def contents(session: Session, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The policies with these ids, in their order; those that are gone are left out."""
    rows = {row["id"]: dict(row) for row in await session.fetch(_CONTENTS, session.call.workspace_id, ids)}
    return [rows[each] for each in ids if each in rows]


async def agent(session: Session, agent_id: str) -> dict[str, Any] | None:
    """Of an agent its `client_id`, `site_id` and `state`."""
    # A token may say anything of its agent.
    if not COMPILED[field_pb2.UUID].match(agent_id):
        return None
    row = await session.fetchrow(_AGENT, session.call.workspace_id, agent_id)
    return dict(row) if row else None
