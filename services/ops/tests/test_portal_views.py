"""What clients' people are shown, found and told."""

from typing import Any

import pytest

from devstack.stack import Stack
from kit import contract
from opsfield.ops.v1 import (
    portal_directory_pb2,
    portal_invoices_pb2,
    portal_knowledge_pb2,
    portal_quotes_pb2,
    portal_tickets_pb2,
)
from opsfield.ops.v1.changes_pb2 import Change
from opsfield.ops.v1.contacts_pb2 import Contact
from opsfield.ops.v1.knowledge_articles_pb2 import KnowledgeArticle
from opsfield.ops.v1.payments_pb2 import Payment
from opsfield.ops.v1.portal_summary_pb2 import GetPortalSummaryRequest, PortalSummary
from opsfield.ops.v1.quotes_pb2 import Quote, QuoteLine
from opsfield.ops.v1.ticket_comments_pb2 import TicketComment
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.portal import views
from services.ops.portal.view import View
from services.ops.tests.billing import billed, draft, issued, line, sent_quote
from services.ops.tests.client import RPCS, Ops
from services.ops.tests.portal import as_person, as_staff
from tests.callers import refused

VIEWS = [value for value in vars(views).values() if isinstance(value, View)]
PORTAL_RPCS = [rpc for rpc in RPCS.values() if rpc.descriptor.containing_service.name.startswith("Portal")]
# What no answer to a client's person may have, whatever it is of.
INTERNAL = {"assignee_id", "watchers", "escalations", "sla", "tags_internal", "created_by", "updated_at", "version",
            "hourly_rate", "tax_id", "author", "decided_by", "time_entry_ids", "tier", "abbreviation", "alert_ids",
            "runbook_ids", "total_minutes", "billable_minutes", "status_spans", "published_by"}  # fmt: skip


def fields_of(message: contract.MessageType) -> set[str]:
    found = {each.name for each in message.fields}
    for each in message.fields:
        if each.message_type is not None and each.message_type.full_name.startswith("opsfield.ops"):
            found |= fields_of(each.message_type)
    return found


@pytest.mark.parametrize("rpc", PORTAL_RPCS, ids=lambda rpc: rpc.name)
async def test_only_a_service_may_ask(ops: Ops, rpc: contract.Rpc) -> None:
    assert rpc.access == "service_only"
    everyone = ops.of(ops.principal.workspace_id, roles=frozenset({"msp_admin"}))
    async with refused(403, "forbidden"):
        await everyone.call(rpc.name, rpc.request_class())


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.noun)
def test_no_answer_has_what_is_internal(view: View) -> None:
    assert fields_of(view.message.DESCRIPTOR) & INTERNAL == set()
    if view.noun == "client":
        assert "notes" not in fields_of(view.message.DESCRIPTOR)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.noun)
async def test_every_column_can_be_sorted_by_and_searched(ops: Ops, stack: Stack, view: View) -> None:
    client = await ops.create_client()
    name = f"List{view.message.DESCRIPTOR.name}s"
    rpc = RPCS[name]
    for field in contract.sortable_fields(view.message.DESCRIPTOR):
        request: Any = rpc.request_class(sort_by=field, q="x%_'", limit=1, offset=1)
        answer = await as_person(ops, stack, client.id).call(name, request)
        assert answer.page.total == 0
        assert answer.sort.by == field


