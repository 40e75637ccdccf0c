"""Bodies that are handed on as they came: what is taken, and what they may take up."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway import app
from gateway.raw_bodies import Budget, Overloaded
from gateway.requests import Decoder
from gateway.settings import Settings
from gateway.tests.fake_service import FakeService
from gateway.tests.tokens import bearer
from kit import contract
from kit.contract import ContractError, Rpc
from kit.errors import Invalid
from kit.tests.protos import compile_proto
from opsfield.telemetry.v1.ingest_pb2 import IngestResult

MIB = 1024 * 1024
INGEST = "/api/v1/events/ingest"
AGENT_ID = "0193a4a4-7d2b-7000-8000-000000000009"
KEY = {"idempotency-key": "k"}
JSON = {"content-type": "application/json"}
AGENT = bearer(roles=["endpoint_agent"], agentId=AGENT_ID)


@pytest.fixture
def telemetry(services: dict[str, FakeService]) -> FakeService:
    service = services["telemetry"]
    service.answers = {"IngestEvents": lambda _: IngestResult(batch_id="b-1", accepted=2)}
    return service


@pytest_asyncio.fixture
async def small(settings: Settings, telemetry: FakeService) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway that has room for one body of the largest size."""
    del telemetry
    gateway = app.create(settings.model_copy(update={"raw_body_budget_bytes": 8 * MIB}))
    transport = httpx.ASGITransport(app=gateway)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=AGENT | KEY) as client:
        yield client
    await gateway.close()


async def test_a_body_is_handed_on_as_it_came(client: httpx.AsyncClient, telemetry: FakeService) -> None:
    data = gzip.compress(b'{"type": "heartbeat"}\n\xff not even text')
    headers = KEY | {"content-type": "Application/X-NDJSON; charset=UTF-8; x=1", "content-encoding": "GZip"}
    query = f"sentAt=2026-03-01T09:00:00Z&agentId={AGENT_ID}"
    response = await client.post(f"{INGEST}?{query}", content=data, headers=headers)
    assert (response.status_code, response.json()["batchId"]) == (200, "b-1")
    asked = telemetry.last.request
    assert (asked.batch.content_type, asked.batch.content_encoding) == ("application/x-ndjson", "gzip")
    assert asked.batch.data == data
    assert (asked.agent_id, asked.sent_at) == (AGENT_ID, Timestamp(seconds=1772355600))
    assert telemetry.last.metadata["idempotency-key"] == "k"


@pytest.mark.parametrize("encoding", [{}, {"content-encoding": "identity"}, {"content-encoding": " Identity "}])
async def test_no_encoding_is_sent_on_as_none(
    client: httpx.AsyncClient, telemetry: FakeService, encoding: dict[str, str]
) -> None:
    response = await client.post(INGEST, content=b"not looked into", headers=KEY | JSON | encoding)
    assert response.status_code == 200
    assert telemetry.last.request.batch.content_encoding == ""
    assert not telemetry.last.request.HasField("agent_id")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "unsupported-media-type"),
        ({"content-type": "text/plain"}, "unsupported-media-type"),
        ({"content-type": "application/x-protobuf"}, "unsupported-media-type"),
        ({"content-type": "application/merge-patch+json"}, "unsupported-media-type"),
        ({"content-type": "application/jsonx"}, "unsupported-media-type"),
        ({"content-type": "application/json; charset=latin-1"}, "unsupported-charset"),
        (JSON | {"content-encoding": "br"}, "unsupported-content-encoding"),
        (JSON | {"content-encoding": "gzip, gzip"}, "unsupported-content-encoding"),
        (JSON | {"content-encoding": "identity, gzip"}, "unsupported-content-encoding"),
    ],
)
async def test_any_other_type_or_encoding_is_refused(
    client: httpx.AsyncClient, telemetry: FakeService, headers: dict[str, str], code: str
) -> None:
    response = await client.post(INGEST, content=b"{}", headers=KEY | headers)
    assert (response.status_code, response.json()["code"]) == (415, code)
    assert not telemetry.received


async def test_its_own_limit_holds_not_that_of_json(client: httpx.AsyncClient, telemetry: FakeService) -> None:
    body = bytes(8 * MIB)
    assert (await client.post(INGEST, content=body, headers=KEY | JSON)).status_code == 200
    assert telemetry.last.request.batch.data == body
    response = await client.post(INGEST, content=body + b"x", headers=KEY | JSON)
    assert (response.status_code, response.headers["connection"]) == (413, "close")
    assert len(telemetry.received) == 1


async def test_what_does_not_say_how_large_it_is_is_taken_up_to_the_limit(
    client: httpx.AsyncClient, telemetry: FakeService
) -> None:
    async def chunks(count: int) -> AsyncIterator[bytes]:
        for number in range(count):
            yield bytes([number % 251]) * 8192

    response = await client.post(INGEST, content=chunks(1024), headers=KEY | JSON)
    assert response.status_code == 200
    assert telemetry.last.request.batch.data == b"".join([bytes([number % 251]) * 8192 for number in range(1024)])
    response = await client.post(INGEST, content=chunks(1025), headers=KEY | JSON)
    assert (response.status_code, response.headers["connection"]) == (413, "close")


