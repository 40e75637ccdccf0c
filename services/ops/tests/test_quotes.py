"""Quotes: fixed once sent, decided once."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from kit import clock
from kit.call import Call
from kit.database import Database
from kit.errors import Problem
from kit.identity import Principal
from kit.unit_of_work import unit_of_work
from opsfield.ops.v1.invoices_pb2 import Invoice, ListInvoicesRequest
from opsfield.ops.v1.quotes_pb2 import AcceptQuoteRequest, Quote, QuoteLine
from services.ops.billing.invoices.handlers import InvoiceHandlers
from services.ops.billing.invoices.kind import INVOICES
from services.ops.billing.quotes.expiry import expire_due
from services.ops.billing.quotes.handlers import QuoteHandlers
from services.ops.billing.quotes.kind import QUOTES
from services.ops.tests.billing import billed
from services.ops.tests.client import Ops
from tests.callers import refused

TODAY = datetime.now(UTC).date()


def line(price: str, **fields: Any) -> QuoteLine:
    return QuoteLine(description="Work", quantity="1", unit_price=price, **fields)


def call_of(workspace: str) -> Call:
    return Call(method="test", principal=Principal("ada", workspace_id=workspace), correlation_id="c")


async def offer(ops: Ops, **fields: Any) -> Quote:
    client = await ops.create_client(currency="EUR")
    lines = [line("100", tax_percent="20"), line("10", recurring=QuoteLine.MONTHLY), line("7", optional=True)]
    content = {"title": "Office", "lines": lines, "valid_until": TODAY.isoformat(), **fields}
    quote: Quote = await billed(ops).create(Quote(client_id=client.id, **content))
    return quote


async def accept(ops: Ops, quote: Quote, **given: str) -> Any:
    fields: dict[str, Any] = {"terms_digest": quote.terms_digest, "accepted_by": "Jo", **given}
    return await billed(ops).act("accept", quote, **fields)


async def invoices(ops: Ops) -> list[Invoice]:
    return list((await billed(ops).call("ListInvoices", ListInvoicesRequest())).data)


@pytest.fixture
async def sent(ops: Ops) -> Quote:
    quote: Quote = await billed(ops).act("send", await offer(ops))
    return quote


async def test_an_accepted_quote_is_one_draft_invoice(ops: Ops, sent: Quote) -> None:
    assert (sent.number, sent.status, sent.total, sent.monthly_total) == ("Q-1001", Quote.SENT, "130.00", "10.00")
    assert len(sent.terms_digest) == 64
    accepted = await accept(ops, sent)
    assert (accepted.status, accepted.accepted_by, accepted.decided_by) == (Quote.ACCEPTED, "Jo", "bill")
    [invoice] = await invoices(ops)
    assert (invoice.status, invoice.quote_id, invoice.total, len(invoice.lines)) == (
        Invoice.DRAFT,
        sent.id,
        "130.00",
        2,
    )


async def test_of_two_decisions_at_once_one_wins_and_the_other_is_told(ops: Ops, sent: Quote) -> None:
    outcomes = await asyncio.gather(*(accept(ops, sent, accepted_by=name) for name in ("Jo", "Al")), billed(ops).act(
        "reject", sent, reason="Too dear."), return_exceptions=True)  # fmt: skip
    lost = [each for each in outcomes if isinstance(each, Problem)]
    assert [each.code for each in lost] == ["quote-decided"] * 2
    now = await billed(ops).get(sent)
    word = "accepted" if now.status == Quote.ACCEPTED else "rejected"
    assert f"was {word} by {now.accepted_by or now.decided_by}" in lost[0].detail
    assert len(await invoices(ops)) == (now.status == Quote.ACCEPTED)


async def test_an_acceptance_is_of_what_was_read_and_in_time(ops: Ops, workspace: str, database: Database) -> None:
    quote = await billed(ops).act("send", await offer(ops))
    async with refused(409, "quote-changed"):
        await accept(ops, quote, terms_digest="0" * 64)
    handlers = QuoteHandlers(QUOTES, (), InvoiceHandlers(INVOICES, ()))
    request = AcceptQuoteRequest(id=quote.id, terms_digest=quote.terms_digest, accepted_by="Jo")
    with clock.at(datetime.now(UTC) + timedelta(days=1)), pytest.raises(Problem) as problem:
        async with unit_of_work(database, call_of(workspace), service="ops") as work:
            await handlers.accept_quote(request, work)
    assert problem.value.code == "quote-expired"
    assert await invoices(ops) == []
    await accept(ops, quote)


async def test_what_is_sent_no_longer_changes(ops: Ops, sent: Quote) -> None:
    for change in ({"title": "x"}, {"terms": "x"}, {"lines": [line("1")]}, {"valid_until": "2099-01-01"}):
        async with refused(409, "quote-immutable"):
            await billed(ops).patch(sent, **change)
    for status in (Quote.ACCEPTED, Quote.REJECTED, Quote.DRAFT):
        async with refused(409, "illegal-transition"):
            await billed(ops).patch(sent, status=status)
    async with refused(409, "quote-not-draft"):
        await billed(ops).delete(sent)
    async with refused(409, "illegal-transition"):
        await billed(ops).act("send", sent)


async def test_what_cannot_be_sent(ops: Ops) -> None:
    quote = await offer(ops, lines=[line("1", optional=True)], valid_until="2020-01-01")
    with pytest.raises(Problem) as problem:
        await billed(ops).act("send", quote)
    assert [each.path for each in problem.value.errors] == ["lines", "validUntil"]
    async with refused(409, "illegal-transition"):
        await accept(ops, quote, terms_digest="x")


async def test_a_rejection_says_why(ops: Ops, sent: Quote) -> None:
    async with refused(422, path="reason"):
        await billed(ops).act("reject", sent)
    rejected = await billed(ops).act("reject", sent, reason="Too dear.")
    assert (rejected.status, rejected.decision_reason) == (Quote.REJECTED, "Too dear.")
    async with refused(409, "quote-decided"):
        await accept(ops, sent)


async def test_a_revision_takes_the_place_of_the_quote(ops: Ops, sent: Quote) -> None:
    revised = await billed(ops).act("revise", sent)
    assert (revised.status, revised.number, revised.total) == (Quote.DRAFT, "Q-1002", sent.total)
    old = await billed(ops).get(sent)
    assert (old.status, old.superseded_by_id) == (Quote.EXPIRED, revised.id)
    async with refused(409, "quote-changed"):
        await accept(ops, sent)
    async with refused(409, "quote-superseded"):
        await billed(ops).act("revise", sent)
    async with refused(409, "illegal-transition"):
        await billed(ops).act("revise", revised)


async def test_a_revision_that_is_deleted_leaves_the_quote_to_be_revised_again(
    ops: Ops, sent: Quote, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    revised = await billed(ops).act("revise", sent)
    superseded = await billed(ops).get(sent)
    async with refused(412, "version-stale"):
        await billed(ops).delete(revised, if_match="7")
    await billed(ops).delete(revised)
    old = await billed(ops).get(sent)
    assert (old.status, old.HasField("superseded_by_id")) == (Quote.EXPIRED, False)
    assert (old.version, old.terms_digest) == (superseded.version + 1, sent.terms_digest)
    audited = await admin.fetch("SELECT resource_id, version FROM audit_entries WHERE operation LIKE '%DeleteQuote' "
                                "AND workspace_id = $1", ops.principal.workspace_id)  # fmt: skip
    assert {tuple(each) for each in audited} == {(revised.id, 2), (sent.id, old.version)}
    async with refused(409, "quote-expired"):
        await accept(ops, sent)
    again = await billed(ops).act("revise", sent)
    assert (again.status, (await billed(ops).get(sent)).superseded_by_id) == (Quote.DRAFT, again.id)
    await billed(ops).patch(again, valid_until=TODAY.isoformat())
    await billed(ops).act("send", again)
    async with refused(409, "quote-not-draft"):
        await billed(ops).delete(again)
    assert (await billed(ops).get(sent)).superseded_by_id == again.id


async def test_quotes_expire_after_their_last_day(ops: Ops, sent: Quote, workspace: str, database: Database) -> None:
    async def expire(today: date) -> int:
        async with unit_of_work(database, call_of(workspace), service="ops") as work:
            return await expire_due(work, today)

    assert await expire(TODAY) == 0
    assert await expire(TODAY + timedelta(days=1)) == 1
    assert await expire(TODAY + timedelta(days=1)) == 0
    assert (await billed(ops).get(sent)).status == Quote.EXPIRED
    async with refused(409, "quote-expired"):
        await accept(ops, sent)
