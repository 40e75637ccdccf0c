"""What clients' people do: tickets, decisions, payments."""

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from devstack.stack import Stack
from kit.errors import Conflict
from opsfield.ops.v1 import portal_invoices_pb2, portal_quotes_pb2
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.contacts_pb2 import Contact
from opsfield.ops.v1.invoices_pb2 import Invoice
from opsfield.ops.v1.payments_pb2 import Payment
from opsfield.ops.v1.portal_tickets_pb2 import AnswerPortalTicketRequest, OpenPortalTicketRequest, PortalTicket
from opsfield.ops.v1.quotes_pb2 import Quote
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.tests.billing import billed, issued, line, sent_quote
from services.ops.tests.client import Ops
from services.ops.tests.policies import policy
from services.ops.tests.portal import as_person, as_staff
from tests.callers import refused

Decision = portal_quotes_pb2.DecidePortalQuoteRequest
Action = AnswerPortalTicketRequest


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client(currency="EUR")


@pytest.fixture
def person(ops: Ops, stack: Stack, client: Client) -> Ops:
    """Of the client."""
    return as_person(ops, stack, client.id)


async def opened(person: Ops, **fields: Any) -> PortalTicket:
    request = OpenPortalTicketRequest(**{"subject": "Printer", **fields})
    ticket: PortalTicket = await person.call("OpenPortalTicket", request)
    return ticket


async def answered(person: Ops, ticket: Any, action: Any, comment: str | None = None) -> PortalTicket:
    request = AnswerPortalTicketRequest(id=ticket.id, action=action, comment=comment)
    found: PortalTicket = await person.call("AnswerPortalTicket", request)
    return found


async def decide(
    person: Ops, quote: Quote, decision: Any = Decision.ACCEPTED, *, key: str | None = None, **fields: Any
) -> Any:
    request = Decision(
        **{"id": quote.id, "decision": decision, "terms_digest": quote.terms_digest, "decided_by": "Kim", **fields}
    )
    return await person.call("DecidePortalQuote", request, key=key)


async def begin(person: Ops, invoice: Invoice, **fields: Any) -> portal_invoices_pb2.PortalPayment:
    request = portal_invoices_pb2.BeginPortalPaymentRequest(invoice_id=invoice.id, **fields)
    payment: portal_invoices_pb2.PortalPayment = await person.call("BeginPortalPayment", request)
    return payment


async def test_a_ticket_is_opened_for_the_own_client_with_its_promises(ops: Ops, person: Ops, client: Client) -> None:
    await ops.create(policy("Theirs", client_id=(await ops.create_client("Other")).id))
    ours = await ops.create(policy("Ours", client_id=client.id))
    contact = await ops.create(Contact(client_id=client.id, name="Kim"))
    ticket = await opened(person, contact_id=contact.id, priority=Ticket.CRITICAL, category="Email")
    found = await ops.get(Ticket(id=ticket.id))
    assert (found.client_id, found.source, found.created_by) == (client.id, Ticket.PORTAL, "contact:kim")
    assert (found.sla_policy_id, found.priority, found.contact_id) == (ours.id, Ticket.CRITICAL, contact.id)
    assert found.HasField("resolution_due_at")


async def test_anothers_contact_is_not_the_one_who_asks(ops: Ops, person: Ops) -> None:
    other = await ops.create_client("Other")
    contact = await ops.create(Contact(client_id=other.id, name="Kim"))
    async with refused(422, path="contactId"):
        await opened(person, contact_id=contact.id)


async def test_staff_opens_no_tickets_here(ops: Ops, stack: Stack) -> None:
    async with refused(403, "client-missing"):
        await opened(as_staff(ops, stack))


async def test_what_a_client_says_changes_the_ticket_as_ever(ops: Ops, person: Ops) -> None:
    ticket = await opened(person)
    at_the_desk = await ops.get(Ticket(id=ticket.id))
    await ops.patch(at_the_desk, status=Ticket.IN_PROGRESS)
    await ops.patch(at_the_desk, status=Ticket.WAITING_ON_CLIENT)
    said = await answered(person, ticket, Action.COMMENT, "It still smokes.")
    assert (said.status, [each.body for each in said.comments]) == (Ticket.IN_PROGRESS, ["It still smokes."])
    await ops.resolve(at_the_desk)
    again = await answered(person, ticket, Action.REOPEN, "No, it is not.")
    assert (again.status, len(again.comments)) == (Ticket.OPEN, 2)
    closed = await answered(person, ticket, Action.CLOSE)
    assert (closed.status, closed.resolution) == (Ticket.CLOSED, "Fixed it.")
    found = await ops.get(at_the_desk)
    assert found.reopen_count == 1
    for action, code in (
        (Action.COMMENT, "ticket-closed"),
        (Action.CLOSE, "ticket-closed"),
        (Action.REOPEN, "illegal-transition"),
    ):
        async with refused(409, code):
            await answered(person, ticket, action, "More.")
    assert await ops.get(at_the_desk) == found, "what is refused changes nothing"


