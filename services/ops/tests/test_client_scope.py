"""The database itself keeps the clients of a workspace apart: nothing that a query forgets shows another's rows, and
what nobody thought of shows none."""

from dataclasses import dataclass

import asyncpg
import pytest

from devstack.stack import Stack
from kit import ids
from kit.call import Call
from kit.database import Database
from kit.errors import Forbidden
from kit.identity import Principal
from kit.unit_of_work import unit_of_work
from opsfield.ops.v1.contacts_pb2 import Contact
from opsfield.ops.v1.contracts_pb2 import Contract
from opsfield.ops.v1.invoices_pb2 import Invoice
from opsfield.ops.v1.knowledge_articles_pb2 import KnowledgeArticle
from opsfield.ops.v1.payments_pb2 import Payment
from opsfield.ops.v1.quotes_pb2 import Quote
from opsfield.ops.v1.ticket_comments_pb2 import TicketComment
from opsfield.ops.v1.tickets_pb2 import ListTicketsRequest
from services.ops.tests.billing import billed, issued, line, sent_quote
from services.ops.tests.client import Ops
from services.ops.tests.policies import policy
from services.ops.tests.portal import as_person
from tests.callers import refused

SHOWN = ("clients", "contacts", "tickets", "ticket_comments", "knowledge_articles", "quotes", "invoices", "payments")
KEPT_BACK = ("sites", "assets", "runbooks", "time_entries", "alerts", "incidents", "contracts", "invoice_counters",
             "audit_entries", "outbox", "inbox", "settings_copies", "early_clears")  # fmt: skip


@dataclass(frozen=True)
class Two:
    """Clients of one workspace with the same rows each."""

    workspace: str
    own: str
    other: str

    def call(self, client_id: str | None = None) -> Call:
        """Of a person of `own`, unless another client is named."""
        principal = Principal("mallory", frozenset({"client_portal"}), self.workspace, client_id=client_id or self.own)
        return Call("/Test", principal, "c-1", idempotency_key=ids.new_id())


@pytest.fixture
async def two(ops: Ops, workspace: str) -> Two:
    own, other = [await _filled(ops, name) for name in ("Own", "Other")]
    return Two(workspace, own, other)


async def _filled(ops: Ops, name: str) -> str:
    client = await ops.create_client(name, currency="EUR")
    await ops.create(Contact(client_id=client.id, name="Kim", email="kim@example.com"))
    ticket = await ops.create_ticket(client)
    for visibility in (TicketComment.PUBLIC, TicketComment.INTERNAL):
        await ops.comment(ticket, visibility=visibility)
    article = KnowledgeArticle(title=f"For {name}", body="x", visibility="ONE_CLIENT", client_id=client.id)
    await ops.patch(await ops.create(article), status=KnowledgeArticle.PUBLISHED)
    await sent_quote(ops, client)
    invoice: Invoice = await issued(ops, line("1", "10"), client=client)
    await billed(ops).create(Payment(invoice_id=invoice.id, amount="1"))
    return client.id


@pytest.mark.parametrize("table", SHOWN)
async def test_a_query_without_a_filter_sees_the_own_clients_rows_alone(
    two: Two, database: Database, table: str
) -> None:
    column = {"clients": "id", "ticket_comments": "(SELECT client_id FROM tickets WHERE tickets.id = ticket_id)"}
    async with database.read(two.call()) as session:
        found = await session.fetch(f"SELECT {column.get(table, 'client_id')} AS client_id FROM {table}")
        assert [row["client_id"] for row in found] == [two.own], table
    async with database.read(two.call(ids.new_id())) as session:
        assert await session.fetch(f"SELECT * FROM {table}") == []


async def test_what_is_internal_is_not_in_the_rows(two: Two, database: Database, ops: Ops) -> None:
    await billed(ops).create(Quote(client_id=two.own, title="Draft"))
    await ops.create(KnowledgeArticle(title="Draft", body="x", visibility="ALL_CLIENTS"))
    async with database.read(two.call()) as session:
        assert await session.fetchval("SELECT count(*) FROM quotes WHERE status = 'draft'") == 0
        assert await session.fetchval("SELECT count(*) FROM ticket_comments WHERE visibility = 'internal'") == 0
        assert await session.fetchval("SELECT count(*) FROM knowledge_articles WHERE published IS NULL") == 0


