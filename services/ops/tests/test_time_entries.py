"""Time entries, and the sums that their tickets keep."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.tickets_pb2 import Ticket
from opsfield.ops.v1.time_entries_pb2 import TimeEntry
from services.ops.tests.client import Ops
from tests.callers import refused

NOBODY = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"


def entry(ticket: Ticket, minutes: int = 30, **fields: Any) -> TimeEntry:
    started_at = Timestamp()
    started_at.FromDatetime(datetime.now(UTC) - timedelta(hours=2))
    return TimeEntry(**{"ticket_id": ticket.id, "minutes": minutes, "started_at": started_at, **fields})


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client()


@pytest.fixture
async def ticket(ops: Ops, client: Client) -> Ticket:
    return await ops.create_ticket(client)


async def sums(ops: Ops, ticket: Ticket) -> tuple[int, int]:
    found = await ops.get(ticket)
    return found.total_minutes, found.billable_minutes


async def test_an_entry_has_its_defaults(ops: Ops, ticket: Ticket) -> None:
    made = await ops.create(entry(ticket, 25))
    assert (made.user_id, made.billable, made.billable_minutes) == ("ada", True, 25)
    assert made.work_type == TimeEntry.REMOTE
    assert await ops.get(made) == made
    assert (await ops.create(entry(ticket, user_id="bob"))).user_id == "bob"


async def test_the_ticket_keeps_the_sums(ops: Ops, ticket: Ticket, client: Client) -> None:
    one = await ops.create(entry(ticket, 30))
    two = await ops.create(entry(ticket, 20, billable=False))
    assert await sums(ops, ticket) == (50, 30)
    await ops.patch(one, minutes=45)
    assert await sums(ops, ticket) == (65, 45)
    other = await ops.create_ticket(client)
    await ops.patch(one, ticket_id=other.id)
    assert (await sums(ops, ticket), await sums(ops, other)) == ((20, 0), (45, 45))
    await ops.delete(two)
    assert await sums(ops, ticket) == (0, 0)


async def test_entries_made_at_once_are_all_in_the_sums(ops: Ops, ticket: Ticket) -> None:
    await asyncio.gather(*(ops.create(entry(ticket, 10)) for _ in range(12)))
    assert await sums(ops, ticket) == (120, 120)


async def test_entries_that_change_places_at_once_do_not_lock_one_another(
    ops: Ops, ticket: Ticket, client: Client
) -> None:
    other = await ops.create_ticket(client)
    there, back = await ops.create(entry(ticket, 10)), await ops.create(entry(other, 20))
    for _ in range(5):
        there, back = await asyncio.gather(
            ops.patch(there, ticket_id=back.ticket_id), ops.patch(back, ticket_id=there.ticket_id)
        )
    totals = sorted([await sums(ops, ticket), await sums(ops, other)])
    assert totals == [(10, 10), (20, 20)]


async def test_an_entry_is_of_a_ticket_that_exists(ops: Ops, ticket: Ticket) -> None:
    async with refused(422, path="ticketId"):
        await ops.create(entry(ticket, ticket_id=NOBODY))


@pytest.mark.parametrize("minutes", [0, 1441, -1])
async def test_an_entry_is_of_one_day_at_most(ops: Ops, ticket: Ticket, minutes: int) -> None:
    async with refused(422, path="minutes"):
        await ops.create(entry(ticket, minutes))


async def test_entries_are_listed_by_client_and_by_whether_they_are_invoiced(
    ops: Ops, ticket: Ticket, client: Client, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    one, two = await ops.create(entry(ticket)), await ops.create(entry(ticket))
    elsewhere = await ops.create(entry(await ops.create_ticket(await ops.create_client("Other"))))
    await admin.execute("UPDATE time_entries SET invoiced_at = now() WHERE id = $1", one.id)

    async def ids(**filters: Any) -> set[str]:
        return {each.id for each in (await ops.page("TimeEntries", **filters)).data}

    assert await ids(client_id=client.id) == {one.id, two.id}
    assert await ids(invoiced=True) == {one.id}
    assert await ids(invoiced=False) == {two.id, elsewhere.id}
    assert await ids(client_id=client.id, invoiced=False, billable=True, user_id="ada", q="remote") == {two.id}
    assert await ids(client_id=NOBODY) == set()
    page = await ops.page("TimeEntries", client_id=client.id, invoiced=False)
    assert dict(page.filters) == {"clientId": client.id, "invoiced": "false"}
    assert (await ops.page("TimeEntries", client_id=client.id, limit=1)).page.total == 2


async def test_a_closed_ticket_keeps_its_entries_as_they_are(ops: Ops, ticket: Ticket) -> None:
    made = await ops.create(entry(ticket))
    await ops.resolve(ticket)
    await ops.create(entry(ticket, 5))
    await ops.patch(ticket, status=Ticket.CLOSED)
    async with refused(409, "ticket-closed"):
        await ops.create(entry(ticket))
    async with refused(409, "ticket-closed"):
        await ops.patch(made, minutes=1)
    async with refused(409, "ticket-closed"):
        await ops.delete(made)
    assert await sums(ops, ticket) == (35, 35)


async def test_what_is_invoiced_stays(ops: Ops, ticket: Ticket, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    made = await ops.create(entry(ticket))
    await admin.execute("UPDATE time_entries SET invoiced_at = now() WHERE id = $1", made.id)
    async with refused(409, "invoiced"):
        await ops.patch(made, minutes=1)
    async with refused(409, "invoiced"):
        await ops.delete(made)


async def test_a_ticket_with_time_on_it_is_not_deleted(ops: Ops, ticket: Ticket) -> None:
    made = await ops.create(entry(ticket))
    async with refused(409, "in-use"):
        await ops.delete(ticket)
    await ops.delete(made)
    await ops.delete(ticket)
