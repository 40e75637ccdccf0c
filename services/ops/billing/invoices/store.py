"""The SQL of invoices beyond the standard one."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kit.unit_of_work import UnitOfWork

_NEXT_NUMBER = """
INSERT INTO invoice_counters AS counter (workspace_id, last) VALUES ($1, 1)
ON CONFLICT (workspace_id) DO UPDATE SET last = counter.last + 1 RETURNING last
"""
_PAID = """
SELECT coalesce(sum(amount - amount_refunded) FILTER (WHERE status IN ('succeeded', 'refunded')), 0) AS paid,
    coalesce(sum(amount) FILTER (WHERE status = 'pending'), 0) AS pending
FROM payments
WHERE workspace_id = $1 AND invoice_id = $2 AND deleted_at IS NULL AND id IS DISTINCT FROM $3
"""
_PAST_DUE = """
SELECT id FROM invoices
WHERE workspace_id = $1 AND status IN ('issued', 'partially_paid') AND overdue_since IS NULL AND balance > 0
    AND due_on < $2 AND deleted_at IS NULL
ORDER BY due_on, id LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_PERIOD_BILLED = "SELECT true FROM invoices WHERE workspace_id = $1 AND contract_id = $2 AND period_start = $3 LIMIT 1"


@dataclass(frozen=True)
class Received:
    """On an invoice: what has succeeded, less refunds, and what is under way."""

    paid: Decimal
    pending: Decimal


async def next_number(work: UnitOfWork) -> str:
    """The workspace's next invoice number. The counter stays locked until the unit of work ends, and goes back with
    it: numbers have no gaps."""
    number: int = await work.fetchval(_NEXT_NUMBER, work.call.workspace_id)
    return f"INV-{number:06d}"


async def received(work: UnitOfWork, invoice_id: str, *, without: str | None = None) -> Received:
    """What its payments come to, but for the payment `without`. The caller holds the invoice's row."""
    record = await work.fetchrow(_PAID, work.call.workspace_id, invoice_id, without)
    assert record is not None
    return Received(Decimal(record["paid"]), Decimal(record["pending"]))


async def lock_past_due(work: UnitOfWork, today: date, most: int) -> list[str]:
    """Ids of invoices whose day has passed, not noted yet, longest due first; held until the unit of work ends. Those
    that someone else holds are left for another time."""
    return [record["id"] for record in await work.fetch(_PAST_DUE, work.call.workspace_id, today.isoformat(), most)]


async def is_billed(work: UnitOfWork, contract_id: str, period_start: str) -> bool:
    """Whether there is, or was, an invoice of that period. The caller holds the contract's row."""
    return bool(await work.fetchval(_PERIOD_BILLED, work.call.workspace_id, contract_id, period_start))
