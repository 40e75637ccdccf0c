"""A runtime whose one engine is AgentField, in the test's own process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from kit.database import Database
from kit.errors import NotFound
from kit.secrets import Secret
from services.agent_runtime.engines.agentfield.callback import Callback
from services.agent_runtime.engines.agentfield.client import ControlPlane as Client
from services.agent_runtime.engines.agentfield.engine import AgentFieldEngine
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.jobs.consumers import WorkflowConsumer
from services.agent_runtime.jobs.leases import JobSweep
from services.agent_runtime.jobs.runtime import Runtime
from services.agent_runtime.tests.control_plane import ControlPlane
from tests.callers import eventually

Admin = asyncpg.Connection
GATEWAY = "http://gateway.test:8080/"


@dataclass
class Beside:
    """A runtime at work, its engine, and what brings events to it."""

    runtime: Runtime
    engine: AgentFieldEngine
    consumer: WorkflowConsumer


# Runs a runtime for the length of a block: `beside` says what it takes.
Run = Callable[..., AbstractAsyncContextManager[Beside]]


@asynccontextmanager
async def beside(
    control_plane: ControlPlane,
    database: Database,
    relay_url: str,
    *,
    secret: str | None = "s",
    has_callback: bool = True,
    required: bool = False,
    api_key: str | None = None,
    timeout_seconds: int = 60,
    patience_seconds: float = 20,
    known: bool = True,
    seconds: float = 10,
) -> AsyncIterator[Beside]:
    """For the length of a block, which begins once it is known what the control plane offers (`known`)."""

    async def get() -> Secret:
        if secret is None:
            raise NotFound("It was never set.")
        return Secret(secret, None, 1)

    engine = AgentFieldEngine(
        Client(control_plane.url, api_key, seconds=seconds),
        database,
        relay_url,
        Callback(GATEWAY, get, required=required) if has_callback else None,
        taken={"smoke"},
        slots=8,
        timeout_seconds=timeout_seconds,
        refresh_seconds=0.1,
        patience_seconds=patience_seconds,
    )
    engines = Engines(engine)
    runtime = Runtime(
        engines,
        database,
        relay_url,
        most_per_agent=16,
        lease_seconds=2,
        on_commit=lambda: None,
        grace_seconds=0.1,
    )
    sweep = JobSweep(database, relay_url, engines, adopt=runtime.runs.adopt, lease_seconds=2, on_commit=lambda: None)
    consumer = WorkflowConsumer(runtime.wake, runtime.runs.stop_job)
    tasks = [asyncio.create_task(runtime.run()), asyncio.create_task(sweep.run())]
    try:
        if known:
            await eventually(is_so(lambda: engine.workers == 1 and engine.slots > 0))
        yield Beside(runtime, engine, consumer)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def begun(control_plane: ControlPlane, count: int = 1) -> str:
    """The id of the latest execution over there, once so many have begun and the last one was looked at."""

    async def look() -> str | None:
        their_id = list(control_plane.executions)[-1] if len(control_plane.executions) >= count else ""
        return their_id if control_plane.looks.get(their_id) else None

    found: str = await eventually(look)
    return found


async def open_runs(admin: "Admin[Any]") -> int:
    return int(await admin.fetchval("SELECT count(*) FROM agentfield_runs WHERE ended_at IS NULL"))


def is_so(condition: Callable[[], Any]) -> Any:
    async def look() -> Any:
        return condition()

    return look


def is_not(condition: Callable[[], Any]) -> Any:
    return is_so(lambda: not condition())


def looked(control_plane: ControlPlane, their_id: str, times: int) -> Any:
    return is_so(lambda: control_plane.looks[their_id] >= times)


def none_open(admin: "Admin[Any]") -> Any:
    async def look() -> bool:
        return await open_runs(admin) == 0

    return look
