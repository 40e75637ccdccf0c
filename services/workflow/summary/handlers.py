"""The summary of executions."""

from kit import clock, contract
from kit.database import Session
from kit.ranges import asked_range
from opsfield.workflow.v1.executions_pb2 import (
    Execution,
    Executions,
    ExecutionSummary,
    GetExecutionSummaryRequest,
)
from services.workflow.summary import rules, store

_STATUS = contract.enum_words(Execution.DESCRIPTOR.fields_by_name["status"])


class SummaryHandlers:
    """Three statements, in one transaction."""

    async def get_execution_summary(self, request: GetExecutionSummaryRequest, session: Session) -> ExecutionSummary:
        now = clock.now()
        start, end = asked_range(request, now)
        counts = await store.counts(session, start, end)
        statuses = rules.by_status(counts)
        oldest = await store.oldest_queued(session)
        return ExecutionSummary(
            executions=Executions(
                by_status=[
                    Executions.StatusCount(status=number, count=statuses[word])  # type: ignore[arg-type] # an enum's
                    for word, number in _STATUS.items()
                ],
                by_agent=[
                    Executions.AgentCount(
                        agent=each.agent, succeeded=each.succeeded, failed=each.failed, others=each.others
                    )
                    for each in rules.by_agent(counts)
                ],
                success_rate=rules.success_rate(counts),
                oldest_queued_seconds=max(0.0, (now - oldest).total_seconds()) if oldest else None,
                decisions_waiting=await store.decisions_waiting(session),
            )
        )
