"""Bodies that are handed on as they came: what is taken."""

import gzip
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.raw_bodies import Budget
from gateway.requests import Decoder
from gateway.tests.fake_service import FakeService
from gateway.tests.ingest import AGENT, AGENT_ID, INGEST, JSON, KEY, MIB, unread
from kit import contract
from kit.contract import ContractError, Rpc
from kit.tests.protos import compile_proto


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
