"""A caller of the workflow service."""

from typing import Any

from kit import structs
from opsfield.workflow.v1 import executions_pb2 as pb2
from opsfield.workflow.v1.executions_pb2 import Execution
from tests import callers
from tests.callers import eventually


class Caller(callers.Caller):
    """With what is asked of workflow."""

    async def execute(
        self, value: dict[str, Any] | None = None, *, reasoner: str = "classify", **call: Any
    ) -> Execution:
        """Start `triage.classify` with a ticket's id, or with `value`."""
        seconds = call.pop("deadline_seconds", None)
        request = pb2.ExecuteReasonerRequest(
            agent="triage",
            reasoner=reasoner,
            input=structs.from_json({"ticketId": "t-1"} if value is None else value),
            deadline_seconds=seconds,
        )
        answer: Execution = await self.call("ExecuteReasoner", request, **call)
        return answer

    async def get(self, execution: Execution) -> Execution:
        answer: Execution = await self.call("GetExecution", pb2.GetExecutionRequest(id=execution.id))
        return answer

    async def cancel(self, execution: Execution, **call: Any) -> Execution:
        request = pb2.CancelExecutionRequest(id=execution.id, reason="Enough.")
        answer: Execution = await self.call("CancelExecution", request, **call)
        return answer

    async def retry(self, execution: Execution, **call: Any) -> Execution:
        answer: Execution = await self.call("RetryExecution", pb2.RetryExecutionRequest(id=execution.id), **call)
        return answer

    async def decide(
        self, execution: Execution, verdict: str = "APPROVED", *, digest: str | None = None, **call: Any
    ) -> Execution:
        request = pb2.DecideExecutionRequest(
            id=execution.id,
            verdict=verdict,
            proposals_digest=digest or execution.proposals_digest,
            reason="Because.",
        )
        answer: Execution = await self.call("DecideExecution", request, **call)
        return answer

    async def until_final(self, execution: Execution) -> Execution:
        """The execution, once it has ended."""

        async def look() -> Execution | None:
            found = await self.get(execution)
            return found if found.is_final else None

        found: Execution = await eventually(look)
        return found

    async def until(self, execution: Execution, status: int) -> Execution:
        """The execution, once it has this status."""

        async def look() -> Execution | None:
            found = await self.get(execution)
            return found if found.status == status else None

        found: Execution = await eventually(look)
        return found
