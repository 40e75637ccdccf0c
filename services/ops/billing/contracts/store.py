"""The SQL of contracts beyond the standard one."""

from datetime import date

from kit.database import Session

_DUE = """
SELECT id FROM contracts
WHERE workspace_id = $1 AND deleted_at IS NULL AND (
    (status = 'active' AND next_invoice_on <= least($2::date, ends_on))
    OR (status IN ('active', 'suspended') AND ends_on < $2::date)
)
ORDER BY id LIMIT $3
"""


async def due(session: Session, today: date, most: int) -> list[str]:
    """Ids of contracts of which a period is to be billed, or whose last day has passed."""
    return [record["id"] for record in await session.fetch(_DUE, session.call.workspace_id, today.isoformat(), most)]