async def test_wrong_parameters_are_told_all_at_once(client: httpx.AsyncClient, telemetry: FakeService) -> None:
    query = "agentId=7&sentAt=yesterday&batch=x&sentat=1"
    response = await client.post(f"{INGEST}?{query}", content=b"{}", headers=KEY | JSON)
    assert response.status_code == 422
    assert {error["path"] for error in response.json()["errors"]} == {"agentId", "sentAt", "batch", "sentat"}
    assert not telemetry.received


async def test_a_body_is_not_read_before_the_caller_is_let_in(http: httpx.AsyncClient) -> None:
    assert (await http.post(INGEST, content=unread(), headers=KEY | JSON)).status_code == 401
    assert (await http.post(INGEST, content=unread(), headers=AGENT | JSON)).status_code == 400
    assert (await http.post(INGEST, content=unread(), headers=AGENT | KEY)).status_code == 415


async def test_a_protocol_whose_clients_send_no_key_gets_its_own_answer(
    http: httpx.AsyncClient, telemetry: FakeService
) -> None:
    telemetry.answers["IngestOtlpLogs"] = lambda _: HttpBody(content_type="application/x-protobuf", data=b"\n\0")
    headers = {"authorization": AGENT["authorization"], "content-type": "application/x-protobuf"}
    response = await http.post("/v1/logs", content=b"\n\0", headers=headers)
    assert (response.status_code, response.content) == (200, b"\n\0")
    assert response.headers["content-type"] == "application/x-protobuf"
    assert "idempotency-key" not in telemetry.last.metadata
    assert telemetry.last.principal.workspace_id == "demo"


