"""The integrations service as it runs: a process of its own beside ops and platform, a real PostgreSQL and a real
Kafka broker."""

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

import asyncpg
import grpc
import pytest

from devstack.stack import Stack
from kit.bootstrap import with_database
from kit.database import Database
from kit.identity import Principal, TokenSigner
from opsfield.platform.v1 import secrets_pb2, settings_pb2
from opsfield.platform.v1.settings_pb2 import Accounting
from services.integrations.tests.books import Desk
from services.integrations.tests.caller import Caller
from services.integrations.tests.fake_books import FakeBooks, serving
from services.integrations.tests.fake_quickbooks import FakeQuickBooks
from services.integrations.tests.fake_xero import FakeXero

PROVIDERS = {"quickbooks": Accounting.QUICKBOOKS, "xero": Accounting.XERO}
Connect = Callable[[FakeBooks], Awaitable[Desk]]
SERVICES = ("integrations", "ops", "platform")
# A job whose worker was killed is taken over soon. Books of others are on loopback, once there is a stack.
QUICK = {"JOB_LEASE_SECONDS": "2"}


@pytest.fixture(scope="package")
def quickbooks() -> Iterator[FakeQuickBooks]:
    fake = FakeQuickBooks()
    with serving(fake):
        QUICK.update(QUICKBOOKS_URL=fake.url, QUICKBOOKS_DISCOVERY_URL=f"{fake.url}/discovery")
        yield fake


@pytest.fixture(scope="package")
def xero() -> Iterator[FakeXero]:
    fake = FakeXero()
    with serving(fake):
        QUICK.update(XERO_URL=fake.url, XERO_TOKEN_URL=f"{fake.url}/token")
        yield fake


@pytest.fixture(scope="package")
async def stack(
    tmp_path_factory: pytest.TempPathFactory, quickbooks: FakeQuickBooks, xero: FakeXero
) -> AsyncIterator[Stack]:
    """The service and what it stands on."""
    del quickbooks, xero
    folder = tmp_path_factory.mktemp("stack")
    async with Stack(folder, services=SERVICES, gateway=False, extra_env={"integrations": QUICK}) as stack:
        yield stack


@pytest.fixture
def workspace() -> str:
    """A workspace that is empty."""
    return f"w-{uuid.uuid4().hex}"


@pytest.fixture
async def callers(stack: Stack, workspace: str) -> AsyncIterator[Mapping[str, Caller]]:
    """Services by name, called by somebody who may import, and keeps the books, in that workspace."""
    signer = TokenSigner.from_file("gateway", stack.layout.key("gateway"))
    principal = Principal("ada", frozenset({"data_admin", "billing", "integration_admin"}), workspace)
    options = (("grpc.max_reconnect_backoff_ms", 500), ("grpc.initial_reconnect_backoff_ms", 100))
    channels = {name: grpc.aio.insecure_channel(stack.address(name), options=options) for name in SERVICES}
    yield {name: Caller(channel, signer, name, principal) for name, channel in channels.items()}
    for channel in channels.values():
        await channel.close()


@pytest.fixture
def integrations(callers: Mapping[str, Caller]) -> Caller:
    return callers["integrations"]


@pytest.fixture
def ops(callers: Mapping[str, Caller]) -> Caller:
    return callers["ops"]


@pytest.fixture
def connect(callers: Mapping[str, Caller]) -> Connect:
    """Makes the books of others, with nothing in them, those of the workspace."""

    async def connected(fake: FakeBooks) -> Desk:
        fake.empty()
        key = f"accounting.{fake.provider}"
        secret = secrets_pb2.SetWorkspaceSecretRequest(key=key, value=json.dumps(fake.secret))
        await callers["platform"].call("SetWorkspaceSecret", secret)
        settings = settings_pb2.ReplaceWorkspaceSettingsRequest()
        accounting = settings.settings.accounting
        accounting.provider = PROVIDERS[fake.provider]
        accounting.tax_codes.append(f"20={fake.tax_code}")
        accounting.revenue_account, accounting.bank_account = "200", "090"
        await callers["platform"].call("ReplaceWorkspaceSettings", settings)
        return Desk(callers["ops"], callers["integrations"])

    return connected


@pytest.fixture
async def admin(stack: Stack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A superuser in the service's database, which sees the rows of all workspaces."""
    connection = await asyncpg.connect(with_database(stack.admin_url, "integrations"))
    yield connection
    await connection.close()


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[Database]:
    """The service's database, as the service sees it."""
    database = await Database.connect(stack.database_url("integrations"), size=2)
    yield database
    await database.close()
