"""How runs at remote agents end: each answer, each report, each failure, over real HTTP."""

import asyncio
from typing import Any

import pytest

from kit.database import relay_connection
from services.agent_runtime.nodes.limits import NodeLimits
from services.agent_runtime.tests.nodes import ACKNOWLEDGED, a_node, says
from services.agent_runtime.tests.workspace import STARTED, Start
from tests.callers import refused


async def test_a_node_is_called_as_agentfield_calls_it(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start() as running, a_node(says({"count": 2})) as node:
        acme = workspace_of(running)
        assert (await agents_of(acme, running).register(node))["node_id"] == "inventory"
        execution = await acme.ask("inventory.count", {"items": ["ä", 2, None]})
        told = await acme.finished(execution)
        skill = await acme.finished(await acme.ask("inventory.double", {"number": 1}))
    called = node.runs[0]
    assert (called.path, called.body) == ("/reasoners/count", {"items": ["ä", 2, None]})
    assert node.runs[1].path == "/skills/double"
    assert called.headers["x-run-id"] == called.headers["x-workflow-id"] == execution
    assert called.headers["x-session-id"] == acme.id
    assert called.lease not in (execution, node.runs[1].lease)
    assert (told["outcome"], told["output"], told["tries"]) == ("succeeded", {"count": 2}, 1)
    assert told["evidence"] == {"node": {"name": "inventory", "version": "1.0.0", "instance": "one"}}
    assert skill["outcome"] == "succeeded"
    assert len(await acme.told(STARTED, execution)) == 1


@pytest.mark.parametrize(
    ("result", "output"), [([1, 2], {"value": [1, 2]}), ("x", {"value": "x"}), (None, {"value": None}), ({}, {})]
)
async def test_what_is_no_object_is_put_into_one(
    start: Start, workspace_of: Any, agents_of: Any, result: Any, output: Any
) -> None:
    async with start() as running, a_node(says(result)) as node:
        acme = workspace_of(running)
        await agents_of(acme, running).register(node)
        told = await acme.finished(await acme.ask("inventory.free"))
    assert (told["outcome"], told["output"]) == ("succeeded", output)


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels else 1


PROPOSAL = {"action": "create_ticket", "summary": "It is full.", "parameters": {"subject": "Disk"}}


async def test_an_agent_can_say_more(start: Start, workspace_of: Any, agents_of: Any) -> None:
    answer = {"opsfield": {"output": [1], "evidence": {"rule": 7, "node": "forged"}, "proposals": [PROPOSAL]}}
    async with start() as running, a_node(says(answer)) as node:
        acme = workspace_of(running)
        await agents_of(acme, running).register(node)
        told = await acme.finished(await acme.ask("inventory.count"))
    assert told["output"] == {"value": [1]}
    assert told["evidence"]["rule"] == 7
    assert told["evidence"]["node"]["name"] == "inventory"
    (proposal,) = told["proposals"]
    assert (proposal["action"], proposal["parameters"]) == ("create_ticket", {"subject": "Disk"})


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (says({"detail": "no such field"}, 422), "reasoner_error", "status 422: no such field"),
        (says({"error": {"deep": "x"}}, 500), "reasoner_error", 'status 500: {"deep":"x"}'),
        ((404, b"<html>"), "reasoner_error", "status 404."),
        (says({}, 307), "reasoner_error", "status 307."),
        ((200, b"no json"), "output_invalid", "no JSON"),
        ((200, b""), "output_invalid", "no JSON"),
        ((200, b"[" * 100_000), "output_invalid", "no JSON"),
        (says("x" * 1_100_000), "output_invalid", "too long"),
        (says({"x": "x" * 900_000}), "output_invalid", "too long"),
        (says({"x": "\0"}), "output_invalid", "NUL"),
        (says({"x": 10**400}), "output_invalid", "out of range"),
        (says({"x": nested(40)}), "output_invalid", "nested deeper"),
        (says([1]), "output_invalid", "is not of type 'object'"),
        (says({"opsfield": {"proposals": [{**PROPOSAL, "action": "format_disk"}]}}), "output_invalid", "no action"),
        (says({"opsfield": {"proposals": [{"action": "create_ticket"}]}}), "output_invalid", "opsfield: "),
        (says({"opsfield": {"more": 1}}), "output_invalid", "unknown field"),
    ],
)
async def test_what_is_wrong_with_an_answer_is_told_and_not_tried_again(
    start: Start, workspace_of: Any, agents_of: Any, answer: Any, code: str, said: str
) -> None:
    async with start() as running, a_node(answer) as node:
        acme = workspace_of(running)
        await agents_of(acme, running).register(node)
        told = await acme.finished(await acme.ask("inventory.count"))
    assert (told["outcome"], told["failureCode"], told["tries"]) == ("failed", code, 1)
    assert said in told["failureDetail"]


