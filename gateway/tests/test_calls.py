"""What services are asked, and what becomes of their answers."""

from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from gateway.tests.fake_service import FakeService
from gateway.tests.resources import CLIENT_ID, TICKET_BODY, TICKET_ID, ticket
from gateway.tests.tokens import bearer
from kit.errors import Conflict, FieldError, IllegalTransition, Invalid, NotFound, PreconditionFailed, Unavailable
from opsfield.common.v1 import page_pb2
from opsfield.ops.v1 import clients_pb2, tickets_pb2

TICKET = f"/api/v1/tickets/{TICKET_ID}"
KEY = {"idempotency-key": "k-1"}


async def test_a_resource_is_read(client: httpx.AsyncClient, ops: FakeService) -> None:
    ops.answers["GetTicket"] = lambda _: ticket()
    response = await client.get(TICKET)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["etag"] == '"3"'
    assert response.headers["x-content-type-options"] == "nosniff"
    assert ops.last.request == tickets_pb2.GetTicketRequest(id=TICKET_ID)
    body = response.json()
    assert body["status"] == "in_progress"
    assert body["createdAt"] == "2023-11-14T22:13:20Z"
    assert body["description"] is None
    assert body["version"] == 3


async def test_the_caller_travels_signed(http: httpx.AsyncClient, ops: FakeService) -> None:
    ops.answers["GetTicket"] = lambda _: ticket()
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    token = bearer(roles=["viewer", "client_portal"], clientId="client-1")
    await http.get(TICKET, headers=token | {"x-correlation-id": "c-1", "traceparent": traceparent})
    principal, metadata = ops.last.principal, ops.last.metadata
    assert (principal.subject, principal.workspace_id, principal.client_id) == ("user-1", "demo", "client-1")
    assert principal.roles == {"viewer", "client_portal"}
    assert principal.service is None
    assert metadata["x-correlation-id"] == "c-1"
    assert metadata["traceparent"] == traceparent
    assert "idempotency-key" not in metadata
    assert "if-match" not in metadata
    assert token["authorization"] not in metadata.values()


async def test_a_resource_is_created(client: httpx.AsyncClient, ops: FakeService) -> None:
    ops.answers["CreateTicket"] = lambda _: ticket(1)
    body: dict[str, Any] = TICKET_BODY | {"priority": "high", "tags": ["a", "b"], "tier": 2}
    response = await client.post("/api/v1/tickets", json=body, headers={"idempotency-key": '"k-1"'})
    assert response.status_code == 201
    assert response.headers["location"] == TICKET
    assert response.headers["etag"] == '"1"'
    assert "idempotency-replayed" not in response.headers
    assert ops.last.metadata["idempotency-key"] == "k-1"
    assert ops.last.request.ticket == tickets_pb2.Ticket(
        subject="Printer on fire", client_id=CLIENT_ID, priority=tickets_pb2.Ticket.HIGH, tags=["a", "b"], tier=2
    )


async def test_a_replay_is_marked(client: httpx.AsyncClient, ops: FakeService) -> None:
    ops.answers["CreateTicket"] = lambda _: ticket(1)
    ops.trailing = (("idempotency-replayed", "true"),)
    response = await client.post("/api/v1/tickets", json=TICKET_BODY, headers=KEY)
    assert response.status_code == 201
    assert response.headers["idempotency-replayed"] == "true"


async def test_a_patch_says_which_fields_were_sent(client: httpx.AsyncClient, ops: FakeService) -> None:
    ops.answers["UpdateClient"] = lambda request: request.client
    body: dict[str, Any] = {"tags": [], "notes": None, "billingAddress": {"city": "Ulm", "line2": None}}
    headers = KEY | {"if-match": '"7"'}
    response = await client.patch(f"/api/v1/clients/{CLIENT_ID}", json=body, headers=headers)
    assert response.status_code == 200
    request = ops.last.request
    assert request.id == CLIENT_ID
    assert set(request.update_mask.paths) == {"tags", "notes", "billing_address.city", "billing_address.line2"}
    assert request.client == clients_pb2.Client(billing_address=clients_pb2.Address(city="Ulm"))
    assert ops.last.metadata["if-match"] == "7"


