"""Executions that are not to run any more, whenever that is said."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg

from kit.unit_of_work import unit_of_work
from services.agent_runtime.jobs import callers, store
from services.agent_runtime.tests.workspace import STARTED, Start, Workspace, is_gone, pid_in
from tests.callers import eventually


async def test_one_that_waits_never_runs(start: Start, workspace_of: Any, tmp_path: Path) -> None:
    async with start(workers=1) as running:
        acme = workspace_of(running)
        first = await acme.ask("trial.sleep", {"seconds": 0.5})
        second = await acme.ask("trial.sleep", {"mark": str(tmp_path / "mark")})
        await acme.cancel(second)
        told = await acme.finished(second)
        await acme.finished(first)
        # It would be the next one's turn.
        assert (await acme.finished(await acme.ask("smoke.echo")))["outcome"] == "succeeded"
    assert (told["outcome"], told["failureCode"], told["tries"]) == ("cancelled", "cancelled_by_caller", 0)
    assert not (tmp_path / "mark").exists()
    assert await acme.told(STARTED, second) == []
    assert (await acme.job(second))["state"] == "done"


async def test_one_that_runs_is_really_stopped(start: Start, workspace_of: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with start(workers=1) as running:
        acme = workspace_of(running)
        execution = await acme.ask("trial.spin", {"mark": str(mark)})
        pid = await pid_in(mark)
        await acme.cancel(execution)
        assert await is_gone(pid, 1)
        told = await acme.finished(execution)
        assert (await acme.finished(await acme.ask("smoke.echo")))["outcome"] == "succeeded"
        assert len(await acme.all_finished(execution)) == 1
    assert (told["outcome"], told["output"], told["tries"]) == ("cancelled", None, 1)


async def test_one_that_another_replica_runs_is_stopped_there(start: Start, workspace_of: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with start(workers=1) as running:
        acme = workspace_of(running)
        execution = await acme.ask("trial.spin", {"mark": str(mark)})
        pid = await pid_in(mark)
        elsewhere = Workspace(acme.id, acme.admin, workspace_of(None).tell)
        await elsewhere.cancel(execution)
        assert await is_gone(pid, 3)
        assert (await acme.finished(execution))["outcome"] == "cancelled"


async def test_one_that_has_ended_stays_as_it_ended(start: Start, workspace_of: Any) -> None:
    async with start() as running:
        acme = workspace_of(running)
        execution = await acme.ask("smoke.echo")
        await acme.finished(execution)
        await acme.cancel(execution)
        assert [each["outcome"] for each in await acme.all_finished(execution)] == ["succeeded"]
        assert (await acme.job(execution))["outcome"] == "succeeded"


async def test_a_cancellation_that_comes_before_its_request_is_remembered(start: Start, workspace_of: Any) -> None:
    async with start() as running:
        acme = workspace_of(running)
        execution = "01927c3e-0000-7000-8000-000000000001"
        await acme.cancel(execution)
        await acme.ask("smoke.echo", execution_id=execution)
        (told,) = await acme.all_finished(execution)
        assert (told["outcome"], told["tries"]) == ("cancelled", 0)
        await acme.ask("smoke.echo", execution_id=execution, attempt=2)
        assert (await acme.finished(execution, 2))["outcome"] == "succeeded"
    assert [each["attempt"] for each in await acme.told(STARTED, execution)] == [2]


async def test_an_earlier_attempts_cancellation_changes_nothing_of_a_later_one(start: Start, workspace_of: Any) -> None:
    async with start() as running:
        acme = workspace_of(running)
        execution = await acme.ask("trial.fail")
        await acme.finished(execution)
        await acme.ask("trial.sleep", {"seconds": 0.4}, execution_id=execution, attempt=2)
        await acme.until(execution, "running", attempt=2)
        await acme.cancel(execution, attempt=1)
        told = await acme.finished(execution, 2)
    assert (told["attempt"], told["outcome"]) == (2, "succeeded")


async def test_a_later_attempt_takes_the_place_of_an_earlier_one(
    start: Start, workspace_of: Any, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with start(workers=2) as running:
        acme = workspace_of(running)
        execution = await acme.ask("trial.spin", {"mark": str(mark)})
        pid = await pid_in(mark)
        await acme.ask("smoke.echo", execution_id=execution, attempt=2)
        assert await is_gone(pid, 1)
        told = await acme.all_finished(execution, 2)
    assert [(each["attempt"], each["outcome"]) for each in told] == [(1, "cancelled"), (2, "succeeded")]


async def test_a_request_that_comes_twice_runs_once(start: Start, workspace_of: Any) -> None:
    async with start() as running:
        acme = workspace_of(running)
        execution = await acme.ask("smoke.echo")
        await acme.ask("smoke.echo", execution_id=execution)
        await acme.finished(execution)
        await acme.ask("smoke.echo", execution_id=execution)
        await asyncio.sleep(0.2)
        assert len(await acme.all_finished(execution)) == 1


async def test_a_result_counts_only_while_its_lease_holds(
    start: Start, workspace_of: Any, admin: "asyncpg.Connection[asyncpg.Record]", bare_stack: Any
) -> None:
    """The lease goes to somebody else while a run goes on, so that two bring a result."""
    async with start(workers=1, lease_seconds=30) as running:
        acme = workspace_of(running)
        execution = await acme.ask("trial.sleep", {"seconds": 0.8})
        await acme.until(execution, "running")
        await admin.execute(
            "UPDATE jobs SET lease = gen_random_uuid(), lease_until = now() + interval '1 minute' "
            "WHERE workspace_id = $1",
            acme.id,
        )
        # The heartbeat notices, stops the run, and the worker that ran it is another one from then on.
        await eventually(lambda: _none(running.runtime.runs.jobs))
        assert await acme.told("internal.agent-runtime.execution-finished", execution) == []
        assert (await acme.job(execution))["state"] == "running"


async def test_a_late_result_is_dropped(start: Start, workspace_of: Any, database: Any) -> None:
    """The heartbeat is not asked: the row itself refuses what comes under an old lease."""
    acme = workspace_of(None)
    execution = await acme.ask("smoke.echo")
    job_id = (await acme.job(execution))["id"]
    call = callers.of_workspace(acme.id)
    async with unit_of_work(database, call, service="agent-runtime") as work:
        first = await store.take(work, str(job_id), worker="one", lease_seconds=30)
        assert first is not None
        await store.put_back(work, first, tries=1, run_after=work.now, reason="lost")
    async with unit_of_work(database, call, service="agent-runtime") as work:
        second = await store.take(work, str(job_id), worker="two", lease_seconds=30)
        assert second is not None
        assert (second.tries, second.lease == first.lease) == (2, False)
        assert await store.lock_leased(work, first) is None
        assert await store.lock_leased(work, second) is not None


async def _none(found: list[Any]) -> bool:
    return not found
