"""A sync with QuickBooks, by its SDK over real HTTP: nothing is there twice, whatever fails; what differs is told."""

import json
from collections.abc import Mapping
from decimal import Decimal

import asyncpg
import pytest

from devstack.stack import Stack
from opsfield.integrations.v1.accounting_pb2 import AccountingConflict
from opsfield.integrations.v1.jobs_pb2 import Job
from opsfield.ops.v1.invoices_pb2 import Invoice
from opsfield.platform.v1 import secrets_pb2, settings_pb2
from opsfield.platform.v1.settings_pb2 import Accounting
from services.integrations.tests.books import Desk, counts
from services.integrations.tests.caller import Caller
from services.integrations.tests.conftest import QUICK
from services.integrations.tests.fake_quickbooks import FakeQuickBooks


@pytest.fixture
def fake(quickbooks: FakeQuickBooks) -> FakeQuickBooks:
    """With nothing in it."""
    quickbooks.empty()
    return quickbooks


@pytest.fixture
async def desk(fake: FakeQuickBooks, callers: Mapping[str, Caller]) -> Desk:
    secret = {"clientId": "our-id", "clientSecret": "our-secret", "realmId": fake.account, "refreshToken": "refresh-0"}
    request = secrets_pb2.SetWorkspaceSecretRequest(key="accounting.quickbooks", value=json.dumps(secret))
    await callers["platform"].call("SetWorkspaceSecret", request)
    settings = settings_pb2.ReplaceWorkspaceSettingsRequest()
    settings.settings.accounting.provider = Accounting.QUICKBOOKS
    settings.settings.accounting.tax_codes.append("20.0=5")
    await callers["platform"].call("ReplaceWorkspaceSettings", settings)
    return Desk(callers["ops"], callers["integrations"])


async def test_all_of_it_is_there_once_though_answers_are_lost(desk: Desk, fake: FakeQuickBooks) -> None:
    client = await desk.client("Alder's")
    first, second = await desk.issued(client, "100", "0.50"), await desk.issued(client, "7", tax="0")
    await desk.paid(first.id, "20")
    fake.faults = {"Customer": ["429", "drop"], "Invoice": ["drop", "401", "drop"], "Payment": ["drop"]}
    assert counts(await desk.synced()) == (4, 0, 0)
    assert fake.faults == {"Customer": [], "Invoice": [], "Payment": []}
    assert dict(fake.taken) == {"create Customer": 1, "create Invoice": 2, "create Payment": 1}
    [customer] = fake.kept["Customer"].values()
    invoices = {each["DocNumber"]: each for each in fake.kept["Invoice"].values()}
    assert {number: each["TotalAmt"] for number, each in invoices.items()} == {
        first.number: Decimal("120.60"),
        second.number: Decimal("7.00"),
    }
    assert invoices[first.number]["Line"][1]["SalesItemLineDetail"]["TaxCodeRef"] == {"value": "5"}
    [payment] = fake.kept["Payment"].values()
    assert (payment["TotalAmt"], payment["CustomerRef"]) == ("20.00", {"value": customer["Id"]})
    assert payment["Line"][0]["LinkedTxn"][0]["TxnId"] == invoices[first.number]["Id"]
    assert counts(await desk.synced()) == (0, 0, 0)
    assert sum(fake.taken.values()) == 4


async def test_payments_come_in_once_and_do_not_go_out(stack: Stack, desk: Desk, fake: FakeQuickBooks) -> None:
    client = await desk.client()
    invoice = await desk.issued(client, "100", tax="0")
    await desk.synced()
    [there] = fake.kept["Invoice"].values()
    paid = fake.pay(there["Id"], "60")
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
    again = fake.pay(there["Id"], "60")
    await desk.synced()
    assert [each.code for each in await desk.conflicts()] == ["exceeds-balance"]
    assert len(await desk.payments()) == 1
    fake.delete("Payment", paid["Id"])
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
    fake.change("Payment", again["Id"], Line=[{**again["Line"][0], "Amount": 50}])
    await desk.synced()
    assert await desk.conflicts() == []
    assert sum(fake.taken.values()) == 2


async def test_what_changes_here_changes_there(desk: Desk, fake: FakeQuickBooks) -> None:
    client = await desk.client()
    first, second = await desk.issued(client, "50", tax="0"), await desk.issued(client, "70", tax="0")
    payment = await desk.paid(first.id, "50")
    await desk.synced()
    await desk.refund(payment.id, "20")
    await desk.void(second.id)
    assert counts(await desk.synced()) == (0, 2, 0)
    [there] = fake.kept["Payment"].values()
    assert there["TotalAmt"] == "30.00"
    assert {each["TotalAmt"] for each in fake.kept["Invoice"].values()} == {Decimal(50), 0}
    fake.delete("Payment", there["Id"])
    await desk.synced()
    assert [each.code for each in await desk.conflicts()] == ["payment-deleted"]
    await desk.refund(payment.id, "30")
    await desk.synced()
    assert counts(await desk.synced()) == (0, 0, 0)
    assert await desk.conflicts() == []


async def test_what_is_other_there_is_told_and_left(desk: Desk, fake: FakeQuickBooks) -> None:
    client = await desk.client()
    fake.make("Invoice", DocNumber="INV-000001", TotalAmt=1, CustomerRef={"value": "9"})
    known = fake.make("Customer", DisplayName="Acme")
    taken = await desk.issued(client, "10")
    invoice = await desk.issued(client, "100", tax="0")
    untaxed = await desk.issued(client, "5", tax="7")
    await desk.synced()
    found = {each.resource_id: each for each in await desk.conflicts()}
    assert {taken.id: "invoice-number-taken", untaxed.id: "tax-code-missing"} == {
        resource: each.code for resource, each in found.items()
    }
    [there] = [each for each in fake.kept["Invoice"].values() if each["DocNumber"] == invoice.number]
    assert there["CustomerRef"] == {"value": known["Id"]}
    fake.change("Invoice", there["Id"], TotalAmt=90)
    await desk.synced()
    [changed] = [each for each in await desk.conflicts() if each.code == "invoice-changed"]
    assert (changed.ours, changed.theirs, changed.external_id) == ("100.00 EUR", "90.00 EUR", there["Id"])
    await desk.void(invoice.id)
    await desk.synced()
    assert fake.kept["Invoice"][there["Id"]]["TotalAmt"] == 90
    fake.change("Invoice", there["Id"], TotalAmt=100)
    await desk.synced()
    assert fake.kept["Invoice"][there["Id"]]["TotalAmt"] == 0
    assert {each.code for each in await desk.conflicts()} == {"invoice-number-taken", "tax-code-missing"}
    resolved = await desk.conflicts(AccountingConflict.RESOLVED)
    assert {each.resource_id for each in resolved} == {invoice.id}


async def test_the_new_refresh_token_is_kept_and_sealed(
    desk: Desk, fake: FakeQuickBooks, admin: "asyncpg.Connection[asyncpg.Record]"
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
    assert "accounting.quickbooks" in ended.error_message
