"""GitHub's deliveries: whose they are, which count, and what comes of them."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from kit.signatures import sign
from services.integrations.tests.github import Json, check_suite, deployment_status, workflow_run
from tests.platform import Api, Platform, assert_problem, eventually

PATH = "/api/v1/integrations/github/webhook"
SECRET = "the secret that GitHub knows"


class Github:
    """Delivers as GitHub does. `repo` belongs to the workspace of `api`."""

    def __init__(self, base_url: str, api: Api) -> None:
        self.api = api
        self.owner = f"acme-{uuid.uuid4().hex[:8]}"
        self.repo = f"{self.owner}/shop"
        self.http = httpx.Client(base_url=base_url, timeout=30)

    def deliver(
        self, delivery: Json | bytes, *, delivery_id: str | None = None, **headers: str | None
    ) -> httpx.Response:
        body = delivery if isinstance(delivery, bytes) else json.dumps(delivery).encode()
        sent = {
            "content-type": "application/json",
            "x-github-event": "anything",
            "x-github-delivery": delivery_id or str(uuid.uuid4()),
            "x-hub-signature-256": sign(body, SECRET),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(PATH, content=body, headers={name: value for name, value in sent.items() if value})

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get("/alerts", params={"source": "github"}).json()["data"]
        return found

    def counted(self) -> dict[str, int]:
        return {each["id"]: each["count"] for each in self.api.get("/integrations/github/deliveries").json()["data"]}


@pytest.fixture
def github(platform: Platform, api: Api) -> Iterator[Github]:
    github = Github(platform.stack.base_url, api)
    with github.http, platform.api(("platform_admin",)) as admin:
        assert admin.post("/platform/secrets/github.webhook", json={"value": SECRET}).status_code == 201
        before = admin.get("/platform/settings").json()["settings"]
        lines = [*before["github"]["repositories"], f"{github.owner}/*={api.workspace}"]
        assert admin.put("/platform/settings", json=before | {"github": {"repositories": lines}}).status_code == 200
        eventually(lambda: github.deliver({"zen": "Keep it simple.", **_about(github.repo)}).status_code == 202)
        yield github
        assert admin.put("/platform/settings", json=before).status_code == 200


def _about(repo: str) -> Json:
    return {"repository": {"full_name": repo}}


def _at(seconds: float) -> str:
    """So many seconds ago."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))


def test_a_failure_becomes_an_alert_and_ends_with_the_next_success(github: Github) -> None:
    failed = workflow_run(repo=github.repo, updated_at=_at(60))
    first = github.deliver(failed, delivery_id="d-1")
    assert (first.status_code, first.json()) == (202, {"event": "workflow_run", "outcome": "pipeline_failed"})
    [alert] = eventually(github.alerts)
    assert (alert["status"], alert["severity"], alert["rule"]) == ("firing", "high", "workflow-run")
    assert alert["title"] == f"{github.repo}: CI on main failed"
    for said in (failed["workflow_run"]["html_url"], failed["workflow_run"]["head_sha"], "ada"):
        assert said in alert["description"]

    again = github.deliver(failed, delivery_id="d-1")
    assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
    assert github.counted()["workflow_run.completed"] == 1
    assert github.alerts() == [alert]

    # One that ended before the failure does not end it.
    late = workflow_run("success", repo=github.repo, updated_at=_at(600))
    assert github.deliver(late).json()["outcome"] == "counted"
    well = workflow_run("success", repo=github.repo, updated_at=_at(5))
    assert github.deliver(well).json()["outcome"] == "pipeline_succeeded"
    eventually(lambda: github.alerts()[0]["status"] == "resolved")


def test_a_failure_starts_what_triggers_say(github: Github) -> None:
    given = [{"field": "of", "path": "run.repository"}]
    trigger = {"name": "look", "topic": "pipeline.failed", "reasoner": "smoke.echo", "input": given}
    assert github.api.post("/triggers", json=trigger).status_code == 201
    assert github.deliver(deployment_status(repo=github.repo)).status_code == 202
    [execution] = eventually(lambda: github.api.get("/workflow-executions").json()["data"], seconds=40)
    assert github.api.get(f"/artifacts/{execution['inputRef']}").json() == {"of": github.repo}


def test_what_is_told_in_parts_alerts_once(github: Github) -> None:
    suite = github.deliver(check_suite("failure", slug="github-actions", repo=github.repo))
    assert suite.json() == {"event": "check_suite", "outcome": "pipeline_failed"}
    assert github.deliver(check_suite("failure", repo=github.repo)).status_code == 202
    [alert] = eventually(github.alerts)
    assert "Lint-Bot" in alert["title"]


def test_other_events_are_counted(github: Github) -> None:
    pull = {"action": "opened", "pull_request": {"number": 1}, **_about(github.repo)}
    for _ in range(2):
        assert github.deliver(pull).json() == {"event": "other", "outcome": "counted"}
    assert github.counted()["other.opened"] == 2
    assert github.alerts() == []


def test_what_is_not_signed_changes_nothing(github: Github) -> None:
    failed = workflow_run(repo=github.repo)
    before = github.counted()
    assert_problem(github.deliver(failed, x_hub_signature_256=None), 401, "signature-missing")
    assert_problem(github.deliver(failed, x_hub_signature_256="sha256=" + "0" * 64), 401, "signature-invalid")
    assert_problem(github.deliver(failed, x_hub_signature_256=sign(b"{}", SECRET)), 401, "signature-invalid")
    assert_problem(github.deliver(failed, x_github_delivery=None), 400, "delivery-missing")
    assert_problem(github.deliver(b"{"), 400, "body-malformed")
    assert_problem(github.deliver(b"[1]"), 400, "body-malformed")
    assert_problem(github.deliver(b" " * (4 * 1024 * 1024 + 1)), 413, "content-too-large")
    assert_problem(github.deliver(workflow_run(repo="some/body")), 404, "repository-unknown")
    assert_problem(github.deliver({"zen": "no repository"}), 404, "repository-unknown")
    assert github.counted() == before


def test_another_workspace_sees_nothing_of_it(platform: Platform, github: Github) -> None:
    github.deliver(workflow_run(repo=github.repo))
    eventually(github.alerts)
    with platform.api(("ops_engineer",)) as other:
        assert other.get("/integrations/github/deliveries").json()["data"] == []
        assert other.get("/alerts").json()["data"] == []
