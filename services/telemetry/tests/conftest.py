"""The telemetry service's database on a real PostgreSQL, without the service."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from devstack.stack import Stack
from kit.bootstrap import with_database
from kit.database import Database
from services.telemetry.detection.silence import SilenceSweep
from services.telemetry.tests.fleet import Workspace
from services.telemetry.tests.silent_site import Site

# What a sweep for silence looks at, and tells.
OF_SILENCE = ("silences", "mass_silences", "silence_sweeps", "conditions", "outbox", "edge_policies", "agents")


@pytest.fixture(scope="package")
async def bare_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Postgres with telemetry's database, made and migrated; no service."""
    async with Stack(tmp_path_factory.mktemp("bare-stack"), services=(), gateway=False) as stack:
        await stack.prepare_database("telemetry")
        yield stack


@pytest.fixture
async def telemetry_admin(bare_stack: Stack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A superuser in telemetry's database, which sees the rows of all workspaces."""
    connection = await asyncpg.connect(with_database(bare_stack.admin_url, "telemetry"))
    yield connection
    await connection.close()


@pytest.fixture
async def telemetry_database(bare_stack: Stack) -> AsyncIterator[Database]:
    """Telemetry's database, as the service sees it."""
    database = await Database.connect(bare_stack.database_url("telemetry"), size=8)
    yield database
    await database.close()


@pytest.fixture
def relay_url(bare_stack: Stack) -> str:
    """Telemetry's database, as its relay sees it."""
    return bare_stack.database_url("telemetry", "relay")


@pytest.fixture
def acme(telemetry_database: Database, telemetry_admin: "asyncpg.Connection[asyncpg.Record]") -> Workspace:
    """A workspace that is empty."""
    return Workspace(f"w-{uuid.uuid4().hex}", telemetry_database, telemetry_admin)


@pytest.fixture
def other(telemetry_database: Database, telemetry_admin: "asyncpg.Connection[asyncpg.Record]") -> Workspace:
    """Another one."""
    return Workspace(f"w-{uuid.uuid4().hex}", telemetry_database, telemetry_admin)


@pytest.fixture
async def sweep(
    telemetry_database: Database, telemetry_admin: "asyncpg.Connection[asyncpg.Record]", relay_url: str
) -> SilenceSweep:
    """A sweep over a database that holds nothing yet: it looks at all workspaces."""
    await telemetry_admin.execute(f"TRUNCATE {', '.join(OF_SILENCE)} CASCADE")
    return SilenceSweep(telemetry_database, relay_url, lambda: None, outage=timedelta(days=1))


@pytest.fixture
def site(acme: Workspace, sweep: SilenceSweep) -> Site:
    return Site(acme, sweep)