@pytest.mark.parametrize("table", KEPT_BACK)
async def test_what_is_not_for_clients_cannot_be_read_at_all(two: Two, database: Database, table: str) -> None:
    with pytest.raises(Forbidden) as refusal:
        async with database.read(two.call()) as session:
            await session.fetch(f"SELECT * FROM {table}")
    assert refusal.value.code == "client-scope"


async def test_of_contracts_the_own_clients_promise_can_be_read_and_nothing_else(
    two: Two, database: Database, ops: Ops
) -> None:
    for client_id in (two.own, two.other):
        await billed(ops).create(Contract(client_id=client_id, name="Care", starts_on="2026-01-01"))
    async with database.read(two.call()) as session:
        found = await session.fetch("SELECT client_id, sla_policy_id FROM contracts")
        assert [row["client_id"] for row in found] == [two.own]
    for column in ("name", "total", "hourly_rate", "lines", "search"):
        with pytest.raises(Forbidden):
            async with database.read(two.call()) as session:
                await session.fetch(f"SELECT {column} FROM contracts")


@pytest.mark.parametrize("table", ["tickets", "quotes", "invoices", "payments"])
async def test_a_write_without_a_filter_changes_the_own_clients_rows_alone(
    two: Two, database: Database, table: str
) -> None:
    async with unit_of_work(database, two.call(), service="ops") as work:
        assert await work.execute(f"UPDATE {table} SET created_by = 'mallory'") == "UPDATE 1"
    for taken in (f"UPDATE {table} SET client_id = '{two.other}'", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        # What was issued or received no client can be changed of, whoever asks: a trigger says so first.
        with pytest.raises((Forbidden, asyncpg.RaiseError)):
            async with unit_of_work(database, two.call(), service="ops") as work:
                await work.execute(taken)


async def test_the_transaction_that_follows_is_bound_to_no_client(two: Two, database: Database) -> None:
    staff = Call("/Test", Principal("ada", frozenset({"viewer"}), two.workspace), "c-1")
    for _ in range(4):
        async with database.read(two.call()) as session:
            assert await session.fetchval("SELECT count(*) FROM tickets") == 1
            assert await session.fetchval("SELECT current_user::text") == "ops_client"
        async with database.read(staff) as session:
            assert await session.fetchval("SELECT count(*) FROM tickets") == 2
            assert await session.fetchval("SELECT current_user::text") == "ops_app"
        with pytest.raises(Forbidden):
            async with database.read(two.call()) as session:
                await session.fetch("SELECT * FROM sites")


@pytest.mark.parametrize("client_id", ["client-1", "", "x' OR true --", "0193A4A4-7D2B-7000-8000-000000000009", "%"])
async def test_a_client_that_there_cannot_be_sees_nothing(two: Two, database: Database, client_id: str) -> None:
    principal = Principal("mallory", frozenset({"client_portal"}), two.workspace, client_id=client_id)
    with pytest.raises(Forbidden):
        async with database.read(Call("/Test", principal, "c-1")) as session:
            await session.fetch("SELECT * FROM tickets")


async def test_staffs_own_routes_are_bound_to_the_client_as_well(ops: Ops, two: Two, stack: Stack) -> None:
    person = as_person(ops, stack, two.own)
    # The portal may ask anything, as any service; it gets no more than its caller may see.
    found = await person.call("ListTickets", ListTicketsRequest())
    assert {each.client_id for each in found.data} == {two.own}
    async with refused(403, "client-scope"):
        await person.page("Sites")
    # A policy of somebody else's is not for it to know either.
    await ops.create(policy("Theirs", client_id=two.other))
    assert (await person.page("SlaPolicies")).page.total == 0
