"""The rpcs about failures."""

from collections.abc import Callable

from kit.database import Session
from kit.errors import Conflict, IllegalTransition, NotFound
from kit.paging import Listing, page_of, sort_of
from kit.unit_of_work import UnitOfWork
from opsfield.agent_runtime.v1.runtime_pb2 import (
    Failure,
    JobFailure,
    ListFailuresRequest,
    ListFailuresResponse,
    RetryJobFailureRequest,
    RetryOutboxFailureRequest,
)
from opsfield.common.v1.outbox_pb2 import OutboxEvent
from services.agent_runtime import memory_listing
from services.agent_runtime.failures import store
from services.agent_runtime.failures.outboxes import Outboxes
from services.agent_runtime.jobs import store as jobs
from services.agent_runtime.jobs.store import Job

_SERVICE = "agent-runtime"


class FailureHandlers:
    """`wake` is called when there is something to run again."""

    def __init__(self, outboxes: Outboxes, wake: Callable[[], None]) -> None:
        self._outboxes = outboxes
        self._wake = wake

    async def list_failures(self, request: ListFailuresRequest, session: Session) -> ListFailuresResponse:
        listing = Listing.of(request, Failure.DESCRIPTOR)
        outboxes = await self._outboxes.failed(session)
        failures = [
            *(Failure(kind=Failure.JOB, service=_SERVICE, **row) for row in await store.dead_jobs(session)),
            *map(_of_event, outboxes.events),
        ]
        data, total = memory_listing.page(failures, listing, texts=lambda each: (each.subject, each.reason))
        return ListFailuresResponse(
            data=data,
            page=page_of(listing, returned=len(data), total=total),
            sort=sort_of(listing),
            filters=listing.filters,
            unavailable=outboxes.unavailable,
        )

    async def retry_outbox_failure(self, request: RetryOutboxFailureRequest, work: UnitOfWork) -> OutboxEvent:
        return await self._outboxes.retry(request.id, work)

    async def retry_job_failure(self, request: RetryJobFailureRequest, work: UnitOfWork) -> JobFailure:
        """It is begun again as often as at first, and has as much time. Raises NotFound, IllegalTransition when it has
        not failed for good, Conflict when its execution has been tried again since."""
        job = await jobs.lock(work, request.id)
        if job is None:
            raise NotFound(f"There is no job {request.id} here.")
        if job.state != "dead":
            raise IllegalTransition(f"The job is {job.state}; only one that is dead can be put back in the queue.")
        if await jobs.has_later(work, job):
            raise Conflict("The execution has been tried again since.", code="superseded")
        revived = await jobs.revive(work, job)
        work.afterwards(self._wake)
        return _job_failure(revived)


def _of_event(event: OutboxEvent) -> Failure:
    return Failure(
        id=event.id,
        kind=Failure.OUTBOX,
        service=event.service,
        subject=event.topic,
        reason=event.last_error,
        attempts=event.attempts,
        created_at=event.created_at,
    )


def _job_failure(job: Job) -> JobFailure:
    return JobFailure(
        id=job.id,
        execution_id=job.execution_id,
        agent=job.agent,
        reasoner=job.reasoner,
        state=job.state.upper(),
        tries=job.tries,
        reason=job.reason,
        failed_at=job.finished_at,
    )
