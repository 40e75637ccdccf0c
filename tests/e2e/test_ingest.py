"""Batches of telemetry, through the front door."""

import gzip
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from backports import zstd

from tests.agents import Agent, Fleet, check, heartbeat, inventory, metric, ndjson, new_enrollment_token
from tests.platform import Api, Platform, assert_problem, eventually, new_key

MOST_BYTES = 8 * 1024 * 1024


@pytest.fixture
def agent(fleet: Fleet, api: Api) -> Agent:
    """One of the workspace of `api`."""
    return Agent(fleet, new_enrollment_token(api))


def latest(api: Api, agent: Agent) -> dict[str, float]:
    """The latest value of each series of an agent."""
    series = api.get(f"/edge-agent/agents/{agent.id}/metrics").json()["series"]
    return {f"{each['name']} {each['instance']}".strip(): each["latestValue"] for each in series}


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
def test_each_way_of_writing_a_batch(api: Api, agent: Agent, encoding: str, content_type: str) -> None:
    events = [metric(value=7), metric("disk.used_percent", 40, instance="/"), heartbeat()]
    written = ndjson(events) if "ndjson" in content_type else orjson.dumps({"events": events})
    body = {"": written, "gzip": gzip.compress(written), "zstd": zstd.compress(written)}[encoding]
    answer = agent.send_bytes(body, encoding=encoding, content_type=content_type)
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == 3
    assert latest(api, agent) == {"cpu.used_percent": 7, "disk.used_percent /": 40}
    [batch] = api.get("/events/ingest-batches").json()["data"]
    assert (batch["accepted"], batch["rejected"], batch["bytes"]) == (3, 0, len(body))
    assert batch["format"] == ("ndjson" if "ndjson" in content_type else "json")


def test_what_is_right_in_a_batch_is_kept_and_the_rest_counted(api: Api, agent: Agent) -> None:
    wrong: list[Any] = [
        metric(value="7"),
        metric(value=None),
        metric(name="x" * 201),
        metric(at=datetime.now(UTC) + timedelta(days=3650)),
        metric(at=datetime.now(UTC) - timedelta(days=3650)),
        metric(instance="\0"),
        {**metric(), "more": 1},
        {"type": "poem"},
        [],
        check("web", "fine"),
    ]
    answer = agent.send(metric(value=1), *wrong, metric("cpu.load_1m", 2))
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert (result["accepted"], result["rejected"]) == (2, len(wrong))
    assert [each["index"] for each in result["errors"]] == sorted(each["index"] for each in result["errors"])
    assert {each["index"] for each in result["errors"]} == set(range(1, len(wrong) + 1))
    assert latest(api, agent) == {"cpu.used_percent": 1, "cpu.load_1m": 2}
    [batch] = api.get("/events/ingest-batches", params={"q": "in the future"}).json()["data"]
    assert batch["errors"] == result["errors"]
    [status] = api.get("/edge-agent/ingest-status").json()["data"]
    assert (status["eventsAccepted"], status["eventsRejected"], status["batches"]) == (2, len(wrong), 1)


def test_numbers_that_json_has_none_for_cost_their_own_event(agent: Agent) -> None:
    body = orjson.dumps({"events": [metric(), metric(), metric()]})
    for number in (b"NaN", b"Infinity", b"-Infinity", b"1e999"):
        answer = agent.send_bytes(body.replace(b"1.5", number, 1), encoding="")
        assert answer.status_code == 200, answer.text
        assert (answer.json()["accepted"], [each["index"] for each in answer.json()["errors"]]) == (2, [0])


def test_a_replayed_batch_changes_nothing(api: Api, agent: Agent) -> None:
    events, key, now = [metric(value=3), metric(value="no")], new_key(), datetime.now(UTC)
    first = agent.send(*events, key=key, params={"sentAt": now.isoformat()})
    # Sent again, a minute later by its own clock.
    again = agent.send(*events, key=key, params={"sentAt": (now + timedelta(minutes=1)).isoformat()})
    assert first.status_code == 200
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert api.get("/events/ingest-batches").json()["page"]["total"] == 1
    [status] = api.get("/edge-agent/ingest-status").json()["data"]
    assert (status["batches"], status["eventsAccepted"]) == (1, 1)
    assert_problem(agent.send(metric(value=4), key=key), 422, "idempotency-key-reused")


