"""What was recorded there comes in: payments become payments of ops, once each; what else has changed there is
compared."""

from dataclasses import dataclass, replace
from itertools import groupby

from kit.database import Database
from kit.errors import Problem
from opsfield.ops.v1.invoices_pb2 import Invoice
from opsfield.ops.v1.payments_pb2 import Payment
from services.integrations.accounting import conflicts, links, rules
from services.integrations.accounting.outcome import Outcome
from services.integrations.accounting.port import Books, Changes, Incoming, InvoiceThere, Link
from services.integrations.jobs import callers
from services.integrations.jobs.store import Job
from services.integrations.ops_client import OpsClient


@dataclass
class Taking:
    """For one step."""

    job: Job
    database: Database
    ops: OpsClient
    books: Books
    outcome: Outcome

    async def take(self, changes: Changes) -> None:
        for found in changes.invoices:
            await self._compare(found)
        for (source, payment), parts in groupby(changes.payments, rules.payment_of):
            told = [each for each in parts if not each.is_deleted]
            if source == self.books.name:
                await self._end(payment, {each.external_id for each in told})
            for each in told:
                await self.take_payment(each)

    async def take_payment(self, found: Incoming) -> None:
        """Raises Unavailable, and the problem of ops where the same may be taken later."""
        link = await self._link(found.source, "payments", found.external_id)
        if link is not None:
            self._compare_payment(link, found)
            return
        if found.is_ours:
            # It was sent, and the step not recorded: whoever sends it again finds it.
            return
        if found.problem is not None:
            self._differs(found, "row-unreadable", found.problem)
            return
        invoice = await self._invoice_of(found)
        if invoice is None:
            # Of an invoice that is none of ours, unless it says that it is.
            if found.invoice_number is not None:
                self._differs(found, "invoice-unknown", f"There is no invoice {found.invoice_number}.")
            return
        if found.currency and found.currency.upper() != invoice.currency:
            message = f"The invoice {invoice.number} is in {invoice.currency}."
            self._differs(found, "currency-differs", message, ours=f"{invoice.balance} {invoice.currency}")
            return
        try:
            payment_id = await self._booked(found) or await self._book(found, invoice)
        except Problem as problem:
            if problem.status >= 500 or problem.retry_after is not None:
                raise
            self._differs(found, problem.code, problem.detail, ours=f"{invoice.balance} {invoice.currency}")
            return
        self.outcome.done += 1
        self.outcome.solve("incoming", found.external_id)
        taken = Link(
            payment_id, found.external_id, rules.taken_as_sent(found, invoice.id, invoice.total), incoming=True
        )
        self.outcome.link(found.source, "payments", taken, is_new=True)

    async def _end(self, payment: str, told: set[str]) -> None:
        """What was known of the payment and is not told any more: it was deleted, or is for another invoice by now.
        What of that has not come in yet never will."""
        async with self.database.read(callers.of_job(self.job)) as session:
            parts = await links.find_parts(session, self.books.name, "payments", payment)
            waiting = await conflicts.incoming(session, self.books.name, payment)
        for part in parts:
            if part.external_id not in told:
                self._compare_payment(part, Incoming(self.books.name, part.external_id, is_deleted=True))
        self.outcome.solve("incoming", *(waiting - told))

    async def _booked(self, found: Incoming) -> str | None:
        """The payment that became of it before: the step may not have been recorded, and ops forgets keys."""
        return await self.ops.payment_of(self.job, found.source, found.external_id)

    async def _book(self, found: Incoming, invoice: Invoice) -> str:
        payment = Payment(
            invoice_id=invoice.id,
            amount=found.amount,
            status=Payment.SUCCEEDED,
            method=Payment.BANK_TRANSFER,
            provider=found.source,
            provider_payment_id=found.external_id,
            received_on=found.received_on,
            reference=found.reference or None,
        )
        return await self.ops.book_payment(self.job, payment)

    async def _invoice_of(self, found: Incoming) -> Invoice | None:
        if found.invoice_number is not None:
            return await self.ops.invoice_numbered(self.job, found.invoice_number)
        link = await self._link(self.books.name, "invoices", found.invoice_external_id or "")
        return await self.ops.invoice(self.job, link.resource_id) if link else None

    def _compare_payment(self, link: Link, found: Incoming) -> None:
        # What the bank has told does not change; a row that is told again is the same.
        difference = None if found.source != self.books.name else rules.payment_difference(link, found)
        self.outcome.done += 1
        if difference is not None:
            self.outcome.differs(difference)
        else:
            self.outcome.solve("payments", rules.there(link), link.resource_id)
            self.outcome.solve("incoming", found.external_id)
        if link.incoming and found.source == self.books.name:
            sent = {**link.sent, "there": str(rules.amount_there(found))}
            self.outcome.note(found.source, "payments", replace(link, sent=sent))

    async def _compare(self, found: InvoiceThere) -> None:
        link = await self._link(self.books.name, "invoices", found.external_id)
        if link is None:
            return
        self.outcome.done += 1
        if difference := rules.invoice_difference(link, found):
            self.outcome.differs(difference)
        else:
            self.outcome.solve("invoices", rules.there(link))

    def _differs(self, found: Incoming, code: str, message: str, ours: str | None = None) -> None:
        self.outcome.done += 1
        self.outcome.differs(rules.incoming_difference(found, code, message, ours))

    async def _link(self, provider: str, kind: str, external_id: str) -> Link | None:
        for (of, which, _), link in self.outcome.links.items():
            if (of, which, link.external_id) == (provider, kind, external_id):
                return link
        async with self.database.read(callers.of_job(self.job)) as session:
            return (await links.find_external(session, provider, kind, [external_id])).get(external_id)
