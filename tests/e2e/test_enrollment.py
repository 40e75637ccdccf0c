"""How agents come to belong to a workspace, prove who they are, and are shut out again."""

import pytest

from tests.agents import Agent, Fleet, heartbeat, new_enrollment_token, new_serial
from tests.databases import count, rows
from tests.platform import Api, Platform, assert_problem, eventually, new_key


@pytest.fixture
def token(api: Api) -> str:
    return new_enrollment_token(api)


@pytest.fixture
def agent(fleet: Fleet, token: str) -> Agent:
    agent = Agent(fleet, token)
    assert agent.enrolled.status_code == 201
    return agent


def test_client_and_site_come_from_the_token(fleet: Fleet, api: Api) -> None:
    client = api.new_client()
    site = api.post("/sites", json={"clientId": client["id"], "name": "Main"}).json()
    agent = Agent(fleet, new_enrollment_token(api, client["id"], siteId=site["id"]))
    enrolled = agent.enrolled.json()
    assert (enrolled["workspaceId"], enrolled["clientId"], enrolled["siteId"]) == (
        api.workspace,
        client["id"],
        site["id"],
    )
    other = api.new_client()["id"]
    refused = Agent(fleet, new_enrollment_token(api, client["id"]), clientId=other).enrolled
    assert assert_problem(refused, 422, "validation-failed")["errors"][0]["path"] == "clientId"
    [asset] = eventually(lambda: api.get("/assets", params={"agentId": agent.id}).json()["data"])
    assert (asset["hostname"], asset["clientId"], asset["siteId"], asset["status"]) == (
        agent.hostname,
        client["id"],
        site["id"],
        "unknown",
    )


def test_a_token_is_for_a_client_and_a_site_that_there_are(platform: Platform, api: Api) -> None:
    def rotate(**body: str) -> list[str]:
        answer = api.post("/edge-agent/enrollment/rotate", json=body)
        return [each["path"] for each in assert_problem(answer, 422, "validation-failed")["errors"]]

    client, other = api.new_client()["id"], api.new_client()["id"]
    site = api.post("/sites", json={"clientId": other, "name": "Main"}).json()["id"]
    with platform.api() as elsewhere:
        foreign = elsewhere.new_client()["id"]
    assert rotate(clientId=foreign) == ["clientId"]
    assert rotate(clientId=client, siteId=site) == ["siteId"]
    assert rotate() == ["clientId"]


def test_a_token_is_shown_once_and_known_by_its_hash(api: Api) -> None:
    client, key = api.new_client()["id"], new_key()
    first = api.post("/edge-agent/enrollment/rotate", json={"clientId": client}, key=key)
    again = api.post("/edge-agent/enrollment/rotate", json={"clientId": client}, key=key)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert first.json()["token"] not in api.get("/edge-agent/enrollment").text


def test_a_token_is_used_as_often_as_it_may_be(fleet: Fleet, api: Api) -> None:
    token = new_enrollment_token(api, mostUses=2)
    first = Agent(fleet, token)
    # The same agent again uses it up no further, with the same key or another one.
    for key in (new_key(), new_key()):
        for _ in range(2):
            assert first.enroll(token, key=key).json()["agentId"] == first.id
    assert Agent(fleet, token).enrolled.status_code == 201
    assert_problem(Agent(fleet, token).enrolled, 401, "token-refused")
    enrollment = api.get("/edge-agent/enrollment").json()
    assert enrollment["state"] == "closed"
    assert [(each["state"], each["uses"], each["mostUses"]) for each in enrollment["tokens"]] == [("exhausted", 2, 2)]
    assert enrollment["agents"]["active"] == 2


def test_rotation_ends_the_old_token_after_its_grace_time(fleet: Fleet, api: Api) -> None:
    client = api.new_client()["id"]
    old = new_enrollment_token(api, client)
    other = new_enrollment_token(api)
    newer = new_enrollment_token(api, client, graceMinutes=10)
    assert Agent(fleet, old).enrolled.status_code == 201
    newest = new_enrollment_token(api, client, graceMinutes=0)
    for refused in (old, newer):
        assert_problem(Agent(fleet, refused).enrolled, 401, "token-refused")
    for valid in (newest, other):
        assert Agent(fleet, valid).enrolled.status_code == 201
    enrollment = api.get("/edge-agent/enrollment").json()
    assert [each["state"] for each in enrollment["tokens"]] == ["active", "expired", "active", "expired"]
    assert enrollment["lastRotatedAt"] == enrollment["tokens"][0]["createdAt"]


def test_tokens_that_are_none_are_refused_alike(platform: Platform, fleet: Fleet, api: Api, token: str) -> None:
    with platform.api() as elsewhere:
        in_other_workspace = f"{elsewhere.workspace}.{token.partition('.')[2]}"
    for wrong in (token[:-1], token + "x", in_other_workspace, f"{api.workspace}.", "no-dot", "UPPER.x", "x" * 200):
        refused = Agent(fleet, wrong).enrolled
        assert refused.status_code == 401, refused.text
    for wrong in ("", "x" * 201):
        assert_problem(Agent(fleet, wrong).enrolled, 422, "validation-failed")


def test_an_enrollment_token_opens_nothing_else(token: str, agent: Agent) -> None:
    for path in ("/edge-agent/policy", "/edge-agent/ingest-status", "/tickets", "/edge-agent/agents"):
        headers = {"authorization": f"Bearer {token}", "x-workspace-id": agent.workspace}
        assert agent.http.get(f"/api/v1{path}", headers=headers).status_code == 401
    assert agent.ask_token(token).status_code == 401


