"""The sweep for silence on a database: what is told of whom, and when."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from devstack.stack import Stack
from kit import clock, validation
from kit.database import Database, relay_connection
from opsfield.telemetry.v1.edge_policies_pb2 import CreateEdgePolicyRequest, EdgePolicy
from services.telemetry.agents.known import KnownAgent
from services.telemetry.detection import silence_store
from services.telemetry.detection.silence import SilenceSweep, heard
from services.telemetry.detection.silence_rules import Agent, Mass, Scope, Span
from services.telemetry.detection.silence_signals import mass_raised, silence_raised
from services.telemetry.edge_policies.effective import Policies
from services.telemetry.edge_policies.handlers import EdgePolicyHandlers
from services.telemetry.edge_policies.kind import EDGE_POLICIES
from services.telemetry.tests.fleet import KNOWN, NOW, Told, Workspace, known_agent

OFFLINE_AFTER = timedelta(seconds=120)
EVERYTHING = ("silences", "mass_silences", "silence_sweeps", "conditions", "outbox", "edge_policies", "agents")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class Site:
    """Agents of one site of one client, and a sweep that looks at them every few seconds of the tests' time."""

    def __init__(self, workspace: Workspace, sweep: SilenceSweep) -> None:
        self.workspace = workspace
        self.sweep = sweep
        self.client_id, self.site_id = str(uuid.uuid4()), str(uuid.uuid4())
        self.agents: dict[str, KnownAgent] = {}

    async def enroll(self, count: int, prefix: str = "host") -> list[KnownAgent]:
        """So many agents that are online and were heard of right now."""
        new = [
            await self.workspace.agent(
                f"{prefix}-{place}",
                client_id=self.client_id,
                site_id=self.site_id,
                last_seen_at=NOW,
                silent_at=NOW + OFFLINE_AFTER,
            )
            for place in range(count)
        ]
        self.agents |= {each.id: each for each in new}
        return new

    async def hear(self, *agents: KnownAgent, seconds: float) -> None:
        """Batches of these agents come in."""
        for agent in agents:
            await self.take_in(agent.id, seconds=seconds)

    async def take_in(self, agent_id: str, *, seconds: float) -> None:
        """A batch comes in, as ingest takes it."""
        with clock.at(at(seconds)):
            async with self.workspace.work() as work:
                known = await work.fetchrow(f"{KNOWN} FOR UPDATE", self.workspace.id, agent_id)
                assert known is not None
                if known["connectivity"] != "online":
                    await heard(work, known_agent(dict(known)))
                await work.execute(
                    "UPDATE agents SET connectivity = 'online', last_seen_at = $3, silent_at = $4 "
                    "WHERE workspace_id = $1 AND id = $2",
                    self.workspace.id,
                    agent_id,
                    work.now,
                    work.now + OFFLINE_AFTER,
                )

    async def sweep_at(self, *seconds: float) -> None:
        for each in seconds:
            with clock.at(at(each)):
                assert await self.sweep.once()

    async def states(self) -> dict[str, str]:
        """Connectivity by host's name."""
        known = [await self.workspace.known(each) for each in self.agents]
        return {each.hostname: each.connectivity for each in known}

    async def conditions(self) -> list[str]:
        """What was told of conditions, in its order: a title, or `-` and the end of a fingerprint."""
        return [_said(each) for each in await self.workspace.told("condition-")]


def _said(told: Told) -> str:
    return str(told.data["title"]) if told.topic == "condition-raised" else f"-{told.key.rpartition('/')[2]}"


@pytest.fixture
async def sweep(
    telemetry_database: Database, telemetry_admin: "asyncpg.Connection[asyncpg.Record]", relay_url: str
) -> SilenceSweep:
    """A sweep over a database that holds nothing yet: it looks at all workspaces."""
    await telemetry_admin.execute(f"TRUNCATE {', '.join(EVERYTHING)} CASCADE")
    return SilenceSweep(telemetry_database, relay_url, lambda: None, outage=timedelta(days=1))


@pytest.fixture
def site(acme: Workspace, sweep: SilenceSweep) -> Site:
    return Site(acme, sweep)


async def set_policy(workspace: Workspace, **fields: Any) -> None:
    handlers = EdgePolicyHandlers(EDGE_POLICIES, (), Policies())
    fields = {"scope": EdgePolicy.WORKSPACE, **fields}
    async with workspace.work() as work:
        await handlers.create(CreateEdgePolicyRequest(edge_policy=EdgePolicy(**fields)), work)


