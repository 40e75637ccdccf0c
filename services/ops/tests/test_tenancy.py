"""The database itself keeps workspaces apart: nothing that a query forgets shows another's rows."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from devstack.stack import Stack
from kit import ids
from kit.call import Call
from kit.database import Database, workspace_scope
from kit.identity import Principal
from kit.unit_of_work import unit_of_work
from services.ops.tests.client import Ops

TABLES = ("clients", "tickets", "idempotency_keys", "outbox", "inbox", "audit_entries")


def call(workspace: str) -> Call:
    return Call("/Test", Principal("mallory", frozenset({"msp_admin"}), workspace), "c-1")


@dataclass(frozen=True)
class Victim:
    """A workspace with a row in every table."""

    workspace: str
    client_id: str
    ticket_id: str


@pytest.fixture
async def victim(ops: Ops, workspace: str, admin: "asyncpg.Connection[asyncpg.Record]") -> Victim:
    client = await ops.create_client()
    ticket = await ops.create_ticket(client)
    await admin.execute("INSERT INTO inbox VALUES ($1, 'c', $2, now())", workspace, ids.new_id())
    return Victim(workspace, client.id, ticket.id)


@pytest.fixture
async def app(stack: Stack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """The service's role, without the kit between it and the database."""
    connection = await asyncpg.connect(stack.database_url("ops"))
    yield connection
    await connection.close()


