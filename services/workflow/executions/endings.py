"""The two doors that every execution goes through: a decision on its proposals, and the end of an attempt.

Whatever else is to go with a decision or an end, in its transaction, stands here.
"""

from kit import metrics
from kit.unit_of_work import UnitOfWork
from opsfield.workflow.v1.executions_pb2 import Execution, WorkflowCompleted
from services.workflow.audit.executions import note_decision, note_end
from services.workflow.executions import messages, store
from services.workflow.executions.rules import FINAL, Row


async def end(work: UnitOfWork, row: Row) -> Execution:
    """Write an execution that is locked and, by the rules, has just come to its attempt's end; tell the world."""
    assert row["status"] in FINAL
    message = messages.execution(await store.save(work, row))
    work.emit(WorkflowCompleted(execution=message), key=row["id"])
    work.afterwards(lambda: metrics.EXECUTIONS.add(1, {"state": row["status"]}))
    await note_end(work, row)
    return message


async def decide(work: UnitOfWork, row: Row) -> Execution:
    """Write an execution that is locked and whose proposals have just been decided on, by somebody or by the policy."""
    assert row["decision"] is not None
    await note_decision(work, row)
    return await keep(work, row)


async def keep(work: UnitOfWork, row: Row) -> Execution:
    """Write an execution that is locked and has changed, wherever it has come to."""
    if row["status"] in FINAL:
        return await end(work, row)
    return messages.execution(await store.save(work, row))