@pytest.mark.parametrize("first", [None, says({}, 503), says({}, 429), says({}, 502)])
async def test_what_may_pass_is_tried_again(start: Start, workspace_of: Any, agents_of: Any, first: Any) -> None:
    async with start() as running, a_node([first, says({"count": 1})]) as node:
        acme = workspace_of(running)
        await agents_of(acme, running).register(node)
        told = await acme.finished(await acme.ask("inventory.count"))
    assert (told["outcome"], told["tries"]) == ("succeeded", 2)
    assert node.runs[0].lease != node.runs[1].lease


async def test_what_never_passes_is_dead_after_its_last_try(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start() as running, a_node(None) as node:
        acme = workspace_of(running)
        await agents_of(acme, running).register(node)
        execution = await acme.ask("inventory.count")
        told = await acme.finished(execution)
        assert (await acme.job(execution))["state"] == "dead"
    assert (told["failureCode"], told["tries"], len(node.runs)) == ("worker_lost", 3, 3)
    assert "was lost while it ran it" in told["failureDetail"]


@pytest.mark.parametrize(
    ("report", "outcome", "code"),
    [
        ({"status": "succeeded", "result": {"count": 3}}, "succeeded", None),
        ({"status": "Completed", "result": {"count": 3}}, "succeeded", None),
        ({"status": "succeeded", "result": [3]}, "failed", "output_invalid"),
        ({"status": "failed", "error": "no\0 \n luck"}, "failed", "reasoner_error"),
        ({"status": "error", "error": {"why": 7}}, "failed", "reasoner_error"),
        ({"status": "timeout"}, "failed", "deadline_exceeded"),
    ],
)
async def test_what_an_agent_reports_ends_the_run(
    start: Start, workspace_of: Any, agents_of: Any, report: Any, outcome: str, code: str | None
) -> None:
    async with start() as running, a_node() as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node)
        execution = await acme.ask("inventory.count")
        lease = (await node.run()).lease
        for progress in ("running", "processing", "waiting", "nonsense"):
            assert (await agents.report(lease, progress))["status"] == "running"
        await agents.report(lease, **report)
        told = await acme.finished(execution)
        assert (told["outcome"], told["failureCode"], told["tries"]) == (outcome, code, 1)
        # The same again changes nothing; another end is refused.
        await agents.report(lease, **report)
        async with refused(409, "execution-ended"):
            await agents.report(lease, "cancelled")
        assert len(await acme.all_finished(execution)) == 1
        async with asyncio.timeout(10):
            while running.runtime.runs.jobs:
                await asyncio.sleep(0.02)
    assert node.cancelled == []


async def test_one_that_the_agent_gives_up_is_tried_again(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start() as running, a_node([ACKNOWLEDGED, says({})]) as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node)
        execution = await acme.ask("inventory.count")
        lease = (await node.run()).lease
        await agents.report(lease, "cancelled", error="cancelled during graceful shutdown")
        assert (await acme.finished(execution))["tries"] == 2
        async with refused(409):
            await agents.report(lease, "succeeded", result={"count": 1})


async def test_a_report_may_come_before_the_acknowledgement(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start() as running, a_node() as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node)

        async def report_first() -> Any:
            await agents.report(node.runs[-1].lease, "succeeded", result={"count": 5})
            return ACKNOWLEDGED

        node.answer = report_first
        told = await acme.finished(await acme.ask("inventory.count"))
        assert (told["output"], told["tries"]) == ({"count": 5}, 1)


