"""Webhooks: what signs them and names them is handed on to the service whose secret it is, no token is asked for."""

import hmac

import httpx
import pytest

from gateway.tests.fake_service import FakeService
from gateway.tests.ingest import JSON, unread
from kit.errors import Malformed, NotFound, Unauthenticated, Unavailable
from opsfield.workflow.v1.callbacks_pb2 import CallbackReceipt

CALLBACK = "/api/v1/webhooks/workflow-completed"
BODY = b'{"event": "execution.completed"}\n'
SIGNED = JSON | {"x-agentfield-signature": f"sha256={hmac.digest(b's', BODY, 'sha256').hex()}"}
DELIVERY = {"x-agentfield-delivery": "acme.0193a4a4-7d2b-7000-8000-000000000009.1.lease"}
GOOD = SIGNED | DELIVERY


@pytest.fixture
def workflow(services: dict[str, FakeService]) -> FakeService:
    """Takes every callback."""
    receipt = CallbackReceipt(execution_id="e-1", looked_at=True)
    services["workflow"].answers = {"TakeWorkflowCompleted": lambda _: receipt}
    return services["workflow"]


async def test_a_webhook_is_handed_on_as_it_came(http: httpx.AsyncClient, workflow: FakeService) -> None:
    response = await http.post(CALLBACK, content=BODY, headers=GOOD)
    assert (response.status_code, response.json()) == (200, {"executionId": "e-1", "lookedAt": True})
    assert "idempotency-replayed" not in response.headers
    asked = workflow.last
    assert (asked.request.payload.data, asked.request.payload.content_type) == (BODY, "application/json")
    assert asked.metadata["x-signature"] == GOOD["x-agentfield-signature"]
    assert asked.metadata["idempotency-key"] == GOOD["x-agentfield-delivery"]
    assert (asked.principal.subject, asked.principal.roles, asked.principal.workspace_id) == (
        "anonymous",
        frozenset(),
        None,
    )


async def test_a_token_or_workspace_that_is_sent_along_counts_for_nothing(
    client: httpx.AsyncClient, workflow: FakeService
) -> None:
    response = await client.post(CALLBACK, content=BODY, headers=GOOD | {"idempotency-key": "mine"})
    assert response.status_code == 200
    assert workflow.last.metadata["idempotency-key"] == GOOD["x-agentfield-delivery"]
    assert (workflow.last.principal.subject, workflow.last.principal.workspace_id) == ("anonymous", None)


async def test_what_is_not_sent_is_missed_by_the_service_alone(http: httpx.AsyncClient, workflow: FakeService) -> None:
    assert (await http.post(CALLBACK, content=BODY, headers=JSON)).status_code == 200
    assert not {"x-signature", "idempotency-key"} & set(workflow.last.metadata)


async def test_a_delivery_seen_before_is_answered_as_a_replay(http: httpx.AsyncClient, workflow: FakeService) -> None:
    workflow.trailing = (("idempotency-replayed", "true"),)
    response = await http.post(CALLBACK, content=BODY, headers=GOOD)
    assert (response.status_code, response.headers["idempotency-replayed"]) == (200, "true")


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", "sha1=" + "0" * 40, "sha256=" + "0" * 63, "sha256=" + "A" * 64, "sha256=" + "é" * 64],
)
async def test_what_cannot_be_a_signature_is_refused_unread(
    http: httpx.AsyncClient, workflow: FakeService, signature: str
) -> None:
    headers = [(name.encode(), value.encode()) for name, value in (JSON | DELIVERY).items()]
    headers.append((b"x-agentfield-signature", signature.encode("latin-1")))
    response = await http.post(CALLBACK, content=unread(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "signature-invalid")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == 'HMAC-SHA256 realm="opsfield", header="x-agentfield-signature"'
    assert not workflow.received


@pytest.mark.parametrize("delivery", ["", "with space", "x" * 256])
async def test_what_cannot_be_a_delivery_is_refused_unread(
    http: httpx.AsyncClient, workflow: FakeService, delivery: str
) -> None:
    response = await http.post(CALLBACK, content=unread(), headers=SIGNED | {"x-agentfield-delivery": delivery})
    assert (response.status_code, response.json()["code"]) == (400, "delivery-malformed")
    assert not workflow.received


async def test_a_header_that_is_sent_twice_is_refused(http: httpx.AsyncClient, workflow: FakeService) -> None:
    for name in ("x-agentfield-signature", "x-agentfield-delivery"):
        headers = [*GOOD.items(), (name, GOOD[name])]
        response = await http.post(CALLBACK, content=BODY, headers=headers)
        assert (response.status_code, response.json()["code"]) == (400, "header-repeated")
    assert not workflow.received


async def test_a_body_beyond_the_bound_is_refused_unread(http: httpx.AsyncClient, workflow: FakeService) -> None:
    headers = GOOD | {"content-length": str(1024 * 1024 + 1)}
    response = await http.post(CALLBACK, content=unread(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "content-too-large")
    assert not workflow.received


async def test_a_body_of_another_type_is_refused(http: httpx.AsyncClient, workflow: FakeService) -> None:
    response = await http.post(CALLBACK, content=BODY, headers=GOOD | {"content-type": "text/plain"})
    assert response.status_code == 415
    assert not workflow.received


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (Unauthenticated("No.", code="signature-invalid"), 401),
        (Malformed("No.", code="delivery-missing"), 400),
        (NotFound("No."), 404),
        (Unavailable("No.", code="webhook-secret-missing", retry_after=60), 503),
    ],
)
async def test_what_the_service_refuses_is_told_as_a_problem(
    http: httpx.AsyncClient, workflow: FakeService, problem: Exception, status: int
) -> None:
    def refuse(_: object) -> CallbackReceipt:
        raise problem

    workflow.answers = {"TakeWorkflowCompleted": refuse}
    response = await http.post(CALLBACK, content=BODY, headers=GOOD)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert ("www-authenticate" in response.headers) == (status == 401)
    assert response.headers.get("retry-after") == ("60" if status == 503 else None)


async def test_elsewhere_these_headers_are_not_read(
    client: httpx.AsyncClient, services: dict[str, FakeService]
) -> None:
    response = await client.get("/api/v1/tickets", headers=[("x-agentfield-signature", "a"), ("x-unknown", "b")])
    assert response.status_code == 503
    assert "x-signature" not in services["ops"].last.metadata