class Gate:
    """An answer that waits until the gate is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def __call__(self, _: Message) -> Message:
        self.reached.set()
        await self.opened.wait()
        return IngestResult(batch_id="b-2")


def assert_overloaded(response: httpx.Response) -> None:
    assert (response.status_code, response.json()["code"]) == (429, "overloaded")
    assert (response.headers["retry-after"], response.headers["connection"]) == ("1", "close")


async def assert_there_is_room(client: httpx.AsyncClient) -> None:
    """For one body of the largest size: so nothing is held any more."""
    assert (await client.post(INGEST, content=bytes(8 * MIB), headers=JSON)).status_code == 200


async def test_what_does_not_fit_is_refused_unread_until_answers_are_out(
    small: httpx.AsyncClient, telemetry: FakeService
) -> None:
    telemetry.answers["IngestEvents"] = gate = Gate()
    first = asyncio.create_task(small.post(INGEST, content=bytes(5 * MIB), headers=JSON))
    await gate.reached.wait()
    assert_overloaded(await small.post(INGEST, content=bytes(3 * MIB + 1), headers=JSON))
    second = asyncio.create_task(small.post(INGEST, content=bytes(3 * MIB), headers=JSON))
    gate.opened.set()
    assert [(await each).status_code for each in (first, second)] == [200, 200]
    await assert_there_is_room(small)


async def test_a_body_of_unknown_size_takes_up_the_largest(small: httpx.AsyncClient) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        begun.set()
        await go_on.wait()
        yield b"{}"

    first = asyncio.create_task(small.post(INGEST, content=slow(), headers=JSON))
    await begun.wait()
    assert_overloaded(await small.post(INGEST, content=unread(), headers=JSON | {"content-length": "1"}))
    # What is refused for another reason is not told to come again.
    assert (await small.post(INGEST, content=unread(), headers=JSON | {"content-encoding": "br"})).status_code == 415
    go_on.set()
    assert (await first).status_code == 200
    await assert_there_is_room(small)


async def test_room_is_given_back_after_an_error(small: httpx.AsyncClient, telemetry: FakeService) -> None:
    def refuse(_: Message) -> Message:
        raise Invalid("Not a batch.")

    good = telemetry.answers["IngestEvents"]
    telemetry.answers["IngestEvents"] = refuse
    body = bytes(8 * MIB)
    assert (await small.post(INGEST, content=body, headers=JSON)).status_code == 422
    assert (await small.post(f"{INGEST}?agentId=7", content=body, headers=JSON)).status_code == 422
    assert (await small.post(INGEST, content=_chunks(9), headers=JSON)).status_code == 413
    telemetry.answers["IngestEvents"] = good
    await assert_there_is_room(small)


async def test_room_is_given_back_when_the_caller_goes_away_halfway(settings: Settings, telemetry: FakeService) -> None:
    async with _gateway(settings) as gateway:
        half = {"type": "http.request", "body": b"x", "more_body": True}
        status = await _exchange(gateway, half, {"type": "http.disconnect"})
        assert status == 400
        assert await _exchange(gateway, {"type": "http.request", "body": bytes(8 * MIB)}) == 200
    assert len(telemetry.received) == 1


async def test_room_is_given_back_when_the_body_does_not_come(settings: Settings, telemetry: FakeService) -> None:
    del telemetry
    async with _gateway(settings.model_copy(update={"request_timeout_seconds": 0.2})) as gateway:
        assert await _exchange(gateway) == 400
        assert await _exchange(gateway, {"type": "http.request", "body": b"{}"}) == 200


async def test_room_is_given_back_when_the_answer_cannot_be_sent(settings: Settings, telemetry: FakeService) -> None:
    del telemetry
    async with _gateway(settings) as gateway:
        with pytest.raises(ConnectionError):
            await _exchange(gateway, {"type": "http.request", "body": b"{}"}, broken=True)
        assert await _exchange(gateway, {"type": "http.request", "body": b"{}"}) == 200


async def unread() -> AsyncIterator[bytes]:
    """A body that nobody may ask for."""
    for chunk in (b"",):
        assert chunk, "the body was read"
        yield chunk


@asynccontextmanager
async def _gateway(settings: Settings) -> AsyncIterator[app.Gateway]:
    gateway = app.create(settings.model_copy(update={"raw_body_budget_bytes": 8 * MIB}))
    yield gateway
    await gateway.close()


async def _exchange(gateway: app.Gateway, *messages: dict[str, Any], broken: bool = False) -> int:
    """The status of the answer to an ingest request whose body comes in these messages, and then no more."""
    left, sent = list(messages), []

    async def receive() -> Any:
        if left:
            return left.pop(0)
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if broken:
            raise ConnectionError
        sent.append(message)

    headers = [(name.encode(), value.encode()) for name, value in (AGENT | KEY | JSON).items()]
    scope = {"type": "http", "method": "POST", "path": INGEST, "query_string": b"", "headers": headers}
    await gateway(scope, receive, send)
    return int(sent[0]["status"])


async def _chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(MIB)


def test_a_budget_counts_what_is_held() -> None:
    budget = Budget(10)
    with budget.hold(6), budget.hold(4):
        with pytest.raises(Overloaded), budget.hold(1):
            pytest.fail("there was no room")
        assert budget.held == 10
    assert budget.held == 0


PROTO = """
syntax = "proto3";
package opsfield.telemetry.test.{name};
import "google/api/annotations.proto";
import "google/protobuf/empty.proto";
import "opsfield/common/v1/raw_body.proto";
import "opsfield/options/v1/field.proto";
import "opsfield/options/v1/policy.proto";
service PingService {{
  rpc SendPing(SendPingRequest) returns (google.protobuf.Empty) {{
    option (google.api.http) = {{post: "/ping", body: "{body}"}};
    option (opsfield.options.v1.policy) = {{roles: {{any_of: [VIEWER]}} idempotency: CONTENT_DIGEST}};
  }}
}}
message SendPingRequest {{
  {label} opsfield.common.v1.RawBody data = 1 [(opsfield.options.v1.field).raw = {{{raw}}}];
  string note = 2;
}}
"""
GOOD_RAW = 'media_types: "application/json" maximum_bytes: 100 schema: "opsfield.telemetry.v1.TelemetryBatch"'


@pytest.fixture
def rpc_with(request: pytest.FixtureRequest) -> Callable[..., Rpc]:
    """Makes an rpc with a raw body."""
    name = "t" + "".join(letter for letter in request.node.name if letter.isalnum())

    def make(raw: str = GOOD_RAW, *, body: str = "data", label: str = "") -> Rpc:
        file = compile_proto(PROTO.format(name=name, raw=raw, body=body, label=label))
        service: ServiceDescriptor = file.services_by_name["PingService"]
        return contract._rpc(service.methods[0], service)

    return make


def decoder(rpc: Rpc, budget: int = 100) -> Decoder:
    return Decoder(rpc, rpc.routes[0], most_bytes=10, budget=Budget(budget), seconds=1)


def test_a_raw_body_of_any_rpc_can_be_read(rpc_with: Callable[..., Rpc]) -> None:
    assert decoder(rpc_with())


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"body": "*"}, "must be the whole body"),
        ({"body": "note"}, "must be the whole body"),
        ({"label": "repeated"}, "must be the whole body"),
        ({"raw": "maximum_bytes: 100"}, "needs media_types and maximum_bytes"),
        ({"raw": 'media_types: "text/plain"'}, "needs media_types and maximum_bytes"),
        ({"raw": 'media_types: "text/plain" maximum_bytes: 1 schema: "opsfield.Nothing"'}, "no message opsfield.Noth"),
        ({"raw": 'media_types: "text/plain" maximum_bytes: 101'}, "larger than RAW_BODY_BUDGET_BYTES"),
    ],
    ids=["whole", "another field", "repeated", "no types", "no size", "no such schema", "beyond the budget"],
)
def test_a_raw_body_that_cannot_be_served_stops_the_start(
    rpc_with: Callable[..., Rpc], changed: dict[str, str], reason: str
) -> None:
    rpc = rpc_with(**changed)
    with pytest.raises(ContractError, match=reason):
        decoder(rpc)
