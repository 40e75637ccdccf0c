"""The portal as it runs: a process of its own beside ops and platform, and a real PostgreSQL."""

import uuid
from collections.abc import AsyncIterator, Mapping

import asyncpg
import grpc
import pytest

from devstack.stack import Stack
from kit.bootstrap import with_database
from kit.identity import Principal, TokenSigner
from services.portal.tests.caller import STAFF, Provider
from services.portal.tests.fake_stripe import FakeStripe, running_stripe
from tests.callers import Caller

SERVICES = ("portal", "ops", "platform")


@pytest.fixture(scope="package")
async def stripe() -> AsyncIterator[FakeStripe]:
    async with running_stripe() as fake:
        yield fake


@pytest.fixture(scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory, stripe: FakeStripe) -> AsyncIterator[Stack]:
    """The service and what it stands on."""
    variables = {"portal": {"STRIPE_API_BASE": stripe.url}}
    async with Stack(tmp_path_factory.mktemp("stack"), services=SERVICES, gateway=False, extra_env=variables) as stack:
        yield stack


@pytest.fixture(scope="package")
async def _callers(stack: Stack) -> AsyncIterator[Mapping[str, Caller]]:
    signer = TokenSigner.from_file("gateway", stack.layout.key("gateway"))
    callers = {
        name: Caller(grpc.aio.insecure_channel(stack.address(name)), signer, name, Principal("nobody"))
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
def staff(_callers: Mapping[str, Caller], workspace: str) -> Provider:
    """The provider's staff in that workspace."""
    ada = Principal("ada", STAFF, workspace)
    return Provider(_callers["portal"].as_(ada), _callers["ops"].as_(ada))


@pytest.fixture
def elsewhere(_callers: Mapping[str, Caller]) -> Provider:
    """Another provider's, in another workspace."""
    eve = Principal("eve", STAFF, f"w-{uuid.uuid4().hex}")
    return Provider(_callers["portal"].as_(eve), _callers["ops"].as_(eve))


@pytest.fixture
def administrator(_callers: Mapping[str, Caller], workspace: str) -> Caller:
    """Of the workspace, at the platform service."""
    return _callers["platform"].as_(Principal("root", frozenset({"data_admin"}), workspace))


@pytest.fixture
async def admin(stack: Stack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A superuser in the portal's database, which sees the rows of all workspaces."""
    connection = await asyncpg.connect(with_database(stack.admin_url, "portal"))
    yield connection
    await connection.close()
