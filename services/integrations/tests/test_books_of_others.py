"""A sync with QuickBooks and with Xero, by their SDKs over real HTTP: nothing is there twice, whatever fails; what
differs is told. What one of them alone does is in test_quickbooks.py and test_xero.py."""

from decimal import Decimal

import asyncpg
import pytest

from opsfield.integrations.v1.jobs_pb2 import Job
from opsfield.ops.v1.invoices_pb2 import Invoice
from services.integrations.tests.books import Desk, counts
from services.integrations.tests.conftest import Connect
from services.integrations.tests.fake_books import FakeBooks


@pytest.fixture(params=["quickbooks", "xero"])
def fake(request: pytest.FixtureRequest) -> FakeBooks:
    found: FakeBooks = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def desk(fake: FakeBooks, connect: Connect) -> Desk:
    return await connect(fake)


async def test_all_of_it_is_there_once_though_answers_are_lost(desk: Desk, fake: FakeBooks) -> None:
    client = await desk.client('The "Alder\'s"')
    first, second = await desk.issued(client, "100", "0.50"), await desk.issued(client, "7", tax="0")
    await desk.paid(first.id, "20")
    customers, invoices, payments = fake.kinds
    fake.faults = {customers: ["429", "drop"], invoices: ["drop", "401", "drop"], payments: ["drop"]}
    assert counts(await desk.synced()) == (4, 0, 0)
    assert fake.faults == {customers: [], invoices: [], payments: []}
    assert dict(fake.taken) == {f"create {customers}": 1, f"create {invoices}": 2, f"create {payments}": 1}
    totals = {number: total for number, (_, total) in fake.invoices().items()}
    assert totals == {first.number: Decimal("120.60"), second.number: Decimal(7)}
    assert list(fake.payments().values()) == [Decimal(20)]
    assert counts(await desk.synced()) == (0, 0, 0)
    assert sum(fake.taken.values()) == 4


async def test_payments_come_in_and_do_not_go_out(desk: Desk, fake: FakeBooks) -> None:
    client = await desk.client()
    invoice = await desk.issued(client, "100", tax="0")
    await desk.synced()
    there, _ = fake.invoices()[invoice.number]
    fake.pay(there, "60")
    [paid] = fake.payments()
    assert counts(await desk.synced()) == (1, 0, 0)
    [payment] = await desk.payments()
    assert (payment.amount, payment.reference, payment.received_on) == ("60.00", "cheque 7", "2026-02-20")
    assert payment.provider == fake.provider
    assert payment.provider_payment_id in (paid, f"{paid}/{there}")
    assert (await desk.invoice(invoice.id)).status == Invoice.PARTIALLY_PAID
    assert counts(await desk.synced()) == (0, 0, 0)
    fake.take_back(paid)
    await desk.synced()
    assert [each.code for each in await desk.conflicts()] == ["payment-deleted"]
    assert sum(fake.taken.values()) == 2


async def test_what_was_deleted_there_before_it_came_in_never_does(desk: Desk, fake: FakeBooks) -> None:
    invoice = await desk.issued(await desk.client(), "100", tax="0")
    await desk.synced()
    there, _ = fake.invoices()[invoice.number]
    fake.pay(there, "100")
    await desk.synced()
    [payment] = await desk.payments()
    known = set(fake.payments())
    fake.pay(there, "100")
    await desk.synced()
    assert [each.code for each in await desk.conflicts()] == ["invoice-not-payable"]
    [mistaken] = set(fake.payments()) - known
    fake.take_back(mistaken)
    await desk.synced()
    assert await desk.conflicts() == []
    # There is room for it again.
    await desk.refund(payment.id, "100")
    await desk.synced()
    assert [each.code for each in await desk.conflicts()] == ["refunded-here"]
    assert [each.id for each in await desk.payments()] == [payment.id]


async def test_what_changes_here_changes_there(desk: Desk, fake: FakeBooks) -> None:
    client = await desk.client()
    first, second = await desk.issued(client, "50", tax="0"), await desk.issued(client, "70", tax="0")
    payment = await desk.paid(first.id, "50")
    await desk.synced()
    await desk.refund(payment.id, "20")
    await desk.void(second.id)
    # Xero's is deleted and made anew: both answers are lost.
    fake.faults = {fake.kinds[2]: ["drop", "drop"]}
    assert counts(await desk.synced()) == (0, 2, 0)
    assert {number: total for number, (_, total) in fake.invoices().items()} == {first.number: 50, second.number: 0}
    [(there, amount)] = fake.payments().items()
    assert amount == 30
    fake.take_back(there)
    await desk.synced()
    assert [each.code for each in await desk.conflicts()] == ["payment-deleted"]
    await desk.refund(payment.id, "30")
    await desk.synced()
    assert counts(await desk.synced()) == (0, 0, 0)
    assert await desk.conflicts() == []


async def test_what_is_other_there_is_told_and_left(desk: Desk, fake: FakeBooks) -> None:
    client = await desk.client()
    fake.take_number("INV-000001")
    taken, untaxed = await desk.issued(client, "10"), await desk.issued(client, "5", tax="7")
    await desk.synced()
    found = {each.resource_id: each.code for each in await desk.conflicts()}
    assert found == {taken.id: "invoice-number-taken", untaxed.id: "tax-code-missing"}
    assert fake.invoices()["INV-000001"][1] == 1
    assert fake.taken.total() == 0, "the customer is there already"


async def test_the_new_refresh_token_is_kept_and_sealed(
    desk: Desk, fake: FakeBooks, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    for _ in range(4):
        await desk.synced()
    assert len(fake.refresh_tokens) == 5
    kept = await admin.fetchval(
        "SELECT sealed FROM accounting_tokens WHERE workspace_id = $1", desk.ops.principal.workspace_id
    )
    assert b"refresh" not in kept
    fake.refresh_tokens += ["another", "others"]
    ended = await desk.integrations.ended(await desk.begin())
    assert (ended.status, ended.error_code) == (Job.FAILED, "reconnect-needed")
    assert f"accounting.{fake.provider}" in ended.error_message
