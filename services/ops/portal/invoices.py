"""PortalInvoiceService: invoices and payments for clients' people to read, acknowledge and begin."""

from decimal import Decimal

from kit import ids
from kit.database import Session
from kit.errors import Conflict
from kit.resources.convert import row_of
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import portal_invoices_pb2 as pb2
from opsfield.ops.v1.payments_pb2 import Payment
from services.ops.billing import money
from services.ops.billing.invoices import rules as invoice_rules
from services.ops.billing.invoices.handlers import InvoiceHandlers
from services.ops.billing.invoices.store import received
from services.ops.billing.payments.handlers import PaymentHandlers
from services.ops.billing.payments.kind import PAYMENTS
from services.ops.billing.payments.rules import portal_reference
from services.ops.portal import rules
from services.ops.portal.views import INVOICE_ROWS, PAYMENT_ROWS


class PortalInvoiceHandlers:
    """What changes goes through `invoices` and `payments`, so by the books' own rules."""

    def __init__(self, invoices: InvoiceHandlers, payments: PaymentHandlers) -> None:
        self._invoices = invoices
        self._payments = payments

    async def list_portal_invoices(
        self, request: pb2.ListPortalInvoicesRequest, session: Session
    ) -> pb2.ListPortalInvoicesResponse:
        page: pb2.ListPortalInvoicesResponse = await INVOICE_ROWS.page(request, session)
        return page

    async def get_portal_invoice(self, request: pb2.GetPortalInvoiceRequest, session: Session) -> pb2.PortalInvoice:
        invoice: pb2.PortalInvoice = await INVOICE_ROWS.get(session, request.id)
        return invoice

    async def list_portal_payments(
        self, request: pb2.ListPortalPaymentsRequest, session: Session
    ) -> pb2.ListPortalPaymentsResponse:
        page: pb2.ListPortalPaymentsResponse = await PAYMENT_ROWS.page(request, session)
        return page

    async def acknowledge_portal_invoice(
        self, request: pb2.AcknowledgePortalInvoiceRequest, work: UnitOfWork
    ) -> pb2.PortalInvoice:
        await INVOICE_ROWS.row(work, request.id)
        by, now = work.call.principal.subject, work.now
        await self._invoices.change(work, request.id, lambda row: invoice_rules.acknowledge(row, by=by, now=now))
        invoice: pb2.PortalInvoice = await INVOICE_ROWS.get(work, request.id)
        return invoice

    async def begin_portal_payment(self, request: pb2.BeginPortalPaymentRequest, work: UnitOfWork) -> pb2.PortalPayment:
        await INVOICE_ROWS.row(work, request.invoice_id)
        # Held from here on, so that what is left to pay is still so when the payment is written.
        invoice = await self._invoices.lock(work, request.invoice_id)
        payment_id = ids.new_id()
        payment = Payment(
            invoice_id=request.invoice_id,
            amount=request.amount if request.HasField("amount") else await self._left(work, invoice),
            currency=request.currency if request.HasField("currency") else invoice["currency"],
            method=request.method or Payment.BANK_TRANSFER,
            reference=portal_reference(invoice["number"], payment_id),
        )
        await self._payments.insert(work, {**row_of(payment, PAYMENTS.writable), "id": payment_id})
        begun: pb2.PortalPayment = await PAYMENT_ROWS.get(work, payment_id)
        return begun

    async def get_portal_payment(self, request: pb2.GetPortalPaymentRequest, session: Session) -> pb2.PortalPayment:
        payment: pb2.PortalPayment = await PAYMENT_ROWS.get(session, request.id)
        return payment

    async def attach_portal_payment(
        self, request: pb2.AttachPortalPaymentRequest, work: UnitOfWork
    ) -> pb2.PortalPayment:
        provider, known_as = request.provider, request.provider_payment_id
        await self._payments.change(work, request.id, lambda row: rules.attach(row, provider, known_as))
        return await self.get_portal_payment(pb2.GetPortalPaymentRequest(id=request.id), work)

    async def settle_portal_payment(
        self, request: pb2.SettlePortalPaymentRequest, work: UnitOfWork
    ) -> pb2.PortalPayment:
        outcome = pb2.SettlePortalPaymentRequest.Outcome.Name(request.outcome).lower()
        reason = request.failure_reason if request.HasField("failure_reason") else None
        received = (request.amount, request.currency) if outcome == "succeeded" else None

        def settle(row: rules.Row) -> None:
            rules.attach(row, request.provider, request.provider_payment_id)
            rules.settle_payment(row, received=received, reason=reason)

        await self._payments.change(work, request.id, settle)
        return await self.get_portal_payment(pb2.GetPortalPaymentRequest(id=request.id), work)

    async def withdraw_portal_payment(
        self, request: pb2.WithdrawPortalPaymentRequest, work: UnitOfWork
    ) -> pb2.PortalPayment:
        await PAYMENT_ROWS.row(work, request.id)
        by_client = work.call.client_id is not None
        await self._payments.change(work, request.id, lambda row: rules.withdraw(row, by_client=by_client))
        payment: pb2.PortalPayment = await PAYMENT_ROWS.get(work, request.id)
        return payment

    async def _left(self, work: UnitOfWork, invoice: rules.Row) -> str:
        others = await received(work, invoice["id"])
        left = Decimal(invoice["total"]) - others.paid - others.pending
        if invoice["status"] in invoice_rules.PAYABLE and left <= 0:
            raise Conflict("Nothing is left to pay, less what is pending.", code="exceeds-balance")
        return money.written(max(left, money.ZERO), invoice["currency"])
