"""The workflow service as it runs: a process of its own beside ops and platform, a real PostgreSQL and a real Kafka
broker. agent-runtime is played by the tests."""

import uuid
from collections.abc import AsyncIterator, Mapping

import asyncpg
import grpc
import pytest

from devstack.stack import Stack
from kit.bootstrap import with_database
from kit.database import Database
from kit.identity import Principal, TokenSigner
from services.workflow.tests.caller import Caller
from services.workflow.tests.runtime import Runtime, serving
from tests.callers import ENGINEER

SERVICES = ("workflow", "ops", "platform")


@pytest.fixture(scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """The service and what it stands on."""
    async with (
        Stack(tmp_path_factory.mktemp("stack"), services=SERVICES, gateway=False) as stack,
        serving(stack.address("agent-runtime"), stack.layout.trust),
    ):
        yield stack


@pytest.fixture(scope="package")
async def _callers(stack: Stack) -> AsyncIterator[Mapping[str, Caller]]:
    signer = TokenSigner.from_file("gateway", stack.layout.key("gateway"))
    callers = {
        name: Caller(grpc.aio.insecure_channel(stack.address(name)), signer, name, Principal("ada", ENGINEER))
        for name in SERVICES
    }
    yield callers
    for caller in callers.values():
        await caller.channel.close()


@pytest.fixture
def workspace() -> str:
    """A workspace that is empty."""
    return f"w-{uuid.uuid4().hex}"


@pytest.fixture
def workflow(_callers: Mapping[str, Caller], workspace: str) -> Caller:
    """The service, called by an engineer of that workspace."""
    return _callers["workflow"].of(workspace)


@pytest.fixture
def ops(_callers: Mapping[str, Caller], workspace: str) -> Caller:
    """The ops service, called by the same."""
    return _callers["ops"].of(workspace)


@pytest.fixture
def platform(_callers: Mapping[str, Caller], workspace: str) -> Caller:
    """The platform service, called by an administrator."""
    return _callers["platform"].of(workspace, roles=frozenset({"data_admin"}))


@pytest.fixture
def runtime(stack: Stack, workspace: str) -> Runtime:
    """Tells what agent-runtime tells, in that workspace."""
    return Runtime(stack.kafka_bootstrap, workspace)


@pytest.fixture
async def admin(stack: Stack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A superuser in the service's database, which sees the rows of all workspaces."""
    connection = await asyncpg.connect(with_database(stack.admin_url, "workflow"))
    yield connection
    await connection.close()


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[Database]:
    """The service's database, as the service sees it."""
    database = await Database.connect(stack.database_url("workflow"), size=2)
    yield database
    await database.close()
