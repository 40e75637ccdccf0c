"""Executions at AgentField's control plane: begun, waited for, ended, and what goes wrong with it over there."""

from typing import Any

import pytest

from opsfield.workflow.v1.dispatch_pb2 import ExecutionCalledBack
from services.agent_runtime.engines.agentfield import waits
from services.agent_runtime.tests.agentfield import Admin, Run, begun, is_not, is_so, looked, none_open, open_runs
from services.agent_runtime.tests.control_plane import ControlPlane
from services.agent_runtime.tests.workspace import Json, Workspace
from tests.callers import eventually


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at what runs over there, unless there is reason to."""
    monkeypatch.setattr(waits, "_FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(waits, "_LONGEST_PAUSE", 3600.0)


async def called_back(acme: Workspace, execution: str) -> None:
    await acme.tell(ExecutionCalledBack(execution_id=execution, attempt=1), acme._call())


async def test_what_ends_well_is_told_with_where_it_comes_from(
    run: Run, workspace_of: Any, control_plane: ControlPlane, admin: "Admin[Any]"
) -> None:
    control_plane.api_key = "key-1"
    async with run(api_key="key-1") as running:
        acme: Workspace = workspace_of(running)
        execution = await acme.ask("remote.work", {"give": {"answer": 42}, "whole": 7})
        told = await acme.finished(execution)
    assert (told["outcome"], told["output"], told["tries"]) == ("succeeded", {"answer": 42}, 1)
    [(headers, body)] = control_plane.asked
    [their_id] = control_plane.executions
    assert told["evidence"]["agentfield"]["executionId"] == their_id
    assert told["evidence"]["agentfield"]["target"] == "remote.work"
    assert body["input"] == {"give": {"answer": 42}, "whole": 7}
    assert body["context"]["opsfield"] == {
        "workspaceId": acme.id,
        "executionId": execution,
        "attempt": 1,
        "correlationId": "c-1",
    }
    assert (headers["x-api-key"], headers["x-session-id"]) == ("key-1", acme.id)
    assert await open_runs(admin) == 0


async def test_it_is_asked_to_call_back_under_a_delivery_that_names_the_try(
    run: Run, workspace_of: Any, control_plane: ControlPlane, admin: "Admin[Any]"
) -> None:
    async with run(secret="s-1") as running:
        acme = workspace_of(running)
        execution = await acme.ask("remote.tool", {"give": {}})
        await acme.finished(execution)
    [(_, body)] = control_plane.asked
    lease = await admin.fetchval("SELECT lease::text FROM agentfield_runs")
    assert body["webhook"] == {
        "url": "http://gateway.test:8080/api/v1/webhooks/workflow-completed",
        "headers": {"x-agentfield-delivery": f"{acme.id}.{execution}.1.{lease}"},
        "secret": "s-1",
    }


@pytest.mark.parametrize(
    ("how", "asked"),
    [
        ({"has_callback": False}, None),
        ({"secret": None, "required": True}, None),
        ({"secret": None, "required": False}, {"url", "headers"}),
    ],
)
async def test_where_it_could_not_call_back_it_is_asked_again_and_again(
    run: Run, workspace_of: Any, control_plane: ControlPlane, how: Json, asked: set[str] | None
) -> None:
    async with run(**how) as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("remote.work", {"give": {}}))
    assert told["outcome"] == "succeeded"
    [(_, body)] = control_plane.asked
    assert (set(body["webhook"]) if "webhook" in body else None) == asked


async def test_a_webhook_that_was_not_registered_is_made_up_for(
    run: Run, workspace_of: Any, control_plane: ControlPlane
) -> None:
    control_plane.registers = False
    async with run() as running:
        acme = workspace_of(running)
        execution = await acme.ask("remote.work", {"hold": True})
        control_plane.end(await begun(control_plane), result={"late": True})
        assert (await acme.finished(execution))["output"] == {"late": True}


@pytest.mark.parametrize("result", [[1, 2], "text", 7, 0.5, True, None])
async def test_a_result_that_is_no_object_becomes_the_value_of_one(
    run: Run, workspace_of: Any, control_plane: ControlPlane, result: Any
) -> None:
    async with run() as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("remote.work", {"give": result}))
    assert (told["outcome"], told["output"]) == ("succeeded", {"value": result})


@pytest.mark.parametrize(
    ("ends", "told_of_it"),
    [
        ({"status": "failed", "error": "the\nprinter\x00 burns"}, ("failed", "reasoner_error", "the printer burns")),
        ({"status": "error", "status_reason": "gone"}, ("failed", "reasoner_error", "gone")),
        ({"status": "timeout"}, ("timed_out", "deadline_exceeded", "It took longer than it may.")),
        (
            {"status": "cancelled", "status_reason": "by hand"},
            ("failed", "cancelled_by_caller", "It was cancelled at the control plane: by hand"),
        ),
    ],
)
async def test_what_ends_badly_over_there_has_failed_at_its_first_try(
    run: Run, workspace_of: Any, control_plane: ControlPlane, ends: Json, told_of_it: tuple[str, str, str]
) -> None:
    async with run() as running:
        acme = workspace_of(running)
        execution = await acme.ask("remote.work", {"hold": True})
        control_plane.end(await begun(control_plane), **ends)
        told = await acme.finished(execution)
    assert (told["outcome"], told["failureCode"], told["failureDetail"]) == told_of_it
    assert (told["tries"], len(control_plane.asked)) == (1, 1)


@pytest.mark.usefixtures("patient")
async def test_a_callback_makes_us_look_at_once_and_tells_us_nothing(
    run: Run, workspace_of: Any, control_plane: ControlPlane
) -> None:
    async with run() as running:
        acme = workspace_of(running)
        execution, other = [await acme.ask("remote.work", {"hold": True}) for _ in range(2)]
        await begun(control_plane, 2)
        ids = {body["context"]["opsfield"]["executionId"]: each for each, (_, body) in _asked(control_plane)}
        for looks in (2, 3):
            await called_back(acme, execution)
            await eventually(looked(control_plane, ids[execution], looks))
        assert (await acme.job(execution))["state"] == "running"
        control_plane.executions[ids[execution]] |= {"status": "succeeded", "result": {}}
        await called_back(acme, execution)
        assert (await acme.finished(execution))["outcome"] == "succeeded"
        assert control_plane.looks[ids[other]] == 1
        assert (await acme.job(other))["state"] == "running"
        await called_back(acme, "0193a4a4-7d2b-7000-8000-000000000009")


async def test_while_it_is_full_it_is_asked_again_as_it_wants(
    run: Run, workspace_of: Any, control_plane: ControlPlane
) -> None:
    control_plane.full = 3
    async with run() as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("remote.work", {"give": {}}))
    assert (told["outcome"], told["tries"], len(control_plane.asked)) == ("succeeded", 1, 1)
    assert control_plane.full == 0


async def test_one_that_stays_full_costs_tries(run: Run, workspace_of: Any, control_plane: ControlPlane) -> None:
    control_plane.full = 10**6
    async with run(patience_seconds=0.3) as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("remote.work", {"give": {}}))
        assert (await acme.job(told["executionId"]))["state"] == "dead"
    assert (told["outcome"], told["failureCode"], told["tries"]) == ("failed", "engine_unreachable", 3)
    assert "takes nothing at the moment (503): queue is full" in told["failureDetail"]


async def test_one_that_is_away_for_a_while_is_waited_for(
    run: Run, workspace_of: Any, control_plane: ControlPlane
) -> None:
    async with run() as running:
        acme = workspace_of(running)
        held = await acme.ask("remote.work", {"hold": True})
        their_id = await begun(control_plane)
        control_plane.stop()
        await eventually(is_not(lambda: running.engine.workers))
        asked = await acme.ask("remote.work", {"give": {}})
        await acme.until(asked, "running")
        control_plane.start()
        control_plane.end(their_id, result={"kept": True})
        tolds = [await acme.finished(each) for each in (held, asked)]
    assert [(told["outcome"], told["tries"]) for told in tolds] == [("succeeded", 1)] * 2
    assert len(control_plane.asked) == 2


async def test_what_it_has_forgotten_is_begun_again(run: Run, workspace_of: Any, control_plane: ControlPlane) -> None:
    async with run() as running:
        acme = workspace_of(running)
        execution = await acme.ask("remote.work", {"hold": True})
        await begun(control_plane)
        control_plane.executions.clear()

        async def again() -> bool:
            return len(control_plane.asked) == 2 and bool(control_plane.executions)

        await eventually(again)
        control_plane.end(*control_plane.executions, result={})
        told = await acme.finished(execution)
    assert (told["outcome"], told["tries"]) == ("succeeded", 2)


async def test_one_that_it_does_not_offer_any_more_is_unknown(
    run: Run, workspace_of: Any, control_plane: ControlPlane
) -> None:
    async with run() as running:
        acme = workspace_of(running)
        control_plane.offered = []
        told = await acme.finished(await acme.ask("remote.work", {"give": {}}))
    assert (told["failureCode"], told["tries"]) == ("reasoner_unknown", 1)


@pytest.mark.parametrize(
    ("answer", "code", "tries"),
    [
        ((200, b"x" * 9_000_000), "output_invalid", 1),
        ((302, {}), "engine_unreachable", 3),
        ((200, b"<html>"), "engine_unreachable", 3),
        ((200, []), "engine_unreachable", 3),
        ((500, {"error": "oh"}), "engine_unreachable", 3),
        ((403, {"error": "forbidden"}), "engine_unreachable", 3),
        ((422, {"error": "no"}), "reasoner_error", 1),
    ],
)
async def test_answers_that_are_none_are_bounded_and_told(
    run: Run, workspace_of: Any, control_plane: ControlPlane, answer: Any, code: str, tries: int
) -> None:
    control_plane.instead = lambda method, path: answer if path.startswith("/api/v1/executions/") else None
    async with run(patience_seconds=0.2) as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("remote.work", {"hold": True}), seconds=60)
    assert (told["outcome"], told["failureCode"], told["tries"]) == ("failed", code, tries)
    assert len(control_plane.asked) == 1


async def test_one_that_is_cancelled_here_is_cancelled_there(
    run: Run, workspace_of: Any, control_plane: ControlPlane, admin: "Admin[Any]"
) -> None:
    async with run() as running:
        acme = workspace_of(running)
        execution = await acme.ask("remote.work", {"hold": True})
        their_id = await begun(control_plane)
        await acme.cancel(execution)
        assert (await acme.finished(execution))["outcome"] == "cancelled"
        await eventually(is_so(lambda: control_plane.cancels == [their_id]))
        await eventually(none_open(admin))
    assert control_plane.executions[their_id]["status"] == "cancelled"


async def test_one_that_takes_too_long_is_cancelled_there(
    run: Run, workspace_of: Any, control_plane: ControlPlane
) -> None:
    async with run(timeout_seconds=1) as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("remote.work", {"hold": True}))
        await eventually(is_so(lambda: len(control_plane.cancels) == 1))
    assert (told["outcome"], told["failureCode"]) == ("timed_out", "deadline_exceeded")


async def test_one_that_cannot_be_cancelled_there_keeps_no_other_from_it(
    run: Run, workspace_of: Any, control_plane: ControlPlane
) -> None:
    async with run() as running:
        acme = workspace_of(running)
        executions = []
        for count in (1, 2):
            executions.append(await acme.ask("remote.work", {"hold": True}))
            await begun(control_plane, count)
        first, second = control_plane.executions
        refused = f"/api/v1/executions/{first}/cancel"
        control_plane.instead = lambda method, path: (400, {"error": "no"}) if path == refused else None
        for execution in executions:
            await acme.cancel(execution)
        await eventually(is_so(lambda: second in control_plane.cancels))


async def test_what_cannot_be_cancelled_there_at_once_is_cancelled_later(
    run: Run, workspace_of: Any, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.agent_runtime.engines.agentfield.abandoned._TROUBLE_SECONDS", 0.1)
    async with run() as running:
        acme = workspace_of(running)
        execution = await acme.ask("remote.work", {"hold": True})
        their_id = await begun(control_plane)
        control_plane.stop()
        await acme.cancel(execution)
        assert (await acme.finished(execution))["outcome"] == "cancelled"
        control_plane.start()
        await eventually(is_so(lambda: control_plane.cancels == [their_id]))


def _asked(control_plane: ControlPlane) -> list[tuple[str, tuple[dict[str, str], Json]]]:
    return list(zip(control_plane.executions, control_plane.asked, strict=True))