@pytest.fixture
async def relay(stack: Stack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(stack.database_url("ops", "relay"))
    yield connection
    await connection.close()


async def in_workspace(
    connection: "asyncpg.Connection[asyncpg.Record]", workspace: str, statement: str, *arguments: str
) -> None:
    async with connection.transaction():
        await connection.execute(workspace_scope(workspace))
        await connection.execute(statement, *arguments)


@pytest.mark.parametrize("table", TABLES)
async def test_a_query_without_a_filter_sees_nothing_of_another_workspace(
    victim: Victim, database: Database, table: str
) -> None:
    async with database.read(call(victim.workspace)) as session:
        assert await session.fetchval(f"SELECT count(*) FROM {table}") > 0
    async with database.read(call(f"not-{victim.workspace}")) as session:
        assert await session.fetch(f"SELECT * FROM {table}") == []


@pytest.mark.parametrize("table", TABLES)
async def test_without_a_workspace_there_is_nothing_to_see(
    victim: Victim, app: "asyncpg.Connection[asyncpg.Record]", table: str
) -> None:
    del victim
    assert await app.fetch(f"SELECT * FROM {table}") == []
    # After a transaction that had one, the setting is empty rather than absent.
    async with app.transaction():
        await app.execute(workspace_scope("someone"))
    assert await app.fetch(f"SELECT * FROM {table}") == []


@pytest.mark.parametrize("table", ["clients", "tickets", "idempotency_keys", "outbox", "inbox"])
async def test_a_change_without_a_filter_touches_nothing_of_another_workspace(
    victim: Victim, database: Database, table: str
) -> None:
    async with unit_of_work(database, call(f"not-{victim.workspace}"), service="ops") as work:
        assert await work.execute(f"UPDATE {table} SET workspace_id = workspace_id") == "UPDATE 0"
        assert await work.execute(f"DELETE FROM {table}") == "DELETE 0"


INSERTS = {
    "idempotency_keys": "INSERT INTO idempotency_keys VALUES ($1, 'a', gen_random_uuid()::text, '', '', now())",
    "inbox": "INSERT INTO inbox VALUES ($1, 'c', gen_random_uuid()::text, now())",
    "outbox": """
        INSERT INTO outbox (workspace_id, id, topic, key, payload, correlation_id, created_at, next_attempt_at)
        VALUES ($1, gen_random_uuid(), 't', 'k', '{}', 'c', now(), now())""",
    "audit_entries": """
        INSERT INTO audit_entries (workspace_id, id, occurred_at, subject, roles, operation, correlation_id)
        VALUES ($1, gen_random_uuid(), now(), 'a', '{}', 'o', 'c')""",
    "clients": """
        INSERT INTO clients (workspace_id, id, name, status, tags, created_at, updated_at, created_by, version, search)
        VALUES ($1, gen_random_uuid(), gen_random_uuid(), 'active', '{}', now(), now(), 'a', 1, '')""",
}
TICKET = """
INSERT INTO tickets (workspace_id, id, number, subject, client_id, status, priority, source, tier, tags, reopen_count,
    escalations, created_at, updated_at, created_by, version, search)
VALUES ($1, gen_random_uuid(), 1, 's', $2, 'new', 'low', 'api', 1, '{}', 0, '[]', now(), now(), 'a', 1, '')
"""


@pytest.mark.parametrize("table", sorted(INSERTS))
async def test_a_row_for_another_workspace_is_refused(
    app: "asyncpg.Connection[asyncpg.Record]", workspace: str, table: str
) -> None:
    async with app.transaction():
        await app.execute(workspace_scope(workspace))
        await app.execute(INSERTS[table], workspace)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await app.execute(INSERTS[table], f"not-{workspace}")


@pytest.mark.parametrize("table", ["clients", "outbox", "idempotency_keys", "inbox"])
async def test_a_row_cannot_be_moved_to_another_workspace(
    app: "asyncpg.Connection[asyncpg.Record]", workspace: str, table: str
) -> None:
    async with app.transaction():
        await app.execute(workspace_scope(workspace))
        await app.execute(INSERTS[table], workspace)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await app.execute(f"UPDATE {table} SET workspace_id = 'other'")


async def test_a_ticket_cannot_be_for_another_workspaces_client(
    victim: Victim, app: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    other = f"not-{victim.workspace}"
    await in_workspace(app, victim.workspace, TICKET, victim.workspace, victim.client_id)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await in_workspace(app, other, TICKET, other, victim.client_id)


async def test_an_audit_record_stays_as_it_is(victim: Victim, app: "asyncpg.Connection[asyncpg.Record]") -> None:
    for statement in (
        "UPDATE audit_entries SET subject = 'someone else'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "DROP TABLE audit_entries",
        "ALTER TABLE audit_entries DISABLE ROW LEVEL SECURITY",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await in_workspace(app, victim.workspace, statement)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 FROM clients",
        "SELECT 1 FROM audit_entries",
        "SELECT 1 FROM ticket_comments",
        "SELECT id FROM tickets",
        "SELECT subject FROM tickets",
        "SELECT workspace_id FROM tickets FOR UPDATE",
        "UPDATE tickets SET resolution_breached_at = now()",
    ],
)
async def test_the_relay_sees_no_more_than_it_must(
    victim: Victim, relay: "asyncpg.Connection[asyncpg.Record]", query: str
) -> None:
    """Of tickets it sees when something is due, and in which workspace: that is how breaches are found."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await in_workspace(relay, victim.workspace, query)


async def test_the_relay_sees_the_outbox_of_all_workspaces_and_cannot_add_to_it(
    victim: Victim, relay: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    assert await relay.fetchval("SELECT count(*) FROM outbox WHERE workspace_id = $1", victim.workspace) == 1
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await relay.execute(INSERTS["outbox"], victim.workspace)


async def test_the_numbers_of_a_workspace_are_its_own(
    victim: Victim, app: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with app.transaction():
        await app.execute(workspace_scope(f"not-{victim.workspace}"))
        assert await app.fetchval("SELECT next_number('tickets')") == 1001
        with pytest.raises(asyncpg.PostgresError):
            await app.fetchval("SELECT next_number('tickets/x')")
    with pytest.raises(asyncpg.PostgresError, match="no number without a workspace"):
        await app.fetchval("SELECT next_number('tickets')")


async def test_a_workspace_named_in_sql_is_never_taken_for_sql(database: Database) -> None:
    for name in ("x'; DROP TABLE tickets; --", "x' OR true --", uuid.uuid4().hex + "'"):
        with pytest.raises(Exception, match="not a workspace id"):
            async with database.read(call(name)):
                pytest.fail("a session was opened")
