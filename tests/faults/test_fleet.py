"""A fleet goes on sending while what it sends to is killed: every event that was acknowledged is stored, once."""

import asyncio
import os
import threading
import time

import pytest

from bench.fleet import Fleet
from tests.agents import Agent, metric, new_enrollment_token
from tests.agents import Fleet as Http
from tests.databases import count
from tests.platform import Api, Platform, eventually, new_key

# A long run is one with AGENTS=1000 SECONDS=600.
AGENTS = int(os.environ.get("AGENTS", "40"))
SECONDS = float(os.environ.get("SECONDS", "20"))
# Together they send so many batches a second.
BATCHES = 80
# Points that nothing but a batch passes: the sweep for silence commits units of work of its own.
CRASH_POINTS = ("before-key", "after-key", "after-copy", "before-answer")


def stored(platform: Platform, workspace: str) -> int:
    """How many events of the workspace lie in the database."""
    return count(platform, "telemetry", "SELECT count(*) FROM events WHERE workspace_id = $1", workspace)


def test_whatever_is_killed_the_counts_add_up(platform: Platform, api: Api) -> None:
    fleet = Fleet(platform.stack.base_url, new_enrollment_token(api), AGENTS, connections=4)
    asyncio.run(fleet.enroll())
    sending = threading.Thread(target=lambda: asyncio.run(fleet.run(interval=AGENTS / BATCHES, seconds=SECONDS)))
    sending.start()
    for victim in ("telemetry", "kafka", "postgres", "gateway", "telemetry"):
        time.sleep(SECONDS / 10)
        platform.kill(victim)
        platform.start(victim)
    sending.join(SECONDS + 120)
    assert not sending.is_alive()
    assert fleet.figures.retries, "nothing was in the way of anything"
    assert fleet.figures.batches > AGENTS
    assert stored(platform, api.workspace) == fleet.figures.events
    totals = [
        each
        for offset in range(0, AGENTS, 200)
        for each in api.get("/edge-agent/ingest-status", params={"limit": 200, "offset": offset}).json()["data"]
    ]
    assert sum(each["eventsAccepted"] for each in totals) == fleet.figures.events
    assert sum(each["batches"] for each in totals) == fleet.figures.batches
    assert api.get("/events/ingest-batches").json()["page"]["total"] == fleet.figures.batches


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_crash_at_any_point_of_a_batch(platform: Platform, api: Api, point: str) -> None:
    with Http(platform) as http:
        agent = Agent(http, new_enrollment_token(api))
        agent.accepted(metric())
        key, events = new_key(), [metric("disk.used_percent", 95, instance="/"), metric()]
        platform.restart("telemetry", {"CRASH_AT": point})
        try:
            eventually(lambda: agent.send(*events, key=key).status_code == 503, seconds=5)
            assert platform.wait("telemetry") != 0
        finally:
            platform.start("telemetry")
        answer = eventually(lambda: (tried := agent.send(*events, key=key)).status_code == 200 and tried)
        assert answer
        assert answer.json()["accepted"] == 2
        again = agent.send(*events, key=key)
        assert again.json() == answer.json()
    assert stored(platform, api.workspace) == 3
    [alert] = eventually(lambda: api.get("/alerts").json()["data"])
    assert alert["occurrenceCount"] == 1
