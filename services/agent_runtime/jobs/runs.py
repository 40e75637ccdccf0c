"""The jobs that this process runs: each a task that runs it, and records what came of it if its lease still holds."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from kit import clock, logs
from kit.database import Database
from kit.errors import Problem
from kit.unit_of_work import UnitOfWork, unit_of_work
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.engines.port import Failed, Recorded, Resuming, Task
from services.agent_runtime.jobs import callers, endings, store
from services.agent_runtime.jobs.store import Job

# How long what came of a run is held while the database is away; then its lease decides.
_RECORD_TRIES = 120
_PAUSE_SECONDS = 0.5

Ending = Callable[[UnitOfWork, Job], Awaitable[None]]

log = logs.get_logger(__name__)


@dataclass
class _Run:
    job: Job
    task: "asyncio.Task[None]"
    is_recording: bool = False


class Runs:
    """`freed` is called whenever another one can be begun; `on_commit` after each unit of work."""

    def __init__(
        self, engines: Engines, database: Database, *, on_commit: Callable[[], None], freed: Callable[[], None]
    ) -> None:
        self._engines = engines
        self._database = database
        self._on_commit = on_commit
        self._freed = freed
        # By lease: a job that was taken away from here can come back while its first run has not ended.
        self._runs: dict[str | None, _Run] = {}

    @property
    def free(self) -> dict[str, int]:
        """How many more can be begun, by the name of the engine. One that is being recorded needs it no more."""
        running = (run for run in self._runs.values() if not run.is_recording)
        taken = Counter(self._engines.of(run.job.agent or "").name for run in running)
        return {engine.name: engine.slots - taken[engine.name] for engine in self._engines.all}

    @property
    def jobs(self) -> list[Job]:
        return [run.job for run in self._runs.values()]

    def begin(self, job: Job, *, goes_on: bool = False) -> None:
        """`goes_on`: it was begun before, by a replica that is gone."""
        task = asyncio.create_task(self._run_and_forget(job, goes_on))
        self._runs[job.lease] = _Run(job, task)

    def adopt(self, job: Job) -> None:
        """Go on with a job, unless it was this process that nothing had been heard of."""
        if job.lease not in self._runs:
            log.info("run goes on here", job=job.id, reasoner=job.full_name)
            self.begin(job, goes_on=True)

    def stop_job(self, job_id: str) -> None:
        """Its result counts no more: whatever runs it is stopped. Nothing happens when it does not run here."""
        for run in list(self._runs.values()):
            if run.job.id == job_id:
                _stop(run)

    def stop(self, job: Job) -> None:
        """The same for one try of a job."""
        if run := self._runs.get(job.lease):
            _stop(run)

    async def drain(self, seconds: float) -> None:
        """Let those that run end; the others are stopped, and taken up again once their lease is over."""
        tasks = [run.task for run in self._runs.values()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            log.warning("runs are stopped", runs=len(late))
            await asyncio.wait(late)

    async def _run_and_forget(self, job: Job, goes_on: bool) -> None:
        logs.correlation_id.set(job.correlation_id)
        try:
            await self._run(job, goes_on)
        except asyncio.CancelledError:
            log.info("run stopped", job=job.id, reasoner=job.full_name)
        except Exception as error:
            log.error("what came of a run is not recorded", job=job.id, exc_info=error)
        finally:
            del self._runs[job.lease]
            self._freed()

    async def _run(self, job: Job, goes_on: bool) -> None:
        ending = await self._outcome(job, goes_on)
        if ending is None:
            return
        self._runs[job.lease].is_recording = True
        self._freed()
        for _ in range(_RECORD_TRIES):
            try:
                await self._record(job, ending)
                return
            except Problem as problem:
                if not problem.retry_after:
                    raise
                log.warning("what came of a run is not recorded yet", job=job.id, reason=problem.detail)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _outcome(self, job: Job, goes_on: bool) -> Ending | None:
        """None: what came of it is recorded already."""
        found = await self._engines.find(job.workspace_id, job.agent or "", job.reasoner or "")
        if found is None:
            unknown = Failed("reasoner_unknown", f"There is no reasoner {job.full_name}.")
            return partial(endings.conclude, outcome=unknown, most_tries=1)
        reasoner = found.reasoner
        assert job.lease is not None, "it runs"
        task = Task(
            workspace_id=job.workspace_id,
            execution_id=job.execution_id,
            attempt=job.attempt,
            lease=job.lease,
            reasoner=reasoner,
            input=job.input,
            correlation_id=job.correlation_id,
            traceparent=job.traceparent,
        )
        begun_at = (goes_on and job.started_at) or clock.now()
        ends_at = min(begun_at + timedelta(seconds=reasoner.timeout_seconds), job.deadline_at)
        run = found.engine.resume if goes_on and isinstance(found.engine, Resuming) else found.engine.run
        try:
            async with asyncio.timeout((ends_at - clock.now()).total_seconds()):
                outcome = await run(task)
        except TimeoutError:
            return endings.time_out
        if isinstance(outcome, Recorded):
            return None
        return partial(endings.conclude, outcome=outcome, most_tries=reasoner.most_tries)

    async def _record(self, job: Job, ending: Ending) -> None:
        async with unit_of_work(self._database, callers.of_job(job), service=callers.SERVICE) as work:
            current = await store.lock_leased(work, job)
            if current is None:
                log.warning("result comes too late to count", job=job.id, reasoner=job.full_name, tries=job.tries)
                return
            await ending(work, current)
        self._on_commit()


def _stop(run: _Run) -> None:
    # One that is being recorded ends by itself, and finds out that it counts no more.
    if not run.is_recording:
        run.task.cancel()
