"""The fleet at a glance."""

from datetime import datetime, timedelta

import pytest

from kit import clock, contract, ids
from kit.rpc import bind
from opsfield.telemetry.v1.fleet_pb2 import Fleet, GetFleetSummaryRequest
from services.telemetry.fleet.handlers import FleetHandlers
from services.telemetry.fleet.store import _BATCHES
from services.telemetry.tests.fleet import NOW, Workspace

BATCH = """
INSERT INTO ingest_batches (workspace_id, id, agent_id, format, accepted, rejected, bytes, created_at)
VALUES ($1, $2, $2, 'json', $3, $4, 100, $5)
"""
# Ten a second.
MANY = """
INSERT INTO ingest_batches (workspace_id, id, agent_id, format, accepted, rejected, bytes, created_at)
SELECT $1, gen_random_uuid(), gen_random_uuid(), 'json', 100, 0, 1000, $2::timestamptz - n * '100 ms'::interval
FROM generate_series(0, 9999) AS n
"""
SILENCE = "INSERT INTO silences (workspace_id, agent_id, began_at, is_raised) VALUES ($1, $2, $3, $4)"
MASS = """
INSERT INTO mass_silences (workspace_id, fingerprint, since_at, until_at, raised_at) VALUES ($1, 'f', $2, $2, $2)
"""


@pytest.fixture
async def today(acme: Workspace) -> datetime:
    """Noon of a day that there is a partition for."""
    day: datetime = await acme.admin.fetchval("SELECT date_trunc('day', now(), 'UTC') + interval '12 hours'")
    return day


async def summary(workspace: Workspace, now: datetime = NOW) -> Fleet:
    with clock.at(now):
        async with workspace.reading() as session:
            return (await FleetHandlers().get_fleet_summary(GetFleetSummaryRequest(), session)).fleet


async def batch(workspace: Workspace, accepted: int, rejected: int, at: datetime) -> None:
    await workspace.admin.execute(BATCH, workspace.id, ids.new_id(), accepted, rejected, at)


async def test_all_rpcs_of_the_service_have_a_handler() -> None:
    rpcs = [each for each in contract.owned_by("telemetry") if "FleetService" in each.path]
    assert len(bind(rpcs, FleetHandlers())) == 1


async def test_an_empty_workspace_has_nothing(acme: Workspace) -> None:
    assert await summary(acme) == Fleet()


async def test_agents_are_counted_by_how_they_are(acme: Workspace, other: Workspace) -> None:
    for connectivity, count in (("online", 3), ("offline", 2), ("pending", 1)):
        for _ in range(count):
            await acme.agent(connectivity=connectivity)
    await acme.agent(state="revoked", connectivity="offline")
    await other.agent()
    assert await summary(acme) == Fleet(agents=6, online=3, offline=2, pending=1)


async def test_conditions_are_those_of_agents_and_of_many_at_once(acme: Workspace, other: Workspace) -> None:
    for workspace in (acme, other):
        busy, silent, held, revoked = [await workspace.agent() for _ in range(4)]
        await workspace.change(busy.id, watched=5, conditions=3)
        await workspace.change(revoked.id, state="revoked", conditions=7)
        for agent, is_raised in ((silent, True), (held, False), (revoked, True)):
            await workspace.admin.execute(SILENCE, workspace.id, agent.id, NOW, is_raised)
        await workspace.admin.execute(MASS, workspace.id, NOW)
    assert (await summary(acme)).conditions == 3 + 1 + 1


async def test_what_was_sent_lately_is_counted(acme: Workspace, other: Workspace, today: datetime) -> None:
    for minutes, accepted, rejected in ((0, 600, 2), (1, 900, 0), (4.9, 0, 1), (5, 10_000, 9), (60, 10_000, 9)):
        await batch(acme, accepted, rejected, today - timedelta(minutes=minutes))
    await batch(other, 1, 1, today)
    fleet = await summary(acme, today)
    assert (fleet.batches, fleet.events_accepted, fleet.events_rejected) == (3, 1500, 3)
    assert fleet.events_per_second == 5


async def test_what_was_sent_around_midnight_is_counted(acme: Workspace, today: datetime) -> None:
    midnight = today + timedelta(hours=12)
    await batch(acme, 1, 0, midnight - timedelta(minutes=1))
    await batch(acme, 1, 0, midnight)
    assert (await summary(acme, midnight + timedelta(minutes=1))).batches == 2


async def test_lately_is_a_range_of_the_key_however_much_there_is(
    acme: Workspace, other: Workspace, today: datetime
) -> None:
    for workspace in (acme, other):
        await workspace.admin.execute(MANY, workspace.id, today)
    await acme.admin.execute("ANALYZE ingest_batches")
    async with acme.reading() as session:
        plan = await session.fetch(f"EXPLAIN {_BATCHES}", acme.id, today - timedelta(minutes=5), today)
    assert "_pkey" in str(plan)
    assert "Seq Scan" not in str(plan)
    assert (await summary(acme, today)).batches == 3000