async def test_a_put_takes_what_a_get_gave(client: httpx.AsyncClient, ops: FakeService) -> None:
    ops.answers["GetTicket"] = lambda _: ticket()
    ops.answers["ReplaceTicket"] = lambda _: ticket(4)
    body = (await client.get(TICKET)).json() | {"subject": "Printer out"}
    response = await client.put(TICKET, json=body, headers=KEY | {"if-match": "*"})
    assert response.headers["etag"] == '"4"'
    assert ops.last.metadata["if-match"] == "*"
    sent = ops.last.request.ticket
    assert (sent.subject, sent.version, sent.id, sent.HasField("created_at")) == ("Printer out", 0, "", False)


async def test_a_deletion_answers_nothing(client: httpx.AsyncClient, ops: FakeService) -> None:
    ops.answers["DeleteTicket"] = lambda _: Empty()
    response = await client.delete(TICKET, headers=KEY)
    assert response.status_code == 204
    assert "content-length" not in response.headers
    assert response.content == b""
    assert "content-type" not in response.headers


async def test_an_action_takes_its_parameters_from_path_and_body(client: httpx.AsyncClient, ops: FakeService) -> None:
    ops.answers["EscalateTicket"] = lambda _: ticket()
    response = await client.post(f"/api/v1/ops/tickets/{TICKET_ID}/escalate", json={"reason": "VIP"}, headers=KEY)
    assert response.status_code == 200
    assert ops.last.request == tickets_pb2.EscalateTicketRequest(id=TICKET_ID, reason="VIP")


async def test_a_list_is_asked_for_with_its_defaults(client: httpx.AsyncClient, ops: FakeService) -> None:
    ops.answers["ListTickets"] = lambda _: tickets_pb2.ListTicketsResponse(data=[ticket()])
    response = await client.get("/api/v1/tickets")
    assert [each["number"] for each in response.json()["data"]] == ["T-1042"]
    assert ops.last.request == tickets_pb2.ListTicketsRequest(limit=50)


async def test_a_list_is_asked_for_as_the_caller_wants_it(client: httpx.AsyncClient, ops: FakeService) -> None:
    ops.answers["ListTickets"] = lambda _: tickets_pb2.ListTicketsResponse()
    query = "limit=5&offset=10&sortBy=createdAt&sortOrder=asc&q=caf%C3%A9+bar&status=open&tier=2"
    assert (await client.get(f"/api/v1/tickets?{query}")).status_code == 200
    assert ops.last.request == tickets_pb2.ListTicketsRequest(
        limit=5,
        offset=10,
        sort_by="createdAt",
        sort_order=page_pb2.ASC,
        q="café bar",
        status=tickets_pb2.Ticket.OPEN,
        tier=2,
    )


@pytest.mark.parametrize(
    ("query", "path", "message"),
    [
        ("limit=0", "limit", "must be at least 1"),
        ("limit=201", "limit", "must be at most 200"),
        ("limit=ten", "limit", "must be a whole number"),
        ("limit=", "limit", "must be a whole number"),
        ("limit=1e1", "limit", "must be a whole number"),
        ("limit=+5", "limit", "must be a whole number"),
        ("limit=%20%205", "limit", "must be a whole number"),
        ("limit=1_0", "limit", "must be a whole number"),
        ("limit=99999999999999999999999", "limit", "must be a whole number"),
        ("offset=-1", "offset", "must be at least 0"),
        ("limit=5&limit=5", "limit", "may be given only once"),
        ("sortOrder=up", "sortOrder", "must be one of asc, desc"),
        (
            "status=Open",
            "status",
            "must be one of new, open, in_progress, waiting_on_client, waiting_on_vendor, resolved, closed",
        ),
        ("clientId=7", "clientId", "must be a UUID in lower case"),
        ("client_id=7", "client_id", "is not a known parameter"),
        ("page=1", "page", "is not a known parameter"),
        ("q=a%00b", "q", "must not contain the character NUL"),
        ("q=" + "x" * 201, "q", "must have at most 200 characters"),
    ],
)
async def test_a_wrong_parameter_is_refused(client: httpx.AsyncClient, query: str, path: str, message: str) -> None:
    response = await client.get(f"/api/v1/tickets?{query}")
    assert response.status_code == 422
    assert response.json()["errors"] == [{"path": path, "message": message}]


