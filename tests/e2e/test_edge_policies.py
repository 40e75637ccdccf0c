"""What agents are to do, by scope, and what follows from it."""

from typing import Any

import pytest

from tests.agents import Agent, Fleet, check, metric, new_enrollment_token
from tests.platform import Api, Platform, assert_problem, eventually

QUEUE = {"name": "queue", "metric": "app.queue", "operator": "above", "raiseAt": 10, "severity": "critical"}


@pytest.fixture
def client(api: Api) -> dict[str, Any]:
    return api.new_client()


@pytest.fixture
def agent(fleet: Fleet, api: Api, client: dict[str, Any]) -> Agent:
    return Agent(fleet, new_enrollment_token(api, client["id"]))


def created(api: Api, **policy: Any) -> dict[str, Any]:
    answer = api.post("/edge-policies", json=policy)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_unchanged_policy_is_not_sent_again(api: Api, agent: Agent) -> None:
    first = agent.get("/edge-agent/policy")
    assert first.json()["sendSeconds"] == 30
    tag = {"if-none-match": first.headers["etag"]}
    assert agent.get("/edge-agent/policy", headers=tag).status_code == 304
    created(api, scope="workspace", sendSeconds=60)
    changed = agent.get("/edge-agent/policy", headers=tag)
    assert (changed.status_code, changed.json()["sendSeconds"]) == (200, 60)
    # With each batch the agent learns which policy holds.
    assert agent.accepted(metric())["policyVersion"] == changed.json()["version"]


def test_the_nearest_scope_says_what_holds(api: Api, fleet: Fleet, client: dict[str, Any], agent: Agent) -> None:
    site = api.post("/sites", json={"clientId": client["id"], "name": "Main"}).json()
    there = Agent(fleet, new_enrollment_token(api, client["id"], siteId=site["id"]))
    created(api, scope="workspace", sendSeconds=60, metricsSeconds=60, inventorySeconds=600, thresholds=[QUEUE])
    created(api, scope="client", scopeId=client["id"], metricsSeconds=50)
    created(api, scope="site", scopeId=site["id"], metricsSeconds=40, thresholds=[{**QUEUE, "raiseAt": 20}])
    own = created(api, scope="agent", scopeId=there.id, metricsSeconds=35, thresholds=[{**QUEUE, "disabled": True}])

    def effective(of: Agent) -> tuple[int, int, int, list[float]]:
        policy = of.get("/edge-agent/policy").json()
        queue = [each["raiseAt"] for each in policy["thresholds"] if each["name"] == "queue"]
        return policy["sendSeconds"], policy["metricsSeconds"], policy["inventorySeconds"], queue

    assert effective(agent) == (60, 50, 600, [10])
    assert effective(there) == (60, 35, 600, [])
    assert api.delete(f"/edge-policies/{own['id']}").status_code == 204
    assert effective(there) == (60, 40, 600, [20])
    workspace = api.get("/edge-agent/policy").json()
    assert (workspace["sendSeconds"], workspace["metricsSeconds"]) == (60, 60)
    assert api.get("/edge-agent/policy", params={"agentId": there.id}).json()["metricsSeconds"] == 40


def test_policies_that_cannot_be_are_refused(api: Api, agent: Agent) -> None:
    created(api, scope="workspace")
    assert_problem(api.post("/edge-policies", json={"scope": "workspace"}), 409, "already-exists")
    for policy, path in (
        ({}, "scope"),
        ({"scope": "client"}, "scopeId"),
        ({"scope": "agent", "scopeId": agent.id, "sendSeconds": 1}, "sendSeconds"),
        ({"scope": "agent", "scopeId": agent.id, "thresholds": [QUEUE, QUEUE]}, "thresholds[1].name"),
        ({"scope": "agent", "scopeId": agent.id, "thresholds": [{**QUEUE, "clearAt": 11}]}, "thresholds[0].clearAt"),
    ):
        problem = assert_problem(api.post("/edge-policies", json=policy), 422, "validation-failed")
        assert path in [each["path"] for each in problem["errors"]]


def test_a_change_of_policy_is_right_at_once(api: Api, agent: Agent) -> None:
    policy = created(api, scope="workspace", thresholds=[QUEUE])
    agent.accepted(metric("app.queue", 11))
    [alert] = eventually(lambda: api.get("/alerts", params={"status": "firing"}).json()["data"])
    assert (alert["severity"], alert["rule"]) == ("critical", "queue")
    api.patch(f"/edge-policies/{policy['id']}", json={"thresholds": []})
    agent.accepted(metric("app.queue", 12))
    eventually(lambda: api.get("/alerts", params={"status": "resolved"}).json()["data"])
    agent.accepted(metric("app.queue", 13))
    assert api.get("/edge-agent/agents").json()["data"][0]["conditions"] == 0


def test_a_check_that_fails_often_enough_is_an_alert(api: Api, agent: Agent) -> None:
    web = {"name": "web", "type": "tcp", "target": "127.0.0.1:443", "failuresBeforeAlert": 3}
    created(api, scope="agent", scopeId=agent.id, checks=[web])
    for status in ("critical", "critical", "ok", "critical", "critical"):
        agent.accepted(check("web", status))
    assert api.get("/edge-agent/agents").json()["data"][0]["conditions"] == 0
    agent.accepted(check("web", "critical"))
    [alert] = eventually(lambda: api.get("/alerts", params={"status": "firing"}).json()["data"])
    assert "web" in alert["title"]
    agent.accepted(check("web", "ok"))
    assert eventually(lambda: api.get("/alerts", params={"status": "resolved"}).json()["data"])


def test_policies_are_each_workspaces_own(platform: Platform, api: Api, agent: Agent) -> None:
    policy = created(api, scope="workspace", sendSeconds=60)
    with platform.api() as elsewhere:
        assert elsewhere.get("/edge-policies").json()["page"]["total"] == 0
        assert_problem(elsewhere.get(f"/edge-policies/{policy['id']}"), 404, "not-found")
        assert elsewhere.get("/edge-agent/policy").json()["sendSeconds"] == 30
        assert_problem(elsewhere.get("/edge-agent/policy", params={"agentId": agent.id}), 422, "validation-failed")
