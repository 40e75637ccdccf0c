"""Agents that fall silent: their assets are offline, and what matters of that wakes someone once."""

from typing import Any

from tests.agents import Agent, Fleet, heartbeat, inventory, new_enrollment_token
from tests.platform import Api, eventually

PROMPT = {"scope": "workspace", "sendSeconds": 5, "offlineAfterSeconds": 10, "offlineAlertSeconds": 2}


def alerts(api: Api, status: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/alerts", params={"status": status, "limit": 200}).json()["data"]
    return found


def statuses(api: Api) -> list[str]:
    return sorted(each["status"] for each in api.get("/assets", params={"limit": 200}).json()["data"])


def test_a_silent_agent_is_one_alert_until_it_is_heard_again(api: Api, fleet: Fleet) -> None:
    api.post("/edge-policies", json=PROMPT)
    agent = Agent(fleet, new_enrollment_token(api))
    agent.accepted(inventory(agent.hostname))
    eventually(lambda: statuses(api) == ["online"])
    eventually(lambda: statuses(api) == ["offline"], seconds=40)
    [alert] = eventually(lambda: alerts(api, "firing"), seconds=30)
    assert agent.hostname in alert["title"]
    assert api.get("/dashboard/summary").json()["fleet"]["offline"] == 1
    agent.accepted(heartbeat())
    eventually(lambda: statuses(api) == ["online"])
    [resolved] = eventually(lambda: alerts(api, "resolved"))
    assert (resolved["id"], alerts(api, "firing")) == (alert["id"], [])


def test_a_whole_site_that_falls_silent_is_one_alert(api: Api, fleet: Fleet) -> None:
    api.post("/edge-policies", json=PROMPT)
    token = new_enrollment_token(api)
    agents = [Agent(fleet, token) for _ in range(8)]
    for agent in agents:
        agent.accepted(inventory(agent.hostname))
    eventually(lambda: statuses(api) == ["offline"] * len(agents), seconds=60)
    [alert] = eventually(lambda: alerts(api, "firing"), seconds=30)
    assert "8 of 8" in alert["title"]
    for agent in agents:
        agent.accepted(heartbeat())
    eventually(lambda: statuses(api) == ["online"] * len(agents))
    [resolved] = eventually(lambda: alerts(api, "resolved"), seconds=30)
    assert (resolved["id"], alerts(api, "firing")) == (alert["id"], [])