async def test_a_list_is_sorted_by_what_may_be_sorted_only(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/v1/tickets?sortBy=description")
    (error,) = response.json()["errors"]
    assert error["path"] == "sortBy"
    assert "createdAt" in error["message"]
    assert "description" not in error["message"]


@pytest.mark.parametrize("query", ["q=%FF", "q=%ED%A0%80", "&".join(f"x{number}=1" for number in range(101))])
async def test_a_query_that_cannot_be_read_is_malformed(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/api/v1/tickets?{query}")).status_code == 400


@pytest.mark.parametrize("identifier", ["7", "a%20b", "%00", TICKET_ID.upper(), TICKET_ID + "x"])
async def test_an_id_that_cannot_be_one_is_refused(
    client: httpx.AsyncClient, ops: FakeService, identifier: str
) -> None:
    response = await client.get(f"/api/v1/tickets/{identifier}")
    assert response.status_code == 422
    assert {error["path"] for error in response.json()["errors"]} == {"id"}
    assert not ops.received


async def test_what_the_caller_has_already_is_not_sent_again(client: httpx.AsyncClient, ops: FakeService) -> None:
    ops.answers["GetTicket"] = lambda _: ticket(3)
    for tags in ('"3"', '"2", W/"3"', "*"):
        response = await client.get(TICKET, headers={"if-none-match": tags})
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", '"3"')
        assert "content-length" not in response.headers
    assert (await client.get(TICKET, headers={"if-none-match": '"2"'})).status_code == 200
    assert (await client.get(TICKET, headers={"if-none-match": "3"})).status_code == 400


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (NotFound("There is no such ticket."), 404),
        (Conflict("In the way."), 409),
        (IllegalTransition("From new it can only become open."), 409),
        (PreconditionFailed("It is version 4 by now."), 412),
        (Invalid("Another request had this key.", code="idempotency-key-reused"), 422),
        (Invalid.fields(FieldError("clientId", "does not exist")), 422),
        (Unavailable("The database is away."), 503),
    ],
)
async def test_a_services_problem_is_the_callers(
    client: httpx.AsyncClient, ops: FakeService, problem: NotFound, status: int
) -> None:
    def answer(_: Message) -> Message:
        raise problem

    ops.answers["UpdateTicket"] = answer
    response = await client.patch(TICKET, json={}, headers=KEY)
    body = response.json()
    assert response.status_code == body["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert (body["code"], body["detail"], body["title"]) == (problem.code, problem.detail, problem.title)
    assert body["correlationId"] == response.headers["x-correlation-id"]
    assert body["instance"] == TICKET
    assert body["errors"] == [{"path": each.path, "message": each.message} for each in problem.errors]
    assert ("retry-after" in response.headers) == (status == 503)
    assert len(ops.received) == 1, "what a service has said is not asked again"


@pytest.mark.parametrize(
    ("code", "status", "name"),
    [
        (grpc.StatusCode.UNIMPLEMENTED, 503, "not-offered"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 503, "timeout"),
        (grpc.StatusCode.INTERNAL, 500, "internal"),
        (grpc.StatusCode.UNKNOWN, 500, "internal"),
        (grpc.StatusCode.DATA_LOSS, 500, "internal"),
        (grpc.StatusCode.NOT_FOUND, 500, "internal"),
        (grpc.StatusCode.PERMISSION_DENIED, 500, "internal"),
    ],
)
async def test_a_failure_without_a_problem_tells_the_caller_little(
    client: httpx.AsyncClient, ops: FakeService, code: grpc.StatusCode, status: int, name: str
) -> None:
    ops.aborts = [code]
    response = await client.get(TICKET)
    assert response.status_code == status
    assert response.json()["code"] == name
    assert "as told" not in response.text
    assert len(ops.received) == 1


# As a lost connection, and a server that stops with calls it has not taken up, end a call.
NOT_ANSWERED = pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])


@NOT_ANSWERED
async def test_what_was_not_answered_is_tried_once_more_with_the_same_key(
    client: httpx.AsyncClient, ops: FakeService, code: grpc.StatusCode
) -> None:
    ops.answers["CreateTicket"] = lambda _: ticket(1)
    ops.aborts = [code]
    response = await client.post("/api/v1/tickets", json=TICKET_BODY, headers=KEY)
    assert response.status_code == 201
    assert [each.metadata["idempotency-key"] for each in ops.received] == ["k-1", "k-1"]
    assert ops.received[0].request == ops.received[1].request


@NOT_ANSWERED
async def test_what_stays_unanswered_is_a_503(
    client: httpx.AsyncClient, ops: FakeService, code: grpc.StatusCode
) -> None:
    ops.aborts = [code] * 5
    response = await client.get(TICKET)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "ops" in response.json()["detail"]
    assert len(ops.received) == 2
