"""An execution at AgentField's control plane is begun once for each attempt, whatever dies here."""

from typing import Any

import pytest

from kit import ids
from kit.database import Database
from services.agent_runtime.engines.agentfield.records import Records, Superseded
from services.agent_runtime.engines.port import Task
from services.agent_runtime.reasoners.reasoner import Description
from services.agent_runtime.tests.agentfield import Admin, Run, begun, is_so
from services.agent_runtime.tests.control_plane import ControlPlane
from services.agent_runtime.tests.workspace import Json, Workspace
from tests.callers import eventually


async def _left_running(run: Run, workspace_of: Any, control_plane: ControlPlane) -> tuple[str, str, str]:
    """Workspace, execution, and its id over there, after whoever waited for it is gone."""
    async with run() as running:
        acme: Workspace = workspace_of(running)
        execution = await acme.ask("remote.work", {"hold": True})
        their_id = await begun(control_plane)
    assert (await acme.job(execution))["state"] == "running"
    return acme.id, execution, their_id


async def test_what_still_runs_there_is_adopted(run: Run, workspace_of: Any, control_plane: ControlPlane) -> None:
    workspace, execution, their_id = await _left_running(run, workspace_of, control_plane)
    looks = control_plane.looks[their_id]
    async with run() as running:
        acme = _in(workspace, workspace_of(running))
        await acme.until(execution, "running", tries=2)
        await eventually(is_so(lambda: control_plane.looks[their_id] > looks))
        control_plane.end(their_id, result={"answer": 42})
        told = await acme.finished(execution)
    assert (told["outcome"], told["output"], told["tries"]) == ("succeeded", {"answer": 42}, 2)
    assert (len(control_plane.asked), control_plane.cancels) == (1, [])


@pytest.mark.parametrize(
    ("ends", "outcome"),
    [
        ({"status": "succeeded", "result": {}}, "succeeded"),
        ({"status": "failed", "error": "no"}, "failed"),
        ({"status": "timeout"}, "timed_out"),
    ],
)
async def test_what_has_ended_there_meanwhile_has_ended(
    run: Run, workspace_of: Any, control_plane: ControlPlane, ends: Json, outcome: str
) -> None:
    workspace, execution, their_id = await _left_running(run, workspace_of, control_plane)
    control_plane.end(their_id, **ends)
    async with run() as running:
        told = await _in(workspace, workspace_of(running)).finished(execution)
    assert (told["outcome"], told["tries"], len(control_plane.asked)) == (outcome, 2, 1)


async def test_what_is_not_known_there_any_more_is_begun_again(
    run: Run, workspace_of: Any, control_plane: ControlPlane
) -> None:
    workspace, execution, _ = await _left_running(run, workspace_of, control_plane)
    control_plane.executions.clear()
    control_plane.looks.clear()
    async with run() as running:
        acme = _in(workspace, workspace_of(running))
        control_plane.end(await begun(control_plane), result={})
        assert (await acme.finished(execution))["outcome"] == "succeeded"
    assert len(control_plane.asked) == 2


async def test_while_it_cannot_be_asked_nothing_is_begun_again(
    run: Run, workspace_of: Any, control_plane: ControlPlane
) -> None:
    workspace, execution, their_id = await _left_running(run, workspace_of, control_plane)
    control_plane.stop()
    async with run(known=False) as running:
        acme = _in(workspace, workspace_of(running))
        await acme.until(execution, "running", tries=2)
        control_plane.start()
        control_plane.end(their_id, result={})
        assert (await acme.finished(execution))["outcome"] == "succeeded"
    assert len(control_plane.asked) == 1


async def test_one_that_is_cancelled_while_nobody_waits_for_it_is_cancelled_there(
    run: Run, workspace_of: Any, control_plane: ControlPlane
) -> None:
    workspace, execution, their_id = await _left_running(run, workspace_of, control_plane)
    async with run() as running:
        acme = _in(workspace, workspace_of(running))
        await acme.cancel(execution)
        assert (await acme.finished(execution))["outcome"] == "cancelled"
        await eventually(is_so(lambda: control_plane.cancels == [their_id]))
    assert len(control_plane.asked) == 1


async def test_another_attempt_begins_another(run: Run, workspace_of: Any, control_plane: ControlPlane) -> None:
    async with run() as running:
        acme = workspace_of(running)
        execution = await acme.ask("remote.work", {"fail": "at first"})
        assert (await acme.finished(execution))["outcome"] == "failed"
        await acme.ask("remote.work", {"give": {}}, execution_id=execution, attempt=2)
        told = await acme.finished(execution, 2)
    assert (told["outcome"], told["attempt"], len(control_plane.asked)) == ("succeeded", 2, 2)


