"""ExecutionService: what callers ask of executions."""

import re

from google.api.httpbody_pb2 import HttpBody

from kit import structs
from kit.database import Session
from kit.errors import NotFound, PreconditionFailed
from kit.paging import Listing
from kit.unit_of_work import UnitOfWork
from opsfield.workflow.v1 import executions_pb2 as pb2
from opsfield.workflow.v1.dispatch_pb2 import ExecutionCancelled
from services.workflow.executions import artifacts, endings, messages, rules, starting, store
from services.workflow.executions.rules import Row
from services.workflow.executions.starting import Cause
from services.workflow.reasoners import Reasoners

_REF = re.compile(r"[0-9a-f]{64}")


class ExecutionHandlers:
    """All but the summary, which stands by itself."""

    def __init__(self, reasoners: Reasoners) -> None:
        self._reasoners = reasoners

    async def execute_reasoner(self, request: pb2.ExecuteReasonerRequest, work: UnitOfWork) -> pb2.Execution:
        reasoner = await self._reasoners.get(work.call, request.agent, request.reasoner)
        return await starting.start(
            work,
            reasoner,
            structs.to_json(request.input),
            Cause(work.call.principal.subject),
            deadline_seconds=request.deadline_seconds or None,
        )

    async def list_executions(self, request: pb2.ListExecutionsRequest, session: Session) -> pb2.ListExecutionsResponse:
        listing = Listing.of(request, pb2.Execution.DESCRIPTOR)
        rows, total = await store.LISTING.page(session, listing)
        return pb2.ListExecutionsResponse(**listing.answer([messages.execution(dict(row)) for row in rows], total))

    async def get_execution(self, request: pb2.GetExecutionRequest, session: Session) -> pb2.Execution:
        return messages.execution(_found(await store.get(session, request.id), request.id))

    async def retry_execution(self, request: pb2.RetryExecutionRequest, work: UnitOfWork) -> pb2.Execution:
        row = await _locked(work, request.id)
        rules.retry(row, work.now)
        message = await endings.keep(work, row)
        starting.request(work, row, await artifacts.load(work, row["input_ref"]))
        return message

    async def cancel_execution(self, request: pb2.CancelExecutionRequest, work: UnitOfWork) -> pb2.Execution:
        row = await _locked(work, request.id)
        is_at_the_runtime = row["times_out_at"] is not None
        rules.cancel(row, work.now, request.reason or None)
        if is_at_the_runtime:
            work.emit(ExecutionCancelled(execution_id=row["id"], attempt=row["attempt"]), key=row["id"])
        return await endings.end(work, row)

    async def decide_execution(self, request: pb2.DecideExecutionRequest, work: UnitOfWork) -> pb2.Execution:
        row = await _locked(work, request.id)
        rules.decide(
            row,
            pb2.Decision.Verdict.Name(request.verdict).lower(),
            request.proposals_digest,
            by=work.call.principal.subject,
            reason=request.reason or None,
            now=work.now,
        )
        return await endings.decide(work, row)

    async def get_artifact(self, request: pb2.GetArtifactRequest, session: Session) -> HttpBody:
        found = await artifacts.get(session, request.ref) if _REF.fullmatch(request.ref) else None
        if found is None:
            raise NotFound(f"There is no artifact {request.ref}.")
        media_type, data = found
        return HttpBody(content_type=media_type, data=data)


def _found(row: Row | None, execution_id: str) -> Row:
    if row is None:
        raise NotFound(f"There is no execution {execution_id}.")
    return row


async def _locked(work: UnitOfWork, execution_id: str) -> Row:
    row = _found(await store.lock(work, execution_id), execution_id)
    expected = work.call.expected_version
    if expected is not None and expected != row["version"]:
        raise PreconditionFailed(
            f"The execution has version {row['version']} by now, not {expected}; read it again.", code="version-stale"
        )
    return row
