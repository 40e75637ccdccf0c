"""ActionService: each action is one call to ops, under a key made of the caller's. A crash between ops's answer and the
record of it here leads to the same call with the same key, so to the same answer."""

from collections.abc import Mapping
from typing import Any

from kit.errors import FieldError, Forbidden, Invalid
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import portal_invoices_pb2, portal_quotes_pb2, portal_tickets_pb2
from opsfield.ops.v1.payments_pb2 import Payment
from opsfield.portal.v1 import actions_pb2 as pb2
from services.portal.actions import rules
from services.portal.ops_client import OpsClient
from services.portal.payments.providers import Provider, Refused
from services.portal.sessions import store as sessions

_Urgency = pb2.OpenTicketRequest.Urgency


class ActionHandlers:
    """`providers`: of payments, by name; the first is the default."""

    def __init__(self, ops: OpsClient, providers: Mapping[str, Provider]) -> None:
        self._ops = ops
        self._providers = providers

    async def open_portal_ticket(self, request: pb2.OpenTicketRequest, work: UnitOfWork) -> Any:
        session = await sessions.of_caller(work)
        urgency = _Urgency.Name(request.urgency).lower() if request.urgency else None
        asked = portal_tickets_pb2.OpenPortalTicketRequest(
            subject=request.subject,
            description=request.description if request.HasField("description") else None,
            category=request.category if request.HasField("category") else None,
            priority=rules.priority(urgency).upper(),
            contact_id=session["contact_id"] if session else None,
        )
        return await self._do("OpenPortalTicket", asked, work)

    async def answer_portal_ticket(
        self, request: portal_tickets_pb2.AnswerPortalTicketRequest, work: UnitOfWork
    ) -> Any:
        if work.call.client_id is None:
            raise Forbidden("Only the client's people speak for it here.", code="client-missing")
        return await self._do("AnswerPortalTicket", request, work)

    async def decide_portal_quote(self, request: pb2.DecideQuoteRequest, work: UnitOfWork) -> Any:
        session = rules.must_be_approver(await sessions.of_caller(work))
        asked = portal_quotes_pb2.DecidePortalQuoteRequest(
            id=request.id,
            decision=request.decision,
            terms_digest=request.terms_digest,
            reason=request.reason if request.HasField("reason") else None,
            decided_by=session["name"],
        )
        return await self._do("DecidePortalQuote", asked, work)

    async def acknowledge_portal_invoice(
        self, request: portal_invoices_pb2.AcknowledgePortalInvoiceRequest, work: UnitOfWork
    ) -> Any:
        return await self._do("AcknowledgePortalInvoice", request, work)

    async def begin_portal_payment(self, request: pb2.BeginPaymentRequest, work: UnitOfWork) -> pb2.PaymentIntent:
        provider = self._provider(request.provider if request.HasField("provider") else None)
        workspace_id = work.call.workspace_id
        await provider.check(workspace_id)
        asked = portal_invoices_pb2.BeginPortalPaymentRequest(
            invoice_id=request.id,
            amount=request.amount if request.HasField("amount") else None,
            currency=request.currency if request.HasField("currency") else None,
            method=provider.method,
        )
        payment = await self._do("BeginPortalPayment", asked, work)
        try:
            begun = await provider.begin(workspace_id, payment)
        except Refused as refusal:
            # What will never be paid holds nothing of the balance. Asked again, the same happens again, once.
            withdrawn = portal_invoices_pb2.WithdrawPortalPaymentRequest(id=payment.id)
            await self._ops.do("WithdrawPortalPayment", withdrawn, work.call, step="/withdraw")
            raise refusal.problem from refusal
        if begun.provider_payment_id is not None:
            known = portal_invoices_pb2.AttachPortalPaymentRequest(
                id=payment.id, provider=provider.name, provider_payment_id=begun.provider_payment_id
            )
            payment = await self._ops.do("AttachPortalPayment", known, work.call, step="/attach")
        return pb2.PaymentIntent(
            payment=payment,
            provider=provider.name,
            instructions=begun.instructions,
            client_secret=begun.client_secret,
            publishable_key=begun.publishable_key,
        )

    async def withdraw_portal_payment(
        self, request: portal_invoices_pb2.WithdrawPortalPaymentRequest, work: UnitOfWork
    ) -> Any:
        asked = portal_invoices_pb2.GetPortalPaymentRequest(id=request.id)
        payment = await self._ops.read("GetPortalPayment", asked, work.call)
        if payment.status == Payment.PENDING and payment.provider in self._providers:
            # First where the money would come from: once it is withdrawn here, none may come.
            try:
                await self._providers[payment.provider].cancel(work.call.workspace_id, payment)
            except Refused as refusal:
                raise refusal.problem from refusal
        return await self._do("WithdrawPortalPayment", request, work)

    async def _do(self, rpc: str, request: Any, work: UnitOfWork) -> Any:
        return await self._ops.do(rpc, request, work.call)

    def _provider(self, name: str | None) -> Provider:
        if name is None:
            return next(iter(self._providers.values()))
        if name not in self._providers:
            raise Invalid.fields(FieldError("provider", f"must be one of {', '.join(self._providers)}"))
        return self._providers[name]
