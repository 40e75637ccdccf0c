"""A consumer dies at a named point while it takes an event, and is started again: the event takes effect once."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from tests.faults.probe import CREATE_EFFECTS
from tests.platform import Api, Platform, eventually

DEATH = 137
POINTS = (
    "before-inbox",
    "after-inbox",
    "before-consumer-commit",
    "before-commit",
    "after-commit",
    "after-offset",
)


@contextmanager
def probe(platform: Platform, group: str, crash_at: str = "") -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        **platform.stack.environment("portal"),
        "CRASH_AT": crash_at,
        "KAFKA_SESSION_TIMEOUT_SECONDS": "6",
    }
    process = subprocess.Popen([sys.executable, "-m", "tests.faults.probe", group], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def as_owner(platform: Platform, statement: str, *arguments: object) -> list[asyncpg.Record]:
    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(platform.stack.database_url("portal", "owner"))
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    return asyncio.run(run())


@pytest.fixture(scope="module", autouse=True)
def effects_table(platform: Platform) -> None:
    as_owner(platform, CREATE_EFFECTS)


@pytest.mark.parametrize("point", POINTS)
def test_an_event_takes_effect_once(platform: Platform, api: Api, point: str) -> None:
    group = f"probe-{point}"
    count = "SELECT count(*) FROM probe_effects WHERE consumer = $1 AND ticket_id = $2"

    def effects(ticket: dict[str, object]) -> int:
        [row] = as_owner(platform, count, group, ticket["id"])
        return int(row["count"])

    with probe(platform, group, crash_at=point) as dying:
        ticket = api.new_ticket()
        assert dying.wait(40) == DEATH
    last = api.new_ticket()
    with probe(platform, group):
        eventually(lambda: effects(last) and effects(ticket), seconds=60)
    assert (effects(ticket), effects(last)) == (1, 1)
