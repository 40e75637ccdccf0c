"""The rpcs of the runtime: what there is to run, what waits, what failed."""

import asyncio
import uuid
from typing import Any

from devstack.stack import Stack
from kit.errors import Forbidden, NotFound
from opsfield.agent_runtime.v1.runtime_pb2 import EngineStatus, Failure, JobFailure, RuntimeHealth
from opsfield.common.v1.outbox_pb2 import ListOutboxEventsResponse, OutboxEvent
from opsfield.workflow.v1.executions_pb2 import Execution
from services.agent_runtime.registry.handlers import depth_word
from services.agent_runtime.tests.services import Asked, Caller, played
from services.agent_runtime.tests.workspace import Workspace
from tests.callers import refused

OTHERS = ("integrations", "ops", "portal", "telemetry", "workflow")
FAIL_EVENT = """
INSERT INTO outbox (workspace_id, id, topic, key, payload, correlation_id, state, attempts, last_error, created_at,
    next_attempt_at)
VALUES ($1, $2, 'workflow.completed', 'k-1', '{}', 'c-1', 'failed', 1, 'the event is too large', now(), now())
"""


async def test_a_reasoner_is_known_by_its_agent_and_name(caller: Caller) -> None:
    found = await caller.as_service().call("GetReasoner", agent="smoke", reasoner="echo")
    assert (found.agent, found.name, found.engine) == ("smoke", "echo", "builtin")
    assert (found.timeout_seconds, found.most_tries) == (10, 3)
    assert found.output_schema["required"] == ["echo"]
    async with refused(404):
        await caller.as_service().call("GetReasoner", agent="smoke", reasoner="nobody")
    async with refused(403):
        await caller.call("GetReasoner", agent="smoke", reasoner="echo")


async def test_agents_are_listed_with_their_reasoners(caller: Caller, acme: Workspace) -> None:
    # From its start it takes a moment until a worker answers.
    await acme.finished(await acme.ask("smoke.echo"))
    page = await caller.call("ListRuntimeAgents", sort_order="ASC")
    by_id = {agent.id: agent for agent in page.data}
    assert {"smoke", "trial", "other"} <= set(by_id)
    assert list(by_id) == sorted(by_id)
    assert [each.name for each in by_id["smoke"].reasoners] == ["echo"]
    assert by_id["smoke"].reachable
    assert not by_id["smoke"].HasField("created_at")
    found = await caller.call("ListRuntimeAgents", q="SMOKE.e")
    assert ([agent.id for agent in found.data], found.page.total) == (["smoke"], 1)
    second = await caller.call("ListRuntimeAgents", limit=1, offset=1, sort_order="ASC")
    assert ([agent.id for agent in second.data], second.page.returned) == ([sorted(by_id)[1]], 1)
    async with refused(422):
        await caller.call("ListRuntimeAgents", sort_by="reasoners")


async def test_anyone_may_know_which_engine_it_is(caller: Caller) -> None:
    nobody = Caller(caller.services, caller.principal).with_role("viewer")
    status = await nobody.call("GetEngineStatus")
    assert (status.engine, status.reachable) == ("builtin", True)
    assert status.queue_depth != EngineStatus.DEPTH_UNSPECIFIED


def test_depths_are_told_roughly() -> None:
    words = [EngineStatus.Depth.Name(depth_word(count)) for count in (0, 1, 9, 10, 99, 100)]
    assert words == ["EMPTY", "FEW", "FEW", "MANY", "MANY", "VERY_MANY"]


