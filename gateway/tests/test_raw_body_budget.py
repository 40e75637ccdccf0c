"""How much raw bodies may take up at once, and when it is given back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.protobuf.message import Message

from gateway import app
from gateway.raw_bodies import Budget, Overloaded
from gateway.settings import Settings
from gateway.tests.fake_service import FakeService
from gateway.tests.ingest import AGENT, INGEST, JSON, KEY, MIB, unread
from kit.errors import Invalid
from opsfield.telemetry.v1.ingest_pb2 import IngestResult


@pytest_asyncio.fixture
async def small(settings: Settings, telemetry: FakeService) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway that has room for one body of the largest size."""
    del telemetry
    gateway = app.create(settings.model_copy(update={"raw_body_budget_bytes": 8 * MIB}))
    transport = httpx.ASGITransport(app=gateway)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=AGENT | KEY) as client:
        yield client
    await gateway.close()


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