async def test_an_agent_turns_offline_is_told_and_comes_back(site: Site, acme: Workspace) -> None:
    [agent, *_] = await site.enroll(3)
    others = list(site.agents.values())[1:]
    await site.hear(*others, seconds=100)
    await site.sweep_at(119)
    assert await acme.told() == []
    await site.sweep_at(120, 125, 179)
    assert await site.states() == {"host-0": "offline", "host-1": "online", "host-2": "online"}
    [observed] = await acme.told()
    assert (observed.topic, observed.key) == ("asset-observed", agent.id)
    assert observed.data == {
        "assetId": None,
        "status": "offline",
        "lastSeenAt": "2026-03-02T12:00:00Z",
        "agentId": agent.id,
        "clientId": site.client_id,
        "siteId": site.site_id,
        "inventory": None,
    }
    await site.sweep_at(180, 185)
    [raised] = await acme.told("condition-raised")
    assert {name: raised.data[name] for name in ("title", "severity", "rule", "agentId", "clientId", "source")} == {
        "title": "host-0 is offline",
        "severity": "high",
        "rule": "offline",
        "agentId": agent.id,
        "clientId": site.client_id,
        "source": "edge-agent",
    }
    await site.hear(agent, seconds=200)
    await site.sweep_at(201)
    [cleared] = await acme.told("condition-cleared")
    assert cleared.key == raised.key == raised.data["fingerprint"]
    assert cleared.data == {"fingerprint": raised.key, "observedAt": "2026-03-02T12:03:20Z"}
    assert await acme.count("silences") == 0
    known = await acme.known(agent.id)
    assert (known.connectivity, known.asset_status) == ("online", "offline")


async def test_one_that_is_back_before_its_alert_is_told_of_to_nobody(site: Site) -> None:
    agents = await site.enroll(2)
    await site.sweep_at(121)
    await site.hear(*agents, seconds=150)
    await site.sweep_at(190)
    assert await site.conditions() == []


async def test_silence_is_told_again_when_it_comes_again(site: Site) -> None:
    [agent] = await site.enroll(1)
    await site.sweep_at(120, 180)
    await site.hear(agent, seconds=200)
    await site.sweep_at(319, 320, 379, 380, 400)
    assert await site.conditions() == ["host-0 is offline", "-offline", "host-0 is offline"]


@pytest.mark.parametrize(("state", "connectivity"), [("revoked", "online"), ("active", "pending")])
async def test_who_is_revoked_or_was_never_heard_of_is_not_silent(
    site: Site, acme: Workspace, state: str, connectivity: str
) -> None:
    agent = await acme.agent(state=state, connectivity=connectivity, silent_at=at(0))
    await site.sweep_at(1000, 2000)
    assert (await acme.known(agent.id)).connectivity == connectivity
    assert await acme.told() == []


async def test_what_holds_for_an_agent_is_what_its_policy_says(site: Site, acme: Workspace) -> None:
    await set_policy(acme, offline_alert_seconds=10)
    agents = await site.enroll(3)
    await set_policy(acme, scope=EdgePolicy.AGENT, scope_id=agents[1].id, offline_alerts=False)
    await set_policy(acme, scope=EdgePolicy.AGENT, scope_id=agents[2].id, offline_alert_seconds=0)
    await site.sweep_at(120)
    assert await site.conditions() == ["host-2 is offline"]
    await site.sweep_at(129, 130, 1000)
    assert sorted(await site.conditions()) == ["host-0 is offline", "host-2 is offline"]


async def test_a_policy_that_no_longer_wants_alerts_is_heeded(site: Site, acme: Workspace) -> None:
    await site.enroll(1)
    await site.sweep_at(120)
    await set_policy(acme, offline_alerts=False)
    await site.sweep_at(180, 1000)
    assert await site.conditions() == []


async def test_a_revoked_agents_silence_is_over(site: Site, acme: Workspace) -> None:
    [first, second] = await site.enroll(2)
    await site.sweep_at(120, 180)
    async with acme.work() as work:
        await heard(work, await acme.known(first.id))
    assert await acme.count("silences") == 1
    # Should whoever revokes not say so, the next that there is to do in the workspace finds it.
    await acme.change(first.id, state="revoked")
    await acme.change(second.id, state="revoked")
    await site.enroll(1, "another")
    await site.sweep_at(220, 280)
    assert sorted(await site.conditions())[:2] == ["-offline", "-offline"]
    assert await acme.count("silences") == 1


async def test_a_site_that_goes_silent_at_once_is_told_once(site: Site, acme: Workspace) -> None:
    agents = await site.enroll(8)
    elsewhere = Site(acme, site.sweep)
    running = await elsewhere.enroll(20)
    await site.hear(agents[0], seconds=70)
    await elsewhere.hear(*running, seconds=3000)
    await site.sweep_at(120, 125, 130, 175, 180, 185, 250, 300)
    assert len(await acme.told("asset-observed")) == 8
    [raised] = await acme.told("condition-")
    assert raised.data["title"] == "7 of 8 agents of the client went silent at once"
    assert (raised.data["severity"], raised.data["clientId"], raised.data["agentId"]) == (
        "critical",
        site.client_id,
        None,
    )
    assert "host-1, host-2" in raised.data["description"]
    # Back, but for one: that one is told by itself.
    await site.hear(*agents[1:], seconds=400)
    await site.sweep_at(401, 402)
    assert await site.conditions() == [raised.data["title"], f"-{site.client_id}", "host-0 is offline"]
    assert await acme.count("mass_silences") == 0
    await site.hear(agents[0], seconds=410)
    assert (await site.conditions())[-1] == "-offline"


