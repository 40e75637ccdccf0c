"""A consumer dies at a named point while it takes an event, and is started again: the event takes effect once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from tests.databases import count
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


@pytest.fixture(scope="module", autouse=True)
def effects_table(platform: Platform) -> None:
    """Of the owner of the service's tables, so that the service may write to it."""

    async def create() -> None:
        connection = await asyncpg.connect(platform.stack.database_url("portal", "owner"))
        await connection.execute(CREATE_EFFECTS)
        await connection.close()

    platform.run(create())


@pytest.mark.parametrize("point", POINTS)
def test_an_event_takes_effect_once(platform: Platform, api: Api, point: str) -> None:
    group = f"probe-{point}"
    query = "SELECT count(*) FROM probe_effects WHERE consumer = $1 AND ticket_id = $2"

    def effects(ticket: dict[str, object]) -> int:
        return count(platform, "portal", query, group, ticket["id"])

    with probe(platform, group, crash_at=point) as dying:
        ticket = api.new_ticket()
        assert dying.wait(40) == DEATH
    last = api.new_ticket()
    with probe(platform, group):
        eventually(lambda: effects(last) and effects(ticket), seconds=60)
    assert (effects(ticket), effects(last)) == (1, 1)