def test_a_public_key_must_be_one(api: Api, token: str, agent: Agent) -> None:
    for wrong in ("!" * 43, "a" * 42, "é" * 43):
        answer = agent.enroll(token, publicKey=wrong)
        assert assert_problem(answer, 422, "validation-failed")["errors"][0]["path"] == "publicKey"


def test_a_machine_that_is_set_up_anew_takes_its_predecessors_place(fleet: Fleet, api: Api, token: str) -> None:
    hardware = new_serial()
    before = Agent(fleet, token, hardwareId=hardware)
    assert before.send(heartbeat()).status_code == 200
    after = Agent(fleet, token, hardwareId=hardware)
    assert after.id != before.id
    assert_problem(before.send(heartbeat()), 403, "agent-revoked")
    assert after.send(heartbeat()).status_code == 200
    # At another client it is another machine.
    elsewhere = Agent(fleet, new_enrollment_token(api), hardwareId=hardware)
    assert elsewhere.send(heartbeat()).status_code == 200
    assert after.send(heartbeat()).status_code == 200


def test_an_agents_token_is_good_for_its_few_routes_in_its_workspace(platform: Platform, agent: Agent) -> None:
    for path in ("/edge-agent/policy", "/edge-agent/ingest-status"):
        assert agent.get(path).status_code == 200
    for path in ("/tickets", "/assets", "/edge-agent/agents", "/edge-agent/enrollment", "/events/ingest-batches"):
        assert_problem(agent.get(path), 403, "role-missing")
    with platform.api() as elsewhere:
        foreign = {"x-workspace-id": elsewhere.workspace}
        assert_problem(agent.get("/edge-agent/policy", headers=foreign), 403, "workspace-not-allowed")


def test_only_the_agents_own_key_proves_who_it_is(fleet: Fleet, token: str, agent: Agent) -> None:
    impostor = Agent(fleet, token)
    now_claims = {"iss": agent.id, "sub": agent.id}
    for credential in (
        f"{agent.workspace}.{impostor.assertion(**now_claims)}",
        f"{agent.workspace}.{agent.assertion(aud='another')}",
        f"{agent.workspace}.{agent.assertion(exp=1)}",
        f"{agent.workspace}.{agent.assertion(exp=4102444800)}",
        f"{agent.workspace}.{agent.assertion(iss=impostor.id)}",
        f"{agent.workspace}.{agent.assertion(sub='nobody')}",
        f"{agent.workspace}.{agent.assertion(sub=None)}",
        f"{agent.workspace}.{agent.bearer}",
        f"{agent.workspace}.not-a-jwt",
        f"another-workspace.{agent.assertion()}",
        agent.assertion(),
    ):
        assert agent.ask_token(credential).status_code == 401, credential


def test_a_token_lives_as_long_as_was_asked_for(agent: Agent) -> None:
    assert agent.ask_token(validMinutes=129600).status_code == 201
    for wrong in (4, 129601, -1):
        assert_problem(agent.ask_token(validMinutes=wrong), 422, "validation-failed")


def test_an_agent_is_revoked_alone_and_at_once(fleet: Fleet, api: Api, token: str, agent: Agent) -> None:
    other = Agent(fleet, token)
    assert agent.send(heartbeat()).status_code == 200
    revoked = api.post(f"/edge-agent/agents/{agent.id}/revoke", json={"reason": "stolen"})
    assert (revoked.json()["state"], revoked.json()["revokedReason"]) == ("revoked", "stolen")
    assert_problem(agent.send(heartbeat()), 403, "agent-revoked")
    assert agent.get("/edge-agent/policy").status_code == 403
    assert_problem(agent.ask_token(), 401, "agent-revoked")
    assert_problem(agent.enroll(token), 403, "agent-revoked")
    assert other.send(heartbeat()).status_code == 200
    [asset] = eventually(lambda: api.get("/assets", params={"agentId": agent.id, "status": "offline"}).json()["data"])
    assert asset["name"] == agent.hostname


def test_agents_are_listed_and_another_workspaces_are_not(platform: Platform, api: Api, agent: Agent) -> None:
    [listed] = api.get("/edge-agent/agents", params={"q": agent.hostname.upper(), "state": "active"}).json()["data"]
    assert listed == api.get(f"/edge-agent/agents/{agent.id}").json()
    assert (listed["connectivity"], listed["lastSeenAt"]) == ("pending", None)
    with platform.api() as elsewhere:
        assert elsewhere.get("/edge-agent/agents").json()["page"]["total"] == 0
        for answer in (
            elsewhere.get(f"/edge-agent/agents/{agent.id}"),
            elsewhere.get(f"/edge-agent/agents/{agent.id}/metrics"),
            elsewhere.post(f"/edge-agent/agents/{agent.id}/revoke", json={}),
        ):
            assert_problem(answer, 404, "not-found")
        assert elsewhere.get("/edge-agent/enrollment").json()["tokens"] == []


def test_what_is_shown_once_lies_nowhere_in_the_clear(platform: Platform, api: Api, token: str, agent: Agent) -> None:
    secrets = (token.partition(".")[2], agent.bearer)

    found = rows(platform, "telemetry", "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    tables = [row["tablename"] for row in found]
    assert len(tables) > 10
    holding = (
        "SELECT count(*) FROM {} AS t WHERE position($1 IN t::text) > 0 "
        "OR position(encode(convert_to($1, 'UTF8'), 'hex') IN t::text) > 0"
    )
    for secret in secrets:
        assert [each for each in tables if count(platform, "telemetry", holding.format(each), secret)] == []
        for log in platform.stack.layout.logs.glob("*.log"):
            assert secret not in log.read_text()
