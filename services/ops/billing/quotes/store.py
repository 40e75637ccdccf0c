"""The SQL of quotes beyond the standard one."""

from datetime import date

from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from services.ops.billing.quotes.kind import QUOTES

_PAST = """
SELECT id FROM quotes
WHERE workspace_id = $1 AND status = 'sent' AND valid_until < $2 AND deleted_at IS NULL
ORDER BY valid_until, id LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_SUPERSEDED = f"""
SELECT {", ".join(QUOTES.columns)} FROM quotes
WHERE workspace_id = $1 AND superseded_by_id = $2 AND deleted_at IS NULL FOR UPDATE
"""


async def lock_past(work: UnitOfWork, today: date, most: int) -> list[str]:
    """Ids of sent quotes whose last day has passed; held until the unit of work ends. Those that someone else holds
    are left for another time."""
    return [record["id"] for record in await work.fetch(_PAST, work.call.workspace_id, today.isoformat(), most)]


async def lock_superseded(work: UnitOfWork, quote_id: str) -> Row | None:
    """The quote whose place that one has taken, held against other changes until the end of the unit of work."""
    record = await work.fetchrow(_SUPERSEDED, work.call.workspace_id, quote_id)
    return dict(record) if record else None
