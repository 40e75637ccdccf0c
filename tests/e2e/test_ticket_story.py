"""One ticket goes the whole way: created once, found, changed, told to the world."""

import json
import uuid
from typing import Any

from confluent_kafka import Consumer

from tests.platform import Api, Platform, assert_problem, eventually, new_key


def read_events(platform: Platform, topic: str, *, key: str) -> list[dict[str, object]]:
    """What a consumer of ours reads on a topic about one resource."""
    consumer = Consumer(
        {
            "bootstrap.servers": platform.stack.kafka_bootstrap,
            "group.id": f"test-{uuid.uuid4()}",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    found = []
    try:
        while message := consumer.poll(5):
            if message.error() is None and message.key() == key.encode():
                assert ("content-type", b"application/cloudevents+json; charset=UTF-8") in (message.headers() or [])
                found.append(json.loads(message.value() or b""))
    finally:
        consumer.close()
    return found


def test_a_ticket_is_created_once_and_found_and_told(platform: Platform, api: Api) -> None:
    client = api.new_client(name="Alder & Finch")
    body = {"subject": "Label printer on fire", "clientId": client["id"], "priority": "high", "tags": ["onsite"]}
    key = new_key()

    first = api.post("/tickets", json=body, key=key, headers={"x-correlation-id": "story-1"})
    assert first.status_code == 201
    ticket = first.json()
    assert first.headers["location"] == f"/api/v1/tickets/{ticket['id']}"
    assert first.headers["etag"] == '"1"'
    assert first.headers["x-correlation-id"] == "story-1"
    assert "idempotency-replayed" not in first.headers
    assert (ticket["number"], ticket["status"], ticket["priority"]) == ("T-1001", "new", "high")
    assert ticket["createdAt"].endswith("Z")

    again = api.post("/tickets", json=dict(reversed(body.items())), key=key)
    assert again.status_code == 201
    assert again.headers["idempotency-replayed"] == "true"
    assert again.content == first.content

    other = api.post("/tickets", json={**body, "subject": "Another"}, key=key)
    assert_problem(other, 422, "idempotency-key-reused")

    found = api.get("/tickets", params={"q": "PRINTER on", "status": "new"}).json()
    assert [each["id"] for each in found["data"]] == [ticket["id"]]
    assert found["page"] == {"limit": 50, "offset": 0, "returned": 1, "total": 1}
    assert found["sort"] == {"by": "createdAt", "order": "desc"}
    assert found["filters"] == {"status": "new"}

    def published() -> dict[str, Any] | None:
        events = api.get("/events/outbox", params={"topic": "ticket.created"}).json()["data"]
        return next((each for each in events if each["state"] == "published"), None)

    entry = eventually(published)
    assert entry
    assert (entry["service"], entry["key"], entry["correlationId"]) == ("ops", ticket["id"], "story-1")

    [event] = read_events(platform, "ticket.created", key=ticket["id"])
    assert event["specversion"] == "1.0"
    assert (event["type"], event["source"], event["subject"]) == ("ticket.created", "/opsfield/ops", ticket["id"])
    assert (event["id"], event["workspaceid"], event["correlationid"]) == (entry["id"], api.workspace, "story-1")
    assert event["data"] == {"ticket": ticket}


def test_a_ticket_lives_from_new_to_closed(api: Api) -> None:
    ticket = api.new_ticket()
    path = f"/tickets/{ticket['id']}"

    moved = api.patch(path, json={"status": "in_progress", "assigneeId": "amira"})
    assert (moved.status_code, moved.json()["version"], moved.headers["etag"]) == (200, 2, '"2"')

    problem = assert_problem(api.patch(path, json={"status": "closed"}), 409, "illegal-transition")
    assert "legal: open, resolved, waiting_on_client, waiting_on_vendor" in problem["detail"]
    silent = assert_problem(api.patch(path, json={"status": "resolved"}), 422, "validation-failed")
    assert silent["errors"][0]["path"] == "resolution"

    escalated = api.post(f"/ops/tickets/{ticket['id']}/escalate", json={"reason": "Production stands still"}).json()
    assert (escalated["tier"], escalated["priority"]) == (2, "high")
    assert escalated["escalations"][0]["reason"] == "Production stands still"

    resolved = api.post(f"/ops/tickets/{ticket['id']}/resolve", json={"resolution": "Put it out"}).json()
    assert (resolved["status"], resolved["resolution"]) == ("resolved", "Put it out")
    assert resolved["resolvedAt"] is not None

    reopened = api.patch(path, json={"status": "open"}).json()
    assert (reopened["reopenCount"], reopened["resolvedAt"]) == (1, None)
    assert api.patch(path, json={"status": "resolved"}).status_code == 200
    closed = api.patch(path, json={"status": "closed"}).json()
    assert closed["closedAt"] is not None
    final = assert_problem(api.patch(path, json={"status": "open"}), 409, "illegal-transition")
    assert "final" in final["detail"]


def test_changes_meet_their_version(api: Api) -> None:
    path = f"/tickets/{api.new_ticket()['id']}"
    assert api.patch(path, json={"tier": 2}, headers={"if-match": '"1"'}).status_code == 200
    assert_problem(api.patch(path, json={"tier": 3}, headers={"if-match": '"1"'}), 412, "version-stale")
    assert_problem(api.delete(path, headers={"if-match": '"1"'}), 412, "version-stale")
    current = api.get(path)
    assert current.json()["tier"] == 2
    unchanged = api.get(path, headers={"if-none-match": current.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_what_was_read_can_be_put_back(api: Api) -> None:
    ticket = api.new_ticket(description="smoke", tags=["a", "b"])
    path = f"/tickets/{ticket['id']}"
    put = api.put(path, json={**ticket, "subject": "Printer cooled down"})
    assert put.status_code == 200, put.text
    assert put.json() == {
        **ticket,
        "subject": "Printer cooled down",
        "version": 2,
        "updatedAt": put.json()["updatedAt"],
    }
    bare = api.put(path, json={"subject": "Bare", "clientId": ticket["clientId"]}).json()
    assert (bare["description"], bare["tags"], bare["status"]) == (None, [], "new")


def test_a_merge_patch_changes_what_it_names_and_null_clears(api: Api) -> None:
    client = api.new_client(notes="a", tags=["x"], billingAddress={"city": "Cork", "country": "IE"})
    path = f"/clients/{client['id']}"
    patched = api.patch(
        path,
        content=json.dumps({"notes": None, "tags": [], "billingAddress": {"city": None, "line1": "1 Quay"}}),
        headers={"content-type": "application/merge-patch+json"},
    )
    assert patched.status_code == 200, patched.text
    changed = patched.json()
    assert (changed["notes"], changed["tags"], changed["name"]) == (None, [], client["name"])
    address = {name: value for name, value in changed["billingAddress"].items() if value}
    assert address == {"line1": "1 Quay", "country": "IE"}


def test_a_deleted_resource_is_gone_unless_something_needs_it(api: Api) -> None:
    ticket = api.new_ticket()
    client_path = f"/clients/{ticket['clientId']}"
    problem = assert_problem(api.delete(client_path), 409, "in-use")
    assert "1 tickets" in problem["detail"]
    key = new_key()
    gone = api.delete(f"/tickets/{ticket['id']}", key=key)
    assert (gone.status_code, gone.content) == (204, b"")
    replayed = api.delete(f"/tickets/{ticket['id']}", key=key)
    assert (replayed.status_code, replayed.headers["idempotency-replayed"]) == (204, "true")
    assert_problem(api.get(f"/tickets/{ticket['id']}"), 404, "not-found")
    assert api.get("/tickets").json()["page"]["total"] == 0
    assert api.delete(client_path).status_code == 204