async def test_articles_are_read_as_published(ops: Ops, stack: Stack) -> None:
    own, other = await ops.create_client("Own"), await ops.create_client("Other")

    async def published(title: str, **fields: Any) -> KnowledgeArticle:
        article = await ops.create(KnowledgeArticle(title=title, body=f"Body of {title}", **fields))
        found: KnowledgeArticle = await ops.patch(article, status=KnowledgeArticle.PUBLISHED)
        return found

    everyones = await published("Everyones", visibility="ALL_CLIENTS")
    await published("Ours", visibility="ONE_CLIENT", client_id=own.id)
    theirs = await published("Theirs", visibility="ONE_CLIENT", client_id=other.id)
    await published("Staff's")
    await ops.create(KnowledgeArticle(title="Draft", body="x", visibility="ALL_CLIENTS"))
    gone = await published("Gone", visibility="ALL_CLIENTS")
    await ops.patch(gone, status=KnowledgeArticle.ARCHIVED)
    await ops.patch(everyones, title="Second edition", body="Not yet to be read")

    async def titles(asking: Ops, **query: Any) -> set[str]:
        request = portal_knowledge_pb2.ListPortalArticlesRequest(**query)
        return {each.title for each in (await asking.call("ListPortalArticles", request)).data}

    person, staff = as_person(ops, stack, own.id), as_staff(ops, stack)
    assert await titles(person) == {"Everyones", "Ours"}
    assert await titles(person, q="body of everyones") == {"Everyones"}
    assert await titles(person, q="second edition") == set()
    assert await titles(person, audience="ONE_CLIENT") == {"Ours"}
    assert await titles(staff) == {"Everyones", "Ours", "Theirs"}
    assert await titles(staff, client_id=other.id) == {"Theirs"}
    for hidden in (theirs, gone):
        async with refused(404, "not-found"):
            await person.call("GetPortalArticle", portal_knowledge_pb2.GetPortalArticleRequest(id=hidden.id))


async def test_tickets_are_shown_without_what_is_said_among_the_staff(ops: Ops, stack: Stack) -> None:
    client = await ops.create_client()
    ticket = await ops.create_ticket(client, "Printer", assignee_id="zed", tags=["vip-tag"], category="Hardware")
    await ops.comment(ticket, "internal-word")
    await ops.comment(ticket, "First.", visibility=TicketComment.PUBLIC)
    await ops.comment(ticket, "Second.", from_client=True)
    person = as_person(ops, stack, client.id)

    async def found(**query: Any) -> list[str]:
        answer = await person.call("ListPortalTickets", portal_tickets_pb2.ListPortalTicketsRequest(**query))
        return [each.id for each in answer.data]

    for shown in ("printer", ticket.number.lower(), "hardware", "medium", "new"):
        assert await found(q=shown) == [ticket.id], shown
    for hidden in ("zed", "vip-tag", "internal-word", "ada", "api"):
        assert await found(q=hidden) == [], hidden
    assert await found(status=Ticket.NEW, priority=Ticket.MEDIUM, category="Hardware") == [ticket.id]
    assert await found(client_id=client.id, sort_by="number") == [ticket.id]
    assert await found(contact_id=client.id) == []
    shown = await person.call("GetPortalTicket", portal_tickets_pb2.GetPortalTicketRequest(id=ticket.id))
    assert [(each.body, each.from_client) for each in shown.comments] == [("First.", False), ("Second.", True)]
    assert shown.number == ticket.number


async def test_quotes_and_invoices_are_shown_once_they_are_sent_and_issued(ops: Ops, stack: Stack) -> None:
    client = await ops.create_client(currency="EUR")
    person, clerk = as_person(ops, stack, client.id), billed(ops)
    work = QuoteLine(description="Cabling", quantity="2", unit_price="50")
    quote = await clerk.create(Quote(client_id=client.id, title="Office", lines=[work], valid_until="2099-12-31"))
    invoice = await draft(ops, line("1", "10"), client=client)

    async def seen() -> tuple[list[Any], list[Any]]:
        quotes = await person.call("ListPortalQuotes", portal_quotes_pb2.ListPortalQuotesRequest(q="cabling"))
        invoices = await person.call("ListPortalInvoices", portal_invoices_pb2.ListPortalInvoicesRequest(q="work"))
        return list(quotes.data), list(invoices.data)

    assert await seen() == ([], [])
    for name, request in (
        ("GetPortalQuote", portal_quotes_pb2.GetPortalQuoteRequest(id=quote.id)),
        ("GetPortalInvoice", portal_invoices_pb2.GetPortalInvoiceRequest(id=invoice.id)),
    ):
        async with refused(404, "not-found"):
            await person.call(name, request)
    sent, bill = await clerk.act("send", quote), await clerk.act("issue", invoice)
    [shown], [owed] = await seen()
    assert (shown.terms_digest, shown.total, shown.number) == (sent.terms_digest, "100.00", sent.number)
    assert (shown.lines[0].description, shown.lines[0].total) == ("Cabling", "100.00")
    assert (owed.number, owed.balance, owed.lines[0].total) == (bill.number, "10.00", "10.00")
    # One that is voided as a draft was never there; one that was issued stays to be seen.
    for each in (bill, await draft(ops, line("1", "10"), client=client)):
        await clerk.act("void", each, reason="Wrong.")
    assert [each.status for each in (await seen())[1]] == [portal_invoices_pb2.PortalInvoice.VOID]


