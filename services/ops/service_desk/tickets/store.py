"""The SQL of tickets beyond the standard one: what ties a ticket to others."""

from kit.unit_of_work import UnitOfWork

_COMMENTED = """
SELECT EXISTS (SELECT FROM ticket_comments WHERE workspace_id = $1 AND ticket_id = $2 AND visibility = 'public')
"""
_TOOK_OVER = """
SELECT EXISTS (SELECT FROM tickets WHERE workspace_id = $1 AND merged_into_id = $2 AND deleted_at IS NULL)
"""
# In one order, so that two that want the same ones do not wait in a ring.
_ALERTS = """
SELECT id FROM alerts WHERE workspace_id = $1 AND ticket_id = $2 AND deleted_at IS NULL ORDER BY id FOR UPDATE
"""


async def has_public_comments(work: UnitOfWork, ticket_id: str) -> bool:
    """Whether something was said on the ticket that the client can read."""
    return bool(await work.fetchval(_COMMENTED, work.call.workspace_id, ticket_id))


async def took_over(work: UnitOfWork, ticket_id: str) -> bool:
    """Whether another ticket was merged into this one."""
    return bool(await work.fetchval(_TOOK_OVER, work.call.workspace_id, ticket_id))


async def lock_alerts(work: UnitOfWork, ticket_id: str) -> list[str]:
    """The ids of the alerts that the ticket answers, held against other changes until the end of the unit of work."""
    return [row["id"] for row in await work.fetch(_ALERTS, work.call.workspace_id, ticket_id)]
