"""Workers and replicas that are gone in the middle of a run."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import asyncpg

from kit.database import Database, relay_connection
from services.agent_runtime.tests.workspace import STARTED, Start, is_gone, pid_in
from tests.callers import eventually


async def test_a_worker_that_is_killed_is_replaced_and_its_job_run_again(
    start: Start, workspace_of: Any, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with start(workers=1) as running:
        acme = workspace_of(running)
        execution = await acme.ask("trial.sleep", {"seconds": 0.7, "mark": str(mark)})
        pid = await pid_in(mark)
        os.kill(pid, signal.SIGKILL)
        told = await acme.finished(execution)
        assert len(await acme.all_finished(execution)) == 1
    assert (told["outcome"], told["attempt"], told["tries"]) == ("succeeded", 1, 2)
    assert told["output"]["pid"] != pid
    assert len(mark.read_text().split()) == 2
    assert [each["tries"] for each in await acme.told(STARTED, execution)] == [1, 2]


async def test_an_idle_worker_that_is_killed_is_replaced(start: Start, workspace_of: Any) -> None:
    async with start(workers=1) as running:
        acme = workspace_of(running)
        first = (await acme.finished(await acme.ask("trial.sleep")))["output"]["pid"]
        os.kill(first, signal.SIGKILL)
        assert await is_gone(first)
        told = await acme.finished(await acme.ask("trial.sleep"))
    assert told["outcome"] == "succeeded"
    assert told["output"]["pid"] != first


async def test_one_that_crashes_its_worker_once_is_run_again(start: Start, workspace_of: Any, tmp_path: Path) -> None:
    async with start() as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("trial.crash_once", {"mark": str(tmp_path / "mark")}))
    assert (told["outcome"], told["tries"], told["output"]) == ("succeeded", 2, {"tries": 2})


async def test_one_that_always_crashes_its_worker_is_dead_after_its_last_try(
    start: Start, workspace_of: Any, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with start() as running:
        acme = workspace_of(running)
        execution = await acme.ask("trial.crash", {"mark": str(mark)})
        told = await acme.finished(execution)
        once = await acme.finished(await acme.ask("trial.once"))
        job = await acme.job(execution)
    assert (told["outcome"], told["failureCode"], told["tries"]) == ("failed", "worker_lost", 3)
    assert (once["failureCode"], once["tries"]) == ("worker_lost", 1)
    assert len(mark.read_text().split()) == 3
    assert (job["state"], job["outcome"]) == ("dead", "failed")
    assert "ended with code 3" in job["reason"]


async def test_the_jobs_of_a_replica_that_is_gone_are_taken_up_again(
    start: Start, workspace_of: Any, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with start(workers=1) as running:
        acme = workspace_of(running)
        execution = await acme.ask("trial.sleep", {"seconds": 30})
        await acme.until(execution, "running")
    # It had a moment to end, and did not: its lease runs on.
    assert (await acme.job(execution))["state"] == "running"
    assert await acme.told("internal.agent-runtime.execution-finished", execution) == []
    await admin.execute("UPDATE jobs SET input = '{}'")
    async with start(workers=1) as running:
        told = await acme.finished(execution)
    assert (told["outcome"], told["tries"]) == ("succeeded", 2)


async def test_a_replica_that_is_gone_again_and_again_is_not_waited_for_for_ever(
    start: Start, workspace_of: Any, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    acme = workspace_of(None)
    execution = await acme.ask("smoke.echo")
    await admin.execute(
        "UPDATE jobs SET state = 'running', tries = 3, lease = gen_random_uuid(), lease_until = now(), "
        "started_at = now()"
    )
    async with start():
        told = await acme.finished(execution)
    assert (told["outcome"], told["failureCode"], told["tries"]) == ("failed", "worker_lost", 3)
    assert (await acme.job(execution))["state"] == "dead"


async def test_what_is_nearly_done_may_end_when_the_service_stops(start: Start, workspace_of: Any) -> None:
    async with start(workers=1, grace_seconds=5) as running:
        acme = workspace_of(running)
        execution = await acme.ask("trial.sleep", {"seconds": 0.5})
        waiting = await acme.ask("trial.sleep")
        await acme.until(execution, "running")
    assert (await acme.finished(execution))["outcome"] == "succeeded"
    assert (await acme.job(waiting))["state"] == "waiting"


async def test_leases_of_runs_that_go_on_are_extended(start: Start, workspace_of: Any) -> None:
    """The run takes longer than a lease lasts."""
    async with start(workers=1, lease_seconds=1) as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("trial.sleep", {"seconds": 2.5}))
    assert (told["outcome"], told["tries"]) == ("succeeded", 1)


async def test_a_break_of_all_connections_loses_nothing(
    start: Start, workspace_of: Any, admin: "asyncpg.Connection[asyncpg.Record]", database: Database
) -> None:
    async with start(workers=2) as running:
        acme = workspace_of(running)
        executions = [await acme.ask("trial.sleep", {"seconds": 0.3}) for _ in range(6)]
        await acme.until(executions[0], "running")
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = 'agent_runtime' AND usename LIKE 'agent_runtime_%'"
        )
        told = [await acme.finished(execution) for execution in executions]
        assert [len(await acme.all_finished(execution)) for execution in executions] == [1] * 6
    assert {each["outcome"] for each in told} == {"succeeded"}


async def test_jobs_that_were_done_long_ago_are_forgotten(
    start: Start, workspace_of: Any, admin: "asyncpg.Connection[asyncpg.Record]", bare_stack: Any
) -> None:
    async with start() as running:
        acme = workspace_of(running)
        old, dead, fresh = [await acme.ask(name) for name in ("smoke.echo", "trial.once", "smoke.echo")]
        for execution in (old, dead, fresh):
            await acme.finished(execution)
        await admin.execute(
            "UPDATE jobs SET finished_at = finished_at - interval '8 days' WHERE execution_id = ANY($1)", [old, dead]
        )
        async with relay_connection(bare_stack.database_url("agent-runtime", "relay")) as connection:
            await running.sweep.forget(connection)
    assert await acme.job(old) == {}
    assert (await acme.job(dead))["state"] == "dead"
    assert (await acme.job(fresh))["state"] == "done"


async def test_no_worker_is_left_when_the_service_is_gone(start: Start, workspace_of: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with start(workers=1) as running:
        acme = workspace_of(running)
        await acme.ask("trial.spin", {"mark": str(mark)})
        pid = await pid_in(mark)
    assert await is_gone(pid, 0.1)


PROGRAM = """
import asyncio, sys
from services.agent_runtime.workers.process import WorkerProcess
async def main():
    worker = await WorkerProcess.start(512, ("services.agent_runtime.tests.trial",))
    await worker.ask({"reasoner": "trial.spin", "input": {"mark": sys.argv[1]}, "data": {}})
asyncio.run(main())
"""


async def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    """However the parent ends, and whatever the worker is doing."""
    mark = tmp_path / "mark"
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, str(mark))
    pid = await pid_in(mark)
    parent.kill()
    await parent.wait()
    assert await is_gone(pid)


async def test_a_runtime_that_has_no_workers_yet_waits_for_them(start: Start, workspace_of: Any) -> None:
    acme = workspace_of(None)
    execution = await acme.ask("smoke.echo")
    async with start(workers=1) as running:
        assert (await acme.finished(execution))["outcome"] == "succeeded"
        await eventually(lambda: _is_idle(running.pool))


async def _is_idle(pool: Any) -> bool:
    return bool(pool.workers == 1 and pool.busy == 0)
