"""The process dies at a named point of a mutation or of its event's way to Kafka. The client tries again with the
same key: there is exactly one ticket, one event in effect, and one answer."""

import httpx
import pytest

from tests.e2e.test_ticket_story import read_events
from tests.platform import Api, Platform, eventually, new_key

DEATH = 137
BEFORE_COMMIT = ("before-key", "after-key", "after-effect", "after-outbox", "before-commit")
AFTER_COMMIT = ("after-commit", "before-answer")
ON_THE_WAY_TO_KAFKA = ("before-produce", "after-produce", "after-acknowledge")


@pytest.mark.parametrize("point", [*BEFORE_COMMIT, *AFTER_COMMIT, *ON_THE_WAY_TO_KAFKA])
def test_a_crash_loses_nothing_and_doubles_nothing(platform: Platform, api: Api, point: str) -> None:
    body = {"subject": f"Crash at {point}", "clientId": api.new_client()["id"]}
    key = new_key()
    platform.restart("ops", {"CRASH_AT": point})
    try:
        # A read passes none of the points; by its answer the gateway is connected again.
        eventually(lambda: api.get("/clients").status_code == 200)
        first = api.post("/tickets", json=body, key=key)
        assert platform.wait("ops") == DEATH
    finally:
        platform.start("ops")

    if point in ON_THE_WAY_TO_KAFKA:
        assert first.status_code in (201, 503), first.text
    else:
        assert first.status_code == 503, first.text
        assert first.headers["retry-after"]

    second = eventually(lambda: _unless_unavailable(api.post("/tickets", json=body, key=key)))
    assert second
    third = api.post("/tickets", json=body, key=key)
    assert second.status_code == third.status_code == 201
    assert third.content == second.content
    assert third.headers["idempotency-replayed"] == "true"
    assert ("idempotency-replayed" in second.headers) == (point not in BEFORE_COMMIT)
    if first.status_code == 201:
        assert first.content == second.content

    assert [each["id"] for each in api.get("/tickets").json()["data"]] == [second.json()["id"]]
    eventually(lambda: _all_published(api))
    events = read_events(platform, "ticket.created", key=second.json()["id"])
    assert len({event["id"] for event in events}) == 1
    if point not in ("after-produce", "after-acknowledge"):
        assert len(events) == 1


def _unless_unavailable(answer: httpx.Response) -> httpx.Response | None:
    return None if answer.status_code == 503 else answer


def _all_published(api: Api) -> bool:
    entries = api.get("/events/outbox").json()["data"]
    return [entry["state"] for entry in entries] == ["published"]