async def test_health_and_queues_tell_of_their_workspace_alone(caller: Caller, acme: Workspace) -> None:
    sleeping = [await acme.ask("trial.sleep", {"seconds": 60}) for _ in range(2)]
    for each in sleeping:
        await acme.until(each, "running")
    waiting = await acme.ask("trial.sleep", {"seconds": 0.1})
    await acme.until(waiting, "waiting")
    health = await caller.call("GetRuntimeHealth")
    assert (health.status, health.workers, health.busy_workers) == (RuntimeHealth.OK, 2, 2)
    assert (health.waiting, health.running, health.failed) == (1, 2, 0)
    assert health.oldest_waiting_seconds > 0
    (queue,) = (await caller.call("ListQueues")).data
    assert (queue.id, queue.agent, queue.reasoner) == ("trial.sleep", "trial", "sleep")
    assert (queue.waiting, queue.running) == (1, 2)
    stranger = caller.of(f"w-{uuid.uuid4().hex}")
    assert (await stranger.call("ListQueues")).page.total == 0
    health = await stranger.call("GetRuntimeHealth")
    assert (health.waiting, health.running, health.HasField("oldest_waiting_seconds")) == (0, 0, False)
    for each in sleeping:
        await acme.cancel(each)
    for each in (*sleeping, waiting):
        await acme.finished(each)
    await acme.finished(await acme.ask("smoke.echo"))
    page = await caller.call("ListQueues", sort_by="agent", sort_order="ASC")
    assert [(each.id, each.completed_per_minute) for each in page.data] == [("smoke.echo", 0.2), ("trial.sleep", 0.6)]
    assert [each.id for each in (await caller.call("ListQueues", q="ECHO")).data] == ["smoke.echo"]
    assert [each.id for each in (await caller.call("ListQueues", agent="trial")).data] == ["trial.sleep"]


async def test_what_waits_for_long_is_no_good_health(caller: Caller, acme: Workspace) -> None:
    # Both workers are at work until they are stopped, so that the third one waits for as long as it is looked at.
    sleeping = [await acme.ask("trial.sleep", {"seconds": 60}) for _ in range(2)]
    for each in sleeping:
        await acme.until(each, "running")
    one = await acme.ask("trial.sleep", {"seconds": 0.1})
    await acme.until(one, "waiting")
    await acme.admin.execute(
        "UPDATE jobs SET created_at = created_at - interval '2 minutes' WHERE workspace_id = $1", acme.id
    )
    assert (await caller.call("GetRuntimeHealth")).status == RuntimeHealth.DEGRADED
    for each in sleeping:
        await acme.cancel(each)
    await acme.finished(one)
    assert (await caller.call("GetRuntimeHealth")).status == RuntimeHealth.OK


async def test_a_job_that_failed_for_good_is_listed_and_its_execution_tried_again(
    stack: Stack, caller: Caller, acme: Workspace
) -> None:
    execution = await acme.ask("trial.once")
    await acme.finished(execution)
    page = await caller.call("ListFailures", kind=Failure.JOB)
    (failure,) = page.data
    assert (failure.kind, failure.service, failure.subject) == (Failure.JOB, "agent-runtime", "trial.once")
    assert (failure.attempts, page.page.total) == (1, 1)
    assert "ended with code 3" in failure.reason
    assert (await caller.call("GetRuntimeHealth")).failed == 1
    asked: list[Asked] = []

    async def retry(ask: Asked) -> Execution:
        asked.append(ask)
        return Execution(id=ask.request.id)

    async with played(stack, "workflow", {"RetryExecution": retry}):
        settled = await caller.call("RetryJobFailure", id=failure.id, key="k-1")
        assert (settled.state, settled.execution_id) == (JobFailure.DONE, execution)
        again = await caller.call("RetryJobFailure", id=failure.id, key="k-1")
    assert (again, caller.replayed) == (settled, True)
    assert [(each.request.id, each.principal.subject) for each in asked] == [(execution, "ada")]
    assert (await caller.call("ListFailures", kind=Failure.JOB)).page.total == 0
    audited = "SELECT count(*) FROM audit_entries WHERE workspace_id = $1 AND operation LIKE '%RetryJobFailure'"
    assert await acme.admin.fetchval(audited, acme.id) == 1


async def test_while_workflow_does_not_answer_a_failure_stays(caller: Caller, acme: Workspace) -> None:
    execution = await acme.ask("trial.once")
    await acme.finished(execution)
    async with refused(503):
        await caller.call("RetryJobFailure", id=str((await acme.job(execution))["id"]))
    assert (await caller.call("ListFailures", kind=Failure.JOB)).page.total == 1


