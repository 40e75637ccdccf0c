"""CallbackService: what engines beside ours call."""

from kit.errors import NotFound
from kit.logs import get_logger
from kit.unit_of_work import UnitOfWork
from opsfield.workflow.v1.callbacks_pb2 import CallbackReceipt, TakeWorkflowCompletedRequest
from opsfield.workflow.v1.dispatch_pb2 import ExecutionCalledBack
from services.workflow.callbacks import rules
from services.workflow.executions import rules as executions
from services.workflow.executions import store

log = get_logger(__name__)


class CallbackHandlers:
    """That the body is signed, and the delivery not one that was seen before, is known by now (kit/webhooks.py)."""

    async def take_workflow_completed(self, request: TakeWorkflowCompletedRequest, work: UnitOfWork) -> CallbackReceipt:
        """Raises Malformed for a body that is no JSON object, NotFound for an execution that this workspace has not."""
        notes = rules.notes(request.payload.data)
        named = rules.delivery(work.call.idempotency_key or "")
        # Held, so that what is told of it keeps its order with what else is.
        row = await store.lock(work, named.execution_id) if named else None
        if named is None or row is None:
            raise NotFound("There is no execution of that delivery.")
        is_awaited = executions.is_awaited(row, named.attempt)
        if is_awaited:
            work.emit(ExecutionCalledBack(execution_id=row["id"], attempt=named.attempt), key=row["id"])
        log.info("callback", execution=row["id"], attempt=named.attempt, is_awaited=is_awaited, said=notes)
        return CallbackReceipt(execution_id=row["id"], looked_at=is_awaited)
