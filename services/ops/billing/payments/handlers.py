"""What payments have beside the standard rpcs: the invoice that they pay.

Whatever changes a payment locks its invoice first and the payment then, always in this order, so that two payments of
one invoice queue and neither deadlocks nor pays what the other has paid.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import asyncpg
from google.protobuf.message import Message

from kit.errors import Conflict, FieldError, Invalid
from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Kind, Row
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import payments_pb2
from services.ops.billing import money
from services.ops.billing.invoices.handlers import InvoiceHandlers
from services.ops.billing.invoices.rules import PAYABLE
from services.ops.billing.invoices.store import received
from services.ops.billing.payments import rules


class PaymentHandlers(ResourceHandlers):
    """PaymentService."""

    def __init__(self, kind: Kind, kinds: Sequence[Kind], invoices: InvoiceHandlers) -> None:
        super().__init__(kind, kinds)
        self._invoices = invoices

    async def refund_payment(self, request: payments_pb2.RefundPaymentRequest, work: UnitOfWork) -> Message:
        by = work.call.principal.subject
        return await self.change(
            work,
            request.id,
            lambda payment: rules.refund(payment, amount=request.amount, reason=request.reason, by=by, now=work.now),
        )

    async def delete(self, request: Any, work: UnitOfWork) -> Message:
        await self._lock_invoice_of(work, request.id)
        return await super().delete(request, work)

    async def insert(self, work: UnitOfWork, row: Row) -> Message:
        invoice = await self._lock_invoice(work, row["invoice_id"])
        if invoice["status"] not in PAYABLE:
            raise Conflict(
                f"The invoice is {invoice['status']}; only {', '.join(sorted(PAYABLE))} ones are paid.",
                code="invoice-not-payable",
            )
        row["client_id"] = invoice["client_id"]
        row["currency"] = row["currency"] or invoice["currency"]
        if row["currency"] != invoice["currency"]:
            raise Invalid.fields(FieldError("currency", f"must be the invoice's, {invoice['currency']}"))
        return await super().insert(work, row)

    async def edit(self, work: UnitOfWork, resource_id: str, apply: Callable[[Row], None]) -> Message:
        def by_hand(payment: Row) -> None:
            before = dict(payment)
            apply(payment)
            rules.check_by_hand(before, payment)

        return await self.change(work, resource_id, by_hand)

    async def change(self, work: UnitOfWork, resource_id: str, apply: Callable[[Row], None]) -> Message:
        await self._lock_invoice_of(work, resource_id)
        return await super().change(work, resource_id, apply)

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        if before is not None and rules.committed(after) <= rules.committed(before):
            return
        invoice = await self._lock_invoice(work, after["invoice_id"])
        others = await received(work, after["invoice_id"], without=after["id"])
        left = Decimal(invoice["total"]) - others.paid - others.pending
        if rules.committed(after) > left:
            raise Conflict(
                f"The invoice has {money.written(left, invoice['currency'])} {invoice['currency']} left to pay, "
                "less what is pending.",
                code="exceeds-balance",
            )

    async def follow(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        await self._invoices.book(work, after["invoice_id"])

    async def before_delete(self, work: UnitOfWork, row: Row) -> None:
        rules.check_by_hand(row, None)
        if row["status"] in rules.RECEIVED:
            raise Conflict(
                f"A payment that is {row['status']} is kept; money is given back by a refund.", code="payment-kept"
            )

    async def _lock_invoice(self, work: UnitOfWork, invoice_id: str) -> asyncpg.Record:
        invoice = await self._invoices.store.lock(work, invoice_id)
        if invoice is None:
            raise Invalid.fields(FieldError("invoiceId", "names nothing among this workspace's invoices"))
        return invoice

    async def _lock_invoice_of(self, work: UnitOfWork, payment_id: str) -> None:
        # Which invoice it is never changes, so that the payment need not be locked to know it.
        payment = self._found(await self.store.get(work, payment_id), payment_id)
        await self._lock_invoice(work, payment["invoice_id"])
