"""Agents that were written with AgentField's SDK, unmodified, at work for the platform: registered, run, killed."""

import json
import re
from pathlib import Path

import pytest

from tests.platform import Api, Platform, assert_problem, eventually
from tests.remote_agents import (
    SECONDS,
    agent,
    as_agent,
    ended,
    execute,
    howto_program,
    listed,
    new_agent_key,
    output,
    wait_until_reachable,
)


def test_an_agent_registers_and_is_run(platform: Platform, api: Api, tmp_path: Path) -> None:
    with agent(api, platform.stack.base_url, tmp_path) as process:
        found = listed(api, "inventory")
        assert found is not None
        assert (found["engine"], found["version"]) == ("remote", "1.2.0")
        assert {each["name"] for each in found["reasoners"]} >= {"count", "listing", "slow", "double"}
        health = api.get("/agent-runtime/health").json()
        assert (health["remoteAgents"], health["reachableRemoteAgents"]) == (1, 1)

        counted = ended(api, execute(api, "inventory.count", {"items": ["a", "b"]}))
        assert output(api, counted) == {"count": 2}
        evidence = api.get(f"/artifacts/{counted['evidenceRef']}").json()
        assert evidence["node"]["name"] == "inventory"
        listing = ended(api, execute(api, "inventory.listing", {"items": ["b", "a"]}))
        assert output(api, listing) == {"value": ["a", "b"]}
        doubled = ended(api, execute(api, "inventory.double", {"number": 21}))
        assert output(api, doubled) == {"double": 42}
        failed = ended(api, execute(api, "inventory.fail", {"why": "the printer is on fire"}), "failed")
        assert (failed["failureCode"], failed["failureDetail"]) == ("reasoner_error", "the printer is on fire")

        wrong = api.post("/execute/inventory.count", json={"input": {"items": "a"}})
        assert_problem(wrong, 422, "validation-failed")
        assert_problem(api.post("/execute/inventory.nobody", json={}), 404, "reasoner-unknown")
        with platform.api() as other:
            assert listed(other, "inventory") is None
            assert_problem(other.post("/execute/inventory.count", json={}), 404, "reasoner-unknown")

        # It leaves in order.
        process.stop()
        gone = wait_until_reachable(api, process, is_reachable=False)
        assert {each["name"] for each in gone["reasoners"]} >= {"count", "double"}
        assert "Traceback" not in process.log()


def test_what_an_agent_proposes_is_done_when_it_is_approved(platform: Platform, api: Api, tmp_path: Path) -> None:
    ticket = api.new_ticket()["id"]
    with agent(api, platform.stack.base_url, tmp_path):
        held = ended(api, execute(api, "inventory.propose", {"ticket": ticket}), "approval_required")
        (proposal,) = held["proposals"]
        assert (proposal["action"], proposal["state"]) == ("comment_ticket", "proposed")
        assert api.get(f"/tickets/{ticket}/comments").json()["data"] == []
        decision = {"verdict": "approved", "proposalsDigest": held["proposalsDigest"]}
        assert api.post(f"/workflow-executions/{held['id']}/decision", json=decision).status_code == 200
        done = ended(api, held["id"])
        assert output(api, done) == {"ticket": ticket}
        (comment,) = api.get(f"/tickets/{ticket}/comments").json()["data"]
        assert "Seen." in comment["body"]


def test_an_agent_that_is_killed_and_started_again_finishes_what_it_ran(
    platform: Platform, api: Api, tmp_path: Path
) -> None:
    with agent(api, platform.stack.base_url, tmp_path) as process:
        execution = execute(api, "inventory.slow", {"what": "it"})
        eventually(lambda: process.marks("it") == 1, seconds=SECONDS)
        process.kill()
        process.start()
        eventually(lambda: process.marks("it") >= 2, seconds=SECONDS)
        (tmp_path / "go").touch()
        done = ended(api, execution)
        assert output(api, done) == {"done": "it"}


def test_an_agent_that_is_stopped_in_order_hands_on_what_it_ran(platform: Platform, api: Api, tmp_path: Path) -> None:
    with agent(api, platform.stack.base_url, tmp_path) as process:
        execution = execute(api, "inventory.slow", {"what": "it"})
        eventually(lambda: process.marks("it") == 1, seconds=SECONDS)
        process.stop()
        process.start()
        eventually(lambda: process.marks("it") >= 2, seconds=SECONDS)
        (tmp_path / "go").touch()
        assert output(api, ended(api, execution)) == {"done": "it"}


def test_an_agent_that_is_killed_and_stays_away_fails_what_it_ran(platform: Platform, api: Api, tmp_path: Path) -> None:
    with agent(api, platform.stack.base_url, tmp_path) as process:
        execution = execute(api, "inventory.slow", {"what": "it"}, deadlineSeconds=30)
        eventually(lambda: process.marks("it") == 1, seconds=SECONDS)
        process.kill()
        lost = ended(api, execution, "failed")
        assert lost["failureCode"] == "engine_unreachable"
        assert "The agent inventory has not been heard of" in lost["failureDetail"]
        found = listed(api, "inventory")
        assert found is not None
        assert not found["reachable"]


