"""Invoices whose day has passed: noted and told, each once."""

from datetime import date

from kit.unit_of_work import UnitOfWork
from services.ops.billing.invoices import rules, store
from services.ops.billing.invoices.handlers import InvoiceHandlers
from services.ops.billing.invoices.kind import INVOICES

_MOST = 100
_HANDLERS = InvoiceHandlers(INVOICES, ())


async def mark_overdue(work: UnitOfWork, today: date) -> int:
    """Note in the workspace which invoices are not paid in full and were due before `today` (UTC), and emit
    `invoice.overdue` for each; at most a hundred at a time. Returns how many.

    One without a payment becomes `overdue`; one that is paid in part stays so. Both get `overdueSince`, which is set
    once, and with it the event: a later refund or payment tells nothing anew.
    """
    due = await store.lock_past_due(work, today, _MOST)
    for invoice_id in due:
        await _HANDLERS.change(work, invoice_id, lambda invoice: rules.mark_overdue(invoice, today=today))
    return len(due)
