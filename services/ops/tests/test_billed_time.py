"""Time on invoices: named in a draft, taken at issue, freed by voiding, and on one invoice at a time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.errors import Problem
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.invoices_pb2 import Invoice, InvoiceLine
from opsfield.ops.v1.tickets_pb2 import Ticket
from opsfield.ops.v1.time_entries_pb2 import TimeEntry
from services.ops.tests.billing import billed, draft, issued, line
from services.ops.tests.client import Ops
from tests.callers import refused

NOTHING = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client(currency="EUR")


@pytest.fixture
async def ticket(ops: Ops, client: Client) -> Ticket:
    return await ops.create_ticket(client)


async def worked(ops: Ops, ticket: Ticket, **fields: Any) -> TimeEntry:
    """A time entry that is written down."""
    began = datetime.now(UTC) - timedelta(hours=2)
    made: TimeEntry = await ops.create(TimeEntry(ticket_id=ticket.id, minutes=30, started_at=began, **fields))
    return made


def billing(*entries: TimeEntry | str) -> InvoiceLine:
    """A line that bills them."""
    ids = [each if isinstance(each, str) else each.id for each in entries]
    return InvoiceLine(description="Work", quantity="0.5", unit_price="100", time_entry_ids=ids)


async def test_issuing_takes_the_time_and_voiding_frees_it(ops: Ops, client: Client, ticket: Ticket) -> None:
    one, two = await worked(ops, ticket), await worked(ops, ticket)
    invoice = await draft(ops, billing(one), billing(two), client=client)
    assert await ops.get(one) == one, "a draft takes nothing"
    await ops.patch(one, notes="Still open.")
    await billed(ops).act("issue", invoice)
    taken = [await ops.get(each) for each in (one, two)]
    assert [each.invoice_id for each in taken] == [invoice.id] * 2
    assert all(each.invoiced_at == each.updated_at for each in taken)
    assert [each.version for each in taken] == [3, 2]
    async with refused(409, "invoiced"):
        await ops.patch(one, minutes=5)
    async with refused(409, "invoiced"):
        await ops.delete(two)
    assert [each.id for each in (await ops.page("TimeEntries", invoice_id=invoice.id)).data] == [two.id, one.id]
    await billed(ops).act("void", invoice, reason="Wrong price.")
    freed = await ops.get(one)
    assert (freed.HasField("invoice_id"), freed.HasField("invoiced_at")) == (False, False)
    assert (await ops.patch(one, minutes=5)).minutes == 5
    again = await issued(ops, billing(one, two), client=client)
    assert (await ops.get(two)).invoice_id == again.id


async def test_a_reissued_invoice_takes_its_time_over(ops: Ops, client: Client, ticket: Ticket) -> None:
    entry = await worked(ops, ticket)
    invoice = await issued(ops, billing(entry), client=client)
    copy = await billed(ops).act("reissue", invoice, reason="Wrong price.")
    assert not (await ops.get(entry)).HasField("invoice_id")
    await billed(ops).act("issue", copy)
    assert (await ops.get(entry)).invoice_id == copy.id


async def test_an_invoice_over_nothing_frees_its_time_when_it_is_voided(
    ops: Ops, client: Client, ticket: Ticket
) -> None:
    entry = await worked(ops, ticket)
    free = billing(entry)
    free.discount_percent = "100"
    invoice = await issued(ops, free, client=client)
    assert (invoice.status, (await ops.get(entry)).invoice_id) == (Invoice.PAID, invoice.id)
    await billed(ops).act("void", invoice, reason="The discount was a slip.")
    again = await issued(ops, billing(entry), client=client)
    assert (again.total, (await ops.get(entry)).invoice_id) == ("50.00", again.id)


async def test_time_on_a_closed_ticket_is_billed(ops: Ops, client: Client, ticket: Ticket) -> None:
    entry = await worked(ops, ticket)
    await ops.resolve(ticket)
    await ops.patch(ticket, status=Ticket.CLOSED)
    closed = await ops.get(ticket)
    invoice = await issued(ops, billing(entry), client=client)
    assert (await ops.get(entry)).invoice_id == invoice.id
    assert await ops.get(ticket) == closed


async def test_what_cannot_be_billed_is_refused_at_its_place(
    ops: Ops, client: Client, ticket: Ticket, workspace: str
) -> None:
    good, free = await worked(ops, ticket), await worked(ops, ticket, billable=False)
    foreign = await worked(ops, await ops.create_ticket(await ops.create_client("Other")))
    gone = await worked(ops, ticket)
    await ops.delete(gone)
    sold = await worked(ops, ticket)
    await issued(ops, billing(sold), client=client)
    elsewhere = ops.of(f"{workspace}-2")
    hidden = await worked(elsewhere, await elsewhere.create_ticket(await elsewhere.create_client()))
    for wrong in (NOTHING, free, foreign, gone, sold, hidden, good):
        async with refused(422, path="lines[1].timeEntryIds[1]"):
            # The last of them is good, but on the invoice already.
            other = good if wrong is not good else await worked(ops, ticket)
            await draft(ops, billing(good if wrong is good else other), billing(await worked(ops, ticket), wrong),
                        client=client)  # fmt: skip
    invoice = await draft(ops, billing(good), client=client)
    async with refused(422, path="lines[0].timeEntryIds[0]"):
        await billed(ops).patch(invoice, lines=[billing(NOTHING)])
    async with refused(422, path="lines[0].timeEntryIds[0]"):
        await billed(ops).patch(invoice, client_id=(await ops.create_client("Third")).id)
    with pytest.raises(Problem) as problem:
        await billed(ops).patch(invoice, lines=[billing(NOTHING, good, free)])
    assert [each.path for each in problem.value.errors] == [f"lines[0].timeEntryIds[{each}]" for each in (0, 2)]


@pytest.mark.parametrize("change", ["deleted", "not billable", "moved", "sold"])
async def test_what_became_of_the_time_since_the_draft_counts(
    ops: Ops, client: Client, ticket: Ticket, change: str
) -> None:
    entry = await worked(ops, ticket)
    invoice = await draft(ops, billing(entry), client=client)
    if change == "deleted":
        await ops.delete(entry)
    elif change == "not billable":
        await ops.patch(entry, billable=False)
    elif change == "moved":
        elsewhere = await ops.create_ticket(await ops.create_client("Other"))
        await ops.patch(entry, ticket_id=elsewhere.id)
    else:
        await issued(ops, billing(entry), client=client)
    async with refused(422, path="lines[0].timeEntryIds[0]"):
        await billed(ops).act("issue", invoice)
    assert (await billed(ops).get(invoice)).status == Invoice.DRAFT
    later = await issued(ops, line("1", "5"), client=client)
    assert later.number == f"INV-{1 + (change == 'sold'):06d}", "what was refused took no number"


async def test_of_invoices_issued_at_once_one_has_the_time(ops: Ops, client: Client, ticket: Ticket) -> None:
    for _ in range(3):
        entries = [await worked(ops, ticket) for _ in range(4)]
        drafts = [await draft(ops, billing(*order), client=client) for order in (entries, entries[::-1]) * 3]
        outcomes = await asyncio.gather(*(billed(ops).act("issue", each) for each in drafts), return_exceptions=True)
        [winner] = [each for each in outcomes if isinstance(each, Invoice)]
        refusals = [each for each in outcomes if isinstance(each, Problem)]
        assert [(each.status, len(each.errors)) for each in refusals] == [(422, 4)] * 5
        assert {(await ops.get(each)).invoice_id for each in entries} == {winner.id}


async def test_of_issuing_and_changing_the_time_at_once_one_wins(ops: Ops, client: Client, ticket: Ticket) -> None:
    for _ in range(5):
        entry = await worked(ops, ticket)
        invoice = await draft(ops, billing(entry), client=client)
        outcomes = await asyncio.gather(
            billed(ops).act("issue", invoice), ops.patch(entry, billable=False), return_exceptions=True
        )
        assert sorted(isinstance(each, Problem) for each in outcomes) == [False, True]
        assert sorted(each.status for each in outcomes if isinstance(each, Problem)) in ([409], [422])


async def test_many_mistakes_are_told_without_failing(ops: Ops, client: Client) -> None:
    nothing = [f"0197a0c2-5f5e-7b4c-9d8e-{each:012x}" for each in range(1000)]
    async with refused(422, "validation-failed"):
        await draft(ops, billing(*nothing), client=client)