async def test_only_a_dead_job_of_ones_own_workspace_can_be_put_back(caller: Caller, acme: Workspace) -> None:
    done, dead = await acme.ask("smoke.echo"), await acme.ask("trial.once")
    await acme.finished(done)
    await acme.finished(dead)
    done_id, dead_id = str((await acme.job(done))["id"]), str((await acme.job(dead))["id"])
    async with refused(409, "illegal-transition"):
        await caller.call("RetryJobFailure", id=done_id)
    async with refused(404):
        await caller.call("RetryJobFailure", id=str(uuid.uuid4()))
    async with refused(404):
        await caller.of(f"w-{uuid.uuid4().hex}").call("RetryJobFailure", id=dead_id)
    async with refused(403):
        await caller.with_role("viewer").call("RetryJobFailure", id=dead_id)
    async with refused(422):
        await caller.call("RetryJobFailure", id="7")
    await acme.ask("smoke.echo", execution_id=dead, attempt=2)
    await acme.finished(dead, 2)
    async with refused(409, "illegal-transition"):
        await caller.call("RetryJobFailure", id=dead_id)
    assert (await caller.call("ListFailures", kind=Failure.JOB)).page.total == 0


def failed_event(service: str, **fields: Any) -> OutboxEvent:
    values = {
        "id": str(uuid.uuid4()),
        "topic": f"{service}.happened",
        "state": OutboxEvent.FAILED,
        "last_error": "too large",
        "attempts": 1,
    }
    event = OutboxEvent(service=service, **{**values, **fields})
    event.created_at.GetCurrentTime()
    return event


async def test_failures_of_all_services_are_one_list(stack: Stack, caller: Caller, acme: Workspace) -> None:
    asked: list[Asked] = []
    events = [failed_event("ops", attempts=5), *(failed_event("ops", topic="ticket.created") for _ in range(450))]

    async def list_of_ops(ask: Asked) -> ListOutboxEventsResponse:
        asked.append(ask)
        start = ask.request.offset
        return ListOutboxEventsResponse(data=events[start : start + ask.request.limit])

    async def forever(ask: Asked) -> ListOutboxEventsResponse:
        await asyncio.sleep(30)
        return ListOutboxEventsResponse()

    async def refuse(ask: Asked) -> ListOutboxEventsResponse:
        raise Forbidden("Not you.")

    await acme.finished(await acme.ask("trial.once"))
    own = str(uuid.uuid4())
    await acme.admin.execute(FAIL_EVENT, acme.id, own)
    async with (
        played(stack, "ops", {"ListOutboxEvents": list_of_ops}),
        played(stack, "telemetry", {"ListOutboxEvents": forever}),
        played(stack, "portal", {"ListOutboxEvents": refuse}),
    ):
        page = await caller.call("ListFailures", limit=200, sort_by="attempts")
        reasons = await caller.call("ListFailures", q="TOO LARGE", service="agent-runtime")
        second = await caller.with_role("automation_operator").call("ListFailures", limit=1, kind=Failure.JOB)
    assert page.page.total == 453
    assert page.data[0].attempts == 5
    assert len(page.data) == 200
    # The platform service runs; of the others one answers.
    assert list(page.unavailable) == ["integrations", "portal", "telemetry", "workflow"]
    assert [each.id for each in reasons.data] == [own]
    assert [each.subject for each in second.data] == ["trial.once"]
    assert {(each.request.state, each.principal.workspace_id) for each in asked} == {(OutboxEvent.FAILED, acme.id)}
    assert {each.principal.service for each in asked} == {"agent-runtime"}
    stranger = await caller.of(f"w-{uuid.uuid4().hex}").call("ListFailures")
    assert stranger.page.total == 0


