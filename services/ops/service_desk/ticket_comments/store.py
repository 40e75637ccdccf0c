"""The SQL of comments: they are added and listed, never changed."""

from typing import Any

import asyncpg

from kit import ids
from kit.database import Session
from kit.paging import Listing, like_pattern
from kit.unit_of_work import UnitOfWork

_COLUMNS = "id, ticket_id, body, visibility::text AS visibility, from_client, author, created_at"
_INSERT = f"""
INSERT INTO ticket_comments (workspace_id, id, ticket_id, body, visibility, from_client, author, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {_COLUMNS}
"""


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


async def page(session: Session, listing: Listing) -> tuple[list[asyncpg.Record], int]:
    """A page of comments, and how many match in all."""
    conditions, arguments = ["workspace_id = $1"], list[Any]([session.call.workspace_id])
    for name, value in listing.values.items():
        arguments.append(value)
        conditions.append(f"{name} = ${len(arguments)}")
    if listing.q:
        arguments.append(like_pattern(listing.q))
        conditions.append(f"(lower(body) LIKE ${len(arguments)} OR lower(author) LIKE ${len(arguments)})")
    condition = " AND ".join(conditions)
    rows = await session.fetch(
        f"SELECT {_COLUMNS} FROM ticket_comments WHERE {condition} "
        f"ORDER BY {listing.sort_by} {listing.direction}, id {listing.direction} "
        f"LIMIT {listing.limit} OFFSET {listing.offset}",
        *arguments,
    )
    total = await session.fetchval(f"SELECT count(*) FROM ticket_comments WHERE {condition}", *arguments)
    return rows, total
