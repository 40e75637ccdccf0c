"""What happens is told to people where they look: once, in their hours, and until somebody takes it."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.integrations.tests.github import workflow_run
from services.integrations.tests.receivers import Hook, hook
from tests.databases import rows
from tests.e2e.test_github import Github, _at, github
from tests.platform import Api, Platform, assert_problem, eventually, new_key, own_host

__all__ = ["github"]

TEST = "/integrations/notifications/test"
NOTIFICATIONS = "/integrations/notifications"


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook(own_host()) as running:
        yield running


@pytest.fixture
def admin(platform: Platform, api: Api) -> Iterator[Api]:
    """Who administers integrations in the same workspace."""
    with platform.api(("integration_admin",), workspace=api.workspace) as admin:
        yield admin


def channel(admin: Api, url: str, **fields: Any) -> str:
    assert admin.post("/workspace/secrets/notifications.desk", json={"value": url}).status_code == 201
    body = {"name": "desk", "secretKey": "notifications.desk"} | fields
    answer = admin.post("/notification-channels", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def rule(admin: Api, channel_id: str, topic: str, **fields: Any) -> dict[str, Any]:
    body = {"name": f"on {topic}", "topic": topic, "channelId": channel_id} | fields
    answer = admin.post("/notification-rules", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def titles(receiver: Hook) -> list[str]:
    """Or the text, of those that are nothing but a title."""
    return [each["title"] or each["message"] for each in receiver.taken]


def told(api: Api, **filters: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(NOTIFICATIONS, params=filters).json()["data"]
    return found


def test_a_test_says_what_the_other_side_answers(admin: Api, receiver: Hook) -> None:
    channel_id, key = channel(admin, receiver.url), new_key()
    answer = admin.post(TEST, json={"channelId": channel_id}, headers={"idempotency-key": key})
    assert (answer.status_code, answer.json()["delivered"], answer.json()["service"]) == (200, True, "json")
    again = admin.post(TEST, json={"channelId": channel_id}, headers={"idempotency-key": key})
    assert again.headers["idempotency-replayed"] == "true"
    assert titles(receiver) == ["A test of this channel"]
    receiver.status, receiver.answer = 503, "gone fishing"
    failed = admin.post(TEST, json={"channelId": channel_id, "title": "Hello"}).json()
    assert not failed["delivered"]
    assert "gone fishing" in failed["answer"]
    unknown = {"channelId": "0190b0b0-0000-7000-8000-000000000000"}
    assert_problem(admin.post(TEST, json=unknown), 422, "validation-failed")


def test_what_a_rule_matches_is_told_once(api: Api, admin: Api, receiver: Hook) -> None:
    channel_id = channel(admin, receiver.url)
    rule(admin, channel_id, "alert.triggered", filter=[{"path": "alert.severity", "anyOf": ["high", "critical"]}])
    for severity in ("warning", "high", "info", "critical"):
        alert = {"source": "uptime", "rule": severity, "title": f"It is {severity}", "severity": severity}
        assert api.post("/alerts", json=alert).status_code == 201
    eventually(lambda: len(told(api, state="sent")) == 2)
    assert sorted(titles(receiver)) == ["critical: It is critical", "high: It is high"]
    assert {each["attempts"] for each in told(api)} == {1}


def let_time_pass(platform: Platform, workspace: str) -> None:
    """What waits in that workspace is due now."""
    rows(platform, "integrations", "UPDATE notifications SET due_at = now() WHERE workspace_id = $1", workspace)


def test_messages_are_gathered_where_the_channel_wants_it(
    platform: Platform, api: Api, admin: Api, receiver: Hook
) -> None:
    channel_id = channel(admin, receiver.url, digestMinutes=60)
    rule(admin, channel_id, "ticket.created", title="{ticket.subject}", body="x")
    for subject in ("One", "Two", "Three"):
        api.new_ticket(subject=subject)
    eventually(lambda: len(told(api, state="waiting")) == 3)
    waiting = told(api, state="waiting")
    assert len({each["dueAt"] for each in waiting}) == 1
    assert receiver.taken == []
    # They leave together as soon as their time has come.
    let_time_pass(platform, api.workspace)
    eventually(lambda: len(told(api, state="sent")) == 3)
    [message] = receiver.taken
    assert message["title"] == "3 messages"
    assert all(subject in message["message"] for subject in ("One", "Two", "Three"))


def test_what_nobody_takes_waits_and_is_tried_again(platform: Platform, api: Api, admin: Api, receiver: Hook) -> None:
    channel_id = channel(admin, receiver.url)
    rule(admin, channel_id, "ticket.created")
    receiver.status, receiver.answer = 500, "not now"
    api.new_ticket()
    [waiting] = eventually(lambda: [each for each in told(api, state="waiting") if each["attempts"] == 1])
    assert "not now" in waiting["problem"]
    receiver.status = 200
    let_time_pass(platform, api.workspace)
    [sent] = eventually(lambda: told(api, state="sent"), seconds=40)
    assert (sent["attempts"], sent["problem"]) == (2, None)
    assert_problem(api.post(f"{NOTIFICATIONS}/{sent['id']}/retry"), 404, "not-found")


def test_a_channel_without_an_address_says_so(api: Api, admin: Api) -> None:
    answer = admin.post("/notification-channels", json={"name": "desk", "secretKey": "notifications.none"})
    rule(admin, answer.json()["id"], "ticket.created")
    api.new_ticket()
    waiting = eventually(lambda: [each for each in told(api) if each["problem"]])
    assert waiting[0]["problem"] == "The secret notifications.none is not set."


def test_who_may_do_what(api: Api, admin: Api, platform: Platform) -> None:
    body = {"name": "desk", "secretKey": "notifications.desk"}
    assert_problem(api.post("/notification-channels", json=body), 403, "role-missing")
    assert_problem(api.post(TEST, json={"channelId": "0190b0b0-0000-7000-8000-000000000000"}), 403, "role-missing")
    assert_problem(
        admin.post("/notification-channels", json=body | {"secretKey": "payments.stripe"}), 422, "validation-failed"
    )
    channel_id = admin.post("/notification-channels", json=body).json()["id"]
    with platform.api(("integration_admin",)) as other:
        assert_problem(other.get(f"/notification-channels/{channel_id}"), 404, "not-found")
        unknown = {"name": "r", "topic": "ticket.created", "channelId": channel_id}
        assert other.post("/notification-rules", json=unknown).status_code == 422


def test_a_failed_build_ends_as_an_alert_a_ticket_and_a_message(github: Github, admin: Api, receiver: Hook) -> None:
    channel_id = channel(admin, receiver.url)
    rule(admin, channel_id, "pipeline.failed", quietMinutes=60)
    rule(admin, channel_id, "ticket.created", title="{ticket.number}: {ticket.subject}")
    assert github.deliver(workflow_run(repo=github.repo, updated_at=_at(60))).status_code == 202
    [alert] = eventually(github.alerts)
    ticket = github.api.new_ticket(subject="The shop cannot be released")
    linked = github.api.post(f"/ops/alerts/{alert['id']}/link-ticket", json={"ticketId": ticket["id"]})
    assert linked.status_code == 200, linked.text
    expected = {f"{github.repo}: CI failed", f"{ticket['number']}: {ticket['subject']}"}
    eventually(lambda: set(titles(receiver)) == expected)
    # The same pipeline fails again: it is counted, and nobody is told twice within the hour.
    assert github.deliver(workflow_run(repo=github.repo, updated_at=_at(5))).status_code == 202
    eventually(lambda: told(github.api, topic="pipeline.failed")[0]["repeats"] == 1)
    assert set(titles(receiver)) == expected
    assert len(receiver.taken) == 2