async def test_nobody_reports_for_another(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start() as running, a_node() as node:
        acme, other = workspace_of(running), workspace_of(running)
        agents, strangers = agents_of(acme, running), agents_of(other, running)
        key, _ = await agents.new_key()
        await agents.register(node)
        another, _ = await agents.new_key()
        foreign, _ = await strangers.new_key()
        execution = await acme.ask("inventory.count")
        lease = (await node.run()).lease
        async with refused(404):
            await agents.report(lease, key=another)
        async with refused(404):
            await strangers.report(lease, key=foreign)
        for wrong in (foreign, "", "nonsense", key[:-1], f"{key}x"):
            async with refused(401):
                await agents.report(lease, key=wrong)
        for unknown in ("nonsense", "../x", execution):
            async with refused(404):
                await agents.report(unknown, key=key)
        assert (await acme.job(execution))["state"] == "running"
        await agents.report(lease, key=key, result={"count": 1})
        assert (await acme.finished(execution))["outcome"] == "succeeded"


async def test_one_that_takes_too_long_is_stopped(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start(limits=NodeLimits(silence_seconds=60, timeout_seconds=1)) as running, a_node() as node:
        acme = workspace_of(running)
        await agents_of(acme, running).register(node)
        told = await acme.finished(await acme.ask("inventory.count"))
        assert (told["outcome"], told["failureCode"]) == ("timed_out", "deadline_exceeded")
        async with asyncio.timeout(20):
            while node.cancelled != [node.runs[0].lease]:
                await asyncio.sleep(0.02)


async def test_a_cancelled_run_ends_at_once_and_its_agent_is_told(
    start: Start, workspace_of: Any, agents_of: Any
) -> None:
    async with start() as running, a_node() as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node)
        execution = await acme.ask("inventory.count")
        lease = (await node.run()).lease
        await acme.cancel(execution)
        assert (await acme.finished(execution))["outcome"] == "cancelled"
        async with asyncio.timeout(20):
            while node.cancelled != [lease]:
                await asyncio.sleep(0.02)
        async with refused(409):
            await agents.report(lease, result={})
        # That it did as it was told is no conflict.
        await agents.report(lease, "cancelled")
        await agents.report(lease, "cancelled")


async def test_of_an_agent_no_more_run_than_may_in_each_workspace(
    start: Start, workspace_of: Any, agents_of: Any
) -> None:
    async with start(most_per_agent=1) as running, a_node() as node:
        workspaces = [workspace_of(running) for _ in range(3)]
        for each in workspaces:
            await agents_of(each, running).register(node)
            for _ in range(2):
                await each.ask("inventory.count")
        async with asyncio.timeout(20):
            while len(node.runs) < 3:
                await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        assert sorted(each.headers["x-session-id"] for each in node.runs) == sorted(each.id for each in workspaces)


async def test_no_more_run_at_a_time_than_there_are_slots(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start(slots=2) as running, a_node() as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node)
        for _ in range(4):
            await acme.ask("inventory.count")
        first = (await node.run(2)).lease
        # Others go on meanwhile.
        assert (await acme.finished(await acme.ask("smoke.echo")))["outcome"] == "succeeded"
        assert len(node.runs) == 2
        await agents.report(first, result={})
        await node.run(3)


async def test_an_address_that_is_not_to_be_reached_is_not(start: Start, workspace_of: Any, agents_of: Any) -> None:
    """A name is looked up when it is called."""
    async with start(internal=False) as running, a_node() as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        async with refused(422):
            await agents.register(node)
        await agents.register(node, base_url=f"http://localhost:{node.port}")
        told = await acme.finished(await acme.ask("inventory.count"))
    assert (told["failureCode"], told["tries"]) == ("engine_unreachable", 1)
    assert "not to be reached" in told["failureDetail"]
    assert node.calls == []


async def test_runs_are_forgotten_with_their_jobs(
    start: Start, workspace_of: Any, agents_of: Any, admin: Any, bare_stack: Any
) -> None:
    async with start() as running, a_node(says({})) as node:
        acme = workspace_of(running)
        await agents_of(acme, running).register(node)
        await acme.finished(await acme.ask("inventory.count"))
        assert await admin.fetchval("SELECT count(*) FROM remote_runs") == 1
        await admin.execute("UPDATE jobs SET finished_at = finished_at - interval '8 days'")
        async with relay_connection(bare_stack.database_url("agent-runtime", "relay")) as connection:
            await running.sweep.forget(connection)
    assert await admin.fetchval("SELECT count(*) FROM jobs") == 0
    assert await admin.fetchval("SELECT count(*) FROM remote_runs") == 0