async def test_a_failed_event_is_put_back_wherever_it_is(stack: Stack, caller: Caller, acme: Workspace) -> None:
    asked: list[Asked] = []

    async def has_it(ask: Asked) -> OutboxEvent:
        asked.append(ask)
        return failed_event("ops", id=ask.request.id, state=OutboxEvent.PENDING)

    async def has_it_not(ask: Asked) -> OutboxEvent:
        raise NotFound("There is no failed event here.")

    event_id = str(uuid.uuid4())
    async with refused(503):
        await caller.call("RetryOutboxFailure", id=event_id, key="k-2")
    others = [played(stack, name, {"RetryOutboxEvent": has_it_not}) for name in OTHERS if name != "ops"]
    async with others[0], others[1], others[2], others[3]:
        async with played(stack, "ops", {"RetryOutboxEvent": has_it}):
            event = await caller.call("RetryOutboxFailure", id=event_id, key="k-2")
            again = await caller.call("RetryOutboxFailure", id=event_id, key="k-2")
        assert (event.id, event.service, event.state) == (event_id, "ops", OutboxEvent.PENDING)
        assert (again, caller.replayed, len(asked)) == (event, True, 1)
        assert (asked[0].principal.service, asked[0].principal.workspace_id) == ("agent-runtime", acme.id)
        assert asked[0].idempotency_key not in (None, "k-2")
        async with played(stack, "ops", {"RetryOutboxEvent": has_it_not}), refused(404):
            await caller.call("RetryOutboxFailure", id=event_id)
    own = str(uuid.uuid4())
    await acme.admin.execute(FAIL_EVENT, acme.id, own)
    assert (await caller.call("RetryOutboxFailure", id=own)).service == "agent-runtime"
    async with refused(403):
        await caller.with_role("viewer").call("RetryOutboxFailure", id=own)


class PlayedWorkflow:
    """Does what workflow does, as far as the runtime sees it: asks over Kafka, and closes when it hears the end."""

    def __init__(self, acme: Workspace, outcome: Any = Execution.SUCCEEDED) -> None:
        self._acme = acme
        self._outcome = outcome
        self.asked: list[Asked] = []

    async def execute(self, ask: Asked) -> Execution:
        self.asked.append(ask)
        execution = Execution(id=await self._acme.ask(f"{ask.request.agent}.{ask.request.reasoner}"))
        execution.created_at.GetCurrentTime()
        return execution

    async def get(self, ask: Asked) -> Execution:
        execution = Execution(id=ask.request.id)
        if await self._acme.told("internal.agent-runtime.execution-finished", ask.request.id):
            execution.status, execution.is_final = self._outcome, True
            execution.updated_at.GetCurrentTime()
            execution.created_at.GetCurrentTime()
        return execution


async def test_a_smoke_test_tells_how_long_each_hop_took(stack: Stack, caller: Caller, acme: Workspace) -> None:
    workflow = PlayedWorkflow(acme)
    async with played(stack, "workflow", {"ExecuteReasoner": workflow.execute, "GetExecution": workflow.get}):
        report = await caller.call("RunSmoke", key="k-3")
    assert [hop.name for hop in report.hops] == ["asked", "queued", "started", "finished", "completed"]
    assert abs(sum(hop.milliseconds for hop in report.hops) - report.total_ms) <= 4
    assert 0 < report.total_ms < 20_000
    (ask,) = workflow.asked
    assert (ask.request.agent, ask.request.reasoner) == ("smoke", "echo")
    assert (ask.principal.subject, ask.principal.roles, ask.principal.service) == (
        "ada", frozenset({"ops_engineer"}), None
    )  # fmt: skip
    assert ask.idempotency_key not in (None, "k-3")
    assert (await acme.job(report.execution_id))["state"] == "done"


async def test_a_smoke_test_that_fails_says_so(stack: Stack, caller: Caller, acme: Workspace) -> None:
    async with refused(503):
        await caller.call("RunSmoke")
    workflow = PlayedWorkflow(acme, Execution.FAILED)
    answers = {"ExecuteReasoner": workflow.execute, "GetExecution": workflow.get}
    async with played(stack, "workflow", answers), refused(503, "smoke-failed"):
        await caller.call("RunSmoke")
    async with refused(403):
        await caller.with_role("viewer").call("RunSmoke")


async def test_the_service_works_again_after_a_smoke_test_that_never_came_back(
    stack: Stack, caller: Caller, acme: Workspace
) -> None:
    async def never(ask: Asked) -> Execution:
        return Execution(id=str(uuid.uuid4()))

    async def hold() -> None:
        async with refused(503, "timeout"):
            await caller.call("RunSmoke")

    async with played(stack, "workflow", {"ExecuteReasoner": never, "GetExecution": never}):
        waiting = [asyncio.create_task(hold()) for _ in range(2)]
        await asyncio.sleep(1)
        async with refused(429):
            await caller.call("RunSmoke")
        assert (await acme.finished(await acme.ask("smoke.echo")))["outcome"] == "succeeded"
        await asyncio.gather(*waiting)
    assert (await caller.call("GetRuntimeHealth")).status == RuntimeHealth.OK
