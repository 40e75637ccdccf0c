"""The SQL of assets beyond the standard one: what others need to know of an asset."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from kit.unit_of_work import UnitOfWork

_ALIVE = "FROM assets WHERE workspace_id = $1 AND deleted_at IS NULL"
# Shared, so that maintenance neither begins nor ends before what depends on it is written.
_IN_MAINTENANCE = f"SELECT maintenance_mode {_ALIVE} AND id = $2 FOR SHARE"
_BY_ID = f"SELECT id, client_id {_ALIVE} AND id = $2"
_BY_AGENT = f"SELECT id, client_id {_ALIVE} AND agent_id = $2"
# Held, so that of several successors one takes it over.
_OF_PREDECESSORS = f"""
SELECT id, client_id {_ALIVE} AND client_id = $2 AND status <> 'retired' AND agent_id = ANY($3::text[])
ORDER BY last_seen_at DESC NULLS LAST, id LIMIT 1 FOR UPDATE
"""


# By the serial number, whoever reported for it before; by the host's name only where nobody does.
_SAME_MACHINE = f"""
SELECT id, client_id {_ALIVE} AND client_id = $2 AND status <> 'retired'
    AND (lower(serial_number) = lower($3) OR agent_id IS NULL AND lower(hostname) = lower($4))
ORDER BY lower(serial_number) = lower($3) DESC NULLS LAST, id LIMIT 1
"""
_OF_OTHERS = "SELECT id FROM assets WHERE workspace_id = $1 AND id = ANY($2::uuid[]) AND client_id <> $3"
_SITE = "SELECT true FROM sites WHERE workspace_id = $1 AND id = $2 AND client_id = $3 AND deleted_at IS NULL"


@dataclass(frozen=True)
class Known:
    """An asset, and the client it belongs to for good."""

    id: str
    client_id: str


async def in_maintenance(work: UnitOfWork, asset_id: str) -> bool:
    """Whether the asset is being worked on, which stays so until the unit of work ends. False when there is no such
    asset in the workspace."""
    return bool(await work.fetchval(_IN_MAINTENANCE, work.call.workspace_id, asset_id))


async def by_id(work: UnitOfWork, asset_id: str) -> Known | None:
    """The asset of the workspace with this id (a UUID)."""
    return _known(await work.fetchrow(_BY_ID, work.call.workspace_id, asset_id))


async def by_agent(work: UnitOfWork, agent_id: str) -> Known | None:
    """The asset of the workspace for which this endpoint agent reports."""
    return _known(await work.fetchrow(_BY_AGENT, work.call.workspace_id, agent_id))


async def of_predecessors(work: UnitOfWork, client_id: str, agent_ids: Sequence[str]) -> Known | None:
    """The client's asset for which one of these endpoint agents reported, held until the unit of work ends; the one
    seen last if there are several."""
    return _known(await work.fetchrow(_OF_PREDECESSORS, work.call.workspace_id, client_id, agent_ids))


async def same_machine(work: UnitOfWork, client_id: str, serial_number: str | None, hostname: str) -> Known | None:
    """The client's asset that is the same machine: one with that serial number, or, if nothing reports for it, one with
    that host name."""
    arguments = (work.call.workspace_id, client_id, serial_number, hostname)
    return _known(await work.fetchrow(_SAME_MACHINE, *arguments))


async def of_others(work: UnitOfWork, client_id: str, asset_ids: Sequence[str]) -> set[str]:
    """Those of the assets that belong to another client."""
    rows = await work.fetch(_OF_OTHERS, work.call.workspace_id, asset_ids, client_id)
    return {row["id"] for row in rows}


async def is_site_of(work: UnitOfWork, site_id: str, client_id: str) -> bool:
    """Whether the client has this site."""
    return bool(await work.fetchval(_SITE, work.call.workspace_id, site_id, client_id))


def _known(record: asyncpg.Record | None) -> Known | None:
    return Known(record["id"], record["client_id"]) if record else None
