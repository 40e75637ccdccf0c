"""Any program is killed and started again: what was answered stays, what was not can be tried again."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from devstack.layout import SERVICES
from tests.e2e.test_ticket_story import read_events
from tests.platform import Api, Platform, assert_problem, eventually, new_key


def states(api: Api) -> dict[str, str]:
    services = api.get("/health", params={"ready": 1}).json()["services"]
    return {each["service"]: each["status"] for each in services}


def outbox(api: Api) -> list[dict[str, Any]]:
    """The events of all services; an AssertionError, to be asked again, while one of them cannot answer."""
    answer = api.get("/events/outbox")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_is_seen_and_comes_back(platform: Platform, api: Api, service: str) -> None:
    ticket = api.new_ticket()
    platform.kill(service)
    try:
        # On a busy machine another one may take longer to answer than it is waited for.
        expected = {each: "unreachable" if each == service else "serving" for each in SERVICES}
        eventually(lambda: states(api) == expected)
        problem = assert_problem(api.get("/events/outbox"), 503, "unavailable")
        assert service in problem["detail"]
        if service != "ops":
            assert api.get(f"/tickets/{ticket['id']}").json() == ticket
    finally:
        platform.start(service)
    eventually(lambda: states(api)[service] == "serving")
    assert eventually(lambda: outbox(api))
    assert api.get(f"/tickets/{ticket['id']}").json() == ticket


def test_a_killed_gateway_keeps_no_secret_state(platform: Platform, api: Api) -> None:
    key, body = new_key(), {"name": "Acme"}
    first = api.post("/clients", json=body, key=key)
    platform.kill("gateway")
    platform.start("gateway")
    assert api.post("/clients", json=body, key=key).content == first.content


def test_a_killed_database_loses_nothing_it_has_answered(platform: Platform, api: Api) -> None:
    ticket = api.new_ticket()
    key, body = new_key(), {"subject": "While it is down", "clientId": ticket["clientId"]}
    platform.kill("postgres")
    try:
        answer = api.post("/tickets", json=body, key=key)
        assert_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"]
    finally:
        platform.start("postgres")
    created = eventually(lambda: (tried := api.post("/tickets", json=body, key=key)).status_code == 201 and tried)
    assert api.get(f"/tickets/{ticket['id']}").json() == ticket
    assert api.get("/tickets").json()["page"]["total"] == 2
    eventually(lambda: {entry["state"] for entry in outbox(api)} == {"published"})
    assert created


def test_without_a_broker_work_goes_on_and_events_follow(platform: Platform, api: Api) -> None:
    client = api.new_client()
    platform.kill("kafka")
    try:
        ticket = api.new_ticket(clientId=client["id"])

        def reason() -> str | None:
            [entry] = outbox(api)
            return entry["lastError"] if entry["state"] == "pending" and entry["attempts"] else None

        assert eventually(reason, seconds=60)
    finally:
        platform.start("kafka")
    eventually(lambda: outbox(api)[0]["state"] == "published", seconds=60)
    assert len(read_events(platform, "ticket.created", key=ticket["id"])) == 1


def test_a_storm_of_kills_leaves_each_key_with_one_ticket(platform: Platform, api: Api) -> None:
    client = api.new_client()
    bodies = {new_key(): {"subject": f"Storm {number}", "clientId": client["id"]} for number in range(120)}
    done = threading.Event()

    def create(key: str) -> bytes:
        body = bodies[key]
        answer = eventually(
            lambda: (tried := api.post("/tickets", json=body, key=key)).status_code == 201 and tried, seconds=60
        )
        return answer.content if answer else b""

    def kill_again_and_again() -> None:
        while not done.wait(1.5):
            platform.kill("ops")
            platform.start("ops")

    killer = threading.Thread(target=kill_again_and_again)
    killer.start()
    try:
        with ThreadPoolExecutor(2) as pool:
            answers = dict(zip(bodies, pool.map(create, bodies), strict=True))
    finally:
        done.set()
        killer.join(60)
    for key, answer in answers.items():
        assert api.post("/tickets", json=bodies[key], key=key).content == answer
    assert api.get("/tickets").json()["page"]["total"] == len(bodies)
    eventually(lambda: api.get("/events/outbox", params={"state": "published"}).json()["page"]["total"] == len(bodies))
