"""Triggers: what starts by itself, how often, and how deep."""

import asyncio
from typing import Any

import asyncpg
import pytest

from opsfield.ops.v1.tickets_pb2 import Ticket, TicketCreated
from opsfield.workflow.v1 import executions_pb2 as pb2
from opsfield.workflow.v1.executions_pb2 import Execution
from opsfield.workflow.v1.triggers_pb2 import (
    CreateTriggerRequest,
    DeleteTriggerRequest,
    ListTriggersRequest,
    Trigger,
    UpdateTriggerRequest,
)
from services.workflow.proposals.ops_client import correlation_id
from services.workflow.tests.caller import Caller
from services.workflow.tests.runtime import Runtime
from tests.callers import eventually, refused

Admin = asyncpg.Connection
COUNT = """
SELECT coalesce(sum(count), 0) FROM trigger_counts WHERE workspace_id = $1 AND outcome = $2::text::trigger_outcome
"""


async def create(workflow: Caller, **fields: Any) -> Trigger:
    """A trigger that classifies each ticket that is created."""
    values = {
        "name": "new tickets",
        "topic": "ticket.created",
        "reasoner": "triage.classify",
        "input": [{"field": "ticketId", "path": "ticket.id"}],
        **fields,
    }
    found: Trigger = await workflow.call("CreateTrigger", CreateTriggerRequest(trigger=Trigger(**values)))
    return found


async def executions(workflow: Caller) -> list[Execution]:
    return list((await workflow.call("ListExecutions", pb2.ListExecutionsRequest())).data)


async def created(
    runtime: Runtime, ticket_id: str = "t-1", *, priority: str = "HIGH", twice: bool = False, correlation: str = ""
) -> str:
    """A ticket was created: the event's id."""
    message = TicketCreated(ticket=Ticket(id=ticket_id, subject="Printer", priority=priority, tier=2))
    [event_id] = await runtime.tell(message, key=ticket_id, twice=twice, service="ops", correlation=correlation)
    return event_id


def count(admin: "Admin[Any]", workspace: str, outcome: str) -> Any:
    async def look() -> int:
        return int(await admin.fetchval(COUNT, workspace, outcome))

    return look


async def test_an_event_starts_an_execution_once(
    workflow: Caller, runtime: Runtime, workspace: str, admin: "Admin[Any]"
) -> None:
    trigger = await create(workflow)
    assert (trigger.enabled, trigger.most_per_minute) == (True, 60)
    event_id = await created(runtime, twice=True)
    [execution] = await eventually(lambda: executions(workflow))
    assert (execution.trigger_event_id, execution.created_by) == (event_id, "trigger:new tickets")
    assert (execution.causation_depth, execution.status) == (0, Execution.QUEUED)
    body = await workflow.call("GetArtifact", pb2.GetArtifactRequest(ref=execution.input_ref))
    assert body.data == b'{"ticketId":"t-1"}'
    await created(runtime, "t-2")
    await until_there_are(workflow, 2)
    assert await count(admin, workspace, "started")() == 2


async def until_there_are(workflow: Caller, number: int) -> None:
    async def look() -> bool:
        return len(await executions(workflow)) == number

    await eventually(look)


async def test_only_what_the_filter_matches(workflow: Caller, runtime: Runtime) -> None:
    await create(
        workflow,
        filter=[{"path": "ticket.priority", "equals": "critical"}, {"path": "ticket.tier", "equals": "2"}],
    )
    await created(runtime, "t-1")
    await created(runtime, "t-2", priority="CRITICAL")
    [execution] = await eventually(lambda: executions(workflow))
    await asyncio.sleep(0.5)
    assert await executions(workflow) == [execution]
    body = await workflow.call("GetArtifact", pb2.GetArtifactRequest(ref=execution.input_ref))
    assert body.data == b'{"ticketId":"t-2"}'


async def test_not_more_than_its_rate(workflow: Caller, runtime: Runtime, workspace: str, admin: "Admin[Any]") -> None:
    await create(workflow, most_per_minute=2)
    for number in range(5):
        await created(runtime, f"t-{number}")
    await eventually(lambda: _is_count(admin, workspace, "rate_limited", 3))
    assert len(await executions(workflow)) == 2


