"""What bodies are taken in."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.bodies import BodyReader
from gateway.exchange import Message, Request
from gateway.tests.fake_service import FakeService
from gateway.tests.resources import TICKET_BODY, TICKET_ID, ticket
from kit.errors import Malformed

KEY = {"idempotency-key": "k"}
JSON = {"content-type": "application/json"}
BODY = b'{"subject": "x", "clientId": "0193a4a4-7d2b-7000-8000-000000000002"}'


@pytest.fixture(autouse=True)
def tickets(ops: FakeService) -> FakeService:
    ops.answers = {"UpdateTicket": lambda _: ticket(), "CreateTicket": lambda _: ticket()}
    return ops


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"content-type": "application/json; charset=utf-8"},
        {"content-type": 'Application/JSON ; charset="UTF-8"'},
        {"content-type": "application/json", "content-encoding": "identity"},
    ],
)
async def test_json_in_utf8_is_taken(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.post("/api/v1/tickets", content=BODY, headers=KEY | headers)
    assert response.status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/jsonx"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/merge-patch+json"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json; version=2"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"content-type": "application/json", "content-encoding": "gzip, gzip"},
    ],
)
async def test_any_other_body_is_refused(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.post("/api/v1/tickets", content=BODY, headers=KEY | headers)
    assert response.status_code == 415
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("media_type", ["application/json", "application/merge-patch+json"])
async def test_a_patch_may_call_itself_one(client: httpx.AsyncClient, media_type: str) -> None:
    headers = KEY | {"content-type": media_type}
    response = await client.patch(f"/api/v1/tickets/{TICKET_ID}", content=b"{}", headers=headers)
    assert response.status_code == 200


async def test_a_body_that_says_it_is_too_large_is_not_read(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/v1/tickets", content=b" " * (64 * 1024 + 1), headers=KEY | JSON)
    assert response.status_code == 413
    assert response.headers["connection"] == "close"


async def test_a_body_that_does_not_say_how_large_it_is_is_cut_off(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 8192

    response = await client.post("/api/v1/tickets", content=endless(), headers=KEY | JSON)
    assert response.status_code == 413


async def test_a_body_of_just_the_limit_is_taken(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/v1/tickets", content=BODY.ljust(64 * 1024), headers=KEY | JSON)
    assert response.status_code == 201


@pytest.mark.parametrize("body", [b"", b"{", b'{"subject": NaN}', b'{"a": 1, "a": 1}', b"\xff"])
async def test_what_is_no_json_is_malformed(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/api/v1/tickets", content=body, headers=KEY | JSON)
    assert response.status_code == 400
    assert response.json()["code"] == "malformed-json"


async def test_errors_in_the_body_and_in_the_path_come_together(client: httpx.AsyncClient) -> None:
    response = await client.patch("/api/v1/tickets/7?x=1", json={"tier": 9}, headers=KEY)
    assert response.status_code == 422
    assert {error["path"] for error in response.json()["errors"]} == {"id", "x", "tier"}
    assert "tier" in response.json()["detail"]


async def test_parameters_are_no_fields_of_an_actions_body(client: httpx.AsyncClient) -> None:
    body = {"id": TICKET_ID, "reason": "x"}
    response = await client.post(f"/api/v1/ops/tickets/{TICKET_ID}/escalate", json=body, headers=KEY)
    assert response.json()["errors"] == [{"path": "id", "message": "is not a known field"}]


def request_of(*messages: Message) -> Request:
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    headers = {b"content-type": "application/json"}
    return Request("POST", "/", b"", "", receive, "c", headers)


async def test_a_caller_that_goes_away_halfway_is_no_request() -> None:
    reader = BodyReader(("application/json",), 100, 1)
    half = {"type": "http.request", "body": b"{", "more_body": True}
    with pytest.raises(Malformed, match="incomplete"):
        await reader.read(request_of(half, {"type": "http.disconnect"}))


async def test_a_body_that_never_ends_is_given_up() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        return {}

    request = request_of()
    request.receive = never
    with pytest.raises(Malformed, match="in time"):
        await BodyReader(("application/json",), 100, 0).read(request)


def test_the_sample_body_is_what_the_tests_of_others_send() -> None:
    assert TICKET_BODY["clientId"] in BODY.decode()
