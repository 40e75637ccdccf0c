"""The runtime in the test's own process, on a real PostgreSQL; and as the service that it is."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest

from devstack.stack import Stack
from kit.bootstrap import with_database
from kit.calls import Services
from kit.database import Database
from kit.identity import Principal, TokenSigner
from services.agent_runtime.engines.builtin import BuiltinEngine
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.engines.port import Task
from services.agent_runtime.jobs.consumers import WorkflowConsumer
from services.agent_runtime.jobs.leases import JobSweep
from services.agent_runtime.jobs.runtime import Runtime
from services.agent_runtime.models.model import Model
from services.agent_runtime.nodes.limits import NodeLimits
from services.agent_runtime.nodes.nodes import Nodes
from services.agent_runtime.reasoners.reasoner import OpsReader
from services.agent_runtime.tests.agentfield import Beside, Run, beside
from services.agent_runtime.tests.control_plane import ControlPlane
from services.agent_runtime.tests.nodes import Agents
from services.agent_runtime.tests.services import Caller
from services.agent_runtime.tests.workspace import Start, Workspace, directly, through
from services.agent_runtime.workers.pool import WorkerPool
from services.agent_runtime.workers.reasoning import load

TRIAL = "services.agent_runtime.tests.trial"


@pytest.fixture(scope="package")
async def bare_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Postgres with the runtime's database, made and migrated; no service."""
    async with Stack(tmp_path_factory.mktemp("bare-stack"), services=(), gateway=False) as stack:
        await stack.prepare_database("agent-runtime")
        yield stack


@pytest.fixture
async def admin(bare_stack: Stack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A superuser in the runtime's database, in which there are no jobs."""
    connection = await asyncpg.connect(with_database(bare_stack.admin_url, "agent_runtime"))
    await connection.execute("TRUNCATE jobs, agent_keys CASCADE")
    yield connection
    await connection.close()


@pytest.fixture
async def database(bare_stack: Stack) -> AsyncIterator[Database]:
    """The runtime's database, as the service sees it."""
    database = await Database.connect(bare_stack.database_url("agent-runtime"), size=8)
    yield database
    await database.close()


@dataclass
class Running:
    """A runtime at work."""

    runtime: Runtime
    pool: WorkerPool
    sweep: JobSweep
    consumer: WorkflowConsumer
    task: "asyncio.Task[None]"
    nodes: Nodes


def no_reader(task: Task) -> OpsReader:
    raise AssertionError(f"{task.reasoner.full_name} reads nothing")


async def nobody(workspace_id: str) -> bool:
    return False


@pytest.fixture
def start(bare_stack: Stack, database: Database, admin: object) -> Start:
    """Runs a runtime for the length of a block."""
    relay_url = bare_stack.database_url("agent-runtime", "relay")

    @asynccontextmanager
    async def running(
        *,
        workers: int = 2,
        memory_mb: int = 512,
        most_per_agent: int = 16,
        lease_seconds: float = 2,
        grace_seconds: float = 0.2,
        reader: Callable[[Task], OpsReader] = no_reader,
        model: Model | None = None,
        wants_model: Callable[[str], Awaitable[bool]] = nobody,
        limits: NodeLimits | None = None,
        slots: int = 16,
        internal: bool = True,
    ) -> AsyncIterator[Running]:
        pool = WorkerPool(workers, memory_mb=memory_mb, modules=(TRIAL,))
        nodes = Nodes(
            database,
            bare_stack.database_url("agent-runtime"),
            relay_url,
            limits or NodeLimits(silence_seconds=60),
            slots=slots,
            internal=internal,
            on_commit=lambda: None,
        )
        builtin = BuiltinEngine(load(TRIAL), pool, reader, model=model, wants_model=wants_model)
        engines = Engines(builtin, nodes.engine)
        runtime = Runtime(
            engines,
            database,
            relay_url,
            most_per_agent=most_per_agent,
            lease_seconds=lease_seconds,
            on_commit=lambda: None,
            grace_seconds=grace_seconds,
        )
        sweep = JobSweep(
            database,
            relay_url,
            engines,
            adopt=runtime.runs.adopt,
            lease_seconds=lease_seconds,
            on_commit=lambda: None,
        )
        consumer = WorkflowConsumer(runtime.wake, runtime.runs.stop_job)
        tasks = [asyncio.create_task(runtime.run()), asyncio.create_task(sweep.run())]
        try:
            yield Running(runtime, pool, sweep, consumer, tasks[0], nodes)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert pool.pids == []

    return running


@pytest.fixture
def control_plane() -> Iterator[ControlPlane]:
    """AgentField's control plane, or what stands in for it."""
    with ControlPlane() as running:
        yield running


@pytest.fixture
async def run(
    control_plane: ControlPlane, bare_stack: Stack, database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> Run:
    """Runs a runtime beside that control plane, which it has never seen before."""
    await admin.execute("TRUNCATE agentfield_offers")
    relay_url = bare_stack.database_url("agent-runtime", "relay")
    return lambda **how: beside(control_plane, database, relay_url, **how)


@pytest.fixture
def workspace_of(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> Callable[[Running | Beside | None], Workspace]:
    """A new, empty workspace, whose events reach that runtime; None: a database at which nobody is at work."""

    def make(running: Running | Beside | None) -> Workspace:
        consumer = running.consumer if running else WorkflowConsumer(lambda: None, lambda job_id: None)
        return Workspace(f"w-{uuid.uuid4().hex}", admin, directly(consumer, database))

    return make


@pytest.fixture
def agents_of(database: Database) -> Callable[..., Agents]:
    """The agents of a workspace, which speak to that runtime; with a key that they have already."""

    def make(workspace: Workspace, running: Running, key: str = "") -> Agents:
        return Agents(database, running.nodes, running.runtime.engines, workspace.id, key)

    return make


@pytest.fixture(scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """The service and what it stands on. Where the others would listen, nobody does."""
    environment = {
        "TEST_REASONERS": TRIAL,
        "LEASE_SECONDS": "3",
        "WORKERS": "2",
        # How long a consumer that was killed keeps its partitions from the next one.
        "KAFKA_SESSION_TIMEOUT_SECONDS": "6",
    }
    async with Stack(
        tmp_path_factory.mktemp("stack"),
        services=("agent-runtime", "platform"),
        gateway=False,
        extra_env={"agent-runtime": environment},
    ) as stack:
        yield stack


@pytest.fixture
async def service_admin(stack: Stack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A superuser in the running service's database."""
    connection = await asyncpg.connect(with_database(stack.admin_url, "agent_runtime"))
    yield connection
    await connection.close()


@pytest.fixture
def acme(stack: Stack, service_admin: "asyncpg.Connection[asyncpg.Record]") -> Workspace:
    """A new, empty workspace, whose events reach the service over Kafka."""
    return Workspace(f"w-{uuid.uuid4().hex}", service_admin, through(stack))


@pytest.fixture
async def caller(stack: Stack, acme: Workspace) -> AsyncIterator[Caller]:
    """An engineer of that workspace, who calls the service."""
    signer = TokenSigner.from_file("gateway", stack.layout.key("gateway"))
    services = Services({"agent-runtime": stack.address("agent-runtime")}, signer, timeout=30)
    yield Caller(services, Principal("ada", frozenset({"ops_engineer"}), acme.id))
    await services.close()
