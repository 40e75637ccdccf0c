"""What the catalogue says of every table there is, so that a table to come cannot be forgotten."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from devstack.stack import Stack
from kit.bootstrap import Passwords, bootstrap_database, database_name, with_database
from kit.migrate import upgrade

# The services with the most tables, and one with little but those that every service has.
SERVICES = ("agent-runtime", "integrations", "ops", "platform", "portal", "telemetry", "workflow")

TABLES = """
SELECT c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
    pg_get_userbyid(c.relowner) AS owner,
    coalesce((SELECT a.attnotnull FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id'), false)
        AS has_workspace
FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
"""
POLICIES = "SELECT tablename, policyname, permissive, roles::text[] AS roles, cmd, qual, with_check FROM pg_policies"
# The first column of each key and unique index, and of both sides of each foreign key.
FIRST_COLUMNS = """
SELECT i.indexrelid::regclass::text AS name, a.attname AS first
FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indisunique AND i.indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
UNION ALL
SELECT c.conname, a.attname FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f'
UNION ALL
SELECT c.conname, a.attname FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = c.confkey[1]
WHERE c.contype = 'f'
"""
ROLES = "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = ANY($1)"


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def catalogue(stack: Stack, service: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """The service's database, made and migrated, as a superuser."""
    if service not in stack.services:
        password = stack.layout.database_password.read_text().strip()
        await bootstrap_database(stack.admin_url, service, Passwords(password, password, password))
        await upgrade(service, stack.database_url(service, "owner"))
    connection = await asyncpg.connect(with_database(stack.admin_url, database_name(service)))
    yield connection
    await connection.close()


async def test_every_table_belongs_to_workspaces_and_says_so(
    catalogue: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    tables = await catalogue.fetch(TABLES)
    assert {"outbox", "inbox", "idempotency_keys", "audit_entries"} <= {table["name"] for table in tables}
    assert [table["name"] for table in tables if not table["has_workspace"]] == []


async def test_every_table_has_row_level_security_that_binds_its_owner_too(
    catalogue: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    tables = await catalogue.fetch(TABLES)
    assert [table["name"] for table in tables if not (table["enabled"] and table["forced"])] == []


async def test_every_table_has_one_policy_for_all_reads_and_writes_of_a_workspace(
    catalogue: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    policies = await catalogue.fetch(POLICIES)
    own = "(workspace_id = current_setting('opsfield.workspace_id'::text, true))"
    for table in await catalogue.fetch(TABLES):
        found = [each for each in policies if each["tablename"] == table["name"] and each["policyname"] == "workspace"]
        assert [(each["roles"], each["cmd"], each["qual"], each["with_check"]) for each in found] == [
            (["public"], "ALL", own, own)
        ], table["name"]


# Tables that work for all workspaces at once sees, by column grants only as much of as it needs.
SEEN_BY_RELAY = {
    "every service": {"outbox", "inbox", "idempotency_keys", "settings_copies"},
    "agent-runtime": {"agentfield_runs", "jobs", "nodes"},
    "integrations": {"jobs", "notifications", "uploads"},
    "ops": {"contracts", "invoices", "quotes", "tickets"},
    "platform": {"data_keys"},
    "telemetry": {"agents", "mass_silences", "silences"},
    "workflow": {"audit_records", "executions"},
}


async def test_no_other_policy_shows_more_to_anyone_but_the_relay(
    catalogue: "asyncpg.Connection[asyncpg.Record]", service: str
) -> None:
    others = [each for each in await catalogue.fetch(POLICIES) if each["policyname"] not in ("workspace", "client")]
    assert {tuple(each["roles"]) for each in others} == {(f"{database_name(service)}_relay",)}
    tables = {each["tablename"] for each in others}
    assert tables >= SEEN_BY_RELAY["every service"]
    assert tables == SEEN_BY_RELAY["every service"] | SEEN_BY_RELAY.get(service, set())
    # A sweep may ask which workspaces have something due, and change nothing.
    assert {each["cmd"] for each in others if each["policyname"] == "sweep"} <= {"SELECT"}


# What goes with any change: a key, events, an audit record. None of it can be read by a client's people.
WRITTEN_WITH_CHANGES = {"idempotency_keys", "outbox", "audit_entries"}
OF_CLIENTS = {
    "ops": {"changes", "clients", "contacts", "contracts", "invoices", "knowledge_articles", "payments", "quotes",
            "sla_policies", "sla_policy_versions", "ticket_comments", "tickets"},
    "portal": {"sessions"},
}  # fmt: skip


async def test_a_clients_people_reach_what_a_policy_binds_to_their_client_and_nothing_else(
    catalogue: "asyncpg.Connection[asyncpg.Record]", service: str
) -> None:
    role = f"{database_name(service)}_client"
    policies = [each for each in await catalogue.fetch(POLICIES) if each["policyname"] == "client"]
    bound = {each["tablename"] for each in policies}
    assert {(each["permissive"], tuple(each["roles"]), each["cmd"]) for each in policies} <= {
        ("RESTRICTIVE", (role,), "ALL")
    }
    assert [each["tablename"] for each in policies if each["qual"] != each["with_check"]] == []
    reached = {
        row["name"]
        for row in await catalogue.fetch(
            """
            SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
            AND relnamespace <> 'pg_catalog'::regnamespace AND relnamespace <> 'information_schema'::regnamespace
            AND (has_any_column_privilege($1, oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege($1, oid, 'DELETE'))
            """,
            role,
        )
    }
    assert bound == OF_CLIENTS.get(service, set())
    assert reached == (bound | WRITTEN_WITH_CHANGES if bound else set())


async def test_every_key_unique_index_and_foreign_key_begins_with_the_workspace(
    catalogue: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    columns = await catalogue.fetch(FIRST_COLUMNS)
    assert len(columns) >= 4
    assert [row["name"] for row in columns if row["first"] != "workspace_id"] == []


# Telemetry's events are copied in by the thousand and never changed: each index would cost more than it is good for.
KEYLESS = {"events"}


async def test_every_table_has_a_key(catalogue: "asyncpg.Connection[asyncpg.Record]") -> None:
    keyed = await catalogue.fetch("SELECT conrelid::regclass::text AS name FROM pg_constraint WHERE contype = 'p'")
    assert {table["name"] for table in await catalogue.fetch(TABLES)} - KEYLESS <= {row["name"] for row in keyed}


async def test_no_role_of_the_service_can_get_round_row_level_security(
    catalogue: "asyncpg.Connection[asyncpg.Record]", service: str
) -> None:
    names = [f"{database_name(service)}_{role}" for role in ("owner", "app", "relay", "client")]
    roles = await catalogue.fetch(ROLES, names)
    assert {role["rolname"] for role in roles} == set(names)
    assert [dict(role) for role in roles if any(value is True for value in role.values())] == []


async def test_the_roles_that_work_own_nothing_and_have_no_rights_of_others(
    catalogue: "asyncpg.Connection[asyncpg.Record]", service: str
) -> None:
    name = database_name(service)
    assert {table["owner"] for table in await catalogue.fetch(TABLES)} == {f"{name}_owner"}
    memberships = """
    SELECT member::regrole::text AS member, roleid::regrole::text AS role, inherit_option, set_option, admin_option
    FROM pg_auth_members WHERE member = ANY($1::text[]::regrole[])
    """
    working = [f"{name}_app", f"{name}_relay", f"{name}_client"]
    # The service can take on the role of a client's people; it does not have that role's rights, nor its bounds.
    assert [tuple(row) for row in await catalogue.fetch(memberships, working)] == [
        (f"{name}_app", f"{name}_client", False, True, False)
    ]
    owned = "SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = ANY($1)"
    assert await catalogue.fetchval(owned, working) == 0
    assert not await catalogue.fetchval("SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", f"{name}_client")


async def test_no_view_shows_what_its_owner_may_see(catalogue: "asyncpg.Connection[asyncpg.Record]") -> None:
    views = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')
    AND pg_get_userbyid(relowner) <> 'postgres' AND NOT coalesce('security_invoker=true' = ANY(reloptions), false)
    """
    assert await catalogue.fetch(views) == []