async def test_an_attempt_whose_place_another_takes_is_cancelled_there(
    run: Run, workspace_of: Any, control_plane: ControlPlane
) -> None:
    async with run() as running:
        acme = workspace_of(running)
        execution = await acme.ask("remote.work", {"hold": True})
        first = await begun(control_plane)
        await acme.ask("remote.work", {"hold": True}, execution_id=execution, attempt=2)
        second = await begun(control_plane, 2)
        await eventually(is_so(lambda: control_plane.cancels == [first]))
        control_plane.end(second, result={})
        told = await acme.finished(execution, 2)
    assert (told["outcome"], told["attempt"]) == ("succeeded", 2)


async def test_one_whose_answer_is_lost_is_found_by_its_run(
    run: Run, workspace_of: Any, control_plane: ControlPlane
) -> None:
    control_plane.loses_answers = 1
    async with run() as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("remote.work", {"give": {"once": True}}))
    assert (told["outcome"], told["output"], told["tries"]) == ("succeeded", {"once": True}, 2)
    assert len(control_plane.asked) == 1


async def test_what_was_begun_but_not_recorded_is_found_by_its_run(
    run: Run, workspace_of: Any, control_plane: ControlPlane, admin: "Admin[Any]"
) -> None:
    """As a crash between their answer and its record leaves it."""
    workspace, execution, their_id = await _left_running(run, workspace_of, control_plane)
    await admin.execute("UPDATE agentfield_runs SET their_id = NULL")
    async with run() as running:
        acme = _in(workspace, workspace_of(running))
        control_plane.end(their_id, result={})
        assert (await acme.finished(execution))["outcome"] == "succeeded"
        assert await admin.fetchval("SELECT their_id FROM agentfield_runs") == their_id
    assert len(control_plane.asked) == 1


async def test_what_was_begun_but_not_recorded_and_is_waited_for_no_more_is_cancelled_there(
    run: Run, workspace_of: Any, control_plane: ControlPlane, admin: "Admin[Any]"
) -> None:
    workspace, execution, their_id = await _left_running(run, workspace_of, control_plane)
    await admin.execute("UPDATE agentfield_runs SET their_id = NULL")
    async with run() as running:
        await _in(workspace, workspace_of(running)).cancel(execution)
        await eventually(is_so(lambda: control_plane.cancels == [their_id]))


async def test_a_try_whose_lease_is_over_begins_nothing(
    run: Run, workspace_of: Any, control_plane: ControlPlane, admin: "Admin[Any]", database: Database
) -> None:
    workspace, execution, _ = await _left_running(run, workspace_of, control_plane)
    await admin.execute("DELETE FROM agentfield_runs")
    reasoner = Description("remote", "work", "", {}, {}, 60, 3)
    task = Task(workspace, execution, 1, ids.new_id(), reasoner, {}, "c-1", None)
    with pytest.raises(Superseded):
        await Records(database).begin(task)
    assert await admin.fetchval("SELECT count(*) FROM agentfield_runs") == 0


async def test_one_that_was_given_up_while_it_was_asked_for_is_cancelled_there(
    run: Run, workspace_of: Any, control_plane: ControlPlane, admin: "Admin[Any]"
) -> None:
    """As if another replica had taken the job up before the answer came."""
    control_plane.hangs_after_execute = True
    async with run() as running:
        acme = workspace_of(running)
        execution = await acme.ask("remote.work", {"hold": True})
        await eventually(is_so(lambda: control_plane.asked))
        await admin.execute("UPDATE agentfield_runs SET ended_at = now()")
        control_plane.hangs_after_execute = False
        await eventually(is_so(lambda: len(control_plane.cancels) == 1))
        assert (await acme.job(execution))["state"] in ("waiting", "running")


async def test_the_gap_that_is_left_is_known(run: Run, workspace_of: Any, control_plane: ControlPlane) -> None:
    """A control plane that lists no runs, and an answer that was lost: nobody can know of the first one."""
    control_plane.loses_answers, control_plane.lists_runs = 1, False
    async with run() as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("remote.work", {"give": {}}))
    assert (told["outcome"], told["tries"], len(control_plane.asked)) == ("succeeded", 2, 2)


def _in(workspace_id: str, acme: Workspace) -> Workspace:
    """That workspace, whose events reach the runtime of the other."""
    return Workspace(workspace_id, acme.admin, acme.tell)
