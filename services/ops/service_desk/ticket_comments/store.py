"""The SQL of comments: they are added and listed, never changed."""

import asyncpg

from kit import ids
from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork

_COLUMNS = "id, ticket_id, body, visibility::text AS visibility, from_client, author, created_at"
_INSERT = f"""
INSERT INTO ticket_comments (workspace_id, id, ticket_id, body, visibility, from_client, author, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {_COLUMNS}
"""

LISTING = TableListing("ticket_comments", _COLUMNS, search="lower(body || chr(10) || author)")


async def add_comment(
    work: UnitOfWork, ticket_id: str, *, body: str, visibility: str = "internal", from_client: bool = False
) -> asyncpg.Record:
    """Write a comment of the caller to a ticket that is locked."""
    record = await work.fetchrow(
        _INSERT,
        work.call.workspace_id,
        ids.new_id(),
        ticket_id,
        body,
        visibility,
        from_client,
        work.call.principal.subject,
        work.now,
    )
    assert record is not None
    return record
