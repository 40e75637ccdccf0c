"""The invoices of a contract's periods: one each, however often and by however many this is run."""

from datetime import date

from kit.resources.handlers import ResourceHandlers
from kit.unit_of_work import UnitOfWork
from services.ops.billing.contracts import rules
from services.ops.billing.contracts.kind import CONTRACTS
from services.ops.billing.invoices import rules as invoice_rules
from services.ops.billing.invoices.handlers import InvoiceHandlers
from services.ops.billing.invoices.kind import INVOICES
from services.ops.billing.invoices.store import is_billed

# Periods of one contract in one unit of work; what is left comes with the next run.
_MOST = 24
_CONTRACTS = ResourceHandlers(CONTRACTS, ())
_INVOICES = InvoiceHandlers(INVOICES, ())
_PROGRESS = ("status", "ends_on", "next_invoice_on", "renewal_count")


async def invoice_due_periods(work: UnitOfWork, contract_id: str, today: date) -> list[str]:
    """Bill the periods of a contract that have begun by `today` (UTC), each by one invoice: a draft, or issued where
    the contract says so. Then, when its last day has passed, renew the contract or let it expire. Returns the ids of
    the invoices that were made.

    The contract's row is held meanwhile, so that two runs queue; `invoices_period`, unique, stands behind that. A
    contract that is not active, or not there, gives none.
    """
    record = await _CONTRACTS.store.lock(work, contract_id)
    if record is None or record["status"] in ("draft", *rules.OVER):
        return []
    contract, made, left = dict(record), [], _MOST
    while left:
        while left and contract["status"] == "active" and rules.is_due(contract, today=today):
            left -= 1
            if contract["lines"] and not await is_billed(work, contract_id, contract["next_invoice_on"]):
                made.append(await _invoice(work, contract))
            rules.advance(contract)
        before = dict(contract)
        if left:
            rules.renew_or_expire(contract, today=today)
        if contract == before:
            break
    progress = {name: contract[name] for name in _PROGRESS}
    await _CONTRACTS.change(work, contract_id, lambda row: row.update(progress))
    return made


async def _invoice(work: UnitOfWork, contract: rules.Contract) -> str:
    row = rules.invoice_of(contract)
    await _INVOICES.insert(work, row)
    invoice_id: str = row["id"]
    if contract["auto_issue"]:
        await _INVOICES.change(work, invoice_id, invoice_rules.issue)
    return invoice_id
