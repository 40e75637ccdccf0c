"""The ops service as it runs: a process of its own, with a real PostgreSQL and a real Kafka broker."""

import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from devstack.stack import Stack
from kit.bootstrap import with_database
from kit.database import Database
from kit.identity import TokenSigner
from services.ops.tests.client import Ops
from services.ops.tests.telemetry import Telemetry


@pytest.fixture(scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """The ops service and what it stands on."""
    async with Stack(tmp_path_factory.mktemp("stack"), services=("ops", "platform"), gateway=False) as stack:
        yield stack


@pytest.fixture(scope="package")
async def _connected(stack: Stack) -> AsyncIterator[Ops]:
    signer = TokenSigner.from_file("gateway", stack.layout.key("gateway"))
    ops = Ops.connect(stack.address("ops"), signer)
    yield ops
    await ops.close()


@pytest.fixture
def workspace() -> str:
    """A workspace that is empty."""
    return f"w-{uuid.uuid4().hex}"


@pytest.fixture
def ops(_connected: Ops, workspace: str) -> Ops:
    """The service, called by an engineer of that workspace."""
    return _connected.of(workspace)


@pytest.fixture
async def admin(stack: Stack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A superuser in the service's database, which sees the rows of all workspaces."""
    connection = await asyncpg.connect(with_database(stack.admin_url, "ops"))
    yield connection
    await connection.close()


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[Database]:
    """The service's database, as the service sees it, over two connections."""
    database = await Database.connect(stack.database_url("ops"), size=2)
    yield database
    await database.close()


@pytest.fixture
def telemetry(stack: Stack, workspace: str) -> Telemetry:
    """Tells what telemetry tells, in that workspace."""
    return Telemetry(stack.kafka_bootstrap, workspace)
