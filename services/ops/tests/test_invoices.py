"""Invoices: numbers without gaps, what is issued stays as it is."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from kit.call import Call
from kit.database import Database
from kit.errors import Problem
from kit.identity import Principal
from kit.unit_of_work import unit_of_work
from opsfield.ops.v1.invoices_pb2 import Invoice, InvoiceLine, IssueInvoiceRequest, ListInvoicesRequest
from opsfield.ops.v1.payments_pb2 import Payment
from services.ops.billing.invoices.handlers import InvoiceHandlers
from services.ops.billing.invoices.kind import INVOICES
from services.ops.tests.billing import billed, draft, issued, line, sent_quote
from services.ops.tests.client import Ops
from tests.callers import refused

HANDLERS = InvoiceHandlers(INVOICES, ())


def call_of(workspace: str) -> Call:
    return Call(method="test", principal=Principal("ada", workspace_id=workspace), correlation_id="c")


async def test_a_draft_is_priced_and_has_no_number(ops: Ops) -> None:
    invoice = await draft(ops, line("3", "33.335", discount_percent="10", tax_percent="19"), line("1", "5"))
    assert (invoice.status, invoice.currency, invoice.HasField("number")) == (Invoice.DRAFT, "EUR", False)
    assert (invoice.subtotal, invoice.discount_total, invoice.tax_total) == ("105.01", "10.00", "17.10")
    assert (invoice.total, invoice.amount_paid, invoice.balance) == ("112.11", "0.00", "112.11")
    assert [each.total for each in invoice.lines] == ["107.11", "5.00"]
    assert await billed(ops).get(invoice) == invoice


async def test_without_any_currency_there_is_no_invoice(ops: Ops) -> None:
    client = await ops.create_client()
    async with refused(422, path="currency"):
        await billed(ops).create(Invoice(client_id=client.id))
    assert (await billed(ops).create(Invoice(client_id=client.id, currency="JPY"))).total == "0"


async def test_issuing_gives_number_and_due_date(ops: Ops) -> None:
    today = datetime.now(UTC).date()
    for number, (days, expected) in enumerate([(14, 14), (0, 0), (None, 30)], 1):
        client = await ops.create_client(f"Client {number}", currency="EUR", payment_terms_days=days)
        invoice = await issued(ops, line("1", "5"), client=client)
        assert (invoice.number, invoice.status) == (f"INV-{number:06d}", Invoice.ISSUED)
        assert invoice.issued_on == today.isoformat()
        assert invoice.due_on == (today + timedelta(days=expected)).isoformat()
    found = await billed(ops).call("ListInvoices", ListInvoicesRequest(q="inv-000002", sort_by="number"))
    assert [each.number for each in found.data] == ["INV-000002"]


async def test_what_cannot_be_issued(ops: Ops) -> None:
    async with refused(422, path="lines"):
        await billed(ops).act("issue", await draft(ops))
    late = await draft(ops, line("1", "5"), client=await ops.create_client("B", currency="EUR"), due_on="2020-01-01")
    async with refused(422, path="dueOn"):
        await billed(ops).act("issue", late)
    invoice = await issued(ops, line("1", "5"), client=await ops.create_client("C", currency="EUR"))
    assert invoice.number == "INV-000001", "what was refused took no number"
    async with refused(409, "illegal-transition"):
        await billed(ops).act("issue", invoice)


async def test_an_invoice_over_nothing_is_paid_at_once(ops: Ops) -> None:
    invoice = await issued(ops, line("1", "5", discount_percent="100"))
    assert (invoice.status, invoice.total, invoice.number) == (Invoice.PAID, "0.00", "INV-000001")


async def test_an_invoice_over_nothing_can_be_voided_and_reissued(ops: Ops) -> None:
    client = await ops.create_client(currency="EUR")
    wrong = [await issued(ops, line("1", "5", discount_percent="100"), client=client) for _ in range(3)]
    for status in (Invoice.DRAFT, Invoice.ISSUED, Invoice.OVERDUE):
        async with refused(409, "illegal-transition"):
            await billed(ops).patch(wrong[0], status=status)
    async with refused(422, path="voidReason"):
        await billed(ops).patch(wrong[0], status=Invoice.VOID)
    voided = await billed(ops).patch(wrong[0], status=Invoice.VOID, void_reason="The discount was a slip.")
    assert (voided.status, voided.number, voided.balance) == (Invoice.VOID, "INV-000001", "0.00")
    assert voided.voided_at == voided.updated_at
    assert (await billed(ops).act("void", wrong[1], reason="The discount was a slip.")).status == Invoice.VOID
    copy = await billed(ops).act("reissue", wrong[2], reason="The discount was a slip.")
    assert (copy.status, copy.replaces_invoice_id) == (Invoice.DRAFT, wrong[2].id)
    assert (await billed(ops).get(wrong[2])).status == Invoice.VOID
    await billed(ops).patch(copy, lines=[line("1", "5")])
    assert (await billed(ops).act("issue", copy)).number == "INV-000004"


async def test_numbers_of_invoices_issued_at_once_have_no_gaps(ops: Ops) -> None:
    client = await ops.create_client(currency="EUR")
    drafts = [await draft(ops, line("1", "5"), client=client) for _ in range(20)]
    empty = [await draft(ops, client=client) for _ in range(5)]
    outcomes = await asyncio.gather(
        *(billed(ops).act("issue", each) for pair in zip(drafts, empty * 4, strict=True) for each in pair),
        return_exceptions=True,
    )
    numbers = sorted(each.number for each in outcomes if isinstance(each, Invoice))
    assert numbers == [f"INV-{number:06d}" for number in range(1, 21)]


async def test_a_number_that_is_rolled_back_is_given_again(ops: Ops, workspace: str, database: Database) -> None:
    client = await ops.create_client(currency="EUR")
    first, second = [await draft(ops, line("1", "5"), client=client) for _ in range(2)]
    held, issuing = asyncio.Event(), None

    async def fail() -> None:
        async with unit_of_work(database, call_of(workspace), service="ops") as work:
            issued: Any = await HANDLERS.issue_invoice(IssueInvoiceRequest(id=first.id), work)
            assert issued.number == "INV-000001"
            held.set()
            await asyncio.sleep(0.3)
            raise RuntimeError

    failing = asyncio.create_task(fail())
    await held.wait()
    issuing = await billed(ops).act("issue", second)
    with pytest.raises(RuntimeError):
        await failing
    assert issuing.number == "INV-000001"
    assert (await billed(ops).act("issue", first)).number == "INV-000002"


async def test_only_the_states_of_a_callers_own_can_be_set(ops: Ops) -> None:
    invoice = await draft(ops, line("1", "5"))
    derived = (Invoice.PARTIALLY_PAID, Invoice.PAID, Invoice.OVERDUE)
    for status in derived:
        async with refused(409, "illegal-transition"):
            await billed(ops).patch(invoice, status=status)
    patched = await billed(ops).patch(invoice, status=Invoice.ISSUED)
    assert patched.number == "INV-000001"
    for status in (*derived, Invoice.DRAFT):
        async with refused(409, "illegal-transition"):
            await billed(ops).patch(invoice, status=status)
    async with refused(422, path="voidReason"):
        await billed(ops).patch(invoice, status=Invoice.VOID)
    assert (await billed(ops).patch(invoice, status=Invoice.VOID, void_reason="Wrong.")).status == Invoice.VOID


@pytest.mark.parametrize("change", [
    {"notes": "x"}, {"terms": "x"}, {"due_on": "2030-01-01"}, {"currency": "USD"},
    {"lines": [InvoiceLine(description="Work", quantity="2", unit_price="5")]},
], ids=lambda change: next(iter(change)))  # fmt: skip
async def test_what_is_issued_no_longer_changes(ops: Ops, change: dict[str, Any]) -> None:
    invoice = await issued(ops, line("1", "5"))
    async with refused(409, "invoice-immutable"):
        await billed(ops).patch(invoice, **change)
    assert await billed(ops).replace(invoice) == invoice
    async with refused(409, "invoice-not-draft"):
        await billed(ops).delete(invoice)
    assert await billed(ops).get(invoice) == invoice


@pytest.mark.parametrize("change", [
    "lines = '[]'", "total = 1, subtotal = 1, balance = 1", "currency = 'USD'", "client_id = gen_random_uuid()",
    "number = 'INV-000009'", "number = NULL", "status = 'draft', number = NULL", "deleted_at = now()",
    "due_on = '2030-01-01'",
])  # fmt: skip
async def test_the_database_itself_keeps_what_is_issued(
    ops: Ops, change: str, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    invoice = await issued(ops, line("1", "5"))
    with pytest.raises(asyncpg.RaiseError):
        await admin.execute(f"UPDATE invoices SET {change} WHERE id = '{invoice.id}'")
    with pytest.raises(asyncpg.RaiseError):
        await admin.execute(f"DELETE FROM invoices WHERE id = '{invoice.id}'")


async def test_a_draft_can_be_deleted_or_voided(ops: Ops) -> None:
    client = await ops.create_client(currency="EUR")
    await billed(ops).delete(await draft(ops, client=client))
    voided = await billed(ops).act("void", await draft(ops, client=client), reason="Not needed.")
    assert (voided.status, voided.HasField("number"), voided.balance) == (Invoice.VOID, False, "0.00")
    async with refused(409, "illegal-transition"):
        await billed(ops).act("void", voided, reason="Again.")
    async with refused(409, "in-use"):
        await ops.delete(client)


async def test_what_is_paid_on_cannot_be_voided(ops: Ops) -> None:
    invoice = await issued(ops, line("1", "5"))
    pending = await billed(ops).create(Payment(invoice_id=invoice.id, amount="1"))
    async with refused(409, "payment-pending"):
        await billed(ops).act("void", invoice, reason="Wrong.")
    await billed(ops).patch(pending, status=Payment.SUCCEEDED)
    async with refused(409, "illegal-transition"):
        await billed(ops).act("void", invoice, reason="Wrong.")


async def test_reissuing_voids_and_copies(ops: Ops) -> None:
    invoice = await issued(ops, line("2", "5", tax_percent="19"), notes="Thanks.")
    copy = await billed(ops).act("reissue", invoice, reason="Wrong price.")
    old = await billed(ops).get(invoice)
    assert (old.status, old.void_reason, old.number, old.balance) == (
        Invoice.VOID,
        "Wrong price.",
        "INV-000001",
        "0.00",
    )
    assert (copy.status, copy.total, copy.notes, copy.replaces_invoice_id) == (
        Invoice.DRAFT, "11.90", "Thanks.", invoice.id)  # fmt: skip
    assert list(copy.lines) == list(old.lines)
    async with refused(409, "illegal-transition"):
        await billed(ops).act("reissue", invoice, reason="Again.")
    async with refused(409, "illegal-transition"):
        await billed(ops).act("reissue", copy, reason="A draft.")
    assert (await billed(ops).act("issue", copy)).number == "INV-000002"


async def test_a_draft_that_was_made_of_something_stays_with_its_client(ops: Ops) -> None:
    client, other = [await ops.create_client(name, currency="EUR") for name in ("Acme", "Other")]
    quote = await sent_quote(ops, client)
    await billed(ops).act("accept", quote, terms_digest=quote.terms_digest, accepted_by="Jo")
    [of_quote] = (await billed(ops).page("Invoices")).data
    of_invoice = await billed(ops).act("reissue", await issued(ops, line("1", "5"), client=client), reason="Wrong.")
    for invoice in (of_quote, of_invoice):
        async with refused(409, "invoice-immutable"):
            await billed(ops).patch(invoice, client_id=other.id)
        invoice.client_id = other.id
        async with refused(409, "invoice-immutable"):
            await billed(ops).replace(invoice)
        assert (await billed(ops).patch(invoice, client_id=client.id, notes="Thanks.")).notes == "Thanks."
    by_hand = await draft(ops, line("1", "5"), client=client)
    assert (await billed(ops).patch(by_hand, client_id=other.id)).client_id == other.id


async def test_acknowledging_is_noted_once(ops: Ops) -> None:
    invoice = await draft(ops, line("1", "5"))
    async with refused(409, "invoice-not-issued"):
        await billed(ops).act("acknowledge", invoice)
    await billed(ops).act("issue", invoice)
    first = await billed(ops).act("acknowledge", invoice)
    assert (first.acknowledged_by, first.acknowledged_at) == ("bill", first.updated_at)
    assert await billed(ops).act("acknowledge", invoice) == first


async def test_of_voiding_and_paying_at_once_one_wins(ops: Ops) -> None:
    client = await ops.create_client(currency="EUR")
    for _ in range(10):
        invoice = await issued(ops, line("1", "5"), client=client)
        outcomes = await asyncio.gather(
            billed(ops).act("void", invoice, reason="Wrong."),
            billed(ops).create(Payment(invoice_id=invoice.id, amount="5", status=Payment.SUCCEEDED)),
            return_exceptions=True,
        )
        lost = [each for each in outcomes if isinstance(each, Problem)]
        assert [each.status for each in lost] == [409]
