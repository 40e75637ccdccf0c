"""What only a sync with QuickBooks does; what it has in common with others is in test_books_of_others.py."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from devstack.stack import Stack
from opsfield.integrations.v1.accounting_pb2 import AccountingConflict
from opsfield.integrations.v1.jobs_pb2 import Job
from opsfield.ops.v1.invoices_pb2 import CreateInvoiceRequest, DeleteInvoiceRequest, Invoice, InvoiceLine
from services.integrations.accounting.quickbooks.books import QuickBooksBooks
from services.integrations.tests.books import Desk, counts
from services.integrations.tests.conftest import QUICK, Connect
from services.integrations.tests.fake_quickbooks import FakeQuickBooks


@pytest.fixture
async def desk(quickbooks: FakeQuickBooks, connect: Connect) -> Desk:
    return await connect(quickbooks)


async def test_how_it_is_written_down(desk: Desk, quickbooks: FakeQuickBooks) -> None:
    invoice = await desk.issued(await desk.client(), "100", "0.50")
    await desk.paid(invoice.id, "20")
    await desk.synced()
    [customer] = quickbooks.kept["Customer"].values()
    [there] = quickbooks.kept["Invoice"].values()
    assert there["Line"][1]["SalesItemLineDetail"]["TaxCodeRef"] == {"value": "5"}
    [payment] = quickbooks.kept["Payment"].values()
    assert (payment["TotalAmt"], payment["CustomerRef"]) == ("20.00", {"value": customer["Id"]})
    assert payment["Line"][0]["LinkedTxn"][0]["TxnId"] == there["Id"]


async def test_payments_come_in_once_whoever_dies(stack: Stack, desk: Desk, quickbooks: FakeQuickBooks) -> None:
    client = await desk.client()
    invoice = await desk.issued(client, "100", tax="0")
    await desk.synced()
    [there] = quickbooks.kept["Invoice"].values()
    paid = quickbooks.pay(there["Id"], "60")
    # After the payment is booked at ops, before that is noted here.
    await stack.stop("integrations")
    await stack.start("integrations", {**QUICK, "CRASH_AT": "before-commit:6"})
    try:
        begun = await desk.begin()
        assert await stack.wait("integrations") == 137
    finally:
        await stack.start("integrations", QUICK)
    assert (await desk.integrations.ended(begun)).status == Job.SUCCEEDED
    [payment] = await desk.payments()
    assert (payment.amount, payment.reference, payment.received_on) == ("60.00", "cheque 7", "2026-02-20")
    assert (payment.provider, payment.provider_payment_id) == ("quickbooks", f"{paid['Id']}/{there['Id']}")
    assert (await desk.invoice(invoice.id)).status == Invoice.PARTIALLY_PAID
    assert counts(await desk.synced()) == (0, 0, 0)
    again = quickbooks.pay(there["Id"], "60")
    await desk.synced()
    assert [each.code for each in await desk.conflicts()] == ["exceeds-balance"]
    assert len(await desk.payments()) == 1
    quickbooks.delete("Payment", paid["Id"])
    await desk.synced()
    assert {each.code for each in await desk.conflicts()} == {"exceeds-balance", "payment-deleted"}
    # Refunded here as well, it is the same on both sides, and the second one fits.
    await desk.refund(payment.id, "60")
    await desk.synced()
    assert await desk.conflicts() == []
    later = next(each for each in await desk.payments() if each.id != payment.id)
    await desk.refund(later.id, "10")
    await desk.synced()
    assert [(each.code, each.ours, each.theirs) for each in await desk.conflicts()] == [
        ("refunded-here", "50.00", "60.00")
    ]
    quickbooks.change("Payment", again["Id"], Line=[{**again["Line"][0], "Amount": 50}])
    await desk.synced()
    assert await desk.conflicts() == []
    assert sum(quickbooks.taken.values()) == 2


async def test_a_payment_is_moved_to_another_invoice(desk: Desk, quickbooks: FakeQuickBooks) -> None:
    client = await desk.client()
    first, second = await desk.issued(client, "100", tax="0"), await desk.issued(client, "100", tax="0")
    await desk.synced()
    ids = {number: there for number, (there, _) in quickbooks.invoices().items()}
    paid = quickbooks.pay(ids[first.number], "60")
    await desk.synced()
    [payment] = await desk.payments()
    lines = [{"Amount": 60, "LinkedTxn": [{"TxnId": ids[second.number], "TxnType": "Invoice"}]}]
    quickbooks.change("Payment", paid["Id"], Line=lines)
    await desk.synced()
    [moved] = await desk.conflicts()
    assert (moved.code, moved.resource_id) == ("payment-deleted", payment.id)
    assert {each.invoice_id for each in await desk.payments()} == {first.id, second.id}
    await desk.refund(payment.id, "60")
    await desk.synced()
    assert await desk.conflicts() == []


async def test_what_is_deleted_here_between_two_pages_hides_nothing(desk: Desk, quickbooks: FakeQuickBooks) -> None:
    client = await desk.client()
    issued = [await desk.issued(client, "1", tax="0") for _ in range(QuickBooksBooks.most + 2)]
    draft = Invoice(client_id=client, lines=[InvoiceLine(description="Work", quantity="1", unit_price="1")])
    made = await desk.ops.call("CreateInvoice", CreateInvoiceRequest(invoice=draft))
    # The newest, so that it stands on the first page, goes while that one is sent.
    loop = asyncio.get_running_loop()

    def delete() -> None:
        deleting = desk.ops.call("DeleteInvoice", DeleteInvoiceRequest(id=made.id))
        asyncio.run_coroutine_threadsafe(deleting, loop).result(20)

    quickbooks.meanwhile["FROM Invoice WHERE DocNumber"] = delete
    await desk.synced()
    assert not quickbooks.meanwhile
    assert set(quickbooks.invoices()) == {each.number for each in issued}


async def test_what_is_changed_there_between_two_pages_hides_nothing(desk: Desk, quickbooks: FakeQuickBooks) -> None:
    invoice = await desk.issued(await desk.client(), "100", tax="0")
    await desk.synced()
    there, _ = quickbooks.invoices()[invoice.number]
    others = [quickbooks.make("Payment", TotalAmt=1, Line=[]) for _ in range(100)]
    quickbooks.pay(there, "100")
    others += [quickbooks.make("Payment", TotalAmt=1, Line=[])]
    for second, each in enumerate(quickbooks.kept["Payment"].values()):
        each["MetaData"]["LastUpdatedTime"] = (datetime.now(UTC) + timedelta(seconds=second - 200)).isoformat()

    def change() -> None:
        quickbooks.change("Payment", others[0]["Id"], PrivateNote="looked at")

    pages = "FROM Payment WHERE MetaData"
    quickbooks.meanwhile[pages] = lambda: quickbooks.meanwhile.update({pages: change})
    await desk.synced()
    assert not quickbooks.meanwhile
    assert [each.amount for each in await desk.payments()] == ["100.00"]


async def test_what_is_changed_there_is_told_and_left(desk: Desk, quickbooks: FakeQuickBooks) -> None:
    known = quickbooks.make("Customer", DisplayName="Acme")
    invoice = await desk.issued(await desk.client(), "100", tax="0")
    await desk.synced()
    [there] = quickbooks.kept["Invoice"].values()
    assert there["CustomerRef"] == {"value": known["Id"]}
    quickbooks.change("Invoice", there["Id"], TotalAmt=90)
    await desk.synced()
    [changed] = await desk.conflicts()
    assert changed.code == "invoice-changed"
    assert (changed.ours, changed.theirs, changed.external_id) == ("100.00 EUR", "90.00 EUR", there["Id"])
    await desk.void(invoice.id)
    await desk.synced()
    assert quickbooks.kept["Invoice"][there["Id"]]["TotalAmt"] == 90
    quickbooks.change("Invoice", there["Id"], TotalAmt=100)
    await desk.synced()
    assert quickbooks.kept["Invoice"][there["Id"]]["TotalAmt"] == 0
    assert await desk.conflicts() == []
    resolved = await desk.conflicts(AccountingConflict.RESOLVED)
    assert {each.resource_id for each in resolved} == {invoice.id}
