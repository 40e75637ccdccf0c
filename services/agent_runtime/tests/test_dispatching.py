"""Whose turn it is."""

import asyncio
from typing import Any

import asyncpg

from services.agent_runtime.jobs import store
from services.agent_runtime.tests.workspace import Start

PUSH = """
INSERT INTO jobs (workspace_id, id, execution_id, attempt, agent, reasoner, input, deadline_at, correlation_id, state,
    run_after, created_at)
SELECT $1, gen_random_uuid(), gen_random_uuid(), 1, $2, 'sleep', $4, now() + interval '1 hour', 'c-1', 'waiting', now(),
    now() - interval '1 minute' + number * interval '1 millisecond'
FROM generate_series(1, $3) AS number
"""
ORDER = "SELECT workspace_id, agent FROM jobs WHERE started_at IS NOT NULL ORDER BY started_at"
MOST_AT_A_TIME = """
SELECT max(together) FROM (
    SELECT (SELECT count(*) FROM jobs AS other WHERE other.agent = job.agent
        AND other.started_at <= job.started_at AND other.finished_at > job.started_at) AS together
    FROM jobs AS job WHERE agent = $1
) AS counts
"""


async def test_many_of_one_workspace_do_not_hold_up_another(start: Start, workspace_of: Any, admin: Any) -> None:
    for workers in (1, 2):
        await admin.execute("TRUNCATE jobs CASCADE")
        async with start(workers=workers) as running:
            acme, other = workspace_of(running), workspace_of(running)
            await admin.execute(PUSH, acme.id, "trial", 100, '{"seconds": 0.05}')
            await asyncio.sleep(0.5)
            ahead = await admin.fetchval("SELECT count(*) FROM jobs WHERE started_at IS NOT NULL")
            execution = await other.ask("trial.sleep")
            await other.finished(execution)
            started = [row["workspace_id"] for row in await admin.fetch(ORDER)]
        # Those that ran when it came, and at most one more: whose turn it was.
        assert started.index(other.id) <= ahead + workers + 1
        assert len(started) < 100


async def test_of_an_agent_no_more_run_at_a_time_than_may(start: Start, workspace_of: Any, admin: Any) -> None:
    async with start(workers=3, most_per_agent=2) as running:
        acme = workspace_of(running)
        await admin.execute(PUSH, acme.id, "trial", 8, '{"seconds": 0.2}')
        await admin.execute(PUSH, acme.id, "other", 2, '{"seconds": 0.2}')
        await _until_done(admin, 10)
        order = [row["agent"] for row in await admin.fetch(ORDER)]
        assert await admin.fetchval(MOST_AT_A_TIME, "trial") == 2
    # What is older waits, and what may run is not held up until all of it is done.
    assert "other" in order[:6]


async def test_two_replicas_share_the_work_and_do_none_of_it_twice(start: Start, workspace_of: Any, admin: Any) -> None:
    acme = workspace_of(None)
    async with start(workers=1) as one, start(workers=1) as other:
        while one.pool.workers + other.pool.workers < 2:
            await asyncio.sleep(0.02)
        await admin.execute(PUSH, acme.id, "trial", 40, '{"seconds": 0.1}')
        await _until_done(admin, 40)
        workers = await admin.fetch("SELECT worker, count(*) FROM jobs GROUP BY worker")
        finished = await admin.fetchval(
            "SELECT count(*) FROM outbox WHERE workspace_id = $1 AND topic LIKE '%execution-finished'", acme.id
        )
    assert len(workers) == 2
    assert finished == 40
    assert await admin.fetchval("SELECT max(tries) FROM jobs") == 1


async def test_what_would_run_out_of_time_is_not_begun(start: Start, workspace_of: Any, admin: Any) -> None:
    """Where more is asked than can be done, those that have time left are done, instead of all being begun too late."""
    acme = workspace_of(None)
    await admin.execute(PUSH, acme.id, "trial", 60, '{"seconds": 0.3}')
    await admin.execute(
        "UPDATE jobs SET deadline_at = now() + interval '4 seconds', created_at = now() - interval '1 h'"
    )
    await admin.execute(PUSH, acme.id, "trial", 3, '{"seconds": 0.3}')
    async with start(workers=1):
        async with asyncio.timeout(20):
            while await admin.fetchval("SELECT count(*) FROM jobs WHERE state <> 'done'"):
                await asyncio.sleep(0.05)
    ended = await admin.fetch("SELECT outcome::text AS outcome, tries, count(*) AS many FROM jobs GROUP BY 1, 2")
    assert {(each["outcome"], each["tries"]): each["many"] for each in ended} == {
        ("timed_out", 0): 60,
        ("succeeded", 1): 3,
    }


async def test_what_has_little_time_from_the_beginning_is_begun(start: Start, workspace_of: Any) -> None:
    async with start(workers=1) as running:
        acme = workspace_of(running)
        while running.pool.workers < 1:
            await asyncio.sleep(0.02)
        execution = await acme.ask("trial.sleep", seconds=4.5)
        assert (await acme.finished(execution))["outcome"] == "succeeded"


async def test_a_long_queue_is_read_through_its_index(admin: Any, bare_stack: Any) -> None:
    await admin.execute(PUSH, "w-long", "trial", 5000, "{}")
    await admin.execute(PUSH, "w-short", "trial", 1, "{}")
    await admin.execute("ANALYZE jobs")
    relay = await asyncpg.connect(bare_stack.database_url("agent-runtime", "relay"))
    try:
        now = await relay.fetchval("SELECT now()")
        found = await store.waiting(relay, now, 2)
        plan = await relay.fetch(f"EXPLAIN (ANALYZE, FORMAT TEXT) {store._WAITING}", now, 2)
    finally:
        await relay.close()
    assert sorted(each.workspace_id for each in found) == ["w-long", "w-long", "w-short"]
    text = "\n".join(row[0] for row in plan)
    assert "Seq Scan on jobs" not in text, text


async def _until_done(admin: Any, count: int) -> None:
    async with asyncio.timeout(20):
        while await admin.fetchval("SELECT count(*) FROM jobs WHERE state = 'done'") < count:
            await asyncio.sleep(0.05)
