"""Contracts: each period is billed once. And the sweep, which does that and what else the calendar brings."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from devstack.stack import Stack
from kit import clock
from kit.call import Call
from kit.database import Database
from kit.identity import Principal
from kit.sweeping import Sweep
from kit.unit_of_work import unit_of_work
from opsfield.ops.v1.contracts_pb2 import Contract, ContractLine
from opsfield.ops.v1.invoices_pb2 import Invoice, ListInvoicesRequest
from opsfield.ops.v1.payments_pb2 import Payment
from services.ops.billing.contracts.recurring import invoice_due_periods
from services.ops.billing.sweep import billing_sweep
from services.ops.tests.billing import billed, issued
from services.ops.tests.billing import line as invoice_line
from services.ops.tests.client import Ops
from tests.callers import refused

TODAY = datetime.now(UTC).date()


async def agreed(ops: Ops, **fields: Any) -> Contract:
    """An active contract over 100.00 EUR a month, from today."""
    client = await ops.create_client(currency="EUR")
    lines = [ContractLine(description="Care", quantity="10", unit_price="10")]
    content = {"name": "Care", "starts_on": TODAY.isoformat(), "lines": lines, **fields}
    contract = await billed(ops).create(Contract(client_id=client.id, **content))
    found: Contract = await billed(ops).patch(contract, status=Contract.ACTIVE)
    return found


async def bill(database: Database, workspace: str, contract: Contract, today: date) -> list[str]:
    call = Call(method="test", principal=Principal("ada", workspace_id=workspace), correlation_id="c")
    with clock.at(datetime.combine(today, time(12), UTC)):
        async with unit_of_work(database, call, service="ops") as work:
            return await invoice_due_periods(work, contract.id, today)


async def invoices(ops: Ops) -> list[Invoice]:
    query = ListInvoicesRequest(sort_by="createdAt", sort_order="ASC", limit=200)
    return sorted((await billed(ops).call("ListInvoices", query)).data, key=lambda each: str(each.period_start))


async def test_each_period_is_billed_once(ops: Ops, workspace: str, database: Database) -> None:
    contract = await agreed(ops)
    assert (contract.number, contract.total, contract.next_invoice_on) == ("CON-1001", "100.00", TODAY.isoformat())
    first_runs = await asyncio.gather(*(bill(database, workspace, contract, TODAY) for _ in range(2)))
    assert sorted(len(each) for each in first_runs) == [0, 1]
    assert await bill(database, workspace, contract, TODAY) == []
    # Three more months have begun in a hundred days, or two after a long one.
    later = TODAY + timedelta(days=100)
    runs = await asyncio.gather(*(bill(database, workspace, contract, later) for _ in range(2)))
    assert sorted(len(each) for each in runs) == [0, 3]
    found = await invoices(ops)
    assert [each.period_start for each in found] == sorted({each.period_start for each in found})
    assert {(each.status, each.total, each.contract_id) for each in found} == {(Invoice.DRAFT, "100.00", contract.id)}
    for first, second in pairwise(found):
        assert date.fromisoformat(first.period_end) + timedelta(days=1) == date.fromisoformat(second.period_start)


async def test_a_period_whose_draft_was_deleted_is_not_billed_again(
    ops: Ops, workspace: str, database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    contract = await agreed(ops, auto_issue=False)
    await bill(database, workspace, contract, TODAY)
    await billed(ops).delete((await invoices(ops))[0])
    await admin.execute("UPDATE contracts SET next_invoice_on = starts_on WHERE id = $1", contract.id)
    assert await bill(database, workspace, contract, TODAY) == []


async def test_invoices_can_be_issued_at_once_and_stop_with_the_contract(
    ops: Ops, workspace: str, database: Database
) -> None:
    contract = await agreed(ops, auto_issue=True, ends_on=(TODAY + timedelta(days=40)).isoformat())
    await bill(database, workspace, contract, TODAY + timedelta(days=200))
    found = await invoices(ops)
    assert [(each.status, each.number) for each in found] == [
        (Invoice.ISSUED, "INV-000001"), (Invoice.ISSUED, "INV-000002")]  # fmt: skip
    assert found[1].period_end == contract.ends_on
    assert (await billed(ops).get(contract)).status == Contract.EXPIRED


async def test_a_renewed_contract_goes_on(ops: Ops, workspace: str, database: Database) -> None:
    ends_on = TODAY + timedelta(days=20)
    contract = await agreed(ops, auto_renew=True, ends_on=ends_on.isoformat())
    assert len(await bill(database, workspace, contract, TODAY + timedelta(days=40))) == 2
    now = await billed(ops).get(contract)
    assert (now.status, now.renewal_count) == (Contract.ACTIVE, 1)
    assert now.ends_on > contract.ends_on


async def test_what_is_agreed_stays(ops: Ops) -> None:
    contract = await agreed(ops)
    for change in ({"currency": "USD"}, {"starts_on": "2020-01-01"}, {"billing_period": Contract.YEARLY}):
        async with refused(409, "contract-immutable"):
            await billed(ops).patch(contract, **change)
    async with refused(409, "contract-not-draft"):
        await billed(ops).delete(contract)
    async with refused(422, path="terminationReason"):
        await billed(ops).patch(contract, status=Contract.TERMINATED)
    suspended = await billed(ops).patch(contract, status=Contract.SUSPENDED)
    assert not suspended.HasField("next_invoice_on")
    assert (await billed(ops).patch(contract, status=Contract.ACTIVE)).next_invoice_on == TODAY.isoformat()
    ended = await billed(ops).patch(contract, status=Contract.TERMINATED, termination_reason="Moved away.")
    assert ended.terminated_at == ended.updated_at
    async with refused(409, "illegal-transition"):
        await billed(ops).patch(contract, status=Contract.ACTIVE)


@pytest.fixture
async def sweeps(database: Database, stack: Stack) -> list[Sweep]:
    """Two instances."""
    return [billing_sweep(database, stack.database_url("ops", "relay")) for _ in range(2)]


async def events(admin: "asyncpg.Connection[asyncpg.Record]", workspace: str) -> list[str]:
    query = "SELECT key FROM outbox WHERE workspace_id = $1 AND topic = 'invoice.overdue'"
    return sorted(row["key"] for row in await admin.fetch(query, workspace))


async def test_two_sweeps_at_once_tell_each_overdue_invoice_once(
    ops: Ops, workspace: str, sweeps: list[Sweep], admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    client = await ops.create_client("Slow", currency="EUR", payment_terms_days=0)
    due = [await issued(ops, invoice_line("1", "5"), client=client) for _ in range(8)]
    part, paid = due[0], due[1]
    await billed(ops).create(Payment(invoice_id=part.id, amount="2", status=Payment.SUCCEEDED))
    await billed(ops).create(Payment(invoice_id=paid.id, amount="5", status=Payment.SUCCEEDED))
    contract = await agreed(ops)
    await asyncio.gather(*(each.once() for each in sweeps))
    assert await events(admin, workspace) == [], "today is still in time"
    with clock.at(datetime.now(UTC) + timedelta(days=1)):
        await asyncio.gather(*(each.once() for each in sweeps))
        await asyncio.gather(*(each.once() for each in sweeps))
    assert await events(admin, workspace) == sorted(each.id for each in due if each is not paid)
    states = [(await billed(ops).get(each)).status for each in due]
    assert states == [Invoice.PARTIALLY_PAID, Invoice.PAID, *[Invoice.OVERDUE] * 6]
    assert (await billed(ops).get(part)).overdue_since == (TODAY + timedelta(days=1)).isoformat()
    assert [each.contract_id for each in await invoices(ops) if each.contract_id] == [contract.id]
    settled = await billed(ops).create(Payment(invoice_id=due[2].id, amount="5", status=Payment.SUCCEEDED))
    assert (await billed(ops).get(due[2])).status == Invoice.PAID
    await billed(ops).act("refund", settled, amount="5", reason="Bounced.")
    assert (await billed(ops).get(due[2])).status == Invoice.OVERDUE


async def test_the_sweep_s_role_sees_what_is_due_and_nothing_else(stack: Stack) -> None:
    connection = await asyncpg.connect(stack.database_url("ops", "relay"))
    try:
        await connection.fetch("SELECT workspace_id, status, due_on FROM invoices")
        for statement in ("SELECT lines FROM invoices", "SELECT * FROM quotes", "SELECT name FROM contracts",
                          "SELECT workspace_id FROM payments", "UPDATE invoices SET due_on = NULL"):  # fmt: skip
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
