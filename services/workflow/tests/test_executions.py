"""Executions, from asked for to ended: the service as a process, with a real database and a real broker."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from kit import structs
from opsfield.workflow.v1 import executions_pb2 as pb2
from opsfield.workflow.v1.executions_pb2 import Execution
from services.workflow import json_values
from services.workflow.tests.caller import Caller
from services.workflow.tests.runtime import Runtime
from services.workflow.tests.told import told, topics
from tests.callers import eventually, refused

Admin = asyncpg.Connection


async def artifact(workflow: Caller, ref: str) -> Any:
    body = await workflow.call("GetArtifact", pb2.GetArtifactRequest(ref=ref))
    assert body.content_type == "application/json"
    assert json_values.digest(body.data) == ref
    return json.loads(body.data)


async def test_an_execution_is_queued_and_asked_for(workflow: Caller, workspace: str, admin: "Admin[Any]") -> None:
    execution = await workflow.execute({"ticketId": "t-1", "limit": 3})
    assert (execution.status, execution.is_final, execution.retry_count) == (Execution.QUEUED, False, 0)
    assert (execution.created_by, execution.causation_depth, execution.version) == ("ada", 0, 1)
    assert execution.deadline_at.seconds - execution.created_at.seconds == 60 * 3 + 300
    [(topic, data)] = await told(admin, workspace, execution.id)
    assert topic == "execution-requested"
    assert (data["attempt"], data["agent"], data["reasoner"]) == (1, "triage", "classify")
    assert data["input"] == {"ticketId": "t-1", "limit": 3}
    assert type(data["input"]["limit"]) is int
    assert await artifact(workflow, execution.input_ref) == {"ticketId": "t-1", "limit": 3}
    assert await workflow.get(execution) == execution


async def test_the_same_key_starts_one(workflow: Caller, workspace: str, admin: "Admin[Any]") -> None:
    first = await workflow.execute(key="k-1")
    again = await workflow.execute(key="k-1")
    assert (again, workflow.notes["replayed"]) == (first, True)
    assert await topics(admin, workspace, first.id) == ["execution-requested"]
    async with refused(422, "idempotency-key-reused"):
        await workflow.execute({"ticketId": "t-2"}, key="k-1")


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ({}, ["input.ticketId"]),
        ({"ticketId": 7, "limit": 0}, ["input.limit", "input.ticketId"]),
        ({"ticketId": "t", "limit": 1.5}, ["input.limit"]),
        ({"ticketId": "t", "options": {"words": ["a", 2]}}, ["input.options.words[1]"]),
        ({"ticketId": "t", "other": 1}, ["input.other"]),
        ({"ticketId": "a\0b"}, ["input"]),
    ],
)
async def test_an_input_must_keep_to_the_schema(workflow: Caller, value: dict[str, Any], paths: list[str]) -> None:
    async with refused(422, "validation-failed", paths=paths):
        await workflow.execute(value)
    assert not (await workflow.call("ListExecutions", pb2.ListExecutionsRequest())).data


async def test_what_is_no_reasoner_cannot_be_executed(workflow: Caller) -> None:
    async with refused(404, "reasoner-unknown"):
        await workflow.execute(reasoner="unheard-of")


async def test_a_schema_is_not_fetched_from_anywhere(workflow: Caller) -> None:
    async with refused(409, "reasoner-broken"):
        await workflow.execute(reasoner="remote")


async def test_an_input_is_not_larger_than_an_event_may_be(workflow: Caller) -> None:
    await workflow.execute({"text": "x" * 899_000}, reasoner="anything")
    async with refused(422, paths=["input"]):
        await workflow.execute({"text": "x" * 900_000}, reasoner="anything")


async def test_it_runs_and_succeeds(workflow: Caller, runtime: Runtime, workspace: str, admin: "Admin[Any]") -> None:
    execution = await workflow.execute()
    await runtime.start(execution, twice=True)
    running = await workflow.until(execution, Execution.RUNNING)
    assert running.HasField("started_at")
    await runtime.finish(execution, output={"priority": "high", "score": 2}, evidence={"rows": [1.5]}, twice=True)
    done = await workflow.until(execution, Execution.SUCCEEDED)
    assert (done.is_final, done.duration_ms, done.retry_count, done.failure_code) == (True, 1500, 0, 0)
    assert await artifact(workflow, done.output_ref) == {"priority": "high", "score": 2}
    assert await artifact(workflow, done.evidence_ref) == {"rows": [1.5]}
    await runtime.start(execution, tries=2)
    await runtime.finish(execution, outcome="FAILED", failure_code="REASONER_ERROR")
    await asyncio.sleep(1)
    assert await workflow.get(execution) == done
    events = await told(admin, workspace, execution.id)
    assert [topic for topic, _ in events] == ["execution-requested", "workflow.completed"]
    assert events[-1][1]["execution"]["status"] == "succeeded"


async def test_it_may_finish_before_it_is_known_to_have_begun(workflow: Caller, runtime: Runtime) -> None:
    execution = await workflow.execute()
    await runtime.finish(execution, outcome="FAILED", failure_code="OUT_OF_MEMORY", failure_detail="No room.", tries=3)
    failed = await workflow.until(execution, Execution.FAILED)
    assert (failed.failure_code, failed.failure_detail) == (Execution.OUT_OF_MEMORY, "No room.")
    assert (failed.retry_count, failed.duration_ms) == (2, 1500)
    await runtime.start(execution, tries=4)
    await asyncio.sleep(0.5)
    assert await workflow.get(execution) == failed


async def test_a_retry_is_another_attempt(
    workflow: Caller, runtime: Runtime, workspace: str, admin: "Admin[Any]"
) -> None:
    execution = await workflow.execute({"ticketId": "t-9"})
    async with refused(409, "illegal-transition"):
        await workflow.retry(execution)
    await runtime.finish(execution, outcome="FAILED")
    await workflow.until(execution, Execution.FAILED)
    again = await workflow.retry(execution)
    assert (again.status, again.retry_count, again.failure_code) == (Execution.QUEUED, 1, 0)
    assert not again.HasField("completed_at")
    await runtime.finish(execution, attempt=1, outcome="TIMED_OUT")
    await runtime.finish(execution, attempt=2)
    assert (await workflow.until(execution, Execution.SUCCEEDED)).retry_count == 1
    events = await told(admin, workspace, execution.id)
    assert [topic for topic, _ in events] == [
        "execution-requested",
        "workflow.completed",
        "execution-requested",
        "workflow.completed",
    ]
    assert (events[2][1]["attempt"], events[2][1]["input"]) == (2, {"ticketId": "t-9"})


async def test_what_is_cancelled_stays_so(
    workflow: Caller, runtime: Runtime, workspace: str, admin: "Admin[Any]"
) -> None:
    execution = await workflow.execute()
    cancelled = await workflow.cancel(execution)
    assert (cancelled.status, cancelled.failure_code) == (Execution.CANCELLED, Execution.CANCELLED_BY_CALLER)
    await runtime.start(execution)
    await runtime.finish(execution)
    await asyncio.sleep(1)
    assert await workflow.get(execution) == cancelled
    assert await topics(admin, workspace, execution.id) == [
        "execution-requested",
        "execution-cancelled",
        "workflow.completed",
    ]
    async with refused(409, "illegal-transition"):
        await workflow.cancel(execution)
    async with refused(412, "version-stale"):
        await workflow.retry(execution, if_match="1")


async def test_a_deadline_ends_it(workflow: Caller, runtime: Runtime, workspace: str, admin: "Admin[Any]") -> None:
    execution = await workflow.execute(deadline_seconds=1)
    late = await workflow.until(execution, Execution.TIMED_OUT)
    assert late.failure_code == Execution.DEADLINE_EXCEEDED
    await runtime.finish(execution)
    assert await topics(admin, workspace, execution.id) == [
        "execution-requested",
        "execution-cancelled",
        "workflow.completed",
    ]
    again = await workflow.retry(execution)
    assert again.deadline_at.ToSeconds() > late.deadline_at.ToSeconds()


async def test_what_cannot_be_kept_is_an_invalid_output(workflow: Caller, runtime: Runtime) -> None:
    execution = await workflow.execute()
    bad = pb2.Proposal(action="CREATE_TICKET", parameters=structs.from_json({"subject": "a\0b"}), summary="s")
    await runtime.finish(execution, bad)
    failed = await workflow.until(execution, Execution.FAILED)
    assert failed.failure_code == Execution.OUTPUT_INVALID


async def test_another_workspace_sees_nothing(workflow: Caller, runtime: Runtime) -> None:
    execution = await workflow.execute()
    other = workflow.of("w-other")
    async with refused(404):
        await other.get(execution)
    async with refused(404):
        await other.cancel(execution)
    async with refused(404):
        await other.call("GetArtifact", pb2.GetArtifactRequest(ref=execution.input_ref))
    async with refused(404):
        await workflow.call("GetArtifact", pb2.GetArtifactRequest(ref="z" * 64))
    stranger = Runtime(runtime._broker, "w-other")
    await stranger.finish(execution)
    await asyncio.sleep(1)
    assert (await workflow.get(execution)).status == Execution.QUEUED


async def test_roles(workflow: Caller, workspace: str) -> None:
    execution = await workflow.execute()
    viewer = workflow.of(workspace, roles=frozenset({"viewer"}))
    assert (await viewer.get(execution)).id == execution.id
    async with refused(403, "role-missing"):
        await viewer.execute()
    operator = workflow.of(workspace, roles=frozenset({"automation_operator"}))
    async with refused(403, "role-missing"):
        await operator.decide(execution, digest="0" * 64)


async def test_lists(workflow: Caller, runtime: Runtime) -> None:
    first = await workflow.execute()
    second = await workflow.execute({}, reasoner="anything")
    await runtime.finish(first, outcome="FAILED", failure_detail="Kaputt.")
    await workflow.until(first, Execution.FAILED)

    async def listed(**query: Any) -> list[str]:
        answer = await workflow.call("ListExecutions", pb2.ListExecutionsRequest(**query))
        assert answer.page.total == len(answer.data)
        return [each.id for each in answer.data]

    assert await listed() == [second.id, first.id]
    assert await listed(status="FAILED") == [first.id]
    assert await listed(reasoner="anything") == [second.id]
    assert await listed(failure_code="REASONER_ERROR") == [first.id]
    assert await listed(q="kaPUTT") == [first.id]
    assert await listed(sort_by="durationMs") == [first.id, second.id]
    async with refused(422, paths=["sortBy"]):
        await listed(sort_by="inputRef")


async def test_its_completion_reaches_the_world_once(
    workflow: Caller, runtime: Runtime, workspace: str, admin: "Admin[Any]"
) -> None:
    execution = await workflow.execute()
    await runtime.finish(execution)
    await workflow.until(execution, Execution.SUCCEEDED)

    async def published() -> bool:
        query = "SELECT count(*) FROM outbox WHERE workspace_id = $1 AND state = 'published'"
        return bool(await admin.fetchval(query, workspace) == 2)

    await eventually(published)
