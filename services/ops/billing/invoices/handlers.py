"""What invoices have beside the standard rpcs."""

from google.protobuf.message import Message

from kit.errors import Conflict
from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import invoices_pb2
from services.ops.billing.handlers import DocumentHandlers
from services.ops.billing.invoices import billed_time, rules, store
from services.ops.billing.store import client_terms


class InvoiceHandlers(DocumentHandlers):
    """InvoiceService."""

    async def issue_invoice(self, request: invoices_pb2.IssueInvoiceRequest, work: UnitOfWork) -> Message:
        return await self.change(work, request.id, rules.issue)

    async def void_invoice(self, request: invoices_pb2.VoidInvoiceRequest, work: UnitOfWork) -> Message:
        return await self.change(work, request.id, lambda invoice: rules.void(invoice, reason=request.reason))

    async def reissue_invoice(self, request: invoices_pb2.ReissueInvoiceRequest, work: UnitOfWork) -> Message:
        await self.change(work, request.id, lambda invoice: rules.void_for_another(invoice, reason=request.reason))
        voided = self._found(await self.store.lock(work, request.id), request.id)
        return await self.insert(work, rules.copy_of(dict(voided)))

    async def acknowledge_invoice(self, request: invoices_pb2.AcknowledgeInvoiceRequest, work: UnitOfWork) -> Message:
        by = work.call.principal.subject
        return await self.change(work, request.id, lambda invoice: rules.acknowledge(invoice, by=by, now=work.now))

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        if after["status"] == "void" and before and before["status"] != "void":
            await self._refuse_pending(work, after["id"])
        elif after["issued_on"] and after["number"] is None:
            # Before the number, whose counter all invoices of the workspace wait for.
            await billed_time.take(work, after)
            if after["due_on"] is None:
                terms = await client_terms(work, after["client_id"])
                after["due_on"] = rules.due_date(after["issued_on"], terms.payment_days)
            after["number"] = await store.next_number(work)
        elif before is None or any(before[name] != after[name] for name in ("lines", "client_id")):
            await billed_time.check(work, after)

    async def follow(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        if after["status"] == "void" and before and before["status"] != "void":
            await billed_time.give_back(work, after["id"])

    async def book(self, work: UnitOfWork, invoice_id: str) -> None:
        """Bring amount paid, balance and state in line with the payments. The caller holds the invoice's row; If-Match
        is about the payment, not about the invoice."""
        before = dict(self._found(await self.store.lock(work, invoice_id), invoice_id))
        after = dict(before)
        rules.book(after, amount_paid=(await store.received(work, invoice_id)).paid)
        self.kind.rules(before, after, work.now)
        if after != before:
            await self._write(self.store.update, work, before, after)

    async def _refuse_pending(self, work: UnitOfWork, invoice_id: str) -> None:
        if (await store.received(work, invoice_id)).pending:
            raise Conflict(
                "A payment on the invoice is pending; wait for it, withdraw or fail it.", code="payment-pending"
            )
