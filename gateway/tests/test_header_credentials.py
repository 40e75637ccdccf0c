"""Callers that prove who they are by a header: agents of AgentField's protocol."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from google.api.httpbody_pb2 import HttpBody

from gateway import app
from gateway.settings import Settings
from gateway.tests.fake_service import FakeService
from kit import contract
from kit.errors import Unauthenticated
from opsfield.agent_runtime.v1.nodes_pb2 import HeartbeatNodeRequest

HEARTBEAT = "/api/v1/nodes/inventory/heartbeat"
KEY = {"x-api-key": "demo.agent_secret"}
OK = HttpBody(content_type="application/json", data=b'{"status":"ok"}')


@pytest.fixture
def runtime(services: dict[str, FakeService]) -> FakeService:
    services["agent-runtime"].answers = {"HeartbeatNode": lambda _: OK, "RegisterNode": lambda _: OK}
    return services["agent-runtime"]


@pytest_asyncio.fixture
async def limited(settings: Settings, runtime: FakeService) -> AsyncIterator[httpx.AsyncClient]:
    """Where nobody may ask more than three times a minute."""
    gateway = app.create(settings.model_copy(update={"rate_limit_per_minute": 3}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=gateway), base_url="http://gateway") as client:
        yield client
    await gateway.close()


async def test_the_header_is_handed_on_with_the_body_as_it_came(http: httpx.AsyncClient, runtime: FakeService) -> None:
    answer = await http.post(HEARTBEAT, json={"status": "ready", "unknown": 1}, headers=KEY)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    asked = runtime.last.request
    assert (asked.api_key, asked.node_id) == ("demo.agent_secret", "inventory")
    assert b'"unknown"' in asked.heartbeat.data
    assert (runtime.last.principal.subject, runtime.last.principal.workspace_id) == ("anonymous", None)
    assert "idempotency-key" not in runtime.last.metadata
    assert (await http.post("/api/v1/nodes", json={}, headers=KEY)).status_code == 201


@pytest.mark.parametrize("headers", [{}, {"x-api-key": ""}, {"x-api-key": "x" * 201}, {"authorization": "Bearer x"}])
async def test_without_it_nobody_is_asked(
    http: httpx.AsyncClient, runtime: FakeService, headers: dict[str, str]
) -> None:
    answer = await http.post(HEARTBEAT, json={}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthenticated"
    assert runtime.received == []


async def test_it_stands_in_the_header_alone(http: httpx.AsyncClient, runtime: FakeService) -> None:
    answer = await http.post(f"{HEARTBEAT}?apiKey=demo.agent_secret", json={}, headers=KEY)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "apiKey")
    twice = await http.post(HEARTBEAT, json={}, headers=[("x-api-key", "a.b"), ("x-api-key", "c.d")])
    assert (twice.status_code, twice.json()["code"]) == (400, "header-repeated")


async def test_it_opens_no_other_route(http: httpx.AsyncClient, runtime: FakeService) -> None:
    headers = {**KEY, "x-workspace-id": "demo", "idempotency-key": "k"}
    for rpc in contract.load():
        if rpc.access != "roles":
            continue
        for route in rpc.routes:
            path = route.path.replace("{", "").replace("}", "")
            assert (await http.request(route.verb, path, headers=headers)).status_code == 401, route
    assert runtime.received == []


async def test_each_key_has_a_quota_of_its_own(limited: httpx.AsyncClient, runtime: FakeService) -> None:
    for name in ("a", "b"):
        headers = {"x-api-key": f"demo.agent_{name}"}
        answers = [await limited.post(HEARTBEAT, json={}, headers=headers) for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]


async def test_whoever_tries_keys_is_counted_by_address(limited: httpx.AsyncClient, runtime: FakeService) -> None:
    def refuse(_: object) -> HttpBody:
        raise Unauthenticated("No such key.")

    runtime.answers = {"HeartbeatNode": refuse}
    answers = [await limited.post(HEARTBEAT, json={}, headers={"x-api-key": f"demo.x{n}"}) for n in range(5)]
    assert [each.status_code for each in answers] == [401, 401, 401, 429, 429]
    assert len(runtime.received) == 3


async def test_a_good_key_is_let_in_whoever_else_comes_from_its_address(
    limited: httpx.AsyncClient, runtime: FakeService
) -> None:
    def refuse_others(asked: HeartbeatNodeRequest) -> HttpBody:
        if not asked.api_key.startswith("demo.good"):
            raise Unauthenticated("No such key.")
        return OK

    runtime.answers = {"HeartbeatNode": refuse_others}
    good, other = {"x-api-key": "demo.good"}, {"x-api-key": "demo.good2"}
    hooks = [await limited.post("/api/v1/integrations/github/webhook", json={}) for _ in range(4)]
    assert hooks[-1].status_code == 429
    assert (await limited.post(HEARTBEAT, json={}, headers=good)).status_code == 200
    answers = [await limited.post(HEARTBEAT, json={}, headers={"x-api-key": f"demo.bad{n}"}) for n in range(4)]
    assert [each.status_code for each in answers] == [401, 401, 401, 429]
    assert (await limited.post(HEARTBEAT, json={}, headers=good)).status_code == 200
    # One that nobody has seen to be good is not told from a guess.
    assert (await limited.post(HEARTBEAT, json={}, headers=other)).status_code == 429


async def test_a_key_that_is_good_no_more_is_a_guess_again(limited: httpx.AsyncClient, runtime: FakeService) -> None:
    assert (await limited.post(HEARTBEAT, json={}, headers=KEY)).status_code == 200

    def refuse(_: object) -> HttpBody:
        raise Unauthenticated("No such key.")

    runtime.answers = {"HeartbeatNode": refuse}
    for name in ("demo.x1", "demo.x2", KEY["x-api-key"]):
        assert (await limited.post(HEARTBEAT, json={}, headers={"x-api-key": name})).status_code == 401
    seen = len(runtime.received)
    assert (await limited.post(HEARTBEAT, json={}, headers=KEY)).status_code == 429
    assert len(runtime.received) == seen


async def test_the_document_names_the_header(http: httpx.AsyncClient) -> None:
    document = (await http.get("/api/v1/openapi")).json()
    operation = document["paths"]["/api/v1/nodes/{nodeId}/heartbeat"]["post"]
    assert {"$ref": "#/components/parameters/x-api-key"} in operation["parameters"]
    assert not any(each.get("name") == "apiKey" for each in operation["parameters"])
    assert "401" in operation["responses"]
    assert "X-API-Key" in document["components"]["parameters"]["x-api-key"]["name"]