async def test_a_new_ticket_may_be_closed_at_once(person: Ops) -> None:
    closed = await answered(person, await opened(person), Action.CLOSE)
    assert (closed.status, closed.resolution) == (Ticket.CLOSED, "Closed by the client.")


@pytest.mark.parametrize("action", [Action.COMMENT, Action.REOPEN])
async def test_some_things_need_a_word(person: Ops, action: Any) -> None:
    async with refused(422, path="comment"):
        await answered(person, await opened(person), action)


async def test_what_is_not_done_is_not_reopened_nor_what_was_done_long_ago(
    ops: Ops, person: Ops, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    ticket = await opened(person)
    async with refused(409, "illegal-transition"):
        await answered(person, ticket, Action.REOPEN, "?")
    await ops.resolve(Ticket(id=ticket.id))
    await admin.execute("UPDATE tickets SET resolved_at = now() - interval '31 days' WHERE id = $1", ticket.id)
    for action in (Action.REOPEN, Action.COMMENT):
        async with refused(409, "reopening-too-late"):
            await answered(person, ticket, action, "It is back.")
    assert (await answered(person, ticket, Action.CLOSE)).status == Ticket.CLOSED


async def test_a_quote_is_decided_once_whoever_comes_at_the_same_instant(ops: Ops, person: Ops, client: Client) -> None:
    quote = await sent_quote(ops, client)
    rival = replace(person, notes={}, principal=replace(person.principal, subject="contact:jo"))

    async def attempt(who: Ops, decision: Any) -> str:
        while True:
            try:
                await decide(who, quote, decision, reason="No.")
            except Conflict as problem:
                # One that had to wait too long for the other is told to try again.
                if problem.code != "busy":
                    return problem.code
            else:
                return "won"

    outcomes = await asyncio.gather(attempt(person, Decision.ACCEPTED), attempt(rival, Decision.REJECTED))
    assert sorted(outcomes) == ["quote-decided", "won"]
    invoices = (await billed(ops).page("Invoices")).data
    assert len(invoices) == (1 if outcomes[0] == "won" else 0)


async def test_an_acceptance_makes_one_invoice_and_a_repeated_one_gets_the_first_answer(
    ops: Ops, person: Ops, client: Client
) -> None:
    quote, key = await sent_quote(ops, client), uuid.uuid4().hex
    first = await decide(person, quote, key=key)
    assert await decide(person, quote, key=key) == first
    assert person.notes["replayed"]
    assert (first.status, first.accepted_by) == (portal_quotes_pb2.PortalQuote.ACCEPTED, "Kim")
    [invoice] = (await billed(ops).page("Invoices")).data
    assert (invoice.quote_id, invoice.status, invoice.total) == (quote.id, Invoice.DRAFT, "100.00")
    found = await billed(ops).get(quote)
    assert (found.decided_by, found.accepted_by) == ("contact:kim", "Kim")
    async with refused(409, "quote-decided"):
        await decide(person, quote)


async def test_what_cannot_be_decided(
    ops: Ops, person: Ops, client: Client, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    quote = await sent_quote(ops, client)
    for decision in (Decision.ACCEPTED, Decision.REJECTED):
        async with refused(409, "quote-changed"):
            await decide(person, quote, decision, reason="No.", terms_digest="0" * 64)
    async with refused(422, path="reason"):
        await decide(person, quote, Decision.REJECTED)
    await admin.execute("UPDATE quotes SET valid_until = now()::date - 2 WHERE id = $1", quote.id)
    for decision in (Decision.ACCEPTED, Decision.REJECTED):
        async with refused(409, "quote-expired"):
            await decide(person, quote, decision, reason="No.")
    draft = await billed(ops).create(Quote(client_id=client.id, title="Draft"))
    theirs = await sent_quote(ops, await ops.create_client("Other", currency="EUR"))
    for hidden in (draft, theirs, Quote(id=str(uuid.uuid4()))):
        async with refused(404, "not-found"):
            await decide(person, hidden, terms_digest=quote.terms_digest)
    rejected = await decide(person, await sent_quote(ops, client), Decision.REJECTED, reason="Too dear.")
    assert (rejected.status, rejected.decision_reason) == (portal_quotes_pb2.PortalQuote.REJECTED, "Too dear.")


async def test_payments_that_are_begun_never_come_to_more_than_is_owed(ops: Ops, person: Ops, client: Client) -> None:
    invoice = await issued(ops, line("1", "100"), client=client)

    async def attempt() -> bool:
        while True:
            try:
                await begin(person, invoice, amount="30")
            except Conflict as problem:
                if problem.code != "busy":
                    assert problem.code == "exceeds-balance"  # noqa: PT017 - anything else is a failure
                    return False
            else:
                return True

    assert sum(await asyncio.gather(*(attempt() for _ in range(6)))) == 3
    rest = await begin(person, invoice)
    assert (rest.amount, rest.currency, rest.invoice_number) == ("10.00", "EUR", invoice.number)
    async with refused(409, "exceeds-balance"):
        await begin(person, invoice)
    pending = (await billed(ops).page("Payments", status=Payment.PENDING)).data
    assert sum(float(each.amount) for each in pending) == 100


async def test_an_amount_must_be_one(ops: Ops, person: Ops, client: Client) -> None:
    invoice = await issued(ops, line("1", "100"), client=client)
    for amount in ("0", "0.001", "100.005"):
        async with refused(422, path="amount"):
            await begin(person, invoice, amount=amount)
    async with refused(422, path="currency"):
        await begin(person, invoice, currency="USD")
    async with refused(409, "exceeds-balance"):
        await begin(person, invoice, amount="100.01")


async def test_a_begun_payment_becomes_a_payment_once(ops: Ops, person: Ops, client: Client) -> None:
    invoice = await issued(ops, line("1", "100"), client=client)
    begun = await begin(person, invoice)
    assert begun.reference.startswith(f"{invoice.number}-")
    clerk, key = billed(ops), uuid.uuid4().hex
    payment = await clerk.get(Payment(id=begun.id))
    confirmed = [
        await clerk.patch(payment, status=Payment.SUCCEEDED, call={"key": each}) for each in (key, key, "other")
    ]
    assert len({each.version for each in confirmed}) == 1
    paid = await clerk.get(invoice)
    assert (paid.status, paid.balance, paid.amount_paid) == (Invoice.PAID, "0.00", "100.00")
    async with refused(409, "payment-not-pending"):
        await person.call("WithdrawPortalPayment", portal_invoices_pb2.WithdrawPortalPaymentRequest(id=begun.id))


async def test_only_what_was_begun_here_is_withdrawn_here(ops: Ops, person: Ops, client: Client) -> None:
    invoice = await issued(ops, line("1", "100"), client=client)
    recorded = await billed(ops).create(Payment(invoice_id=invoice.id, amount="1", reference="Cheque 17"))
    async with refused(409, "payment-not-yours"):
        await person.call("WithdrawPortalPayment", portal_invoices_pb2.WithdrawPortalPaymentRequest(id=recorded.id))
    begun = await begin(person, invoice)
    request = portal_invoices_pb2.WithdrawPortalPaymentRequest(id=begun.id)
    assert (await person.call("WithdrawPortalPayment", request)).status == Payment.FAILED
    assert (await begin(person, invoice)).amount == "99.00"


async def test_an_acknowledgement_stays_as_it_was(ops: Ops, person: Ops, client: Client) -> None:
    invoice = await issued(ops, line("1", "100"), client=client)
    request = portal_invoices_pb2.AcknowledgePortalInvoiceRequest(id=invoice.id)
    first = await person.call("AcknowledgePortalInvoice", request)
    assert await person.call("AcknowledgePortalInvoice", request) == first
    assert (await billed(ops).get(invoice)).acknowledged_by == "contact:kim"


async def test_anothers_rows_cannot_be_acted_on(ops: Ops, person: Ops) -> None:
    other = await ops.create_client("Other", currency="EUR")
    ticket, invoice = await ops.create_ticket(other), await issued(ops, line("1", "100"), client=other)
    payment = await billed(ops).create(Payment(invoice_id=invoice.id, amount="1"))
    for action in (Action.COMMENT, Action.CLOSE, Action.REOPEN):
        async with refused(404, "not-found"):
            await answered(person, ticket, action, "Mine.")
    async with refused(404, "not-found"):
        await begin(person, invoice)
    for name, request in (
        ("AcknowledgePortalInvoice", portal_invoices_pb2.AcknowledgePortalInvoiceRequest(id=invoice.id)),
        ("WithdrawPortalPayment", portal_invoices_pb2.WithdrawPortalPaymentRequest(id=payment.id)),
    ):
        async with refused(404, "not-found"):
            await person.call(name, request)
