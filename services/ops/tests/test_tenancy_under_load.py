"""Many workspaces over few connections, with requests that end in the middle: never a row of another's."""

import asyncio
import random

import asyncpg
import pytest

from kit import ids
from kit.call import Call
from kit.database import Database
from kit.errors import Problem
from kit.identity import Principal
from kit.unit_of_work import UnitOfWork, unit_of_work

WORKSPACES = 20
REQUESTS = 600
SELECT = "SELECT workspace_id FROM inbox"


@pytest.fixture
async def workspaces(workspace: str, database: Database) -> list[str]:
    """Twenty of them, each with one row."""
    names = [f"{workspace}-{number}" for number in range(WORKSPACES)]
    for name in names:
        async with unit_of_work(database, call(name), service="ops") as work:
            await insert(work)
    return names


def call(workspace: str) -> Call:
    return Call("/Test", Principal("ada", workspace_id=workspace), "c-1")


async def insert(work: UnitOfWork) -> None:
    await work.execute("INSERT INTO inbox VALUES ($1, 'c', $2, now())", work.call.workspace_id, ids.new_id())


async def request(database: Database, workspace: str, chance: random.Random) -> set[str]:
    """Read, or write and read, some of them failing; the workspaces whose rows it saw, without any filter."""
    if chance.random() < 0.5:
        async with database.read(call(workspace)) as session:
            return {row["workspace_id"] for row in await session.fetch(SELECT)}
    async with unit_of_work(database, call(workspace), service="ops") as work:
        await insert(work)
        seen = {row["workspace_id"] for row in await work.fetch(SELECT)}
        if chance.random() < 0.2:
            await work.fetchval("SELECT 1 / 0")
        return seen


async def test_interleaved_requests_see_their_own_workspace_alone(
    database: Database, workspaces: list[str], admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    chance = random.Random(20)
    checked = 0

    async def one(workspace: str, patience: float | None) -> None:
        nonlocal checked
        task = asyncio.create_task(request(database, workspace, chance))
        _, late = await asyncio.wait([task], timeout=patience)
        for each in late:
            each.cancel()
        try:
            seen = await task
        except (asyncio.CancelledError, asyncpg.DivisionByZeroError, Problem):
            return
        assert seen == {workspace}
        checked += 1

    patience = [chance.choice((None, None, chance.random() * 0.02)) for _ in range(REQUESTS)]
    await asyncio.gather(*(one(chance.choice(workspaces), each) for each in patience))
    assert checked > REQUESTS / 4
    strangers = "SELECT count(*) FROM inbox WHERE workspace_id LIKE $1 AND workspace_id <> ALL($2)"
    assert await admin.fetchval(strangers, f"{workspaces[0][:-2]}%", workspaces) == 0


async def test_a_connection_from_the_pool_remembers_no_workspace(database: Database, workspaces: list[str]) -> None:
    for name in workspaces[:4]:
        async with database.read(call(name)) as session:
            assert await session.fetchval("SELECT count(*) FROM inbox") == 1
        async with database.transaction("BEGIN") as connection:
            assert await connection.fetchval("SELECT current_setting('opsfield.workspace_id', true)") in ("", None)
            assert await connection.fetch(SELECT) == []


async def test_a_connection_remembers_none_after_a_cancelled_request(database: Database, workspaces: list[str]) -> None:
    started = asyncio.Event()

    async def slow() -> None:
        async with unit_of_work(database, call(workspaces[0]), service="ops") as work:
            started.set()
            await work.fetchval("SELECT pg_sleep(30)")

    task = asyncio.create_task(slow())
    await started.wait()
    task.cancel()
    await asyncio.wait([task])
    async with database.transaction("BEGIN") as one, database.transaction("BEGIN") as two:
        for connection in (one, two):
            assert await connection.fetch(SELECT) == []
