"""The rpcs about failures."""

from kit import contract, ids
from kit.call import Call
from kit.calls import Passport, ServiceCall, Services
from kit.database import Session
from kit.errors import IllegalTransition, NotFound
from kit.paging import Listing
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
from opsfield.workflow.v1.executions_pb2 import RetryExecutionRequest
from services.agent_runtime import memory_listing
from services.agent_runtime.failures import store
from services.agent_runtime.failures.outboxes import Outboxes
from services.agent_runtime.jobs import store as jobs
from services.agent_runtime.jobs.store import Job

_SERVICE = "agent-runtime"


class FailureHandlers:
    """Failures of all services, and what can be done about them."""

    def __init__(self, services: Services) -> None:
        rpcs = contract.by_name("workflow")
        self._outboxes = Outboxes(services)
        self._retry = ServiceCall(services, "workflow", rpcs["RetryExecution"])

    async def list_failures(self, request: ListFailuresRequest, session: Session) -> ListFailuresResponse:
        listing = Listing.of(request, Failure.DESCRIPTOR)
        outboxes = await self._outboxes.failed(session)
        failures = [
            *(Failure(kind=Failure.JOB, service=_SERVICE, **row) for row in await store.dead_jobs(session)),
            *map(_of_event, outboxes.events),
        ]
        data, total = memory_listing.page(failures, listing, texts=lambda each: (each.subject, each.reason))
        return ListFailuresResponse(**listing.answer(data, total), unavailable=outboxes.unavailable)

    async def retry_outbox_failure(self, request: RetryOutboxFailureRequest, work: UnitOfWork) -> OutboxEvent:
        return await self._outboxes.retry(request.id, work)

    async def retry_job_failure(self, request: RetryJobFailureRequest, work: UnitOfWork) -> JobFailure:
        """Its execution is tried again, as workflow does it; a crash in between asks it under the same key again.
        Raises NotFound, IllegalTransition when it has not failed for good, and what workflow refuses."""
        job = await jobs.lock(work, request.id)
        if job is None:
            raise NotFound(f"There is no job {request.id} here.")
        if job.state != "dead":
            raise IllegalTransition(f"The job is {job.state}; only one that is dead can be put back in the queue.")
        await self._retry(RetryExecutionRequest(id=job.execution_id), _passport(work.call, job.id))
        await jobs.settle_earlier(work, job.execution_id, job.attempt + 1)
        settled = await jobs.lock(work, job.id)
        assert settled is not None, "it is locked"
        return _job_failure(settled)


def _passport(call: Call, job_id: str) -> Passport:
    assert call.idempotency_key is not None, "the rpc needs one"
    key = ids.child_key(call.idempotency_key, job_id)
    return Passport(call.principal, call.correlation_id, key, traceparent=call.traceparent)


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
