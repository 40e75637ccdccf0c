"""The sweep for silence while replicas, ingest, the database and the service itself come and go."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

from devstack.stack import Stack
from kit import clock
from kit.database import Database, relay_connection
from services.telemetry.agents.known import KnownAgent
from services.telemetry.detection import silence_store
from services.telemetry.detection.silence import SilenceSweep
from services.telemetry.tests.fleet import Workspace
from services.telemetry.tests.silent_site import Site, at, set_policy


async def test_our_own_outage_is_nobodys_silence(
    site: Site, acme: Workspace, other: Workspace, relay_url: str, telemetry_database: Database
) -> None:
    sweep = SilenceSweep(telemetry_database, relay_url, lambda: None)
    site.sweep = sweep
    patient = Site(other, sweep)
    await set_policy(other, offline_after_seconds=600)
    [here], [there] = await site.enroll(1), await patient.enroll(1)
    await site.sweep_at(0, 10)
    # The service was down from here on; agents could not send.
    await site.sweep_at(1000)
    assert await site.states() == {"host-0": "online"}
    for seconds in range(1020, 1120, 20):
        await site.sweep_at(seconds)
    assert (await site.states(), await patient.states()) == ({"host-0": "online"}, {"host-0": "online"})
    await site.sweep_at(1120)
    assert (await site.states(), await patient.states()) == ({"host-0": "offline"}, {"host-0": "online"})
    for seconds in range(1140, 1620, 20):
        await site.sweep_at(seconds)
    assert (await acme.known(here.id)).connectivity == (await other.known(there.id)).connectivity == "offline"


async def test_an_alert_is_put_off_by_our_own_outage(site: Site, relay_url: str, telemetry_database: Database) -> None:
    site.sweep = SilenceSweep(telemetry_database, relay_url, lambda: None)
    await site.enroll(1)
    await site.sweep_at(100, 120, 1000, 1020, 1040, 1060, 1080, 1100, 1119)
    assert await site.conditions() == []
    await site.sweep_at(1120)
    assert await site.conditions() == ["host-0 is offline"]


async def test_a_time_that_is_given_takes_none_away(
    site: Site, acme: Workspace, relay_url: str, telemetry_database: Database
) -> None:
    site.sweep = SilenceSweep(telemetry_database, relay_url, lambda: None)
    [agent] = await site.enroll(1)
    await acme.change(agent.id, silent_at=at(100_000))
    await site.sweep_at(0, 1000)
    silent_at = await acme.admin.fetchval("SELECT silent_at FROM agents WHERE id = $1", agent.id)
    assert silent_at == at(100_000)


async def test_a_replica_that_restarts_is_no_outage(site: Site, relay_url: str, telemetry_database: Database) -> None:
    replicas = [SilenceSweep(telemetry_database, relay_url, lambda: None) for _ in range(2)]
    await site.enroll(1)
    for place, seconds in enumerate(range(0, 125, 20)):
        site.sweep = replicas[place % 2]
        await site.sweep_at(seconds)
    assert await site.states() == {"host-0": "offline"}


async def test_one_sweep_is_at_work_at_a_time(site: Site, relay_url: str) -> None:
    await site.enroll(1)
    async with relay_connection(relay_url) as connection:
        assert await silence_store.take_lock(connection)
        with clock.at(at(120)):
            assert not await site.sweep.once()
    assert await site.states() == {"host-0": "online"}
    await site.sweep_at(120)
    assert await site.states() == {"host-0": "offline"}


async def test_one_that_is_being_heard_of_is_passed_over(site: Site, acme: Workspace) -> None:
    held, free = await site.enroll(2)
    lock = "SELECT 1 FROM agents WHERE workspace_id = $1 AND id = $2 FOR UPDATE"
    async with acme.admin.transaction():
        await acme.admin.execute(lock, acme.id, held.id)
        await site.sweep_at(120)
    assert await site.states() == {"host-0": "online", "host-1": "offline"}
    async with acme.admin.transaction():
        await acme.admin.execute(lock, acme.id, free.id)
        await site.sweep_at(180)
    assert await site.states() == {"host-0": "offline", "host-1": "offline"}
    assert await site.conditions() == []
    await site.sweep_at(181)
    assert await site.conditions() == ["host-1 is offline"]


async def test_sweeps_that_overlap_tell_nothing_twice(
    site: Site, acme: Workspace, bare_stack: Stack, relay_url: str
) -> None:
    """As when a connection is gone, and its lock with it, before its process notices."""
    await site.enroll(3)
    many = Site(acme, site.sweep)
    await many.enroll(12)
    database = await Database.connect(bare_stack.database_url("telemetry"), size=6)
    sweeps = [SilenceSweep(database, relay_url, lambda: None, outage=timedelta(days=1)) for _ in range(4)]
    async with contextlib.AsyncExitStack() as connections:
        opened = [await connections.enter_async_context(relay_connection(relay_url)) for _ in sweeps]
        for seconds in (120, 180, 185):
            with clock.at(at(seconds)):
                await asyncio.gather(*(each._sweep(its) for each, its in zip(sweeps, opened, strict=True)))
    await database.close()
    assert len(await acme.told("asset-observed")) == 15
    assert len(await site.conditions()) == len(set(await site.conditions())) == 1


async def test_agents_that_come_and_go_while_it_sweeps_are_told_of_in_turns(
    site: Site, acme: Workspace, bare_stack: Stack, relay_url: str
) -> None:
    """Raised, cleared, raised, … for each agent, whoever meets whom."""
    await set_policy(acme, offline_alert_seconds=0, offline_after_seconds=10)
    agents = await site.enroll(4)
    database = await Database.connect(bare_stack.database_url("telemetry"), size=6)
    ingest = Site(Workspace(acme.id, database, acme.admin), site.sweep)
    lasting = True

    async def sweep_all_the_time(seconds: float) -> None:
        sweep = SilenceSweep(database, relay_url, lambda: None, outage=timedelta(days=1))
        async with relay_connection(relay_url) as connection:
            with clock.at(at(seconds)):
                while lasting:
                    await sweep._sweep(connection)

    async def come_and_go(agent: KnownAgent) -> None:
        # Heard of at noon, and so silent again for a sweep at five past.
        while lasting:
            await ingest.take_in(agent.id, seconds=0)
            await asyncio.sleep(0.01)

    async def until_enough_is_told() -> None:
        nonlocal lasting
        while len(await acme.told("condition-")) <= 40:
            await asyncio.sleep(0.1)
        lasting = False

    async with asyncio.timeout(120):
        await asyncio.gather(
            sweep_all_the_time(300), sweep_all_the_time(301), *map(come_and_go, agents), until_enough_is_told()
        )
    await site.sweep_at(302)
    await database.close()
    told = await acme.told("condition-")
    for agent in agents:
        signs = "".join(
            "-" if each.topic.endswith("cleared") else "+" for each in told if each.key.startswith(agent.id)
        )
        assert signs == "+-" * (len(signs) // 2) + "+"
    assert len(told) > 20


async def test_the_loop_sweeps_and_survives_an_outage_of_the_database(
    site: Site, acme: Workspace, relay_url: str, bare_stack: Stack
) -> None:
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename IN ('telemetry_relay')"
    told = asyncio.Event()
    database = await Database.connect(bare_stack.database_url("telemetry"), size=2)
    sweep = SilenceSweep(database, relay_url, told.set, pause=timedelta(seconds=0.05))
    await site.enroll(1)
    async with _running(sweep), asyncio.timeout(20):
        await told.wait()
        await acme.admin.fetchval(cut)
        await site.enroll(1, "another")
        told.clear()
        await told.wait()
    await database.close()
    assert await site.states() == {"host-0": "offline", "another-0": "offline"}


@contextlib.asynccontextmanager
async def _running(sweep: SilenceSweep) -> AsyncIterator[None]:
    task = asyncio.create_task(sweep.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
