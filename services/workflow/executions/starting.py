"""How an execution begins, whoever asks for it."""

from dataclasses import dataclass
from typing import Any

from kit import ids, metrics, structs
from kit.errors import FieldError, Invalid
from kit.unit_of_work import UnitOfWork
from opsfield.workflow.v1.dispatch_pb2 import ExecutionRequested
from opsfield.workflow.v1.executions_pb2 import Execution
from services.workflow import json_values
from services.workflow.executions import artifacts, messages, rules, store
from services.workflow.executions.rules import Row
from services.workflow.reasoners import Reasoner

# An input travels to the runtime in an event, which has to fit into what the broker takes (1 MB).
MOST_INPUT_BYTES = 900_000


@dataclass(frozen=True)
class Cause:
    """Whence an execution comes. `depth`: how many executions stand behind it; the trigger and its event, if it was
    no caller."""

    created_by: str
    depth: int = 0
    trigger_id: str | None = None
    event_id: str | None = None


async def start(
    work: UnitOfWork, reasoner: Reasoner, value: dict[str, Any], cause: Cause, *, deadline_seconds: int | None = None
) -> Execution:
    """Queue an execution of the reasoner. Raises Invalid for an input that is not the reasoner's, or too large."""
    data = _canonical(value)
    reasoner.check(value)
    [input_ref] = await artifacts.keep(work, data)
    row: Row = {
        "id": ids.new_id(),
        "agent": reasoner.agent,
        "reasoner": reasoner.name,
        "input_ref": input_ref,
        "deadline_seconds": rules.deadline(deadline_seconds, reasoner.timeout_seconds, reasoner.most_tries),
        "trigger_id": cause.trigger_id,
        "trigger_event_id": cause.event_id,
        "causation_depth": cause.depth,
        "created_at": work.now,
        "created_by": cause.created_by,
    }
    rules.queue(row, work.now)
    row = await store.insert(work, row)
    request(work, row, value)
    return messages.execution(row)


def request(work: UnitOfWork, row: Row, value: dict[str, Any]) -> None:
    """Ask the runtime to run an execution that is queued, with this input."""
    work.afterwards(lambda: metrics.EXECUTIONS.add(1, {"state": "queued"}))
    work.emit(
        ExecutionRequested(
            execution_id=row["id"],
            attempt=row["attempt"],
            agent=row["agent"],
            reasoner=row["reasoner"],
            input=structs.from_json(value),
            deadline_at=row["deadline_at"],
        ),
        key=row["id"],
    )


def _canonical(value: dict[str, Any]) -> bytes:
    if json_values.holds_nul(value):
        raise Invalid.fields(FieldError("input", "must not contain the character NUL"))
    try:
        data = json_values.canonical(value)
    except ValueError as error:
        raise Invalid.fields(FieldError("input", str(error))) from error
    if len(data) > MOST_INPUT_BYTES:
        raise Invalid.fields(FieldError("input", f"must have at most {MOST_INPUT_BYTES} bytes as JSON"))
    return data
