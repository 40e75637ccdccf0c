"""What quotes have beside the standard rpcs."""

from collections.abc import Sequence

from google.protobuf.message import Message

from kit.resources.kind import Kind, Row
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import quotes_pb2
from services.ops.billing.handlers import DocumentHandlers
from services.ops.billing.invoices.handlers import InvoiceHandlers
from services.ops.billing.quotes import rules, store


class QuoteHandlers(DocumentHandlers):
    """QuoteService. An acceptance makes an invoice, in the same unit of work."""

    def __init__(self, kind: Kind, kinds: Sequence[Kind], invoices: InvoiceHandlers) -> None:
        super().__init__(kind, kinds)
        self._invoices = invoices

    async def send_quote(self, request: quotes_pb2.SendQuoteRequest, work: UnitOfWork) -> Message:
        return await self.change(work, request.id, rules.send)

    async def accept_quote(self, request: quotes_pb2.AcceptQuoteRequest, work: UnitOfWork) -> Message:
        by, digest, name = work.call.principal.subject, request.terms_digest, request.accepted_by
        return await self.change(
            work, request.id, lambda quote: rules.accept(quote, digest=digest, name=name, by=by, now=work.now)
        )

    async def reject_quote(self, request: quotes_pb2.RejectQuoteRequest, work: UnitOfWork) -> Message:
        by, reason = work.call.principal.subject, request.reason
        return await self.change(
            work, request.id, lambda quote: rules.reject(quote, reason=reason, by=by, now=work.now)
        )

    async def revise_quote(self, request: quotes_pb2.ReviseQuoteRequest, work: UnitOfWork) -> Message:
        old = dict(self._locked(await self.store.lock(work, request.id), request.id, work))
        rules.check_revisable(old)
        copy = rules.copy_of(old)
        draft = await self.insert(work, copy)
        await self.change(work, request.id, lambda quote: rules.supersede(quote, by_id=copy["id"]))
        return draft

    async def follow(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        if after["status"] == "accepted" and before and before["status"] != "accepted":
            await self._invoices.insert(work, rules.invoice_of(after))

    async def before_delete(self, work: UnitOfWork, row: Row) -> None:
        await super().before_delete(work, row)
        if old := await store.lock_superseded(work, row["id"]):
            await self.amend(work, old, rules.stand_alone)
