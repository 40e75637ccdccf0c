"""PortalQuoteService: quotes for clients' people to read and decide on."""

from kit.database import Session
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import portal_quotes_pb2 as pb2
from services.ops.billing.quotes import rules as quote_rules
from services.ops.billing.quotes.handlers import QuoteHandlers
from services.ops.portal import rules
from services.ops.portal.views import QUOTE_ROWS


class PortalQuoteHandlers:
    """Decisions go through `quotes`: of two at the same instant the row's lock lets one come first, and the other finds
    the quote decided."""

    def __init__(self, quotes: QuoteHandlers) -> None:
        self._quotes = quotes

    async def list_portal_quotes(
        self, request: pb2.ListPortalQuotesRequest, session: Session
    ) -> pb2.ListPortalQuotesResponse:
        page: pb2.ListPortalQuotesResponse = await QUOTE_ROWS.page(request, session)
        return page

    async def get_portal_quote(self, request: pb2.GetPortalQuoteRequest, session: Session) -> pb2.PortalQuote:
        quote: pb2.PortalQuote = await QUOTE_ROWS.get(session, request.id)
        return quote

    async def decide_portal_quote(self, request: pb2.DecidePortalQuoteRequest, work: UnitOfWork) -> pb2.PortalQuote:
        decision = pb2.DecidePortalQuoteRequest.Decision.Name(request.decision).lower()
        reason = request.reason if request.HasField("reason") else None
        rules.needs_reason(decision, reason)
        # A draft is not to be seen: 404.
        await QUOTE_ROWS.row(work, request.id)
        by, digest, now = work.call.principal.subject, request.terms_digest, work.now

        def decide(quote: rules.Row) -> None:
            if decision == "accepted":
                quote_rules.accept(quote, digest=digest, name=request.decided_by, by=by, now=now)
                return
            rules.check_rejection(quote, digest=digest, now=now)
            quote_rules.reject(quote, reason=reason or "", by=by, now=now)

        await self._quotes.change(work, request.id, decide)
        quote: pb2.PortalQuote = await QUOTE_ROWS.get(work, request.id)
        return quote
