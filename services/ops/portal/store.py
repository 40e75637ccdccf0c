"""The SQL of the portal beside its views."""

from datetime import date
from typing import Any

import asyncpg

from kit.database import Session

_COMMENTS = """
SELECT * FROM (
    SELECT id, body, from_client, created_at FROM ticket_comments
    WHERE workspace_id = $1 AND ticket_id = $2 AND visibility = 'public' ORDER BY created_at DESC, id DESC LIMIT 500
) AS latest ORDER BY created_at, id
"""
_CONTACT = """
SELECT id, client_id, name, email FROM contacts
WHERE workspace_id = $1 AND client_id = $2 AND status = 'active' AND deleted_at IS NULL
    AND (lower(email) = lower($3) OR id = $4)
"""
_TICKETS = """
SELECT status::text AS status, count(*) AS count FROM tickets
WHERE workspace_id = $1 AND ($2::uuid IS NULL OR client_id = $2) AND deleted_at IS NULL GROUP BY status
"""
_RECENT = """
SELECT id, number, subject, status::text AS status, created_at FROM tickets
WHERE workspace_id = $1 AND ($2::uuid IS NULL OR client_id = $2) AND deleted_at IS NULL
ORDER BY created_at DESC, id DESC LIMIT 5
"""
_OWED = """
SELECT currency, count(*) AS unpaid, sum(balance) AS balance,
    count(*) FILTER (WHERE due_on < $3) AS overdue,
    coalesce(sum(balance) FILTER (WHERE due_on < $3), 0) AS overdue_balance, min(due_on) AS next_due_on
FROM invoices
WHERE workspace_id = $1 AND ($2::uuid IS NULL OR client_id = $2) AND status IN ('issued', 'partially_paid', 'overdue')
    AND deleted_at IS NULL
GROUP BY currency ORDER BY currency
"""
_PENDING = """
SELECT count(*) FROM payments
WHERE workspace_id = $1 AND ($2::uuid IS NULL OR client_id = $2) AND status = 'pending' AND deleted_at IS NULL
"""
# A quote that nobody has let expire yet, though its last day has passed, cannot be decided.
_QUOTES = """
SELECT id, number, title, client_id, total, currency, valid_until, sent_at AS created_at, count(*) OVER () AS waiting
FROM quotes
WHERE workspace_id = $1 AND ($2::uuid IS NULL OR client_id = $2) AND status = 'sent' AND valid_until >= $3
    AND deleted_at IS NULL
ORDER BY valid_until, id LIMIT $4
"""
_CHANGES = """
SELECT id, number, title, client_id, planned_start, created_at, count(*) OVER () AS waiting FROM changes
WHERE workspace_id = $1 AND ($2::uuid IS NULL OR client_id = $2) AND client_id IS NOT NULL AND status = 'submitted'
    AND deleted_at IS NULL
ORDER BY planned_start NULLS LAST, id LIMIT $3
"""


async def public_comments(session: Session, ticket_id: str) -> list[asyncpg.Record]:
    """The latest 500, oldest first."""
    return await session.fetch(_COMMENTS, session.call.workspace_id, ticket_id)


async def contact(
    session: Session, client_id: str, *, email: str | None, contact_id: str | None
) -> asyncpg.Record | None:
    """The active contact of the client with this address, in whatever case, or this id."""
    return await session.fetchrow(_CONTACT, session.call.workspace_id, client_id, email, contact_id)


async def ticket_counts(session: Session, client_id: str | None) -> dict[str, int]:
    """By state, those that there are."""
    rows = await session.fetch(_TICKETS, session.call.workspace_id, client_id)
    return {row["status"]: row["count"] for row in rows}


async def recent_tickets(session: Session, client_id: str | None) -> list[asyncpg.Record]:
    return await session.fetch(_RECENT, session.call.workspace_id, client_id)


async def owed(session: Session, client_id: str | None, today: date) -> list[asyncpg.Record]:
    """What is to be paid, by currency; overdue is what was due before `today` (UTC)."""
    return await session.fetch(_OWED, session.call.workspace_id, client_id, today.isoformat())


async def pending_payments(session: Session, client_id: str | None) -> int:
    found: int = await session.fetchval(_PENDING, session.call.workspace_id, client_id)
    return found


async def waiting(
    session: Session, client_id: str | None, today: date, most: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Quotes that can be decided on `today` (UTC), and submitted changes: at most so many of each, those due first.
    `waiting` of a row: how many there are in all."""
    quotes = await session.fetch(_QUOTES, session.call.workspace_id, client_id, today.isoformat(), most)
    changes = await session.fetch(_CHANGES, session.call.workspace_id, client_id, most)
    return [dict(row) for row in quotes], [dict(row) for row in changes]
