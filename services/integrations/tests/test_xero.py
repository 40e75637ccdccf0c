"""A sync with Xero, by its SDK over real HTTP: nothing is there twice, whatever fails; what differs is told."""

import json
from collections.abc import Mapping
from decimal import Decimal

import pytest

from opsfield.integrations.v1.jobs_pb2 import Job
from opsfield.ops.v1.invoices_pb2 import Invoice
from opsfield.platform.v1 import secrets_pb2, settings_pb2
from opsfield.platform.v1.settings_pb2 import Accounting
from services.integrations.tests.books import Desk, counts
from services.integrations.tests.caller import Caller
from services.integrations.tests.fake_xero import FakeXero


@pytest.fixture
def fake(xero: FakeXero) -> FakeXero:
    """With nothing in it."""
    xero.empty()
    return xero


@pytest.fixture
async def desk(fake: FakeXero, callers: Mapping[str, Caller]) -> Desk:
    secret = {"clientId": "our-id", "clientSecret": "our-secret", "tenantId": fake.account, "refreshToken": "refresh-0"}
    request = secrets_pb2.SetWorkspaceSecretRequest(key="accounting.xero", value=json.dumps(secret))
    await callers["platform"].call("SetWorkspaceSecret", request)
    settings = settings_pb2.ReplaceWorkspaceSettingsRequest()
    settings.settings.accounting.provider = Accounting.XERO
    settings.settings.accounting.tax_codes.append("20=OUTPUT2")
    settings.settings.accounting.revenue_account = "200"
    settings.settings.accounting.bank_account = "090"
    await callers["platform"].call("ReplaceWorkspaceSettings", settings)
    return Desk(callers["ops"], callers["integrations"])


async def test_all_of_it_is_there_once_though_answers_are_lost(desk: Desk, fake: FakeXero) -> None:
    client = await desk.client('The "Alder"')
    first, second = await desk.issued(client, "100", "0.50"), await desk.issued(client, "7", tax="0")
    await desk.paid(first.id, "20")
    fake.faults = {"Contacts": ["429", "drop"], "Invoices": ["drop", "401", "drop"], "Payments": ["drop"]}
    assert counts(await desk.synced()) == (4, 0, 0)
    assert fake.faults == {"Contacts": [], "Invoices": [], "Payments": []}
    assert dict(fake.taken) == {"create Contacts": 1, "create Invoices": 2, "create Payments": 1}
    [contact] = fake.kept["Contacts"].values()
    invoices = {each["InvoiceNumber"]: each for each in fake.kept["Invoices"].values()}
    assert {number: each["Total"] for number, each in invoices.items()} == {
        first.number: Decimal("120.6"),
        second.number: Decimal(7),
    }
    line = invoices[first.number]["LineItems"][1]
    assert (line["TaxType"], line["AccountCode"], line["TaxAmount"]) == ("OUTPUT2", "200", Decimal("0.1"))
    assert invoices[second.number]["Contact"]["ContactID"] == contact["ContactID"]
    [payment] = fake.kept["Payments"].values()
    assert (payment["Amount"], payment["Account"]["Code"]) == (Decimal(20), "090")
    assert counts(await desk.synced()) == (0, 0, 0)
    assert sum(fake.taken.values()) == 4


async def test_payments_come_in_and_do_not_go_out(desk: Desk, fake: FakeXero) -> None:
    client = await desk.client()
    invoice = await desk.issued(client, "100", tax="0")
    await desk.synced()
    [there] = fake.kept["Invoices"].values()
    paid = fake.pay(there["InvoiceID"], "60")
    assert counts(await desk.synced()) == (1, 0, 0)
    [payment] = await desk.payments()
    assert (payment.amount, payment.reference, payment.received_on) == ("60.00", "cheque 7", "2026-02-20")
    assert (payment.provider, payment.provider_payment_id) == ("xero", paid["PaymentID"])
    assert (await desk.invoice(invoice.id)).status == Invoice.PARTIALLY_PAID
    assert counts(await desk.synced()) == (0, 0, 0)
    fake.change("Payments", paid["PaymentID"], Status="DELETED")
    fake.change("Invoices", there["InvoiceID"], Status="VOIDED")
    await desk.synced()
    assert {each.code for each in await desk.conflicts()} == {"payment-deleted", "invoice-voided"}
    assert sum(fake.taken.values()) == 2


async def test_what_changes_here_changes_there(desk: Desk, fake: FakeXero) -> None:
    client = await desk.client()
    first, second = await desk.issued(client, "50", tax="0"), await desk.issued(client, "70", tax="0")
    payment = await desk.paid(first.id, "50")
    await desk.synced()
    await desk.refund(payment.id, "20")
    await desk.void(second.id)
    # Deleted, and made anew: both answers are lost.
    fake.faults = {"Payments": ["drop", "drop"]}
    assert counts(await desk.synced()) == (0, 2, 0)
    left = [each["Amount"] for each in fake.kept["Payments"].values() if each["Status"] == "AUTHORISED"]
    assert left == [Decimal(30)]
    assert (fake.taken["VOIDED Invoices"], fake.taken["DELETED Payments"], fake.taken["create Payments"]) == (1, 1, 2)
    [again] = [each for each in fake.kept["Payments"].values() if each["Status"] == "AUTHORISED"]
    fake.change("Payments", again["PaymentID"], Status="DELETED")
    await desk.refund(payment.id, "10")
    await desk.synced()
    assert {each.code for each in await desk.conflicts()} == {"payment-deleted"}
    await desk.refund(payment.id, "20")
    await desk.synced()
    assert fake.taken["create Payments"] == 2
    assert counts(await desk.synced()) == (0, 0, 0)
    assert await desk.conflicts() == []


async def test_what_is_other_there_is_told(desk: Desk, fake: FakeXero) -> None:
    client = await desk.client()
    known = fake.make("Contacts", Name="Acme")
    other = {"ContactID": str(known["ContactID"])}
    fake.make("Invoices", InvoiceNumber="INV-000001", Total=1, Contact=other, CurrencyCode="EUR", Status="AUTHORISED")
    taken, untaxed = await desk.issued(client, "10"), await desk.issued(client, "5", tax="7")
    await desk.synced()
    found = {each.resource_id: each.code for each in await desk.conflicts()}
    assert found == {taken.id: "invoice-number-taken", untaxed.id: "tax-code-missing"}
    assert len(fake.kept["Contacts"]) == 1
    fake.refresh_tokens += ["another", "others"]
    ended = await desk.integrations.ended(await desk.begin())
    assert (ended.status, ended.error_code) == (Job.FAILED, "reconnect-needed")
