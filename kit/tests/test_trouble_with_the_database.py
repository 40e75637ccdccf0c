"""What a caller is told when the database is slow, busy or gone, and that a connection is whole again afterwards."""

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from devstack.layout import POSTGRES
from devstack.stack import Stack
from kit.database import Database
from kit.errors import Conflict, Problem, Unavailable
from kit.tests.sample_service import Sample, a_call, effect, eventually, insert_effect
from kit.unit_of_work import UnitOfWork, unit_of_work

TERMINATE_SELF = "SELECT pg_terminate_backend(pg_backend_pid())"
ONCE = (1, 1, 1, 1)


@pytest.fixture
async def narrow(sample: Sample) -> AsyncIterator[Sample]:
    """A sample with a single connection, so that whoever comes next gets the one that had the trouble."""
    database = await Database.connect(sample.app_url, size=1)
    yield replace(sample, database=database)
    await database.close()


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.AdminShutdownError(),
        asyncpg.CrashShutdownError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.InvalidPasswordError(),
        asyncpg.DiskFullError("could not extend file"),
        asyncpg.OutOfMemoryError("out of memory"),
        asyncpg.PostgresIOError("could not write"),
        asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_however_a_connection_is_lost_it_is_unavailable(sample: Sample, error: Exception) -> None:
    async def lose(_work: UnitOfWork) -> None:
        raise error

    with pytest.raises(Unavailable):
        await sample.mutate(a_call(), lose)


async def works(sample: Sample) -> bool:
    """Whether a mutation succeeds; it may fail in no other way than Unavailable."""
    try:
        await sample.mutate(a_call("works"), effect("works"))
    except Unavailable:
        return False
    return True


async def test_a_connection_that_ends_in_the_middle_is_unavailable_and_leaves_nothing(narrow: Sample) -> None:
    async def cut(work: UnitOfWork) -> None:
        await effect()(work)
        await work.fetchval(TERMINATE_SELF)

    with pytest.raises(Unavailable) as told:
        await narrow.mutate(a_call(), cut)
    assert (told.value.status, told.value.retry_after) == (503, 1)
    assert await narrow.counts() == (0, 0, 0, 0)
    await narrow.mutate(a_call(), effect())
    assert await narrow.counts() == ONCE


async def test_a_connection_that_ended_while_idle_is_replaced(narrow: Sample) -> None:
    await narrow.mutate(a_call("first"), effect("first"))
    pids = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sample_app'"
    assert await narrow.admin.fetchval(pids)
    await eventually(lambda: works(narrow), seconds=5)


async def test_connections_that_all_ended_while_idle_cost_nobody_an_error(sample: Sample) -> None:
    async def slow(work: UnitOfWork) -> None:
        await work.execute("SELECT pg_sleep(0.2)")

    await asyncio.gather(*(sample.mutate(a_call(f"slow-{number}"), slow) for number in range(6)))
    ended = await sample.admin.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sample_app'"
    )
    assert len(ended) >= 6
    await asyncio.sleep(0.3)
    for number in range(6):
        await sample.mutate(a_call(f"after-{number}"), effect(f"after-{number}"))


async def test_an_error_that_the_handler_swallows_is_not_committed_as_a_success(narrow: Sample) -> None:
    async def careless(work: UnitOfWork) -> None:
        await effect()(work)
        try:
            await work.fetchval(TERMINATE_SELF)
        except Exception:
            return

    with pytest.raises(Unavailable):
        await narrow.mutate(a_call(), careless)
    assert await narrow.counts() == (0, 0, 0, 0)


async def test_a_unit_of_work_that_the_database_gave_up_is_not_taken_for_done(narrow: Sample) -> None:
    async def careless() -> None:
        async with unit_of_work(narrow.database, a_call(), service="sample") as work:
            await insert_effect(work, "lost")
            with contextlib.suppress(asyncpg.PostgresError):
                await work.fetchval("SELECT 1 / 0")

    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await careless()
    assert await narrow.counts() == (0, 0, 0, 0)
    assert await works(narrow)


async def test_a_server_that_is_killed_is_unavailable_until_it_is_back(sample: Sample, stack: Stack) -> None:
    started = asyncio.Event()

    async def slow(work: UnitOfWork) -> None:
        await effect()(work)
        started.set()
        await work.fetchval("SELECT pg_sleep(30)")

    under_way = asyncio.create_task(sample.mutate(a_call(), slow))
    await started.wait()
    await stack.kill(POSTGRES, signal.SIGKILL)
    try:
        with pytest.raises(Unavailable):
            await under_way
        assert not await works(sample)
    finally:
        await stack.start(POSTGRES)
    await eventually(lambda: works(sample))
    async with sample.database.read(a_call()) as session:
        assert [row["name"] for row in await session.fetch("SELECT name FROM effects")] == ["works"]


async def test_a_database_that_is_closed_is_unavailable(narrow: Sample) -> None:
    await narrow.database.close()
    assert not await works(narrow)


