"""Executions whose deadline passes before the runtime has reported: they end, and the runtime is told to stop."""

from collections.abc import Callable

from kit import ids
from kit.call import Call
from kit.database import Database
from kit.identity import Principal
from kit.logs import get_logger
from kit.sweeping import Sweep
from kit.unit_of_work import unit_of_work
from opsfield.workflow.v1.dispatch_pb2 import ExecutionCancelled
from services.workflow.executions import endings, rules, store

_SERVICE = "workflow"
_SUBJECT = "system:deadlines"
_BATCH = 100
_WORKSPACES = "SELECT DISTINCT workspace_id FROM executions WHERE times_out_at <= $1"

log = get_logger(__name__)


def deadline_sweep(database: Database, relay_url: str, on_commit: Callable[[], None]) -> Sweep:
    """The sweep that ends them."""

    async def step(workspace_id: str) -> bool:
        ended = await end_timed_out(database, workspace_id)
        if ended:
            on_commit()
            log.info("executions ran out of time", workspace=workspace_id, executions=ended)
        return ended == _BATCH

    return Sweep("deadlines", relay_url, _WORKSPACES, step)


async def end_timed_out(database: Database, workspace_id: str) -> int:
    """End some of one workspace that are past their deadline: how many."""
    call = Call(
        method="/opsfield.workflow/DeadlineSweep",
        principal=Principal(_SUBJECT, workspace_id=workspace_id, service=_SERVICE),
        correlation_id=f"deadline-{ids.new_id()}",
    )
    async with unit_of_work(database, call, service=_SERVICE) as work:
        taken = await store.take_timed_out(work, _BATCH)
        for row in taken:
            rules.time_out(row, work.now)
            work.emit(ExecutionCancelled(execution_id=row["id"], attempt=row["attempt"]), key=row["id"])
            await endings.end(work, row)
    return len(taken)