def test_a_run_goes_on_when_the_runtime_is_killed(platform: Platform, api: Api, tmp_path: Path) -> None:
    """What an agent runs is told to whoever is there by then; it is not run twice."""
    with agent(api, platform.stack.base_url, tmp_path) as process:
        execution = execute(api, "inventory.slow", {"what": "it"})
        eventually(lambda: process.marks("it") == 1, seconds=SECONDS)
        platform.kill("agent-runtime")
        platform.start("agent-runtime")
        wait_until_reachable(api, process)
        (tmp_path / "go").touch()
        assert output(api, ended(api, execution)) == {"done": "it"}
        assert process.marks("it") == 1


def test_a_run_that_is_cancelled_is_stopped_at_the_agent(platform: Platform, api: Api, tmp_path: Path) -> None:
    with agent(api, platform.stack.base_url, tmp_path) as process:
        execution = execute(api, "inventory.slow", {"what": "it"})
        eventually(lambda: process.marks("it") == 1, seconds=SECONDS)
        assert api.post(f"/workflow-executions/{execution}/cancel", json={}).status_code == 200
        ended(api, execution, "cancelled")
        eventually(lambda: process.marks("it-cancelled") == 1, seconds=SECONDS)


def test_the_agent_of_the_documentation_works(platform: Platform, api: Api, tmp_path: Path) -> None:
    with agent(api, platform.stack.base_url, tmp_path, program=howto_program(tmp_path)):
        summed = ended(api, execute(api, "inventory.summarize", {"assets": [{"kind": "server"}, {"kind": "laptop"}]}))
        assert output(api, summed)["count"] == 2


REGISTRATION = {"id": "inventory", "base_url": "http://127.0.0.1:9", "reasoners": [{"id": "count"}]}


def test_a_key_opens_nothing_but_the_nodes_of_its_workspace(platform: Platform, api: Api) -> None:
    server = platform.stack.base_url
    made = new_agent_key(api)
    key = made["key"]
    assert key.startswith(f"{api.workspace}.agent_")
    wrong = [None, "", "nonsense", f"{api.workspace}.agent_forged", f"someone-else.{key.partition('.')[2]}", "x" * 300]
    for each in wrong:
        with as_agent(server, each) as client:
            answer = client.post("/nodes/register", json=REGISTRATION)
            assert answer.status_code == 401, (each, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            assert client.post("/executions/x/status", json={"status": "succeeded"}).status_code == 401
    with as_agent(server, key) as client:
        assert client.post("/nodes", json=REGISTRATION).status_code == 201
        assert client.post("/nodes/inventory/heartbeat", json={}).status_code == 200
        assert client.get("/tickets", headers={"x-workspace-id": api.workspace}).status_code == 401
        bearer = {"authorization": f"Bearer {key}", "x-workspace-id": api.workspace}
        assert client.get("/agent-runtime/agents", headers=bearer).status_code == 401
        assert client.get("/agent-runtime/agent-keys", headers=bearer).status_code == 401
    revoked = api.post(f"/agent-runtime/agent-keys/{made['agentKey']['id']}/revoke", json={"reason": "a test"})
    assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    with as_agent(server, key) as client:
        assert_problem(client.post("/nodes/inventory/heartbeat", json={}), 401, "agent-key-refused")
    found = listed(api, "inventory")
    assert found is not None
    assert not found["reachable"]
    logs = [path.read_text(errors="replace") for path in platform.stack.layout.logs.glob("*.log")]
    assert any("/api/v1/nodes" in each for each in logs)
    assert not any(key.partition("agent_")[2] in each for each in logs)


def test_a_key_is_shown_once_and_to_a_retry(platform: Platform, api: Api) -> None:
    first = api.post("/agent-runtime/agent-keys", json={"name": "one"}, key="a-key-of-its-own")
    again = api.post("/agent-runtime/agent-keys", json={"name": "one"}, key="a-key-of-its-own")
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    page = api.get("/agent-runtime/agent-keys").json()
    assert [each["name"] for each in page["data"]] == ["one"]
    assert first.json()["key"].partition("agent_")[2] not in json.dumps(page)
    for role in ("viewer", "automation_operator", "data_admin"):
        with platform.api((role,), workspace=api.workspace) as other:
            assert_problem(other.post("/agent-runtime/agent-keys", json={"name": "x"}), 403, "role-missing")
            assert_problem(other.get("/agent-runtime/agent-keys"), 403, "role-missing")


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"id": "triage"}, 409),
        ({"id": "in.ventory"}, 422),
        ({"id": "../x"}, 422),
        ({"reasoners": [{"id": "a.b"}]}, 422),
        ({"base_url": "ftp://127.0.0.1/"}, 422),
        ({"base_url": "http://user:secret@127.0.0.1/"}, 422),
        ({"base_url": "http://169.254.169.254/latest/meta-data"}, 422),
        ({"base_url": 7}, 422),
        ({"unknown": {"deep": [1, 2, None]}}, 201),
    ],
)
def test_what_a_registration_may_hold(platform: Platform, api: Api, changed: dict[str, object], status: int) -> None:
    with as_agent(platform.stack.base_url, new_agent_key(api)["key"]) as client:
        answer = client.post("/nodes/register", json={**REGISTRATION, **changed})
        assert answer.status_code == status, answer.text
        if status != 201:
            assert re.fullmatch(r"application/problem\+json", answer.headers["content-type"])
        broken = client.post("/nodes/register", content=b"{", headers={"content-type": "application/json"})
        assert_problem(broken, 400, "body-not-json")
