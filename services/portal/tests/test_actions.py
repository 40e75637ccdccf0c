"""Who may do what at the portal, and what becomes of it at ops."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from kit.identity import Principal
from opsfield.ops.v1 import portal_invoices_pb2, portal_quotes_pb2, portal_tickets_pb2
from opsfield.ops.v1.contacts_pb2 import Contact
from opsfield.ops.v1.invoices_pb2 import CreateInvoiceRequest, Invoice, InvoiceLine, IssueInvoiceRequest
from opsfield.ops.v1.payments_pb2 import Payment
from opsfield.ops.v1.portal_summary_pb2 import GetPortalSummaryRequest
from opsfield.ops.v1.quotes_pb2 import CreateQuoteRequest, Quote, QuoteLine, SendQuoteRequest
from opsfield.ops.v1.tickets_pb2 import GetTicketRequest, Ticket
from opsfield.platform.v1.settings_pb2 import Portal, ReplaceWorkspaceSettingsRequest, WorkspaceSettings
from opsfield.portal.v1 import actions_pb2 as pb2
from opsfield.portal.v1.invites_pb2 import APPROVER
from services.portal.actions import rules
from services.portal.tests.caller import Provider
from tests.callers import Caller, eventually, refused

Decision = portal_quotes_pb2.DecidePortalQuoteRequest


@pytest.fixture
async def contact(staff: Provider) -> Contact:
    return await staff.contact()


async def sent_quote(staff: Provider, client_id: str) -> Quote:
    line = QuoteLine(description="Work", quantity="1", unit_price="100")
    quote = Quote(client_id=client_id, title="Office", valid_until="2099-12-31", lines=[line])
    made = await staff.ops.call("CreateQuote", CreateQuoteRequest(quote=quote))
    sent: Quote = await staff.ops.call("SendQuote", SendQuoteRequest(id=made.id))
    return sent


async def issued_invoice(staff: Provider, client_id: str) -> Invoice:
    line = InvoiceLine(description="Work", quantity="1", unit_price="100")
    made = await staff.ops.call(
        "CreateInvoice", CreateInvoiceRequest(invoice=Invoice(client_id=client_id, lines=[line]))
    )
    issued: Invoice = await staff.ops.call("IssueInvoice", IssueInvoiceRequest(id=made.id))
    return issued


def acceptance(quote: Quote) -> pb2.DecideQuoteRequest:
    return pb2.DecideQuoteRequest(id=quote.id, decision=Decision.ACCEPTED, terms_digest=quote.terms_digest)


def of(staff: Provider, *roles: str) -> Caller:
    return staff.portal.as_(replace(staff.portal.principal, roles=frozenset(roles)))


async def test_approvers_decide_and_nobody_else(staff: Provider, contact: Contact) -> None:
    quote = await sent_quote(staff, contact.client_id)
    member = await staff.person(contact)
    outsider = staff.portal.as_(replace(member.principal, session_id=None))
    of_nobody = staff.portal.as_(replace(member.principal, session_id=str(uuid.uuid4())))
    for caller in (member, outsider, of_nobody, of(staff, "msp_admin")):
        async with refused(403, "approver-only"):
            await caller.call("DecidePortalQuote", acceptance(quote))
    async with refused(403, "role-missing"):
        await of(staff, "ops_engineer", "billing", "viewer").call("DecidePortalQuote", acceptance(quote))
    approver = await staff.person(contact, role=APPROVER)
    decided = await approver.call("DecidePortalQuote", acceptance(quote))
    assert (decided.status, decided.accepted_by) == (portal_quotes_pb2.PortalQuote.ACCEPTED, contact.name)


async def test_an_approver_of_another_client_or_workspace_finds_no_quote(
    staff: Provider, elsewhere: Provider, contact: Contact
) -> None:
    quote = await sent_quote(staff, contact.client_id)
    for caller in (await staff.person(role=APPROVER), await elsewhere.person(role=APPROVER)):
        async with refused(404, "not-found"):
            await caller.call("DecidePortalQuote", acceptance(quote))


async def test_the_same_key_takes_effect_once_and_another_request_under_it_is_refused(
    staff: Provider, contact: Contact
) -> None:
    approver, key = await staff.person(contact, role=APPROVER), uuid.uuid4().hex
    quote = await sent_quote(staff, contact.client_id)
    first = await approver.call("DecidePortalQuote", acceptance(quote), key=key)
    assert await approver.call("DecidePortalQuote", acceptance(quote), key=key) == first
    async with refused(422, "idempotency-key-reused"):
        await approver.call("OpenPortalTicket", pb2.OpenTicketRequest(subject="Printer"), key=key)
    # What was refused can be tried again under its key, also as something else.
    key = uuid.uuid4().hex
    async with refused(409, "quote-decided"):
        await approver.call("DecidePortalQuote", acceptance(quote), key=key)
    await approver.call("OpenPortalTicket", pb2.OpenTicketRequest(subject="Printer"), key=key)


async def test_a_ticket_comes_from_its_contact(staff: Provider, contact: Contact) -> None:
    person = await staff.person(contact)
    request = pb2.OpenTicketRequest(subject="Printer", urgency=pb2.OpenTicketRequest.HIGH)
    made = await person.call("OpenPortalTicket", request)
    found = await staff.ops.call("GetTicket", GetTicketRequest(id=made.id))
    assert (found.contact_id, found.client_id) == (contact.id, contact.client_id)
    assert (found.priority, found.source) == (Ticket.HIGH, Ticket.PORTAL)
    assert found.created_by == f"contact:{contact.id}"
    for roles in (("msp_admin",), ("client_portal",)):
        async with refused(403, "client-missing"):
            await of(staff, *roles).call("OpenPortalTicket", request)
    say = portal_tickets_pb2.AnswerPortalTicketRequest(
        id=made.id, action=portal_tickets_pb2.AnswerPortalTicketRequest.COMMENT, comment="As the client."
    )
    async with refused(403, "client-missing"):
        await of(staff, "msp_admin").call("AnswerPortalTicket", say)


async def test_the_books_keeper_may_acknowledge_and_begin_payments_for_any_client(
    staff: Provider, contact: Contact
) -> None:
    invoice, clerk = await issued_invoice(staff, contact.client_id), of(staff, "billing")
    seen = await clerk.call(
        "AcknowledgePortalInvoice", portal_invoices_pb2.AcknowledgePortalInvoiceRequest(id=invoice.id)
    )
    assert seen.HasField("acknowledged_at")
    intent = await clerk.call("BeginPortalPayment", pb2.BeginPaymentRequest(id=invoice.id, amount="10"))
    assert (intent.payment.amount, intent.payment.status) == ("10.00", Payment.PENDING)
    withdrawn = portal_invoices_pb2.WithdrawPortalPaymentRequest(id=intent.payment.id)
    assert (await clerk.call("WithdrawPortalPayment", withdrawn)).status == Payment.FAILED
    for roles in (("ops_engineer",), ("viewer",)):
        async with refused(403, "role-missing"):
            await of(staff, *roles).call("BeginPortalPayment", pb2.BeginPaymentRequest(id=invoice.id))


async def test_whoever_pays_is_told_where_to(staff: Provider, contact: Contact, administrator: Caller) -> None:
    portal = Portal(transfer_instructions="IBAN IE29 AIBK 9311 5212 3456 78")
    request = ReplaceWorkspaceSettingsRequest(settings=WorkspaceSettings(portal=portal))
    await administrator.call("ReplaceWorkspaceSettings", request)
    invoice, person = await issued_invoice(staff, contact.client_id), await staff.person(contact)

    async def told() -> Any:
        intent = await person.call("BeginPortalPayment", pb2.BeginPaymentRequest(id=invoice.id, amount="0.01"))
        return intent if "IBAN" in intent.instructions else None

    intent = await eventually(told)
    assert intent.provider == "manual"
    first, where = intent.instructions.split("\n")
    assert first == f"Transfer 0.01 EUR with the reference {intent.payment.reference}."
    assert where == portal.transfer_instructions


async def test_staff_sees_what_all_clients_see_and_a_client_its_own(staff: Provider, contact: Contact) -> None:
    other = await staff.contact()
    one, two = await staff.person(contact), await staff.person(other)
    for person in (one, two):
        await person.call("OpenPortalTicket", pb2.OpenTicketRequest(subject="Printer"))
    outsider = staff.portal.as_(
        Principal("dev", frozenset({"client_portal"}), one.principal.workspace_id, client_id=contact.client_id)
    )

    async def clients_of(caller: Caller, **query: Any) -> set[str]:
        request = portal_tickets_pb2.ListPortalTicketsRequest(**query)
        return {each.client_id for each in (await caller.call("ListPortalTickets", request)).data}

    assert await clients_of(one) == await clients_of(outsider) == {contact.client_id}
    assert await clients_of(one, client_id=other.client_id) == set()
    for role in ("viewer", "ops_engineer", "msp_admin"):
        assert await clients_of(of(staff, role)) == {contact.client_id, other.client_id}
    assert await clients_of(of(staff, "viewer"), client_id=other.client_id) == {other.client_id}
    for role in ("billing", "data_admin", "endpoint_agent"):
        async with refused(403, "role-missing"):
            await clients_of(of(staff, role))
    summary = await outsider.call("GetPortalSummary", GetPortalSummaryRequest())
    assert summary.counters.open_tickets == 1
    async with refused(403, "client-missing"):
        await clients_of(of(staff, "client_portal"))


async def test_whoever_is_of_a_client_is_bound_to_it_whatever_else_it_is(staff: Provider, contact: Contact) -> None:
    await (await staff.person()).call("OpenPortalTicket", pb2.OpenTicketRequest(subject="Printer"))
    both = replace(of(staff, "client_portal", "ops_engineer", "msp_admin").principal, client_id=contact.client_id)
    page = await staff.portal.as_(both).call("ListPortalTickets", portal_tickets_pb2.ListPortalTicketsRequest())
    assert list(page.data) == []


def test_urgency_decides_on_the_priority() -> None:
    assert [rules.priority(each) for each in (None, "low", "normal", "high", "urgent")] == [
        "medium",
        "low",
        "medium",
        "high",
        "critical",
    ]
