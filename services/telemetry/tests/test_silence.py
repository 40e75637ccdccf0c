"""What is told of agents that are silent, of whom, and when: the sweep on a database."""

import uuid
from dataclasses import replace

import pytest

from kit import validation
from opsfield.telemetry.v1.edge_policies_pb2 import EdgePolicy
from services.telemetry.detection.silence import heard
from services.telemetry.detection.silence_rules import Agent, Mass, Scope, Span
from services.telemetry.detection.silence_signals import mass_raised, silence_raised
from services.telemetry.tests.fleet import NOW, Workspace
from services.telemetry.tests.silent_site import Site, at, set_policy


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
        "replacesAgentIds": [],
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