async def test_a_contact_is_found_by_address_or_id_while_it_is_active(ops: Ops, stack: Stack) -> None:
    client, other = await ops.create_client("Own"), await ops.create_client("Other")
    contact = await ops.create(Contact(client_id=client.id, name="Kim", email="Kim@Example.com"))
    staff = as_staff(ops, stack)

    async def find(client_id: str = client.id, **by: str) -> Any:
        request = portal_directory_pb2.FindPortalContactRequest(client_id=client_id, **by)
        return await staff.call("FindPortalContact", request)

    assert (await find(email="kim@example.com")).id == (await find(id=contact.id)).id == contact.id
    for wrong in ({"email": "kim@example.co"}, {"id": other.id}):
        async with refused(404):
            await find(**wrong)
    async with refused(404):
        await find(other.id, id=contact.id)
    for nothing in ({}, {"email": "kim@example.com", "id": contact.id}):
        async with refused(422, path="email"):
            await find(**nothing)
    await ops.patch(contact, status=Contact.ARCHIVED)
    async with refused(404):
        await find(id=contact.id)


async def test_the_summary_tells_what_is_open_owed_and_waited_for(ops: Ops, stack: Stack) -> None:
    client, other = await ops.create_client("Own", currency="EUR"), await ops.create_client("Other", currency="USD")
    clerk = billed(ops)
    for each in (client, other):
        ticket = await ops.create_ticket(each, "Printer")
        await ops.patch(ticket, status=Ticket.IN_PROGRESS)
        await ops.patch(ticket, status=Ticket.WAITING_ON_CLIENT)
        await ops.resolve(await ops.create_ticket(each, "Done"))
        invoice = await issued(ops, line("1", "10"), client=each)
        await clerk.create(Payment(invoice_id=invoice.id, amount="4", status=Payment.SUCCEEDED))
        await clerk.create(Payment(invoice_id=invoice.id, amount="1"))
        for title in ("First", "Second"):
            sent = await sent_quote(ops, each, title)
        await clerk.act("reject", sent, reason="No.")
        change = await ops.create(Change(title="Firewall", client_id=each.id, risk=Change.LOW))
        await ops.patch(change, status=Change.SUBMITTED)
    await ops.create(Change(title="Of the provider"))

    async def summary(asking: Ops, **query: str) -> PortalSummary:
        found: PortalSummary = await asking.call("GetPortalSummary", GetPortalSummaryRequest(**query))
        return found

    own = await summary(as_person(ops, stack, client.id))
    assert own == await summary(as_person(ops, stack, client.id), client_id=client.id)
    assert own == await summary(as_staff(ops, stack), client_id=client.id)
    assert own.counters == PortalSummary.Counters(
        open_tickets=1, tickets_waiting_on_client=1, approvals=2, unpaid_invoices=1, pending_payments=1
    )
    kinds = PortalSummary.Approval.Kind
    assert [(kinds.Name(each.kind), each.title) for each in own.approvals] == [
        ("QUOTE", "First"),
        ("CHANGE", "Firewall"),
    ]
    assert [(each.currency, each.unpaid, each.balance, each.overdue) for each in own.invoices] == [
        ("EUR", 1, "6.00", 0)
    ]
    counts = {Ticket.Status.Name(each.status): each.count for each in own.tickets.by_status if each.count}
    assert counts == {"WAITING_ON_CLIENT": 1, "RESOLVED": 1}
    assert [each.subject for each in own.tickets.recent] == ["Done", "Printer"]
    everyones = await summary(as_staff(ops, stack))
    assert (everyones.counters.open_tickets, len(everyones.invoices)) == (2, 2)
    assert (await summary(as_person(ops, stack, client.id), client_id=other.id)).counters == PortalSummary.Counters()
