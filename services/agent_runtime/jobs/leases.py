"""Leases: whoever runs a job says so again and again; of whom nothing is heard any more is taken its jobs away."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from kit import clock
from kit.database import DATABASE_ERRORS, Database, relay_connection
from kit.errors import Problem
from kit.logs import get_logger
from kit.unit_of_work import UnitOfWork, unit_of_work
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.engines.port import Resuming
from services.agent_runtime.jobs import callers, endings, store
from services.agent_runtime.jobs.runs import Runs
from services.agent_runtime.jobs.store import Job, RelayConnection

# Often enough that a job which another replica has cancelled is stopped soon.
_LONGEST_PAUSE = 1.0
# So long before the end of its time a job that cannot be begun is given up: then workflow learns why, and does not only
# find that nothing came.
_EARLY = timedelta(seconds=2)
_KEPT = timedelta(days=7)
_FORGET_EVERY_SECONDS = 600.0
_BATCH = 1000

log = get_logger(__name__)


class Heartbeat:
    """Extends the leases of what this process runs, and stops what it holds no lease of any more."""

    def __init__(self, relay_url: str, runs: Runs, *, lease_seconds: float) -> None:
        self._relay_url = relay_url
        self._runs = runs
        self._lease_seconds = lease_seconds

    async def run(self) -> None:
        """Never returns; trouble with the database is logged and tried again."""
        pause = min(self._lease_seconds / 5, _LONGEST_PAUSE)
        while True:
            try:
                async with relay_connection(self._relay_url) as connection:
                    while True:
                        await self.beat(connection)
                        await asyncio.sleep(pause)
            except DATABASE_ERRORS as error:
                log.warning("leases are not extended", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(pause)

    async def beat(self, connection: RelayConnection) -> None:
        """Once, in one statement for all workspaces. Raises database errors."""
        jobs = self._runs.jobs
        if not jobs:
            return
        held = await store.extend(connection, jobs, self._lease_seconds)
        for job in jobs:
            if job.lease not in held:
                self._runs.stop(job)


class JobSweep:
    """What nobody else does: jobs whose runner is gone, jobs whose time is over before they were begun, jobs that were
    done long ago. Any number of replicas may sweep at a time: each locks a row before it changes it. `adopt` goes on
    with a job whose runner is gone, but not what that had begun elsewhere."""

    def __init__(
        self,
        database: Database,
        relay_url: str,
        engines: Engines,
        *,
        adopt: Callable[[Job], None],
        lease_seconds: float,
        on_commit: Callable[[], None],
    ) -> None:
        self._database = database
        self._relay_url = relay_url
        self._engines = engines
        self._adopt = adopt
        self._lease_seconds = lease_seconds
        self._on_commit = on_commit

    async def run(self) -> None:
        """Never returns; trouble with the database is logged and tried again."""
        time = asyncio.get_running_loop().time
        next_forget = 0.0
        while True:
            try:
                async with relay_connection(self._relay_url) as connection:
                    while True:
                        await self.once(connection)
                        if time() >= next_forget:
                            await self.forget(connection)
                            next_forget = time() + _FORGET_EVERY_SECONDS
                        await asyncio.sleep(_LONGEST_PAUSE)
            except (*DATABASE_ERRORS, Problem) as error:
                log.warning("sweep of jobs interrupted", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(_LONGEST_PAUSE)

    async def once(self, connection: RelayConnection) -> None:
        """Raises database errors when it cannot be looked; trouble with one job keeps no other from its turn."""
        for workspace_id, job_id in await store.lost(connection):
            await self._tried(workspace_id, job_id, self._lose)
        for workspace_id, job_id in await store.overdue(connection, clock.now() + _EARLY):
            await self._tried(workspace_id, job_id, self._time_out)

    async def forget(self, connection: RelayConnection) -> None:
        """Delete what was done more than 7 days ago."""
        before = clock.now() - _KEPT
        for workspace_id in await store.workspaces_with_old(connection, before):
            deleted = _BATCH
            while deleted == _BATCH:
                call = callers.of_workspace(workspace_id)
                async with unit_of_work(self._database, call, service=callers.SERVICE) as work:
                    deleted = await store.forget(work, before, _BATCH)

    async def _tried(self, workspace_id: str, job_id: str, step: Callable[[UnitOfWork, str], Awaitable[None]]) -> None:
        try:
            call = callers.of_workspace(workspace_id)
            async with unit_of_work(self._database, call, service=callers.SERVICE) as work:
                await step(work, job_id)
        except (Problem, *DATABASE_ERRORS) as error:
            log.warning("job not swept", job=job_id, workspace=workspace_id, error=str(error))
            return
        self._on_commit()

    async def _lose(self, work: UnitOfWork, job_id: str) -> None:
        job = await store.lock_lost(work, job_id)
        if job is None:
            return
        engine = self._engines.of(job.agent or "")
        if isinstance(engine, Resuming) and job.lease and await engine.goes_on(work, job.lease):
            await store.renew(work, job, self._lease_seconds)
            work.afterwards(lambda: self._adopt(job))
            return
        found = await self._engines.find(job.workspace_id, job.agent or "", job.reasoner or "")
        async with work.part(callers.of_job(job)) as part:
            await endings.lose(part, job, most_tries=found.reasoner.most_tries if found else 1)

    async def _time_out(self, work: UnitOfWork, job_id: str) -> None:
        job = await store.lock_overdue(work, job_id, work.now + _EARLY)
        if job is None:
            return
        hindrance = self._engines.hindrance(job.workspace_id, job.agent or "")
        if hindrance is None and job.deadline_at > work.now:
            return
        async with work.part(callers.of_job(job)) as part:
            if hindrance is None:
                await endings.time_out(part, job)
            else:
                await endings.give_up(part, job, hindrance)
