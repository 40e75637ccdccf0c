"""Runs jobs: each under a lease that its worker extends, step by step. What came of a step (how far it is, the counts,
the artifact's pieces, whatever else the step records) is recorded in one unit of work, if the lease still holds; so
whoever goes on with the job after a crash does the step again that was not recorded, and no other."""

import asyncio
from collections.abc import Callable

from kit import logs
from kit.database import DATABASE_ERRORS, Database, relay_connection
from kit.errors import Problem, TooManyRequests
from kit.unit_of_work import unit_of_work
from services.integrations.files import Files
from services.integrations.jobs import callers, pieces, rules, store
from services.integrations.jobs.callers import SERVICE
from services.integrations.jobs.steps import JobFailedError, LeaseLostError, Run, Step
from services.integrations.jobs.store import Job

_IDLE_SECONDS = 0.5
_LONGEST_PAUSE = 10.0
_GIVE_BACK_SECONDS = 2.0

log = logs.get_logger(__name__)


class Worker:
    """Run with `run()` until cancelled. `begin`: what runs a job; `slots`: how many at a time; `patience`: how long, in
    seconds, what a job needs may be away before the job fails."""

    def __init__(
        self,
        database: Database,
        relay_url: str,
        files: Files,
        begin: Callable[[Job], Run],
        *,
        slots: int,
        lease_seconds: float,
        patience: float,
    ) -> None:
        self._database = database
        self._relay_url = relay_url
        self._files = files
        self._begin = begin
        self._slots = slots
        self._lease_seconds = lease_seconds
        self._patience = patience
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Never returns; trouble with the database is logged, waited out and begun afresh."""
        try:
            while True:
                try:
                    async with relay_connection(self._relay_url) as connection:
                        while True:
                            await self._round(connection)
                            await asyncio.sleep(_IDLE_SECONDS)
                except (*DATABASE_ERRORS, Problem) as error:
                    log.warning("jobs are not looked for", error=f"{type(error).__name__}: {error}")
                    await asyncio.sleep(_IDLE_SECONDS)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _round(self, connection: store.RelayConnection) -> None:
        if len(self._running) >= self._slots:
            return
        for workspace_id, job_id in await store.waiting(connection):
            if len(self._running) >= self._slots:
                return
            async with unit_of_work(self._database, callers.of_workspace(workspace_id), service=SERVICE) as work:
                job = await store.take(work, job_id, self._lease_seconds)
            if job is not None:
                task = asyncio.create_task(self._run_leased(job))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _run_leased(self, job: Job) -> None:
        logs.correlation_id.set(job.correlation_id)
        run = asyncio.create_task(self._run(job))
        beat = asyncio.create_task(self._beat(job, run))
        try:
            await run
        except asyncio.CancelledError:
            log.info("job stopped", job=job.id)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            await self._give_back(job)
        except Exception as error:
            # Its lease ends by itself; then it is tried again.
            log.error("job interrupted", job=job.id, exc_info=error)
        finally:
            beat.cancel()

    async def _beat(self, job: Job, run: "asyncio.Task[None]") -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / 4)
            try:
                async with unit_of_work(self._database, callers.of_job(job), service=SERVICE) as work:
                    held = await store.extend(work, job, self._lease_seconds)
            except (*DATABASE_ERRORS, Problem) as error:
                log.warning("lease is not extended", job=job.id, error=str(error))
                continue
            if not held:
                run.cancel()
                return

    async def _give_back(self, job: Job) -> None:
        try:
            async with asyncio.timeout(_GIVE_BACK_SECONDS):
                async with unit_of_work(self._database, callers.of_job(job), service=SERVICE) as work:
                    await store.give_back(work, job)
        except (*DATABASE_ERRORS, Problem) as error:
            log.warning("job is not given back", job=job.id, error=str(error))

    async def _run(self, job: Job) -> None:
        if job.tries > rules.MOST_TRIES:
            await self._end(job, "failed", "worker-lost", "Whatever worked on it ended again and again.")
            return
        run = self._begin(job)
        while job.status == "running":
            try:
                later = await self._step(run, job)
            except JobFailedError as failed:
                await self._end(job, "failed", failed.code, str(failed))
                return
            if later is None:
                log.warning("job is somebody else's by now", job=job.id)
                return
            job = later

    async def _step(self, run: Run, job: Job) -> Job | None:
        """The job after its next step; None when the lease is lost. Waits for what is away, within reason."""
        clock = asyncio.get_running_loop().time
        give_up_at, pause = clock() + self._patience, 0.2
        while True:
            try:
                if job.cancel_requested and job.sending is None:
                    return await self._end(job, "cancelled")
                step = await run.step(job)
                return await self._record(job, step)
            except LeaseLostError:
                return None
            except Problem as problem:
                if problem.status < 500 and problem.retry_after is None:
                    raise JobFailedError(problem.code, problem.detail) from problem
                if problem.status == TooManyRequests.status and problem.retry_after:
                    pause = max(pause, problem.retry_after)
                if clock() + pause > give_up_at:
                    raise JobFailedError("dependency-unavailable", problem.detail) from problem
                log.warning("job waits", job=job.id, reason=problem.detail)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            current = await self._current(job)
            if current is None:
                return None
            job = current

    async def _current(self, job: Job) -> Job | None:
        async with self._database.read(callers.of_job(job)) as session:
            found = await store.get(session, job.id)
        return found if found and found.lease == job.lease else None

    async def _record(self, job: Job, step: Step) -> Job | None:
        # Under the lease, so that nobody else's piece is ever written over.
        folder = f"{artifact_folder(job)}/{job.lease}"
        paths = [f"{folder}/{job.rows_done:012d}-{number}" for number in range(len(step.pieces))]
        for path, piece in zip(paths, step.pieces, strict=True):
            await self._files.put(path, piece)
        async with unit_of_work(self._database, callers.of_job(job), service=SERVICE) as work:
            current = await store.lock_leased(work, job)
            if current is None:
                log.warning("step comes too late to count", job=job.id)
                return None
            parts, filled = current.artifact_parts, current.artifact_filled
            for path, piece in zip(paths, step.pieces, strict=True):
                parts, start = rules.place(parts, filled, len(piece))
                await pieces.add(work, current, part=parts - 1, number=start, path=path)
                filled = start + len(piece)
            if step.record is not None:
                await step.record(work, current)
            advanced = await store.advance(work, current, step.gain, parts=parts, filled=filled)
            if step.is_last:
                advanced = await store.end(work, advanced, "succeeded")
        return advanced

    async def _end(self, job: Job, status: str, code: str | None = None, message: str | None = None) -> Job | None:
        async with unit_of_work(self._database, callers.of_job(job), service=SERVICE) as work:
            current = await store.lock_leased(work, job)
            if current is None:
                return None
            ended = await store.end(work, current, status, error_code=code, error_message=message)
        log.info("job ended", job=job.id, status=status, code=code)
        return ended


def artifact_folder(job: Job) -> str:
    """Where the pieces of its artifact lie."""
    return f"{job.workspace_id}/jobs/{job.id}"
