"""The SQL of quotes beyond the standard one."""

from datetime import date

from kit.unit_of_work import UnitOfWork

_PAST = """
SELECT id FROM quotes
WHERE workspace_id = $1 AND status = 'sent' AND valid_until < $2 AND deleted_at IS NULL
ORDER BY valid_until, id LIMIT $3 FOR UPDATE SKIP LOCKED
"""


async def lock_past(work: UnitOfWork, today: date, most: int) -> list[str]:
    """Ids of sent quotes whose last day has passed; held until the unit of work ends. Those that someone else holds
    are left for another time."""
    return [record["id"] for record in await work.fetch(_PAST, work.call.workspace_id, today.isoformat(), most)]