async def _is_count(admin: "Admin[Any]", workspace: str, outcome: str, expected: int) -> bool:
    return bool(await count(admin, workspace, outcome)() == expected)


async def test_a_chain_comes_to_an_end(workflow: Caller, runtime: Runtime, workspace: str, admin: "Admin[Any]") -> None:
    await create(workflow)
    cause = await workflow.execute()
    for depth in (1, 2, 3):
        # What an execution does at ops is told with its correlation id.
        await created(runtime, f"t-{depth}", correlation=correlation_id(cause.id))
        await until_there_are(workflow, depth + 1)
        cause = (await executions(workflow))[0]
        assert cause.causation_depth == depth
    await created(runtime, "t-4", correlation=correlation_id(cause.id))
    await eventually(count(admin, workspace, "too_deep"))
    assert len(await executions(workflow)) == 4


async def test_completions_that_start_each_other_come_to_an_end(
    workflow: Caller, runtime: Runtime, workspace: str, admin: "Admin[Any]"
) -> None:
    await create(workflow, topic="workflow.completed", input=[{"field": "ticketId", "path": "execution.id"}])
    await workflow.cancel(await workflow.execute())
    for depth in (1, 2, 3):
        await until_there_are(workflow, depth + 1)
        latest = (await executions(workflow))[0]
        assert latest.causation_depth == depth
        await workflow.cancel(latest)
    await eventually(count(admin, workspace, "too_deep"))
    assert len(await executions(workflow)) == 4


async def test_what_cannot_be_started_is_no_fault_of_the_event(
    workflow: Caller, runtime: Runtime, workspace: str, admin: "Admin[Any]"
) -> None:
    await create(workflow, name="a", input=[{"field": "ticketId", "path": "ticket.nothing"}])
    await create(workflow, name="b", reasoner="triage.unheard-of")
    await create(workflow, name="c", topic="invoice.overdue")
    await create(workflow, name="broken", reasoner="triage.remote")
    await create(workflow, name="d")
    await created(runtime)
    await eventually(count(admin, workspace, "started"))
    assert await count(admin, workspace, "input_invalid")() == 1
    assert await count(admin, workspace, "reasoner_unknown")() == 1
    assert await count(admin, workspace, "reasoner_broken")() == 1
    assert [each.created_by for each in await executions(workflow)] == ["trigger:d"]


async def test_what_is_off_or_gone_starts_nothing(workflow: Caller, runtime: Runtime) -> None:
    off = await create(workflow, name="off", enabled=False)
    gone = await create(workflow, name="gone")
    await workflow.call("DeleteTrigger", DeleteTriggerRequest(id=gone.id))
    await create(workflow.of("w-elsewhere"), name="elsewhere" + gone.id)
    await created(runtime)
    await asyncio.sleep(1)
    assert await executions(workflow) == []
    request = UpdateTriggerRequest(id=off.id, trigger=Trigger(enabled=True))
    request.update_mask.paths.append("enabled")
    await workflow.call("UpdateTrigger", request)
    await created(runtime, "t-2")
    await eventually(lambda: executions(workflow))


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"topic": "ticket.deleted"}, ["topic"]),
        ({"reasoner": "triage"}, ["reasoner"]),
        ({"input": [{"field": "a", "path": "x..y"}, {"field": "a", "path": "x"}]}, ["input[0].path", "input[1].field"]),
        ({"filter": [{"path": "$.x", "equals": "1"}]}, ["filter[0].path"]),
    ],
)
async def test_a_trigger_must_make_sense(workflow: Caller, fields: dict[str, Any], paths: list[str]) -> None:
    async with refused(422, paths=paths):
        await create(workflow, **fields)


async def test_names_are_unique_and_roles_hold(workflow: Caller, workspace: str) -> None:
    await create(workflow)
    async with refused(409, "already-exists", paths=["name"]):
        await create(workflow)
    viewer = workflow.of(workspace, roles=frozenset({"viewer"}))
    assert len((await viewer.call("ListTriggers", ListTriggersRequest())).data) == 1
    async with refused(403, "role-missing"):
        await create(viewer, name="other")
