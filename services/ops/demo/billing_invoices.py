"""How invoices come about and are paid."""

import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from opsfield.ops.v1.invoices_pb2 import (
    AcknowledgeInvoiceRequest,
    GetInvoiceRequest,
    Invoice,
    IssueInvoiceRequest,
    ReissueInvoiceRequest,
)
from opsfield.ops.v1.payments_pb2 import Payment, RefundPaymentRequest
from services.ops.billing.money import minor_digits
from services.ops.demo.content_billing import DemoInvoice, fate
from services.ops.demo.loader import Story

CLERK = "nora.keane"
Action = Callable[[datetime], Awaitable[None]]
Plan = Callable[[datetime, Action], None]
_DAY = timedelta(days=1)
# Which of the paid invoices, counted, are paid with detours.
_FAILS, _IS_REFUNDED = 5, 11
_METHODS = ("BANK_TRANSFER", "CARD", "DIRECT_DEBIT", "CHEQUE", "CASH")
_OFTEN = (60, 22, 13, 4, 1)


class Invoices:
    """Does things with invoices; what follows later is put on the agenda."""

    def __init__(self, story: Story, plan: Plan, choose: random.Random) -> None:
        self._story = story
        self._plan = plan
        self._choose = choose
        self._paid = 0

    def selling(self, client_id: str, demo: DemoInvoice) -> Action:
        """An invoice for something sold once."""

        async def sell(at: datetime) -> None:
            message = Invoice(client_id=client_id, lines=demo.lines, terms="Payable without deduction by the due date.")
            made: Any = await self._story.create(message, at=at, by=CLERK)
            if demo.fate == "draft":
                return
            await self._story.do(IssueInvoiceRequest(id=made.id), at=at + timedelta(minutes=3), by=CLERK)
            if demo.fate == "reissued":
                self._plan(at + 2 * _DAY, self._reissuing(made.id))
            else:
                self.plan_payment(made.id, at, demo.fate)

        return sell

    def issuing(self, invoice_id: str) -> Action:
        """A draft goes out."""

        async def issue(at: datetime) -> None:
            await self._story.do(IssueInvoiceRequest(id=invoice_id), at=at, by=CLERK)
            self.plan_payment(invoice_id, at)

        return issue

    def plan_payment(self, invoice_id: str, issued: datetime, how: str | None = None) -> None:
        """Decide how an invoice is paid, if at all."""
        how = how or fate(self._choose)
        days = {"paid": self._choose.uniform(1, 13), "late": self._choose.uniform(33, 58)}
        if self._choose.random() < 0.3:
            self._plan(issued + self._choose.uniform(0.1, 2) * _DAY, self._acknowledging(invoice_id))
        if how in days:
            self._plan(issued + days[how] * _DAY, self._paying(invoice_id))
        elif how == "partial":
            self._plan(issued + self._choose.uniform(4, 12) * _DAY, self._paying_half(invoice_id))
        elif how == "pending":
            self._plan(issued + 8.7 * _DAY, self._beginning(invoice_id))

    def _acknowledging(self, invoice_id: str) -> Action:
        async def acknowledge(at: datetime) -> None:
            await self._story.do(AcknowledgeInvoiceRequest(id=invoice_id), at=at, by="portal")

        return acknowledge

    def _reissuing(self, invoice_id: str) -> Action:
        async def reissue(at: datetime) -> None:
            request = ReissueInvoiceRequest(id=invoice_id, reason="Issued to the wrong cost centre.")
            made: Any = await self._story.do(request, at=at, by=CLERK)
            await self._story.do(IssueInvoiceRequest(id=made.id), at=at + timedelta(minutes=9), by=CLERK)
            self.plan_payment(made.id, at, "paid")

        return reissue

    def _paying(self, invoice_id: str) -> Action:
        async def pay(at: datetime) -> None:
            self._paid += 1
            invoice = await self._invoice(invoice_id, at)
            if self._paid == _FAILS:
                await self._fail(invoice, at)
            elif self._paid == _IS_REFUNDED:
                await self._refund(invoice, at)
            else:
                await self._settle(invoice, at)

        return pay

    def _paying_half(self, invoice_id: str) -> Action:
        async def pay_half(at: datetime) -> None:
            invoice = await self._invoice(invoice_id, at)
            unit = Decimal(1).scaleb(-minor_digits(invoice.currency))
            half = (Decimal(invoice.balance) / 2).quantize(unit, ROUND_HALF_UP)
            await self._pay(invoice, "SUCCEEDED", "BANK_TRANSFER", at, amount=str(half))

        return pay_half

    def _beginning(self, invoice_id: str) -> Action:
        async def begin(at: datetime) -> None:
            await self._pay(await self._invoice(invoice_id, at), "PENDING", "DIRECT_DEBIT", at)

        return begin

    async def _fail(self, invoice: Any, at: datetime) -> None:
        """The first try is refused, a transfer follows."""
        begun = await self._pay(invoice, "PENDING", "CARD", at)
        failed = Payment(status="FAILED", failure_reason="card_declined: insufficient funds")
        await self._story.change(begun.id, failed, at=at + timedelta(minutes=1), by="stripe")
        await self._settle(invoice, at + timedelta(hours=2), "BANK_TRANSFER")

    async def _refund(self, invoice: Any, at: datetime) -> None:
        """Paid with the wrong card, given back, paid again."""
        paid = await self._settle(invoice, at, "CARD")
        request = RefundPaymentRequest(id=paid.id, amount=paid.amount, reason="Charged to a private card by mistake.")
        await self._story.do(request, at=at + timedelta(hours=1), by=CLERK)
        await self._settle(invoice, at + timedelta(hours=3), "BANK_TRANSFER")

    async def _settle(self, invoice: Any, at: datetime, method: str | None = None) -> Any:
        method = method or self._choose.choices(_METHODS, _OFTEN)[0]
        return await self._pay(invoice, "SUCCEEDED", method, at)

    async def _pay(self, invoice: Any, status: str, method: str, at: datetime, *, amount: str | None = None) -> Any:
        by_card = method == "CARD"
        message = Payment(
            invoice_id=invoice.id,
            amount=amount or invoice.balance,
            status=status,
            method=method,
            reference=None if by_card else f"{invoice.number} {method.lower().replace('_', ' ')}",
            provider="stripe" if by_card else None,
            provider_payment_id=f"pi_demo_{self._choose.randrange(16**12):012x}" if by_card else None,
        )
        return await self._story.create(message, at=at, by="stripe" if by_card else CLERK)

    async def _invoice(self, invoice_id: str, at: datetime) -> Any:
        return await self._story.do(GetInvoiceRequest(id=invoice_id), at=at, by=CLERK)
