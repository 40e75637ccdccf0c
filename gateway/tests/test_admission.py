"""Who comes in, and what everyone else is told."""

from typing import Any

import httpx
import pytest

from gateway import app
from gateway.settings import Settings
from gateway.tests.fake_service import FakeService
from gateway.tests.resources import TICKET_BODY, TICKET_ID, ticket
from gateway.tests.tokens import bearer

TICKET = f"/api/v1/tickets/{TICKET_ID}"


@pytest.fixture(autouse=True)
def tickets(ops: FakeService) -> FakeService:
    ops.answers = {"GetTicket": lambda _: ticket(), "CreateTicket": lambda _: ticket()}
    return ops


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    """A problem looks the same wherever it comes from."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    problem = response.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["type"] == f"/problems/{code}"
    assert problem["correlationId"] == response.headers["x-correlation-id"]
    assert problem["instance"] == response.request.url.raw_path.split(b"?")[0].decode()
    assert set(problem) == {"type", "title", "status", "detail", "instance", "code", "correlationId", "errors"}


async def test_an_unknown_path_needs_no_token_to_be_unknown(http: httpx.AsyncClient) -> None:
    assert_problem(await http.get("/api/v1/nothing"), 404, "route-not-found")
    assert_problem(await http.get("/api/v1/tickets/"), 404, "route-not-found")
    assert_problem(await http.get("/api/v1/caf%C3%A9"), 404, "route-not-found")


async def test_a_method_that_is_not_offered_is_answered_with_those_that_are(http: httpx.AsyncClient) -> None:
    response = await http.delete("/api/v1/tickets")
    assert_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "GET, POST"
    for method in ("HEAD", "OPTIONS", "TRACE", "PROPFIND"):
        assert (await http.request(method, "/api/v1/tickets")).status_code == 405


async def test_without_a_token_the_caller_is_asked_for_one(http: httpx.AsyncClient) -> None:
    response = await http.get(TICKET, headers={"x-workspace-id": "demo"})
    assert_problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == 'Bearer realm="opsfield"'


async def test_a_bad_token_is_not_told_what_is_wrong_with_it(http: httpx.AsyncClient) -> None:
    for token in ("x", bearer(aud="other")["authorization"], bearer(exp=1)["authorization"]):
        response = await http.get(TICKET, headers={"authorization": f"Bearer {token}", "x-workspace-id": "demo"})
        assert_problem(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"] == 'Bearer realm="opsfield", error="invalid_token"'
        assert response.json()["detail"] == "The bearer token is not valid."


@pytest.mark.parametrize("roles", [[], ["billing"], ["client_portal"], ["platform_admin", "unheard_of"]])
async def test_a_role_that_may_not_call_is_refused(http: httpx.AsyncClient, roles: list[str]) -> None:
    assert_problem(await http.get(TICKET, headers=bearer(roles=roles)), 403, "role-missing")


async def test_msp_admin_may_call_everything(http: httpx.AsyncClient) -> None:
    assert (await http.get(TICKET, headers=bearer(roles=["msp_admin"]))).status_code == 200


async def test_the_role_is_looked_at_before_the_workspace(http: httpx.AsyncClient) -> None:
    headers = bearer(roles=["billing"])
    del headers["x-workspace-id"]
    assert_problem(await http.get(TICKET, headers=headers), 403, "role-missing")


async def test_a_workspace_must_be_named(http: httpx.AsyncClient) -> None:
    headers = bearer()
    del headers["x-workspace-id"]
    assert_problem(await http.get(TICKET, headers=headers), 400, "workspace-missing")


@pytest.mark.parametrize("workspace", ["", "Demo", "a b", "demo'--", "-demo", "x" * 64, "_platform"])
async def test_a_workspace_must_be_well_formed(client: httpx.AsyncClient, workspace: str) -> None:
    assert_problem(await client.get(TICKET, headers={"x-workspace-id": workspace}), 400, "workspace-malformed")


async def test_another_workspace_is_refused(client: httpx.AsyncClient, tickets: FakeService) -> None:
    response = await client.get(TICKET, headers={"x-workspace-id": "other"})
    assert_problem(response, 403, "workspace-not-allowed")
    assert not tickets.received


async def test_a_header_sent_twice_is_refused(client: httpx.AsyncClient) -> None:
    twice = [*client.headers.multi_items(), ("x-workspace-id", "other")]
    assert_problem(await client.get(TICKET, headers=twice), 400, "header-repeated")


async def test_the_callers_correlation_id_is_kept_and_a_bad_one_replaced(client: httpx.AsyncClient) -> None:
    good = await client.get(TICKET, headers={"x-correlation-id": "order-7/a"})
    bad = await client.get(TICKET, headers={"x-correlation-id": "two words"})
    none = await client.get(TICKET)
    assert good.headers["x-correlation-id"] == "order-7/a"
    assert len(bad.headers["x-correlation-id"]) == len(none.headers["x-correlation-id"]) == 36
    assert bad.headers["x-correlation-id"] != none.headers["x-correlation-id"]


@pytest.mark.parametrize("settings_change", [{"rate_limit_per_minute": 2}])
async def test_who_asks_too_often_is_told_when_to_come_back(
    settings: Settings, settings_change: dict[str, Any]
) -> None:
    limited = app.create(settings.model_copy(update=settings_change))
    transport = httpx.ASGITransport(app=limited)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        for _ in range(2):
            assert (await client.get(TICKET, headers=bearer())).status_code == 200
        response = await client.get(TICKET, headers=bearer())
        assert_problem(response, 429, "rate-limited")
        assert 0 < int(response.headers["retry-after"]) <= 30
        assert response.headers["ratelimit-policy"] == '"default";q=2;w=60'
        assert response.headers["ratelimit"].startswith('"default";r=0;t=')
        assert (await client.get(TICKET, headers=bearer(sub="user-2"))).status_code == 200
    await limited.close()


async def test_with_authentication_off_everyone_is_admin_everywhere(settings: Settings, tickets: FakeService) -> None:
    open_gateway = app.create(settings.model_copy(update={"auth_mode": "disabled"}))
    transport = httpx.ASGITransport(app=open_gateway)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        response = await client.get(TICKET, headers={"x-workspace-id": "anything"})
    await open_gateway.close()
    assert response.status_code == 200
    assert tickets.last.principal.subject == "anonymous"
    assert tickets.last.principal.roles == {"msp_admin"}
    assert tickets.last.principal.workspace_id == "anything"


@pytest.mark.parametrize(("key", "code"), [(None, "idempotency-key-missing"), ("a b", "idempotency-key-malformed")])
async def test_a_change_needs_a_key(
    client: httpx.AsyncClient, tickets: FakeService, key: str | None, code: str
) -> None:
    headers = {"idempotency-key": key} if key else {}
    assert_problem(await client.post("/api/v1/tickets", json=TICKET_BODY, headers=headers), 400, code)
    assert not tickets.received


@pytest.mark.parametrize("tag", ["3", 'W/"3"', '"three"'])
async def test_if_match_must_be_a_version(client: httpx.AsyncClient, tag: str) -> None:
    headers = {"idempotency-key": "k", "if-match": tag}
    assert_problem(await client.patch(TICKET, json={}, headers=headers), 400, "if-match-malformed")


async def test_what_nobody_foresaw_is_a_500_that_tells_nothing(
    client: httpx.AsyncClient, gateway: app.Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(_method: str, _path: str) -> None:
        raise RuntimeError("the database password is 1234")

    monkeypatch.setattr(gateway._router, "find", explode)
    response = await client.get(TICKET)
    assert_problem(response, 500, "internal")
    assert "1234" not in response.text
    assert "RuntimeError" not in response.text


async def test_websockets_are_closed(gateway: app.Gateway) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await gateway({"type": "websocket", "path": "/"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]
