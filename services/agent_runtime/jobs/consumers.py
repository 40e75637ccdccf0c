"""What workflow tells: what is to be run, what is not to be run any more, and what is to be looked at."""

from collections.abc import Callable

from kit import contract, structs
from kit.consumer import Subscription
from kit.event_messages import said
from kit.events import ReceivedEvent
from kit.instants import instant
from kit.logs import get_logger
from kit.unit_of_work import UnitOfWork
from opsfield.workflow.v1.dispatch_pb2 import ExecutionCalledBack, ExecutionCancelled, ExecutionRequested
from services.agent_runtime.jobs import endings, store

NAME = "agent-runtime-workflow"
_TOGETHER = 20

log = get_logger(__name__)


class WorkflowConsumer:
    """`wake` is called when there is something new to run, `stop` with the id of a job that is not to run any more:
    both once it is committed."""

    def __init__(self, wake: Callable[[], None], stop: Callable[[str], None]) -> None:
        self._wake = wake
        self._stop = stop

    def subscription(self) -> Subscription:
        return Subscription(
            NAME,
            {
                contract.event_topic(ExecutionRequested.DESCRIPTOR): self.execution_requested,
                contract.event_topic(ExecutionCancelled.DESCRIPTOR): self.execution_cancelled,
                contract.event_topic(ExecutionCalledBack.DESCRIPTOR): self.execution_called_back,
            },
            together=_TOGETHER,
        )

    async def execution_requested(self, event: ReceivedEvent, work: UnitOfWork) -> None:
        """Raises Invalid for an event that cannot be: it is parked."""
        asked = said(event.data, ExecutionRequested)
        if asked.attempt > 1:
            for earlier in await store.lock_earlier(work, asked.execution_id, asked.attempt):
                await self._cancel(work, earlier, "a later attempt takes its place")
            await store.settle_earlier(work, asked.execution_id, asked.attempt)
        added = await store.add(
            work,
            {
                "execution_id": asked.execution_id,
                "attempt": asked.attempt,
                "agent": asked.agent,
                "reasoner": asked.reasoner,
                "input": structs.to_json(asked.input),
                "deadline_at": instant(asked.deadline_at, "deadlineAt"),
            },
        )
        if added:
            work.afterwards(self._wake)
        else:
            log.info("execution is known already", execution=asked.execution_id, attempt=asked.attempt)

    async def execution_cancelled(self, event: ReceivedEvent, work: UnitOfWork) -> None:
        """One that runs is stopped by whoever runs it; its result counts no more from now on. Raises Invalid."""
        cancelled = said(event.data, ExecutionCancelled)
        # The key of the attempt makes two who come at once wait for each other.
        if remembered := await store.remember_cancelled(work, cancelled.execution_id, cancelled.attempt):
            endings.tell_cancelled(work, remembered)
            return
        job = await store.lock_attempt(work, cancelled.execution_id, cancelled.attempt)
        if job is not None and job.state in ("waiting", "running"):
            await self._cancel(work, job, "somebody cancelled it")

    async def execution_called_back(self, event: ReceivedEvent, work: UnitOfWork) -> None:
        """Whoever waits for it looks at once; nothing else is to be had from it. Raises Invalid."""
        called = said(event.data, ExecutionCalledBack)
        await store.announce_called_back(work, called.execution_id)

    async def _cancel(self, work: UnitOfWork, job: store.Job, reason: str) -> None:
        await endings.cancel(work, job, reason)
        work.afterwards(lambda: self._stop(job.id))
