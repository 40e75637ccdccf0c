"""Who gets in, and that nobody sees another workspace."""

import pytest

from tests.platform import Api, Platform, assert_problem, new_key

READERS = ("ops_engineer", "viewer", "data_admin", "msp_admin")
WRITERS = ("ops_engineer", "data_admin", "msp_admin")
OTHERS = (
    "automation_operator",
    "integration_admin",
    "billing",
    "platform_admin",
    "endpoint_agent",
    "client_portal",
)


@pytest.mark.parametrize("role", READERS)
def test_operational_roles_read_tickets(platform: Platform, role: str) -> None:
    with platform.api((role,)) as api:
        assert api.get("/tickets").status_code == 200


@pytest.mark.parametrize("role", OTHERS)
def test_other_roles_do_not_read_tickets(platform: Platform, role: str) -> None:
    with platform.api((role,)) as api:
        assert_problem(api.get("/tickets"), 403, "role-missing")


@pytest.mark.parametrize("role", sorted({*READERS, *OTHERS} - {*WRITERS}))
def test_only_writers_write(platform: Platform, role: str) -> None:
    with platform.api((role,)) as api:
        assert_problem(api.post("/clients", json={"name": "Nope"}), 403, "role-missing")


def test_a_token_is_needed(platform: Platform, api: Api) -> None:
    for header in (None, "Basic abc", "Bearer", "Bearer abc.def.ghi"):
        answer = api.get("/tickets", headers={"authorization": header or ""})
        assert_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_workspace_is_needed_and_must_be_ones_own(api: Api) -> None:
    for malformed in ("", "No Spaces!", "a" * 64, "'; drop table tickets; --"):
        assert api.get("/tickets", headers={"x-workspace-id": malformed}).status_code == 400
    assert_problem(api.get("/tickets", headers={"x-workspace-id": "someone-elses"}), 403, "workspace-not-allowed")


def test_another_workspaces_ids_do_not_exist(platform: Platform, api: Api) -> None:
    ticket = api.new_ticket()
    before = api.get(f"/tickets/{ticket['id']}").json()
    with platform.api() as other:
        path = f"/tickets/{ticket['id']}"
        whole = {"subject": "x", "clientId": ticket["clientId"]}
        for answer in (
            other.get(path),
            other.put(path, json={**whole, "clientId": other.new_client()["id"]}),
            other.patch(path, json={"subject": "x"}),
            other.delete(path),
            other.post(f"/ops/tickets/{ticket['id']}/resolve", json={"resolution": "x"}),
            other.post(f"/ops/tickets/{ticket['id']}/escalate", json={"reason": "x"}),
            other.get(f"/clients/{ticket['clientId']}"),
        ):
            assert_problem(answer, 404, "not-found")
        foreign = assert_problem(other.post("/tickets", json=whole), 422, "validation-failed")
        assert foreign["errors"][0]["path"] == "clientId"
        for query in ({}, {"q": "printer"}, {"clientId": ticket["clientId"]}, {"number": ticket["number"]}):
            assert other.get("/tickets", params=query).json()["page"]["total"] == 0
        assert other.get("/events/outbox").json()["page"]["total"] == 0
    assert api.get(f"/tickets/{ticket['id']}").json() == before


def test_a_key_belongs_to_its_workspace_and_its_owner(platform: Platform) -> None:
    key = new_key()
    with platform.api(subject="anna") as anna, platform.api(subject="anna") as elsewhere:
        first = anna.post("/clients", json={"name": "Acme"}, key=key)
        assert first.status_code == 201
        assert elsewhere.post("/clients", json={"name": "Bravo"}, key=key).status_code == 201
        with platform.api(workspace=anna.workspace, subject="bert") as bert:
            assert bert.post("/clients", json={"name": "Bravo"}, key=key).status_code == 201


def test_numbers_are_each_workspaces_own(platform: Platform, api: Api) -> None:
    assert [api.new_ticket()["number"] for _ in range(3)] == ["T-1001", "T-1002", "T-1003"]
    with platform.api() as other:
        assert other.new_ticket()["number"] == "T-1001"