async def test_no_free_connection_is_unavailable(narrow: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.database._ACQUIRE_TIMEOUT", 0.1)
    async with narrow.database.read(a_call()):
        assert not await works(narrow)
    assert await works(narrow)


async def test_a_row_that_another_holds_is_a_conflict(sample: Sample) -> None:
    await sample.mutate(a_call("first"), effect())

    async def lock(work: UnitOfWork) -> None:
        await work.fetch("SELECT * FROM effects FOR UPDATE")

    async with unit_of_work(sample.database, a_call(), service="sample") as work:
        await lock(work)
        with pytest.raises(Conflict) as refused:
            await sample.mutate(a_call("second"), lock)
    assert (refused.value.code, refused.value.retry_after) == ("busy", 1)


async def test_two_changes_that_wait_for_each_other_end_in_a_conflict_of_one(sample: Sample) -> None:
    for name in ("one", "two"):
        await sample.mutate(a_call(name), effect(name))
    both_hold_one = asyncio.Barrier(2)

    def in_order(*names: str) -> "asyncio.Task[Problem | None]":
        async def lock(work: UnitOfWork) -> None:
            # Whoever waits longest for a lock must see the deadlock before the limit on waiting.
            await work.execute("SET LOCAL lock_timeout = '20s'")
            await work.fetch("SELECT * FROM effects WHERE name = $1 FOR UPDATE", names[0])
            await both_hold_one.wait()
            await work.fetch("SELECT * FROM effects WHERE name = $1 FOR UPDATE", names[1])

        async def run() -> Problem | None:
            try:
                await sample.mutate(a_call(names[0] + " first"), lock)
            except Problem as problem:
                return problem
            return None

        return asyncio.create_task(run())

    outcomes = await asyncio.gather(in_order("one", "two"), in_order("two", "one"))
    assert [each.code for each in outcomes if each] == ["busy"]


async def test_a_statement_that_takes_too_long_is_unavailable(narrow: Sample) -> None:
    async def slow(work: UnitOfWork) -> None:
        await work.execute("SET LOCAL statement_timeout = '50ms'")
        await work.fetchval("SELECT pg_sleep(30)")

    with pytest.raises(Unavailable) as told:
        await narrow.mutate(a_call(), slow)
    assert told.value.code == "timeout"
    assert await works(narrow)


async def test_a_statement_that_nobody_answers_is_given_up(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.database._LONGEST_STATEMENT", 3)
    database = await Database.connect(sample.app_url, size=1)

    async def silent(work: UnitOfWork) -> None:
        await work.fetchval("SELECT pg_sleep(12)")

    narrow = replace(sample, database=database)
    with pytest.raises(Unavailable):
        await narrow.mutate(a_call(), silent)
    assert await works(narrow)
    await database.close()


async def test_a_request_that_is_cancelled_leaves_nothing_but_a_usable_connection(narrow: Sample) -> None:
    started = asyncio.Event()

    async def slow(work: UnitOfWork) -> None:
        await effect()(work)
        started.set()
        await work.fetchval("SELECT pg_sleep(30)")

    task = asyncio.create_task(narrow.mutate(a_call(), slow))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await narrow.counts() == (0, 0, 0, 0)
    await narrow.mutate(a_call(), effect())
    assert await narrow.counts() == ONCE


@pytest.mark.parametrize("turns", range(6))
async def test_a_request_that_is_cancelled_again_while_it_rolls_back_leaves_no_transaction(
    narrow: Sample, turns: int
) -> None:
    started = asyncio.Event()

    async def slow(work: UnitOfWork) -> None:
        await insert_effect(work, "half")
        started.set()
        await work.fetchval("SELECT pg_sleep(30)")

    task = asyncio.create_task(narrow.mutate(a_call(), slow))
    await started.wait()
    task.cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    async with narrow.database.transaction("BEGIN") as connection:
        assert await connection.fetchval("SELECT current_setting('opsfield.workspace_id', true)") in ("", None)
    assert await narrow.counts() == (0, 0, 0, 0)
    assert await works(narrow)


@pytest.mark.parametrize("seed", range(3))
async def test_cancelled_at_any_instant_all_is_there_or_nothing(narrow: Sample, seed: int) -> None:
    chance = random.Random(seed)

    async def one(number: int) -> None:
        async def run(work: UnitOfWork) -> None:
            await insert_effect(work, f"effect {number}")

        await narrow.mutate(a_call(f"key {number}"), run)

    for number in range(60):
        task = asyncio.create_task(one(number))
        for _ in range(chance.randrange(25)):
            await asyncio.sleep(0)
        await asyncio.sleep(chance.random() * 0.004)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    effects, keys, _, audited = await narrow.counts()
    assert effects == keys == audited
    assert await works(narrow)


@pytest.mark.parametrize("seed", range(3))
async def test_a_read_cancelled_at_any_instant_leaves_its_transaction_to_nobody(narrow: Sample, seed: int) -> None:
    chance = random.Random(seed)

    async def look() -> None:
        async with narrow.database.read(a_call()) as session:
            await session.fetchval("SELECT count(*) FROM effects")

    for number in range(60):
        task = asyncio.create_task(look())
        await asyncio.sleep(chance.random() * 0.002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await narrow.mutate(a_call(f"after look {number}"), effect(f"effect {number}"))
