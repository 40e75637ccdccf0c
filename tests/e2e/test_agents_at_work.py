"""Reasoners at work: events start them, they propose, somebody or the policy decides, and it can all be proved."""

import json
import time
from typing import Any

import httpx

from services.workflow.audit.verify import verify_trail
from tests.platform import Api, Platform, assert_problem, eventually, new_key

OUTAGE = {
    "subject": "URGENT: mail server down, nobody in the whole company can work",
    "description": "The entire office has no e-mail since this morning. All of us cannot work, this is an emergency.",
    "priority": "low",
}


def executions(api: Api, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/workflow-executions", params=query).json()["data"]
    return found


def on_tickets(api: Api) -> None:
    """Let each new ticket be classified."""
    trigger = {
        "name": "classify new tickets",
        "topic": "ticket.created",
        "reasoner": "triage.classify",
        "input": [{"field": "ticketId", "path": "ticket.id"}],
    }
    answer = api.post("/triggers", json=trigger)
    assert answer.status_code == 201, answer.text


def artifact(api: Api, ref: str) -> dict[str, Any]:
    answer = api.get(f"/artifacts/{ref}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def exported(api: Api, least: int) -> tuple[str, str, list[dict[str, Any]]]:
    """The audit trail as in docs/howto/verify-an-audit-trail.md, once it has so many credentials; and its issuer."""

    def whole() -> tuple[str, str, list[dict[str, Any]]] | None:
        checkpoint = api.get("/audit-credentials/checkpoint").json()
        if checkpoint.get("size", 0) < least:
            return None
        query = {"sortBy": "position", "sortOrder": "asc", "limit": 200}
        found = api.get("/audit-credentials", params=query).json()["data"][: checkpoint["size"]]
        text = json.dumps({"credentials": [each["jwt"] for each in found], "checkpoint": checkpoint["note"]})
        return text, checkpoint["issuer"], found

    return eventually(whole)  # type: ignore[return-value]


def test_a_ticket_is_triaged_approved_and_proved(platform: Platform, api: Api) -> None:
    on_tickets(api)
    ticket = api.new_ticket(**OUTAGE)
    [execution] = eventually(lambda: executions(api, status="approval_required"), seconds=40)
    assert (execution["agent"], execution["reasoner"], execution["causationDepth"]) == ("triage", "classify", 0)
    assert execution["createdBy"] == "trigger:classify new tickets"
    assert artifact(api, execution["inputRef"]) == {"ticketId": ticket["id"]}
    assert artifact(api, execution["outputRef"])["priority"]
    evidence = artifact(api, execution["evidenceRef"])
    assert ticket["id"] in json.dumps(evidence)
    # Nothing has been done yet.
    assert api.get(f"/tickets/{ticket['id']}").json()["priority"] == "low"
    assert api.get("/dashboard/summary").json()["executions"]["decisionsWaiting"] == 1

    path = f"/workflow-executions/{execution['id']}/decision"
    stale = {"verdict": "approved", "proposalsDigest": "0" * 64}
    assert_problem(api.post(path, json=stale), 409, "proposals-changed")
    with platform.api(("automation_operator",), workspace=api.workspace) as operator:
        assert_problem(operator.post(path, json=stale), 403, "role-missing")
    decision = {"verdict": "approved", "proposalsDigest": execution["proposalsDigest"], "reason": "Looks right."}
    assert api.post(path, json=decision).status_code == 200
    [done] = eventually(lambda: executions(api, status="succeeded"))
    assert {each["state"] for each in done["proposals"]} == {"applied"}
    assert (done["decision"]["verdict"], done["decision"]["decidedBy"]) == ("approved", "dev-ops_engineer")
    after = api.get(f"/tickets/{ticket['id']}").json()
    assert after["priority"] in ("high", "critical")
    comments = api.get(f"/tickets/{ticket['id']}/comments").json()["data"]
    assert any(execution["id"] in each["body"] and each["visibility"] == "internal" for each in comments)
    assert_problem(api.post(path, json=decision), 409, "illegal-transition")

    text, issuer, found = exported(api, 2)
    assert verify_trail(text, [issuer]).workspace_id == api.workspace
    assert {each["kind"] for each in found if each["subjectId"] == execution["id"]} == {"execution", "decision"}


def test_a_policy_applies_at_once_and_a_rejection_does_nothing(platform: Platform, api: Api) -> None:
    on_tickets(api)
    rejected = api.new_ticket(**OUTAGE)
    [held] = eventually(lambda: executions(api, status="approval_required"), seconds=40)
    body = {"verdict": "rejected", "proposalsDigest": held["proposalsDigest"]}
    answer = api.post(f"/workflow-executions/{held['id']}/decision", json=body)
    assert (answer.json()["status"], answer.json()["failureCode"]) == ("failed", "proposal_rejected")
    assert api.get(f"/tickets/{rejected['id']}").json() == rejected

    with platform.api(("data_admin",), workspace=api.workspace) as admin:
        settings = admin.get("/workspace/settings").json()["settings"]
        settings["automation"]["applyAtOnce"] = ["triage.*"]
        assert admin.put("/workspace/settings", json=settings).status_code == 200
    # As long as a service may go by the settings before.
    time.sleep(2.5)
    ticket = api.new_ticket(**OUTAGE)
    [done] = eventually(lambda: executions(api, status="succeeded"), seconds=40)
    assert done["decision"]["decidedBy"] == "policy"
    assert api.get(f"/tickets/{ticket['id']}").json()["priority"] in ("high", "critical")


def test_alerts_that_are_one_incident_become_one(api: Api) -> None:
    client = api.new_client()
    site = api.post("/sites", json={"clientId": client["id"], "name": "Main"}).json()
    for number in range(4):
        asset = {"clientId": client["id"], "siteId": site["id"], "name": f"srv-{number}", "type": "server"}
        asset_id = api.post("/assets", json=asset).json()["id"]
        alert = {"source": "uptime", "rule": "ping", "title": f"srv-{number} does not answer", "assetId": asset_id}
        assert api.post("/alerts", json={**alert, "severity": "critical"}).status_code == 201
    answer = api.post("/execute/triage.correlate", json={"input": {}}, headers={"prefer": "wait=20"})
    assert answer.status_code == 202, answer.text
    held = eventually(lambda: executions(api, status="approval_required"))[0]
    assert [each["action"] for each in held["proposals"]] == ["create_incident"]
    decision = {"verdict": "approved", "proposalsDigest": held["proposalsDigest"]}
    api.post(f"/workflow-executions/{held['id']}/decision", json=decision)
    [incident] = eventually(lambda: api.get("/incidents").json()["data"])
    assert len(incident["alertIds"]) == 4


def test_what_cannot_be_executed_is_refused(api: Api) -> None:
    assert_problem(api.post("/execute/triage.nothing", json={}), 404, "reasoner-unknown")
    problem = assert_problem(api.post("/execute/triage.classify", json={"input": {}}), 422, "validation-failed")
    assert problem["errors"][0]["path"] == "input.ticketId"
    unknown = {"input": {"ticketId": "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"}}
    answer = api.post("/execute/triage.classify", json=unknown, headers={"prefer": "wait=20"}).json()
    assert (answer["status"], answer["failureCode"], answer["isFinal"]) == ("failed", "data_unavailable", True)
    retried = api.post(f"/workflow-executions/{answer['id']}/retry", json={})
    assert (retried.status_code, retried.json()["retryCount"]) == (200, 1)
    eventually(lambda: api.get(f"/workflow-executions/{answer['id']}").json()["status"] == "failed")


def test_the_same_key_is_one_execution(api: Api) -> None:
    key = new_key()
    first = api.post("/execute/smoke.echo", json={"input": {"n": 1}}, key=key)
    again = api.post("/execute/smoke.echo", json={"input": {"n": 1}}, key=key, headers={"prefer": "wait=20"})
    assert first.json()["id"] == again.json()["id"]
    assert again.json()["status"] == "succeeded"
    assert api.get("/workflow-executions").json()["page"]["total"] == 1


def test_the_runtime_tells_how_it_is(platform: Platform, api: Api) -> None:
    smoke = api.post("/agent-runtime/smoke", json={}).json()
    assert [each["name"] for each in smoke["hops"]] == ["asked", "queued", "started", "finished", "completed"]
    assert api.get("/agent-runtime/health").json()["status"] == "ok"
    [queue] = api.get("/agent-runtime/queues").json()["data"]
    assert (queue["id"], queue["waiting"]) == ("smoke.echo", 0)
    agents = {each["id"] for each in api.get("/agent-runtime/agents").json()["data"]}
    assert {"smoke", "triage", "sla", "billing", "assets"} <= agents
    failures = api.get("/agent-runtime/failures").json()
    assert (failures["data"], failures["unavailable"]) == ([], [])
    engine = httpx.get(f"{platform.stack.base_url}/.well-known/engine-status").json()
    assert (engine["engine"], engine["reachable"]) == ("builtin", True)


def test_a_workspace_sees_its_own_executions_alone(platform: Platform, api: Api) -> None:
    own = api.post("/execute/smoke.echo", json={"input": {"secret": "own"}}, headers={"prefer": "wait=20"}).json()
    with platform.api() as other:
        assert other.get("/workflow-executions").json()["page"]["total"] == 0
        for answer in (
            other.get(f"/workflow-executions/{own['id']}"),
            other.get(f"/artifacts/{own['inputRef']}"),
            other.post(f"/workflow-executions/{own['id']}/cancel", json={}),
            other.post(f"/workflow-executions/{own['id']}/retry", json={}),
        ):
            assert_problem(answer, 404, "not-found")
