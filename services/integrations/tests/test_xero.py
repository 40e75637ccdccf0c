"""What only a sync with Xero does; what it has in common with others is in test_books_of_others.py."""

from decimal import Decimal

import pytest

from services.integrations.tests.books import Desk
from services.integrations.tests.conftest import Connect
from services.integrations.tests.fake_xero import FakeXero


@pytest.fixture
async def desk(xero: FakeXero, connect: Connect) -> Desk:
    return await connect(xero)


async def test_how_it_is_written_down(desk: Desk, xero: FakeXero) -> None:
    invoice = await desk.issued(await desk.client(), "100", "0.50")
    await desk.paid(invoice.id, "20")
    await desk.synced()
    [contact] = xero.kept["Contacts"].values()
    [there] = xero.kept["Invoices"].values()
    assert there["Contact"]["ContactID"] == contact["ContactID"]
    line = there["LineItems"][1]
    assert (line["TaxType"], line["AccountCode"], line["TaxAmount"]) == ("OUTPUT2", "200", Decimal("0.1"))
    [payment] = xero.kept["Payments"].values()
    assert (payment["Amount"], payment["Account"]["Code"]) == (Decimal(20), "090")


async def test_what_is_void_there_is_told(desk: Desk, xero: FakeXero) -> None:
    await desk.issued(await desk.client(), "100", tax="0")
    await desk.synced()
    [there] = xero.kept["Invoices"].values()
    xero.change("Invoices", there["InvoiceID"], Status="VOIDED")
    await desk.synced()
    assert {each.code for each in await desk.conflicts()} == {"invoice-voided"}


async def test_a_payment_that_is_refunded_in_part_is_made_anew(desk: Desk, xero: FakeXero) -> None:
    payment = await desk.paid((await desk.issued(await desk.client(), "50", tax="0")).id, "50")
    await desk.synced()
    await desk.refund(payment.id, "20")
    await desk.synced()
    assert (xero.taken["DELETED Payments"], xero.taken["create Payments"]) == (1, 2)
    [again] = xero.payments()
    xero.take_back(again)
    await desk.refund(payment.id, "10")
    await desk.synced()
    assert {each.code for each in await desk.conflicts()} == {"payment-deleted"}
    await desk.refund(payment.id, "20")
    await desk.synced()
    assert xero.taken["create Payments"] == 2
    assert await desk.conflicts() == []
