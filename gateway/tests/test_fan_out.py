"""A list that every service has a part of."""

from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.tests.fake_service import FakeService
from gateway.tests.resources import outbox_page
from opsfield.common.v1 import page_pb2
from opsfield.common.v1.outbox_pb2 import ListOutboxEventsRequest, ListOutboxEventsResponse, OutboxEvent

OUTBOX = "/api/v1/events/outbox"
List = Callable[[ListOutboxEventsRequest], ListOutboxEventsResponse]


def event(name: str, second: int | None = None, **fields: Any) -> OutboxEvent:
    created_at = None if second is None else Timestamp(seconds=second)
    return OutboxEvent(id=name, created_at=created_at, state=OutboxEvent.PENDING, **fields)


def holding(*events: OutboxEvent) -> List:
    """A service with these events, which it sorts by creation, newest first unless asked otherwise."""

    def answer(request: ListOutboxEventsRequest) -> ListOutboxEventsResponse:
        newest_first = request.sort_order != page_pb2.ASC
        rows = sorted(events, key=lambda each: each.created_at.seconds, reverse=newest_first)
        page = outbox_page(*rows[request.offset : request.offset + request.limit], total=len(events))
        page.sort.by = request.sort_by or "createdAt"
        page.sort.order = page_pb2.DESC if newest_first else page_pb2.ASC
        page.filters.update({"topic": request.topic} if request.topic else {})
        return page

    return answer


@pytest.fixture(autouse=True)
def every_service(services: dict[str, FakeService]) -> dict[str, FakeService]:
    for service in services.values():
        service.answers["ListOutboxEvents"] = holding()
    return services


def ids(response: httpx.Response) -> list[str]:
    return [each["id"] for each in response.json()["data"]]


async def test_the_parts_are_merged_in_order(client: httpx.AsyncClient, services: dict[str, FakeService]) -> None:
    services["ops"].answers["ListOutboxEvents"] = holding(event("a", 10), event("b", 30), event("c", 50))
    services["workflow"].answers["ListOutboxEvents"] = holding(event("d", 20), event("e", 40))
    response = await client.get(f"{OUTBOX}?limit=3&offset=1&topic=ticket.created")
    assert ids(response) == ["e", "b", "d"]
    body = response.json()
    assert body["page"] == {"limit": 3, "offset": 1, "returned": 3, "total": 5}
    assert body["sort"] == {"by": "createdAt", "order": "desc"}
    assert body["filters"] == {"topic": "ticket.created"}
    for service in services.values():
        (received,) = service.received
        assert (received.request.offset, received.request.limit) == (0, 4)
        assert received.principal.workspace_id == "demo"


async def test_rows_without_the_value_come_last_in_either_order(
    client: httpx.AsyncClient, services: dict[str, FakeService]
) -> None:
    services["ops"].answers["ListOutboxEvents"] = holding(event("none"), event("late", 2**33))
    services["portal"].answers["ListOutboxEvents"] = holding(event("early", 1))
    assert ids(await client.get(f"{OUTBOX}?sortOrder=asc&sortBy=createdAt")) == ["early", "late", "none"]
    assert ids(await client.get(f"{OUTBOX}?sortOrder=desc&sortBy=createdAt")) == ["late", "early", "none"]


async def test_rows_are_sorted_by_numbers_and_texts_too(
    client: httpx.AsyncClient, services: dict[str, FakeService]
) -> None:
    services["ops"].answers["ListOutboxEvents"] = holding(event("a", attempts=10, topic="x"))
    services["portal"].answers["ListOutboxEvents"] = holding(event("b", attempts=9, topic="y"))
    assert ids(await client.get(f"{OUTBOX}?sortOrder=asc&sortBy=attempts")) == ["b", "a"]
    assert ids(await client.get(f"{OUTBOX}?sortOrder=desc&sortBy=topic")) == ["b", "a"]


async def test_a_far_page_is_fetched_in_pages_that_services_allow(
    client: httpx.AsyncClient, services: dict[str, FakeService]
) -> None:
    many = [event(f"m{number:04}", 10_000 - number) for number in range(500)]
    services["ops"].answers["ListOutboxEvents"] = holding(*many)
    services["portal"].answers["ListOutboxEvents"] = holding(event("between", 10_000 - 449))
    response = await client.get(f"{OUTBOX}?limit=3&offset=449")
    assert set(ids(response)) == {"m0449", "between", "m0450"}
    asked = [(each.request.offset, each.request.limit) for each in services["ops"].received]
    assert asked == [(0, 200), (200, 200), (400, 52)]
    assert len(services["portal"].received) == 1, "a service with few rows is asked once"


async def test_a_page_behind_the_end_is_empty(client: httpx.AsyncClient, services: dict[str, FakeService]) -> None:
    services["ops"].answers["ListOutboxEvents"] = holding(event("a", 1))
    response = await client.get(f"{OUTBOX}?offset=10000")
    assert response.json()["page"] == {"limit": 50, "offset": 10000, "returned": 0, "total": 1}


async def test_a_service_that_cannot_answer_fails_the_list_and_is_named(
    client: httpx.AsyncClient, services: dict[str, FakeService]
) -> None:
    services["telemetry"].aborts = [grpc.StatusCode.UNAVAILABLE] * 2
    response = await client.get(OUTBOX)
    assert response.status_code == 503
    assert "telemetry" in response.json()["detail"]
    assert response.headers["retry-after"]


async def test_a_service_that_does_not_offer_it_fails_the_list(
    client: httpx.AsyncClient, services: dict[str, FakeService]
) -> None:
    del services["portal"].answers["ListOutboxEvents"]
    response = await client.get(OUTBOX)
    assert (response.status_code, response.json()["code"]) == (503, "not-offered")
