"""What only a sync with QuickBooks does; what it has in common with others is in test_books_of_others.py."""

import pytest

from devstack.stack import Stack
from opsfield.integrations.v1.accounting_pb2 import AccountingConflict
from opsfield.integrations.v1.jobs_pb2 import Job
from opsfield.ops.v1.invoices_pb2 import Invoice
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
