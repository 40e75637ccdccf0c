"""A real PostgreSQL and a real Kafka broker for the whole run, and on them a service of the tests' own: `sample`."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from devstack.stack import Stack
from kit.bootstrap import Passwords, bootstrap_database, with_database
from kit.database import Database
from kit.migrate import upgrade
from kit.tests.kafka_records import empty_broker
from kit.tests.sample_service import Sample

PASSWORD = "sample"
TABLES = ("effects", "outbox", "inbox", "idempotency_keys", "audit_entries")


@pytest.fixture(scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Postgres and Kafka, no services."""
    async with Stack(tmp_path_factory.mktemp("stack"), services=(), gateway=False) as stack:
        yield stack


@pytest.fixture(scope="package")
async def app_url(stack: Stack) -> str:
    """The sample service's database, made and migrated."""
    await bootstrap_database(stack.admin_url, "sample", Passwords(PASSWORD, PASSWORD, PASSWORD))
    await upgrade("sample", role_url(stack, "owner"), services=Path(__file__).parent)
    return role_url(stack, "app")


@pytest.fixture
async def admin(stack: Stack, app_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A superuser in the sample database, whose tables are empty. It sees the rows of all workspaces."""
    del app_url
    connection = await asyncpg.connect(with_database(stack.admin_url, "sample"))
    await connection.execute(f"TRUNCATE {', '.join(TABLES)}")
    yield connection
    await connection.close()


@pytest.fixture
async def sample(stack: Stack, app_url: str, admin: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[Sample]:
    """The sample service's database, as the service sees it."""
    database = await Database.connect(app_url, size=10)
    yield Sample(database, admin, app_url, role_url(stack, "relay"))
    await database.close()


@pytest.fixture
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a Kafka broker that holds nothing yet."""
    async with empty_broker(tmp_path_factory.mktemp("broker")) as address:
        yield address


@pytest.fixture
async def another_broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Another one."""
    async with empty_broker(tmp_path_factory.mktemp("another-broker")) as address:
        yield address


def role_url(stack: Stack, role: str) -> str:
    """The sample database as `owner`, `app` or `relay`."""
    return f"postgresql://sample_{role}:{quote(PASSWORD)}@{stack.database_address}/sample"
