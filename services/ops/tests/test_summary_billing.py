"""The billing lane of the ops summary, counted by hand from the rows that a test has made."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from kit.call import Call
from kit.database import Database
from kit.unit_of_work import unit_of_work
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.contracts_pb2 import Contract
from opsfield.ops.v1.invoices_pb2 import Invoice
from opsfield.ops.v1.payments_pb2 import Payment
from opsfield.ops.v1.quotes_pb2 import Quote, QuoteLine
from opsfield.ops.v1.summary_pb2 import GetOpsSummaryRequest, OpsSummary
from services.ops.billing.invoices.overdue import mark_overdue
from services.ops.tests.billing import billed, draft, issued, line
from services.ops.tests.client import Ops
from services.ops.tests.past import OpsAt

TODAY = date(2100, 3, 10)
NOON = datetime.combine(TODAY, time(12), UTC)
LONG_AGO = datetime(2099, 11, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
InvoiceTotal, Receivables, Total = OpsSummary.InvoiceTotal, OpsSummary.Receivables, OpsSummary.Total


@pytest.fixture
def past(ops: Ops, database: Database) -> OpsAt:
    return OpsAt.like(ops, database).at(LONG_AGO)


@pytest.fixture
async def client(past: OpsAt) -> Client:
    return await past.create_client(currency="EUR")


async def lane(past: OpsAt) -> OpsSummary.Billing:
    found: OpsSummary = await billed(past.at(NOON)).call("GetOpsSummary", GetOpsSummaryRequest())
    return found.billing


async def bill(past: OpsAt, client: Client, amount: str, days_past_due: int) -> Invoice:
    """An invoice that was issued long ago."""
    due_on = (TODAY - days_past_due * DAY).isoformat()
    return await issued(past, line("1", amount), client=client, due_on=due_on)


async def pay(past: OpsAt, invoice: Invoice, amount: str, status: Any) -> Payment:
    payment: Payment = await billed(past).create(Payment(invoice_id=invoice.id, amount=amount, status=status))
    return payment


async def test_invoices_and_payments(past: OpsAt, client: Client, database: Database) -> None:
    assert await lane(past) == OpsSummary.Billing()
    tokyo = await past.create_client("Tokyo", currency="JPY")
    await draft(past, line("1", "6.50"), client=client)
    await draft(past, line("1", "3.50"), client=client, due_on=(TODAY - 5 * DAY).isoformat())
    await billed(past).delete(await draft(past, line("1", "1000"), client=client))
    await bill(past, client, "100.10", 0)
    await bill(past, tokyo, "500", -20)
    owed = [await bill(past, client, amount, days) for amount, days in (("200", 1), ("50", 30), ("7", 31))]
    for amount, days in (("3", 60), ("8", 61), ("1", 90), ("9.05", 91)):
        await bill(past, client, amount, days)
    await pay(past, owed[1], "20", Payment.SUCCEEDED)
    await pay(past, owed[0], "15", Payment.PENDING)
    await pay(past, owed[0], "2.50", Payment.PENDING)
    failed = await pay(past, owed[0], "4", Payment.PENDING)
    await billed(past).patch(failed, status=Payment.FAILED, failure_reason="No funds.")
    await pay(past, await bill(past, client, "77", 40), "77", Payment.SUCCEEDED)
    await billed(past).act("void", await bill(past, client, "88", 40), reason="Wrong client.")

    receivables = [
        Receivables(
            currency="EUR", not_due="100.10", days_1_to_30="230.00", days_31_to_60="10.00", days_61_to_90="9.00",
            over_90_days="9.05", total="358.15",
        ),
        Receivables(
            currency="JPY", not_due="500", days_1_to_30="0", days_31_to_60="0", days_61_to_90="0", over_90_days="0",
            total="500",
        ),
    ]  # fmt: skip
    drafts = InvoiceTotal(status=Invoice.DRAFT, currency="EUR", count=2, balance="10.00")
    partly = InvoiceTotal(status=Invoice.PARTIALLY_PAID, currency="EUR", count=1, balance="30.00")
    abroad = InvoiceTotal(status=Invoice.ISSUED, currency="JPY", count=1, balance="500")
    found = await lane(past)
    assert list(found.invoices) == [
        drafts, InvoiceTotal(status=Invoice.ISSUED, currency="EUR", count=7, balance="328.15"), abroad, partly
    ]  # fmt: skip
    assert list(found.receivables) == receivables
    assert list(found.payments_pending) == [Total(currency="EUR", count=2, amount="17.50")]

    call = Call("/Test", billed(past).principal, "c-1")
    async with unit_of_work(database, call, service="ops") as work:
        assert await mark_overdue(work, TODAY) == 7
    found = await lane(past)
    assert list(found.invoices) == [
        drafts, InvoiceTotal(status=Invoice.ISSUED, currency="EUR", count=1, balance="100.10"), abroad, partly,
        InvoiceTotal(status=Invoice.OVERDUE, currency="EUR", count=6, balance="228.05"),
    ]  # fmt: skip
    assert list(found.receivables) == receivables


async def test_quotes(past: OpsAt, client: Client) -> None:
    async def offer(client: Client, amount: str, valid_until: date) -> Quote:
        lines = [QuoteLine(description="Work", quantity="1", unit_price=amount)]
        content = Quote(client_id=client.id, title="Office", lines=lines, valid_until=valid_until.isoformat())
        quote: Quote = await billed(past).create(content)
        return quote

    tokyo = await past.create_client("Tokyo", currency="JPY")
    await offer(client, "1000", TODAY)
    for who, amount, valid_until in ((client, "40", TODAY), (client, "2.50", TODAY + DAY), (tokyo, "70", TODAY)):
        await billed(past).act("send", await offer(who, amount, valid_until))
    await billed(past).act("send", await offer(client, "500", TODAY - DAY))
    rejected = await billed(past).act("send", await offer(client, "600", TODAY))
    await billed(past).act("reject", rejected, reason="No.")
    assert list((await lane(past)).quotes_awaiting_decision) == [
        Total(currency="EUR", count=2, amount="42.50"),
        Total(currency="JPY", count=1, amount="70"),
    ]


async def test_contracts(past: OpsAt, client: Client) -> None:
    async def agree(days_left: int | None, *moves: Any, auto_renew: bool = False) -> None:
        ends_on = None if days_left is None else (TODAY + days_left * DAY).isoformat()
        content = Contract(
            client_id=client.id, name="Care", starts_on="2099-01-01", ends_on=ends_on, auto_renew=auto_renew
        )
        made: Contract = await billed(past).create(content)
        for status in moves:
            await billed(past).patch(made, status=status)

    active = Contract.ACTIVE
    await agree(30, active, auto_renew=True)
    await agree(0, active)
    await agree(20, active, Contract.SUSPENDED)
    await agree(31, active, auto_renew=True)
    await agree(-1, active)
    await agree(None, active)
    await agree(10)
    found = await lane(past)
    assert (found.contracts_ending, found.contracts_renewing) == (3, 1)


async def test_another_workspaces_money_does_not_count(past: OpsAt, client: Client, database: Database) -> None:
    await bill(past, client, "10", 1)
    other = OpsAt.like(past.of(f"{past.principal.workspace_id}-2"), database)
    assert await lane(other) == OpsSummary.Billing()
    assert len((await lane(past)).receivables) == 1
