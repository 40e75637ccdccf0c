"""How quotes are sent and answered."""

from datetime import datetime, timedelta
from typing import Any

from opsfield.ops.v1.invoices_pb2 import Invoice, ListInvoicesRequest
from opsfield.ops.v1.quotes_pb2 import (
    AcceptQuoteRequest,
    Quote,
    QuoteLine,
    RejectQuoteRequest,
    ReviseQuoteRequest,
    SendQuoteRequest,
)
from services.ops.demo.billing_invoices import CLERK, Action, Invoices, Plan
from services.ops.demo.content_billing import price_in
from services.ops.demo.content_clients import CLIENTS, VAT, DemoClient
from services.ops.demo.content_directory import DemoContact, contacts
from services.ops.demo.content_quotes import DemoQuote
from services.ops.demo.loader import Facts, Story

_DAY = timedelta(days=1)


class Quotes:
    """Does things with quotes; what follows later is put on the agenda."""

    def __init__(self, story: Story, plan: Plan, invoices: Invoices) -> None:
        self._story = story
        self._plan = plan
        self._invoices = invoices

    def plan_quote(self, demo: DemoQuote, number: int, client: int, facts: Facts, now: datetime) -> None:
        """All of a quote, from its draft to the answer."""
        born = now - demo.age * _DAY
        valid_until = (born + demo.valid_days * _DAY).date().isoformat()
        message = Quote(
            client_id=facts["client"],
            title=demo.title,
            lines=[_line(CLIENTS[client], each) for each in demo.lines],
            terms="Prices hold until the last day named. Delivery within three weeks of acceptance.",
            valid_until=valid_until,
        )

        async def offer(at: datetime) -> None:
            made: Any = await self._story.create(message, at=at, by=CLERK)
            if demo.outcome == "draft":
                return
            sent: Any = await self._story.do(SendQuoteRequest(id=made.id), at=at + timedelta(hours=1), by=CLERK)
            answered = at + demo.answered_after * _DAY
            match demo.outcome:
                case "accepted":
                    # The latest ones are not invoiced yet.
                    bills = number < 8
                    self._plan(answered, self._accepting(sent, contacts(client)[0], bills=bills))
                case "rejected":
                    self._plan(answered, self._rejecting(sent.id, demo.reason or "Not now.", contacts(client)[0].email))
                case "revised":
                    self._plan(answered, self._revising(sent.id))

        self._plan(born, offer)

    def _accepting(self, sent: Any, person: DemoContact, *, bills: bool) -> Action:
        async def accept(at: datetime) -> None:
            request = AcceptQuoteRequest(id=sent.id, terms_digest=sent.terms_digest, accepted_by=person.name)
            await self._story.do(request, at=at, by=person.email)
            if bills:
                drafts = ListInvoicesRequest(client_id=sent.client_id, status=Invoice.DRAFT, limit=200)
                listed: Any = await self._story.do(drafts, at=at, by=CLERK)
                made = next(each.id for each in listed.data if each.quote_id == sent.id)
                self._plan(at + 3 * _DAY, self._invoices.issuing(made))

        return accept

    def _rejecting(self, quote_id: str, reason: str, by: str) -> Action:
        async def reject(at: datetime) -> None:
            await self._story.do(RejectQuoteRequest(id=quote_id, reason=reason), at=at, by=by)

        return reject

    def _revising(self, quote_id: str) -> Action:
        async def revise(at: datetime) -> None:
            draft: Any = await self._story.do(ReviseQuoteRequest(id=quote_id), at=at, by=CLERK)
            changes = Quote(valid_until=(at + 60 * _DAY).date().isoformat())
            for line in draft.lines:
                changes.lines.add(
                    description=line.description,
                    quantity=line.quantity,
                    unit_price=line.unit_price,
                    tax_percent=line.tax_percent,
                    discount_percent="5",
                    optional=line.optional,
                    recurring=line.recurring,
                )
            await self._story.change(draft.id, changes, at=at + timedelta(minutes=20), by=CLERK)
            await self._story.do(SendQuoteRequest(id=draft.id), at=at + timedelta(minutes=25), by=CLERK)

        return revise


def _line(client: DemoClient, line: tuple[str, int, str, str, bool]) -> QuoteLine:
    description, quantity, price, recurring, is_optional = line
    return QuoteLine(
        description=description,
        quantity=str(quantity),
        unit_price=price_in(client, price),
        tax_percent=VAT[client.country],
        recurring=recurring,
        optional=is_optional,
    )
