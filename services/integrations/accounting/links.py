"""The SQL of what of ours stands in whose books, and of how far changes have gone."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from kit.database import Session
from kit.unit_of_work import UnitOfWork
from services.integrations.accounting.port import Link

_COLUMNS = "resource_id::text AS resource_id, external_id, sent, version, incoming"
_FIND = f"""
SELECT {_COLUMNS} FROM accounting_links
WHERE workspace_id = $1 AND provider = $2 AND kind = $3 AND resource_id = ANY($4::uuid[])
"""
_FIND_EXTERNAL = f"""
SELECT {_COLUMNS} FROM accounting_links
WHERE workspace_id = $1 AND provider = $2 AND kind = $3 AND external_id = ANY($4)
"""
_FIND_PARTS = f"""
SELECT {_COLUMNS} FROM accounting_links
WHERE workspace_id = $1 AND provider = $2 AND kind = $3 AND (external_id = $4 OR starts_with(external_id, $4 || '/'))
"""
_PUT = """
INSERT INTO accounting_links
    (workspace_id, provider, kind, resource_id, external_id, incoming, sent, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
ON CONFLICT (workspace_id, provider, kind, resource_id) DO UPDATE SET external_id = excluded.external_id,
    sent = excluded.sent, version = excluded.version, updated_at = excluded.updated_at
"""
_COUNT = """
SELECT kind::text AS kind, count(*) AS count FROM accounting_links
WHERE workspace_id = $1 AND provider = $2 GROUP BY kind
"""
_CURSOR = "SELECT up_to FROM accounting_cursors WHERE workspace_id = $1 AND provider = $2 AND kind = $3"
_SET_CURSOR = """
INSERT INTO accounting_cursors AS known (workspace_id, provider, kind, up_to) VALUES ($1, $2, $3, $4)
ON CONFLICT (workspace_id, provider, kind) DO UPDATE SET up_to = greatest(known.up_to, excluded.up_to)
"""
_LATEST_CURSOR = """
SELECT max(up_to) FROM accounting_cursors WHERE workspace_id = $1 AND provider = $2 AND kind <> 'incoming'
"""


async def find(session: Session, provider: str, kind: str, resource_ids: Collection[str]) -> dict[str, Link]:
    """By our id."""
    rows = await session.fetch(_FIND, session.call.workspace_id, provider, kind, list(resource_ids))
    return {row["resource_id"]: Link(**row) for row in rows}


async def find_external(session: Session, provider: str, kind: str, external_ids: Collection[str]) -> dict[str, Link]:
    """By their id."""
    rows = await session.fetch(_FIND_EXTERNAL, session.call.workspace_id, provider, kind, list(external_ids))
    return {row["external_id"]: Link(**row) for row in rows}


async def find_parts(session: Session, provider: str, kind: str, external_id: str) -> list[Link]:
    """Of what has parts there: the link of each."""
    rows = await session.fetch(_FIND_PARTS, session.call.workspace_id, provider, kind, external_id)
    return [Link(**row) for row in rows]


async def put(work: UnitOfWork, provider: str, kind: str, link: Link) -> None:
    known: tuple[Any, ...] = (link.resource_id, link.external_id, link.incoming, link.sent, link.version)
    await work.execute(_PUT, work.call.workspace_id, provider, kind, *known, work.now)


async def counts(session: Session, provider: str) -> dict[str, int]:
    """How many there are of each kind."""
    return {row["kind"]: row["count"] for row in await session.fetch(_COUNT, session.call.workspace_id, provider)}


async def cursor(session: Session, provider: str, kind: str) -> datetime | None:
    found: datetime | None = await session.fetchval(_CURSOR, session.call.workspace_id, provider, kind)
    return found


async def set_cursor(work: UnitOfWork, provider: str, kind: str, up_to: datetime) -> None:
    """It never goes back."""
    await work.execute(_SET_CURSOR, work.call.workspace_id, provider, kind, up_to)


async def latest_cursor(session: Session, provider: str) -> datetime | None:
    """Of what goes out."""
    found: datetime | None = await session.fetchval(_LATEST_CURSOR, session.call.workspace_id, provider)
    return found
