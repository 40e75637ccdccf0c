"""How the workspace of a request is found out where no header has to name it."""

from typing import Any

import httpx
import pytest
from google.api.httpbody_pb2 import HttpBody

from gateway import app
from gateway.admission import Admission
from gateway.settings import Settings
from gateway.tests.fake_service import FakeService
from gateway.tests.tokens import bearer
from kit import contract
from kit.contract import ContractError
from kit.rate_limit import RateLimiter
from kit.tests.protos import compile_proto
from opsfield.telemetry.v1.enrollment_pb2 import EnrolledAgent

OTLP = "/v1/logs"
ENROLL = "/api/v1/edge-agent/enroll"
ENROLLMENT = {"token": "acme.secret", "publicKey": "x" * 43, "hostname": "pc-1"}
KEY = {"idempotency-key": "k"}


@pytest.fixture(autouse=True)
def telemetry(services: dict[str, FakeService]) -> FakeService:
    service = services["telemetry"]
    service.answers = {
        "IngestOtlpLogs": lambda _: HttpBody(content_type="application/json", data=b"{}"),
        "EnrollAgent": lambda _: EnrolledAgent(agent_id="a-1", workspace_id="acme"),
    }
    return service


async def send(http: httpx.AsyncClient, workspaces: Any, workspace: str | None) -> httpx.Response:
    token = bearer(roles=["endpoint_agent"], agentId="agent-1", workspaces=workspaces)
    named = {} if workspace is None else {"x-workspace-id": workspace}
    headers = {"authorization": token["authorization"], "content-type": "application/json"} | named
    return await http.post(OTLP, content=b"{}", headers=headers)


@pytest.mark.parametrize(
    ("workspaces", "workspace", "found"),
    [
        (["acme"], None, "acme"),
        (["acme"], "acme", "acme"),
        (["acme", "other"], "other", "other"),
        ("*", "anything", "anything"),
    ],
)
async def test_a_token_for_one_workspace_names_it(
    http: httpx.AsyncClient, telemetry: FakeService, workspaces: Any, workspace: str | None, found: str
) -> None:
    assert (await send(http, workspaces, workspace)).status_code == 200
    assert telemetry.last.principal.workspace_id == found


@pytest.mark.parametrize(
    ("workspaces", "workspace", "status", "code"),
    [
        (["acme"], "other", 403, "workspace-not-allowed"),
        (["acme"], "", 400, "workspace-malformed"),
        (["_platform"], None, 400, "workspace-malformed"),
        (["acme", "other"], None, 400, "workspace-missing"),
        ([], None, 400, "workspace-missing"),
        ("*", None, 400, "workspace-missing"),
    ],
)
async def test_any_other_token_leaves_it_to_the_header(
    http: httpx.AsyncClient, telemetry: FakeService, workspaces: Any, workspace: str | None, status: int, code: str
) -> None:
    response = await send(http, workspaces, workspace)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert not telemetry.received


async def test_elsewhere_a_workspace_must_be_named_all_the_same(http: httpx.AsyncClient) -> None:
    response = await http.get("/api/v1/tickets", headers={"authorization": bearer()["authorization"]})
    assert (response.status_code, response.json()["code"]) == (400, "workspace-missing")


@pytest.mark.parametrize("more", [{}, {"x-workspace-id": "other"}, {"authorization": "Bearer nonsense"}])
async def test_a_credential_is_sent_by_nobody_and_to_no_workspace(
    http: httpx.AsyncClient, telemetry: FakeService, more: dict[str, str]
) -> None:
    response = await http.post(ENROLL, json=ENROLLMENT, headers=KEY | more)
    assert (response.status_code, response.json()["agentId"]) == (201, "a-1")
    principal = telemetry.last.principal
    assert (principal.subject, principal.workspace_id, principal.roles) == ("anonymous", None, frozenset())
    assert telemetry.last.request.token == "acme.secret"
    assert telemetry.last.metadata["idempotency-key"] == "k"


async def test_a_credential_does_not_replace_the_key(http: httpx.AsyncClient, telemetry: FakeService) -> None:
    response = await http.post(ENROLL, json=ENROLLMENT)
    assert (response.status_code, response.json()["code"]) == (400, "idempotency-key-missing")
    assert not telemetry.received


async def test_guesses_from_one_address_are_limited(settings: Settings) -> None:
    limited = app.create(settings.model_copy(update={"rate_limit_per_minute": 2}))
    for address, statuses in (("1.2.3.4", [201, 201, 429]), ("1.2.3.5", [201])):
        transport = httpx.ASGITransport(app=limited, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            found = [(await http.post(ENROLL, json=ENROLLMENT, headers=KEY)).status_code for _ in statuses]
        assert found == statuses
    await limited.close()


PROTO = """
syntax = "proto3";
package opsfield.ops.test.in_a_workspace;
import "google/api/annotations.proto";
import "google/protobuf/empty.proto";
import "opsfield/options/v1/policy.proto";
service PingService {
  rpc GetPing(google.protobuf.Empty) returns (google.protobuf.Empty) {
    option (google.api.http) = {get: "/ping"};
    option (opsfield.options.v1.policy) = {public: {}};
  }
}
"""


async def test_what_is_public_without_a_credential_is_in_no_workspace() -> None:
    service = compile_proto(PROTO).services_by_name["PingService"]
    rpc = contract._rpc(service.methods[0], service)

    async def nobody(_: str | None) -> Any:
        pytest.fail("nobody is asked")

    with pytest.raises(ContractError, match="only a credential can tell its workspace"):
        Admission(rpc, nobody, RateLimiter(0))
