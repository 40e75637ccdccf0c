"""What is written down of executions over there, for whoever takes a job up again."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from kit import ids
from kit.call import PLATFORM_WORKSPACE, Call
from kit.database import Database
from kit.identity import Principal
from kit.unit_of_work import UnitOfWork, unit_of_work
from services.agent_runtime.engines.agentfield import store
from services.agent_runtime.engines.agentfield.store import Run
from services.agent_runtime.engines.port import Json, Task

_SERVICE = "agent-runtime"


class Superseded(Exception):
    """Another try has taken the place of this one."""


class Records:
    """Each method is a unit of work, and raises the Problem that trouble with the database means."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, task: Task) -> list[Run]:
        """What earlier tries of the attempt asked for, the latest first. When there is nothing, it is written down that
        this one is about to ask. Raises Superseded."""
        async with self._work(task.workspace_id, task.correlation_id) as work:
            earlier = await store.of_attempt(work, task)
            if not earlier:
                await _add(work, task)
        return earlier

    async def begin_anew(self, task: Task, given_up: Sequence[Run]) -> None:
        """This one is about to ask; nothing that earlier ones asked for counts any more. Raises Superseded."""
        async with self._work(task.workspace_id, task.correlation_id) as work:
            await _add(work, task)
            await store.ended(work, [run.lease for run in given_up])

    async def begun(self, task: Task, their_id: str) -> None:
        """Raises Superseded when another try has given this one up meanwhile."""
        async with self._work(task.workspace_id, task.correlation_id) as work:
            if not await store.begun(work, task, their_id):
                raise Superseded

    async def adopt(self, task: Task, run: Run, their_id: str) -> None:
        async with self._work(task.workspace_id, task.correlation_id) as work:
            await store.adopt(work, task, run, their_id)

    async def ended(self, workspace_id: str, lease: str) -> None:
        async with self._work(workspace_id) as work:
            await store.ended(work, [lease])

    async def offered(self) -> list[Json]:
        async with self._database.read(_call(PLATFORM_WORKSPACE)) as session:
            return await store.offered(session)

    async def save_offered(self, capabilities: Sequence[Json]) -> None:
        async with self._work(PLATFORM_WORKSPACE) as work:
            await store.save_offered(work, capabilities)

    @asynccontextmanager
    async def _work(self, workspace_id: str, correlation_id: str | None = None) -> AsyncIterator[UnitOfWork]:
        async with unit_of_work(self._database, _call(workspace_id, correlation_id), service=_SERVICE) as work:
            yield work


async def _add(work: UnitOfWork, task: Task) -> None:
    if not await store.add(work, task):
        raise Superseded


def _call(workspace_id: str, correlation_id: str | None = None) -> Call:
    principal = Principal("system:agentfield", workspace_id=workspace_id, service=_SERVICE)
    return Call(f"{_SERVICE}/agentfield", principal, correlation_id or f"agentfield-{ids.new_id()}")
