"""What the calendar brings about: invoices become overdue, quotes expire, contracts are billed.

Any number of instances may run at once. Which workspaces have something due is asked across all of them, with the
database role that may see just that; what is done about it is done in one workspace at a time, by the same rules as a
caller's changes, and each row is locked and looked at again before it changes.
"""

from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial

from kit import clock, ids
from kit.call import Call
from kit.database import DATABASE_ERRORS, Database
from kit.errors import Problem
from kit.identity import Principal
from kit.logs import get_logger
from kit.sweeping import Sweep
from kit.unit_of_work import UnitOfWork, unit_of_work
from services.ops.billing.contracts.recurring import invoice_due_periods
from services.ops.billing.contracts.store import due as due_contracts
from services.ops.billing.invoices.overdue import mark_overdue
from services.ops.billing.quotes.expiry import expire_due

_SERVICE = "ops"
_SUBJECT = "sweep:billing"
_PAUSE_SECONDS = 60
_MOST_CONTRACTS = 1000
_TODAY = "($1::timestamptz AT TIME ZONE 'UTC')::date"

# Columns and conditions as the migrations grant and index them.
_WORKSPACES = f"""
SELECT workspace_id FROM invoices
WHERE status IN ('issued', 'partially_paid') AND overdue_since IS NULL AND balance > 0 AND due_on < {_TODAY}
    AND deleted_at IS NULL
UNION SELECT workspace_id FROM quotes WHERE status = 'sent' AND valid_until < {_TODAY} AND deleted_at IS NULL
UNION SELECT workspace_id FROM contracts
WHERE status = 'active' AND next_invoice_on <= {_TODAY} AND next_invoice_on <= coalesce(ends_on, {_TODAY})
    AND deleted_at IS NULL
UNION SELECT workspace_id FROM contracts
WHERE status IN ('active', 'suspended') AND ends_on < {_TODAY} AND deleted_at IS NULL
ORDER BY workspace_id
"""

log = get_logger(__name__)


def billing_sweep(database: Database, relay_url: str) -> Sweep:
    """The sweep that does it."""
    return Sweep("billing", relay_url, _WORKSPACES, _Biller(database).do_all, pause=_PAUSE_SECONDS)


class _Biller:
    """Trouble with one thing is logged and keeps no other from its turn."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def do_all(self, workspace_id: str) -> bool:
        """Do all that is due today (UTC): nothing is left."""
        today = clock.now().date()
        call = Call(
            method=_SUBJECT,
            principal=Principal(subject=_SUBJECT, workspace_id=workspace_id, service=_SERVICE),
            correlation_id=ids.new_id(),
        )
        await self._tried(call, "overdue invoices", lambda: self._until_none(call, mark_overdue, today))
        await self._tried(call, "expired quotes", lambda: self._until_none(call, expire_due, today))
        await self._tried(call, "contracts", lambda: self._bill_contracts(call, today))
        return False

    async def _bill_contracts(self, call: Call, today: date) -> None:
        async with self._database.read(call) as session:
            contracts = await due_contracts(session, today, _MOST_CONTRACTS)
        for contract_id in contracts:
            await self._tried(call, f"contract {contract_id}", partial(self._bill, call, contract_id, today))

    async def _bill(self, call: Call, contract_id: str, today: date) -> None:
        async with unit_of_work(self._database, call, service=_SERVICE) as work:
            await invoice_due_periods(work, contract_id, today)

    async def _until_none(self, call: Call, step: Callable[[UnitOfWork, date], Awaitable[int]], today: date) -> None:
        done = 1
        while done:
            async with unit_of_work(self._database, call, service=_SERVICE) as work:
                done = await step(work, today)

    async def _tried(self, call: Call, what: str, action: Callable[[], Awaitable[None]]) -> None:
        try:
            await action()
        except (Problem, *DATABASE_ERRORS) as error:
            log.warning("billing sweep failed", what=what, workspace=call.workspace_id, error=str(error))