async def test_of_two_sites_one_goes_silent(site: Site, acme: Workspace) -> None:
    await site.enroll(6)
    another = Site(acme, site.sweep)
    another.client_id = site.client_id
    await another.hear(*await another.enroll(10), seconds=3000)
    await site.sweep_at(120, 180, 200)
    [raised] = await acme.told("condition-")
    assert raised.data["title"] == "6 of 6 agents of the site went silent at once"
    labels = {each["name"]: each["value"] for each in raised.data["labels"]}
    assert labels == {
        "scope": "site",
        "client": site.client_id,
        "site": site.site_id,
        "silent": "6",
        "agents": "6",
    }


# They are heard of again, all but each so many-th.
BACK = """
WITH back AS (
    UPDATE agents SET connectivity = 'online', silent_at = $2
    WHERE workspace_id = $1 AND ($3 = 0 OR number % $3 <> 0) RETURNING id
)
DELETE FROM silences WHERE workspace_id = $1 AND agent_id IN (SELECT id FROM back)
"""


async def test_the_whole_workspace_goes_silent_and_comes_back(site: Site, acme: Workspace) -> None:
    """More agents than one unit of work takes."""
    await acme.fill(1200, client_id=site.client_id, silent_at=at(120))
    await site.sweep_at(120)
    assert len(await acme.told("asset-observed")) == 1200
    await site.sweep_at(180, 190)
    assert await site.conditions() == ["1200 of 1200 agents of the workspace went silent at once"]
    # One in four is left.
    await acme.admin.execute(BACK, acme.id, at(100_000), 4)
    await site.sweep_at(200)
    assert len(await site.conditions()) == 1
    await acme.admin.execute(BACK, acme.id, at(100_000), 0)
    await site.sweep_at(210)
    assert (await site.conditions())[1:] == ["-workspace"]


async def test_when_it_is_over_those_that_are_left_are_told_however_many(site: Site, acme: Workspace) -> None:
    await acme.fill(3600, client_id=site.client_id, silent_at=at(120))
    await site.sweep_at(120, 180)
    await acme.admin.execute(BACK, acme.id, at(100_000), 6)
    await site.sweep_at(190)
    said = await site.conditions()
    assert said[:2] == ["3600 of 3600 agents of the workspace went silent at once", "-workspace"]
    assert set(said[2:]) == {"many is offline"}
    assert len(said) == 602
    assert len({each.key for each in await acme.told("raised")}) == 601
    await site.sweep_at(195)
    assert len(await site.conditions()) == 602


async def test_laptops_that_are_shut_down_in_the_evening_are_no_outage(site: Site, acme: Workspace) -> None:
    server = await site.enroll(1, "server")
    for laptop in await site.enroll(9, "laptop"):
        await set_policy(acme, scope=EdgePolicy.AGENT, scope_id=laptop.id, offline_alerts=False)
    await site.hear(*server, seconds=1)
    await site.sweep_at(121, 190, 300)
    assert await site.conditions() == ["server-0 is offline"]


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


async def test_each_workspace_is_swept_by_itself(site: Site, acme: Workspace, other: Workspace) -> None:
    """Five of six in one workspace, none in the other: neither is told of what the other has."""
    elsewhere = Site(other, site.sweep)
    elsewhere.client_id, elsewhere.site_id = site.client_id, site.site_id
    await site.enroll(6)
    others = await elsewhere.enroll(6)
    await elsewhere.hear(*others, seconds=3000)
    await site.sweep_at(120, 180)
    assert await site.conditions() == ["6 of 6 agents of the workspace went silent at once"]
    assert await other.told() == []
    assert await other.count("silences") == await other.count("mass_silences") == 0
    async with other.work() as work:
        stranger = replace(next(iter(site.agents.values())), connectivity="offline")
        await heard(work, stranger)
        assert await work.fetchval("SELECT count(*) FROM silences") == 0
    assert await acme.count("silences") == 6


@pytest.mark.parametrize("scope", [(None, None), ("c", None), ("c", "s")])
def test_whatever_the_names_what_is_told_keeps_to_its_limits(scope: tuple[str | None, str | None]) -> None:
    ids = {"c": str(uuid.uuid4()), "s": str(uuid.uuid4()), None: None}
    where: Scope = (ids[scope[0]], ids[scope[1]])
    agent = Agent(str(uuid.uuid4()), "h" * 253, str(uuid.uuid4()), None, NOW, True)
    mass = Mass(Span(NOW, NOW), [agent] * 10_000, 10_000)
    for message in (silence_raised(agent, NOW), mass_raised(where, mass, NOW)):
        validation.check(message)
