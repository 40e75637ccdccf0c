"""Events lie in a partition for each day, into which the service copies and from which it cannot read."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from devstack.stack import Stack
from kit import clock
from kit.database import Database
from kit.live_settings import DefaultSettings
from services.telemetry.ingest.sorting import COLUMNS
from services.telemetry.retention import PARTITIONED, RetentionSweep
from services.telemetry.tests.fleet import Workspace

NOW = datetime.now(UTC)
LEAF = f"events_{NOW:%Y%m%d}"
PARTITIONS = "SELECT relname FROM pg_class WHERE relnamespace = 'partitions'::regnamespace AND relkind = 'r'"


@pytest.fixture
async def app(bare_stack: Stack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection as the service's own role."""
    connection = await asyncpg.connect(bare_stack.database_url("telemetry"))
    yield connection
    await connection.close()


def row(workspace: str) -> tuple[Any, ...]:
    return (workspace, 1, "metric", "cpu.used_percent", "", 1.0, None, NOW, NOW)


async def copy(app: "asyncpg.Connection[asyncpg.Record]", workspace: str, *rows: tuple[Any, ...]) -> None:
    async with app.transaction():
        await app.execute(f"SET LOCAL opsfield.workspace_id = '{workspace}'")
        await app.copy_records_to_table(LEAF, records=rows, columns=COLUMNS, schema_name="partitions")


async def seen(app: "asyncpg.Connection[asyncpg.Record]", workspace: str) -> int:
    async with app.transaction():
        await app.execute(f"SET LOCAL opsfield.workspace_id = '{workspace}'")
        found: int = await app.fetchval("SELECT count(*) FROM events")
        return found


async def test_what_is_copied_in_is_its_workspaces_own(
    app: "asyncpg.Connection[asyncpg.Record]", acme: Workspace, other: Workspace
) -> None:
    await copy(app, acme.id, row(acme.id), row(acme.id))
    await copy(app, other.id, row(other.id))
    assert (await seen(app, acme.id), await seen(app, other.id)) == (2, 1)
    assert await app.fetchval("SELECT count(*) FROM events") == 0


async def test_no_row_goes_into_another_workspace(
    app: "asyncpg.Connection[asyncpg.Record]", acme: Workspace, other: Workspace
) -> None:
    for workspace in (other.id, ""):
        with pytest.raises(asyncpg.CheckViolationError):
            await copy(app, workspace, row(acme.id))
    with pytest.raises(asyncpg.CheckViolationError):
        await copy(app, acme.id, row(acme.id), row(other.id))
    with pytest.raises(asyncpg.CheckViolationError):
        await app.copy_records_to_table(LEAF, records=[row(acme.id)], columns=COLUMNS, schema_name="partitions")
    assert await seen(app, acme.id) == 0


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT * FROM partitions.{LEAF}",
        f"DELETE FROM partitions.{LEAF}",
        f"UPDATE partitions.{LEAF} SET value = 0",
        f"TRUNCATE partitions.{LEAF}",
        f"SELECT * FROM partitions.{LEAF.replace('events', 'ingest_batches')}",
        f"INSERT INTO partitions.{LEAF.replace('events', 'ingest_batches')} SELECT * FROM ingest_batches",
        "INSERT INTO events SELECT * FROM events",
        "DELETE FROM events",
        "UPDATE ingest_batches SET accepted = 0",
        "DELETE FROM ingest_batches",
        "SELECT make_partition('events', '2030-01-01')",
        "SELECT drop_partitions('events', '2030-01-01')",
    ],
)
async def test_the_service_can_do_nothing_else(app: "asyncpg.Connection[asyncpg.Record]", statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(statement)


async def test_room_is_made_for_days_to_come_and_old_days_are_dropped(
    relay_url: str, telemetry_admin: "asyncpg.Connection[asyncpg.Record]", telemetry_database: Database
) -> None:
    del telemetry_database
    today = NOW.date()

    async def days(parent: str) -> set[date]:
        names = [each["relname"] for each in await telemetry_admin.fetch(PARTITIONS)]
        return {_day(name) for name in names if name.startswith(f"{parent}_2")}

    for old in (31, 30, 400):
        for parent in PARTITIONED:
            await telemetry_admin.execute("SELECT make_partition($1, $2)", parent, today - timedelta(days=old))
    sweep = RetentionSweep(relay_url, DefaultSettings())
    for _ in range(2):
        await sweep.sweep()
        for parent in PARTITIONED:
            kept = await days(parent)
            assert {today + timedelta(days=ahead) for ahead in range(4)} <= kept
            assert min(kept) == today - timedelta(days=30)
    with clock.at(NOW + timedelta(days=40)):
        await sweep.sweep()
    for parent in PARTITIONED:
        assert min(await days(parent)) == today + timedelta(days=40)
    await sweep.sweep()


def _day(partition: str) -> date:
    return datetime.strptime(partition[-8:], "%Y%m%d").replace(tzinfo=UTC).date()
