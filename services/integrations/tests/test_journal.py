"""A sync with the journal: all of it is booked once, whoever dies; what the bank tells comes in once; what does not fit
is told."""

from decimal import Decimal

import asyncpg
import pytest

from devstack.stack import Stack
from kit.errors import Problem
from opsfield.integrations.v1 import accounting_pb2 as pb2
from opsfield.integrations.v1 import jobs_pb2
from opsfield.integrations.v1.accounting_pb2 import AccountingConflict
from opsfield.integrations.v1.jobs_pb2 import Job
from opsfield.ops.v1.invoices_pb2 import Invoice
from services.integrations.tests.books import Desk, bank_file, counts
from services.integrations.tests.caller import Caller
from services.integrations.tests.conftest import QUICK


@pytest.fixture
def desk(ops: Caller, integrations: Caller) -> Desk:
    return Desk(ops, integrations)


# Of the units of work, the first three are those of the upload, the job and its taking; then come clients, invoices,
# what the bank has told (which is at ops by then), what was in conflict, and payments.
@pytest.mark.parametrize("point", ["before-commit:6", "before-commit:8"])
async def test_a_crash_at_any_commit_books_all_once(stack: Stack, desk: Desk, point: str) -> None:
    client = await desk.client()
    invoices = [await desk.issued(client, "100", "10.10") for _ in range(4)]
    await desk.void(invoices[3].id)
    await desk.paid(invoices[1].id, "32.12")
    told = bank_file((invoices[0].number, "132.12", "B-1"), (invoices[1].number, "100", "B-2"))
    await stack.stop("integrations")
    await stack.start("integrations", {**QUICK, "CRASH_AT": point})
    try:
        begun = await desk.begin(told)
        assert await stack.wait("integrations") == 137
    finally:
        await stack.start("integrations", QUICK)
    ended = await desk.integrations.ended(begun)
    # A client, four invoices, two payments that came and three that are booked.
    assert (ended.status, counts(ended)) == (Job.SUCCEEDED, (10, 0, 0))
    assert len(await desk.payments()) == 3
    assert [(await desk.invoice(each.id)).status for each in invoices[:2]] == [Invoice.PAID, Invoice.PAID]
    owed = Decimal(invoices[2].total)
    earned = Decimal("330.30")
    assert await desk.balances() == {
        "1200": owed,
        "1000": Decimal("264.24"),
        "4000": -earned,
        "2200": -earned * Decimal("0.2"),
    }
    assert counts(await desk.synced(told)) == (0, 0, 0)


async def test_refunds_and_voids_are_entries_of_their_own(desk: Desk) -> None:
    client = await desk.client()
    first, second = await desk.issued(client, "50", tax="0"), await desk.issued(client, "70")
    payment = await desk.paid(first.id, "50")
    await desk.synced()
    await desk.refund(payment.id, "20")
    await desk.refund(payment.id, "30")
    await desk.void(second.id)
    assert counts(await desk.synced()) == (0, 2, 0)
    assert counts(await desk.synced()) == (0, 0, 0)
    assert await desk.balances() == {"1200": Decimal(50), "1000": Decimal(0), "4000": Decimal(-50), "2200": Decimal(0)}
    of_second = await desk.lines(invoice_id=second.id)
    assert [(line.account, line.debit, line.credit) for line in of_second] == [
        ("1200", "84.00", "0.00"),
        ("4000", "0.00", "70.00"),
        ("2200", "0.00", "14.00"),
        ("1200", "0.00", "84.00"),
        ("4000", "70.00", "0.00"),
        ("2200", "14.00", "0.00"),
    ]


async def test_what_the_bank_tells_and_does_not_fit_is_a_conflict_until_it_does(desk: Desk) -> None:
    client = await desk.client()
    invoice = await desk.issued(client, "100", tax="0")
    told = bank_file(
        (invoice.number, "60", "B-1"), (invoice.number, "60", "B-2"), ("INV-000002", "5", "B-3"), ("x", "free", "B-4")
    )
    assert counts(await desk.synced(told))[2] == 3
    found = {each.code: each for each in await desk.conflicts()}
    assert set(found) == {"exceeds-balance", "invoice-unknown", "row-unreadable"}
    assert (found["exceeds-balance"].ours, found["exceeds-balance"].theirs) == ("40.00 EUR", "60")
    later = await desk.issued(client, "5", tax="0")
    assert later.number == "INV-000002"
    dismiss = pb2.DismissAccountingConflictRequest(id=found["row-unreadable"].id)
    assert (await desk.integrations.call("DismissAccountingConflict", dismiss)).status == AccountingConflict.DISMISSED
    await desk.synced()
    assert [each.code for each in await desk.conflicts()] == ["exceeds-balance"]
    assert [each.code for each in await desk.conflicts(AccountingConflict.RESOLVED)] == ["invoice-unknown"]
    [payment] = [each for each in await desk.payments() if each.invoice_id == later.id]
    assert (payment.amount, payment.reference, payment.provider) == ("5.00", "B-3", "bank")
    # What was dismissed stays so though the file is told again.
    await desk.synced(told)
    assert [each.code for each in await desk.conflicts()] == ["exceeds-balance"]
    assert await desk.balances() == {"1200": Decimal(40), "1000": Decimal(65), "4000": Decimal(-105)}


async def test_one_sync_at_a_time_and_who_may_steer_it(stack: Stack, desk: Desk) -> None:
    await stack.stop("ops")
    try:
        begun = await desk.begin()
        with pytest.raises(Problem) as refused:
            await desk.begin()
        assert (refused.value.status, refused.value.code) == (409, "sync-under-way")
        await desk.integrations.call("CancelJob", jobs_pb2.CancelJobRequest(id=begun.id))
        assert (await desk.integrations.ended(begun)).status == Job.CANCELLED
    finally:
        await stack.start("ops")
    await desk.synced()


async def test_what_is_booked_stays_and_balances(desk: Desk, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    client = await desk.client()
    await desk.issued(client, "100")
    await desk.synced()
    workspace = desk.ops.principal.workspace_id
    for statement in (
        "UPDATE journal_lines SET debit = debit + 1 WHERE workspace_id = $1",
        "DELETE FROM journal_entries WHERE workspace_id = $1",
    ):
        with pytest.raises(asyncpg.RaiseError, match="neither changed nor deleted"):
            await admin.execute(statement, workspace)
    copied = """
    WITH entry AS (
        INSERT INTO journal_entries SELECT workspace_id, $2, date, currency, description, client_id, invoice_id,
            invoice_number, payment_id, $3, job_id, created_at
        FROM journal_entries WHERE workspace_id = $1 AND number = 1
    )
    INSERT INTO journal_lines SELECT workspace_id, gen_random_uuid(), $2, position, account, debit * $4, credit,
        tax_percent FROM journal_lines WHERE workspace_id = $1 AND entry_number = 1
    """
    with pytest.raises(asyncpg.RaiseError, match="does not balance"):
        await admin.execute(copied, workspace, 2, "again", 2)
    with pytest.raises(asyncpg.RaiseError, match="follows upon none"):
        await admin.execute(copied, workspace, 3, "again", 1)
    with pytest.raises(asyncpg.UniqueViolationError):
        await admin.execute(copied, workspace, 2, "issued", 1)