def test_bodies_that_cannot_be_read_change_nothing(api: Api, agent: Agent) -> None:
    whole = gzip.compress(orjson.dumps({"events": [metric()] * 100}))
    for body, encoding, status in (
        (whole[: len(whole) // 2], "gzip", 400),
        (whole + b"trailing", "gzip", 400),
        (b"not compressed", "gzip", 400),
        (b"not compressed", "zstd", 400),
        (b"", "", 400),
        (b"{", "", 400),
        (b"\xff", "", 400),
        (b'{"events": ' + b"[" * 100_000, "", 400),
        (b"[]", "", 422),
        (b'{"events": 1}', "", 422),
        (b'{"events": [], "agentId": "x"}', "", 422),
        (orjson.dumps({"events": [{}] * 10_001}), "", 422),
        (b" " * (MOST_BYTES + 1), "", 413),
        (zlib.compress(bytes(MOST_BYTES + 1), 9, wbits=31), "gzip", 413),
        (zstd.compress(bytes(100 * MOST_BYTES)), "zstd", 413),
        (whole, "br", 415),
        (whole, "gzip, gzip", 415),
    ):
        answer = agent.send_bytes(body, encoding=encoding)
        assert answer.status_code == status, (body[:20], encoding, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    assert agent.send_bytes(whole, content_type="text/plain").status_code == 415
    assert api.get("/events/ingest-batches").json()["page"]["total"] == 0
    assert latest(api, agent) == {}


def test_a_clock_that_is_years_off_is_made_up_for(api: Api, agent: Agent) -> None:
    clock = datetime(1999, 12, 31, 23, 59, tzinfo=UTC)
    agent.accepted(metric(value=9, at=clock), params={"sentAt": clock.isoformat()})
    assert latest(api, agent) == {"cpu.used_percent": 9}
    seen = api.get(f"/edge-agent/agents/{agent.id}").json()
    years = (datetime.now(UTC) - clock).total_seconds()
    assert seen["clockSkewSeconds"] == pytest.approx(years, abs=60)
    for wrong in ("yesterday", "0", "2026-01-01"):
        assert_problem(agent.send(metric(), params={"sentAt": wrong}), 422, "validation-failed")


def test_an_agent_speaks_for_itself_alone(platform: Platform, fleet: Fleet, api: Api, agent: Agent) -> None:
    other = Agent(fleet, new_enrollment_token(api))
    assert agent.accepted(metric(), params={"agentId": agent.id})
    assert_problem(agent.send(metric(), params={"agentId": other.id}), 403, "agent-not-own")
    assert latest(api, other) == {}
    assert [each["agentId"] for each in agent.get("/edge-agent/ingest-status").json()["data"]] == [agent.id]
    answer = agent.get("/edge-agent/ingest-status", params={"agentId": other.id})
    assert_problem(answer, 403, "agent-not-own")
    with platform.api(
        ("endpoint_agent",), workspace=api.workspace, agent="0197a0c2-5f5e-7b4c-9d8e-0123456789ab"
    ) as unknown:
        assert_problem(unknown.post("/events/ingest", json={"events": []}), 403, "agent-unknown")
    with platform.api(("endpoint_agent",), workspace=api.workspace, agent="no-uuid") as unknown:
        assert_problem(unknown.post("/events/ingest", json={"events": []}), 403, "agent-unknown")


def test_staff_sends_for_an_agent_that_it_names(platform: Platform, api: Api, agent: Agent) -> None:
    body = {"events": [metric(value=5)]}
    assert_problem(api.post("/events/ingest", json=body), 422, "validation-failed")
    assert api.post("/events/ingest", json=body, params={"agentId": agent.id}).status_code == 200
    assert latest(api, agent) == {"cpu.used_percent": 5}
    with platform.api() as elsewhere:
        answer = elsewhere.post("/events/ingest", json=body, params={"agentId": agent.id})
        assert assert_problem(answer, 422, "validation-failed")["errors"][0]["path"] == "agentId"


def test_ten_thousand_harmless_events_say_nothing_to_anyone(api: Api, agent: Agent) -> None:
    agent.accepted(inventory(agent.hostname), metric())
    eventually(lambda: api.get("/assets", params={"status": "online"}).json()["data"])
    before = api.get("/events/outbox").json()["page"]["total"]
    agent.accepted(*[metric("disk.used_percent", 50 + n % 30, instance=f"/{n % 9}") for n in range(10_000)])
    assert api.get("/events/outbox").json()["page"]["total"] == before
    assert api.get("/alerts").json()["page"]["total"] == 0


def test_a_threshold_that_is_passed_is_one_alert_until_it_is_over(api: Api, agent: Agent) -> None:
    agent.accepted(inventory(agent.hostname))
    for used in (50, 91, 95, 89, 93, 86):
        agent.accepted(metric("disk.used_percent", used, instance="/"))
    [alert] = eventually(lambda: api.get("/alerts", params={"status": "firing"}).json()["data"])
    assert agent.hostname in alert["title"]
    [asset] = eventually(lambda: api.get("/assets", params={"status": "degraded"}).json()["data"])
    assert alert["assetId"] == asset["id"]
    agent.accepted(metric("disk.used_percent", 80, instance="/"))
    [alert] = eventually(lambda: api.get("/alerts", params={"status": "resolved"}).json()["data"])
    assert alert["occurrenceCount"] == 1
    assert eventually(lambda: api.get("/assets", params={"status": "online"}).json()["data"])


def test_what_was_measured_has_its_course(api: Api, agent: Agent) -> None:
    now = datetime.now(UTC)
    agent.accepted(*[metric(value=n, at=now - timedelta(minutes=30 - n)) for n in range(30)])
    path = f"/edge-agent/agents/{agent.id}/metrics"
    [series] = api.get(path, params={"name": "cpu.used_percent"}).json()["series"]
    assert [each["mean"] for each in series["points"]] == list(range(30))
    [part] = api.get(
        path,
        params={"name": "cpu.used_percent", "from": (now - timedelta(minutes=10)).isoformat(), "to": now.isoformat()},
    ).json()["series"]
    assert part["points"][0]["minimum"] == 20
    assert api.get(path, params={"name": "nothing"}).json()["series"] == []
    for wrong in (
        {"from": now.isoformat(), "to": now.isoformat()},
        {"from": (now - timedelta(days=40)).isoformat()},
        {"from": "yesterday"},
    ):
        assert_problem(api.get(path, params=wrong), 422, "validation-failed")


def test_lists_keep_the_conventions(api: Api, agent: Agent) -> None:
    agent.accepted(metric())
    agent.accepted(metric(), metric())
    batches = api.get("/events/ingest-batches", params={"sortBy": "accepted", "sortOrder": "asc", "limit": 1}).json()
    assert [each["accepted"] for each in batches["data"]] == [1]
    assert batches["page"] == {"limit": 1, "offset": 0, "returned": 1, "total": 2}
    assert batches["sort"] == {"by": "accepted", "order": "asc"}
    assert api.get("/events/ingest-batches", params={"agentId": agent.id, "format": "json"}).json()["filters"] == {
        "agentId": agent.id,
        "format": "json",
    }
    status = api.get("/edge-agent/ingest-status", params={"sortBy": "eventsAccepted", "q": agent.hostname}).json()
    assert [each["eventsAccepted"] for each in status["data"]] == [3]
    assert status["data"][0]["eventsPerMinute"] > 0
    for path in ("/events/ingest-batches", "/edge-agent/ingest-status", "/edge-agent/agents"):
        assert_problem(api.get(path, params={"sortBy": "nothing"}), 422, "validation-failed")
