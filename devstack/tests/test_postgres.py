"""The embedded database server: what was committed outlives every kind of end."""

from signal import SIGKILL

import asyncpg
import pytest

from devstack.layout import Layout, StackError
from devstack.postgres import Postgres


async def write(postgres: Postgres, value: int) -> None:
    connection = await asyncpg.connect(postgres.admin_url)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
    await connection.execute("INSERT INTO kept VALUES ($1)", value)
    await connection.close()


async def read(postgres: Postgres) -> list[int]:
    connection = await asyncpg.connect(postgres.admin_url)
    rows = await connection.fetch("SELECT value FROM kept ORDER BY value")
    await connection.close()
    return [row["value"] for row in rows]


async def test_a_killed_server_starts_again_with_all_that_was_committed(postgres: Postgres) -> None:
    for value in range(3):
        await write(postgres, value)
        await postgres.child.kill(SIGKILL)
        await postgres.start()
    assert await read(postgres) == [0, 1, 2]


async def test_a_server_left_behind_gives_way_to_a_new_one(postgres: Postgres, layout: Layout) -> None:
    await write(postgres, 1)
    successor = Postgres(layout, postgres.port)
    try:
        await successor.start()
        assert not postgres.child.running or await postgres.child.wait() == 0
        assert await read(successor) == [1]
    finally:
        await successor.child.stop()


async def test_a_record_of_another_programs_process_is_no_obstacle(postgres: Postgres, layout: Layout) -> None:
    await write(postgres, 1)
    await postgres.child.kill(SIGKILL)
    record = layout.database / "data" / "postmaster.pid"
    lines = record.read_text().splitlines()
    record.write_text("\n".join(["1", *lines[1:]]) + "\n")
    await postgres.start()
    assert await read(postgres) == [1]


async def test_commits_reach_the_disk(postgres: Postgres) -> None:
    connection = await asyncpg.connect(postgres.admin_url)
    assert await connection.fetchval("SHOW fsync") == "on"
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    await connection.close()


async def test_a_server_that_cannot_start_says_why(postgres: Postgres, layout: Layout) -> None:
    await postgres.child.stop()
    (layout.database / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(StackError, match="did not start; the end of its log"):
        await postgres.start()
