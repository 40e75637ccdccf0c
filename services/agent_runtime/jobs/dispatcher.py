"""Hands out the jobs that wait, as long as somebody is free to run them.

What waits is looked up across all workspaces, with the database role that may see just that; a job is taken in its own
workspace, where its row is locked, so that replicas pass over each other's. Two that choose at the same instant may
exceed an agent's limit for the length of a run.
"""

import asyncio
import contextlib
from collections.abc import Callable

from kit import clock
from kit.database import DATABASE_ERRORS, Database, relay_connection
from kit.errors import Problem
from kit.logs import get_logger
from kit.unit_of_work import unit_of_work
from opsfield.agent_runtime.v1.outcomes_pb2 import ExecutionStarted
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.jobs import callers, rules, store
from services.agent_runtime.jobs.rules import Waiting
from services.agent_runtime.jobs.runs import Runs
from services.agent_runtime.jobs.store import Job, RelayConnection

# What another replica has put in the queue, or what was put off, is found after this long at most.
_IDLE_SECONDS = 0.5
_SOON_SECONDS = 0.02
_PAUSE_SECONDS = 1.0
# The engine's status tells no more than whether it is so many.
_MOST_COUNTED = 100

log = get_logger(__name__)


class Dispatcher:
    """Run with `run()` until cancelled; `wake()` when there is something new, or somebody is free again. `worker`
    names this replica."""

    def __init__(
        self,
        database: Database,
        relay_url: str,
        engines: Engines,
        runs: Runs,
        *,
        worker: str,
        most_per_agent: int,
        lease_seconds: float,
        on_commit: Callable[[], None],
    ) -> None:
        self._database = database
        self._relay_url = relay_url
        self._engines = engines
        self._runs = runs
        self._worker = worker
        self._most_per_agent = most_per_agent
        self._lease_seconds = lease_seconds
        self._on_commit = on_commit
        self._woken = asyncio.Event()
        self._last_served: dict[str, int] = {}
        self._turn = 0
        # How many waited when it was last looked, of all workspaces, counted up to 100.
        self.depth = 0
        self._next_count = 0.0

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Never returns; trouble with the database is logged, waited out and begun afresh."""
        while True:
            try:
                await self._work_while_connected()
            except (*DATABASE_ERRORS, Problem) as error:
                log.warning("dispatcher interrupted", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _work_while_connected(self) -> None:
        async with relay_connection(self._relay_url) as connection:
            while True:
                self._woken.clear()
                await self._round(connection)
                # Not asyncio.wait_for: up to Python 3.11 it loses a cancellation that comes with what it waits for.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE_SECONDS):
                        await self._woken.wait()

    async def _round(self, connection: RelayConnection) -> None:
        free = self._runs.free
        if (most := max(free.values())) > 0:
            waiting = await store.waiting(connection, clock.now(), most)
            chosen = rules.choose(
                [each for each in waiting if not self._engines.hindrance(each.workspace_id, each.agent)],
                await store.running(connection) if waiting else (),
                free=free,
                engine_of=lambda agent: self._engines.of(agent).name,
                whose=self._engines.whose,
                most_per_agent=self._most_per_agent,
                last_served=self._last_served,
            )
            for each in chosen:
                await self._begin(each)
            self._forget_others({each.workspace_id for each in waiting})
        await self._count(connection)

    async def _count(self, connection: RelayConnection) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next_count:
            self.depth = await store.waiting_count(connection, _MOST_COUNTED)
            self._next_count = now + _IDLE_SECONDS

    async def _begin(self, waiting: Waiting) -> None:
        self._turn += 1
        self._last_served[waiting.workspace_id] = self._turn
        job = await self._take(waiting)
        if job is None:
            # Another replica was faster: what else waits is looked for soon, not at the next idle look.
            asyncio.get_running_loop().call_later(_SOON_SECONDS, self.wake)
            return
        self._on_commit()
        self._runs.begin(job)

    async def _take(self, waiting: Waiting) -> Job | None:
        call = callers.of_workspace(waiting.workspace_id)
        async with unit_of_work(self._database, call, service=callers.SERVICE) as work:
            job = await store.take(work, waiting.id, worker=self._worker, lease_seconds=self._lease_seconds)
            if job is not None:
                async with work.part(callers.of_job(job)) as part:
                    part.emit(_started(job), key=job.execution_id)
        return job

    def _forget_others(self, workspaces: set[str]) -> None:
        """Whoever has nothing that waits is as if it had never been served."""
        self._last_served = {name: turn for name, turn in self._last_served.items() if name in workspaces}


def _started(job: Job) -> ExecutionStarted:
    return ExecutionStarted(
        execution_id=job.execution_id, attempt=job.attempt, started_at=job.started_at, tries=job.tries
    )
