"""What is read from a delivery, and from what is no such thing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import validation
from opsfield.integrations.v1.pipelines_pb2 import PipelineFailed
from services.integrations.github import rules
from services.integrations.github.handlers import _message
from services.integrations.github.rules import Run
from services.integrations.tests.github import SHA, Json, check_suite, deployment_status, repository, workflow_run

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)


def run_of(delivery: Json) -> Run:
    run = rules.run_of(delivery, NOW)
    assert run is not None
    return run


def test_a_workflow_run_that_failed() -> None:
    run = run_of(workflow_run())
    assert (run.failed, run.kind, run.repository, run.name) == (True, "workflow_run", "acme/shop", "CI")
    assert (run.branch, run.on_default_branch, run.commit, run.actor) == ("main", True, SHA, "ada")
    assert run.url == "https://github.com/acme/shop/actions/runs/30433642"
    assert run.ended_at == TEN


def test_a_check_suite_is_looked_at_where_its_commit_is() -> None:
    run = run_of(check_suite())
    assert (run.failed, run.kind, run.name, run.actor) == (True, "check_suite", "Lint-Bot", "grace")
    assert run.url == f"https://github.com/acme/shop/commit/{SHA}/checks"
    assert (run.on_default_branch, run.ended_at) == (False, TEN)
    assert not run.told_in_parts
    assert run_of(check_suite(slug="github-actions")).told_in_parts


def test_a_deployment_is_told_apart_by_its_environment() -> None:
    run = run_of(deployment_status())
    assert (run.failed, run.kind, run.name, run.branch) == (True, "deployment", "production", "main")
    assert (run.url, run.actor) == ("https://ci.example/42", "linus")
    other = deployment_status(environment="staging")
    assert run_of(other).fingerprint != run.fingerprint
    well = deployment_status("success") | {"deployment": {"ref": "hotfix"}}
    assert run_of(well).fingerprint == run.fingerprint


@pytest.mark.parametrize("conclusion", ["failure", "timed_out", "startup_failure"])
def test_what_counts_as_failed(conclusion: str) -> None:
    assert run_of(workflow_run(conclusion)).failed


@pytest.mark.parametrize("conclusion", ["cancelled", "skipped", "neutral", "stale", "action_required", None, ""])
def test_what_ended_neither_way_is_no_run(conclusion: str | None) -> None:
    assert rules.run_of(workflow_run(conclusion), NOW) is None


@pytest.mark.parametrize(
    "delivery",
    [
        workflow_run() | {"action": "requested"},
        check_suite() | {"action": "rerequested"},
        deployment_status("in_progress"),
        {"zen": "Speak like a human.", "hook_id": 1, **repository()},
        {"action": "opened", "pull_request": {}, **repository()},
        {"action": "completed", "workflow_job": {"conclusion": "failure"}, **repository()},
        {"action": "completed", "workflow_run": "failure", **repository()},
        {"action": "completed", "workflow_run": {"conclusion": "failure"}},
        workflow_run(repo="not a repository"),
        {},
    ],
)
def test_all_else_is_no_run(delivery: Json) -> None:
    assert rules.run_of(delivery, NOW) is None


def test_a_pipeline_is_one_per_branch() -> None:
    same = run_of(workflow_run("success", head_sha="0" * 40, repo="Acme/Shop"))
    assert same.fingerprint == run_of(workflow_run()).fingerprint
    for other in (workflow_run(head_branch="dev"), workflow_run(name="Release")):
        assert run_of(other).fingerprint != same.fingerprint


def test_a_clock_that_is_ahead_tells_of_no_future() -> None:
    ahead = (NOW + timedelta(days=1)).isoformat()
    assert run_of(workflow_run(updated_at=ahead)).ended_at == NOW
    for nonsense in ("yesterday", "2026-03-02T10:00:00", None, 7):
        assert run_of(workflow_run(updated_at=nonsense)).ended_at == NOW


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://user@evil.example/", "not a url", "", None, 5])
def test_a_link_leads_where_it_may(url: object) -> None:
    assert run_of(workflow_run(html_url=url)).url == "https://github.com/acme/shop"


@pytest.mark.parametrize(
    ("repository_", "expected"),
    [
        ("acme/shop", "a"),
        ("ACME/Shop", "a"),
        ("acme/other", "b"),
        ("else/shop", None),
        ("acme/*", "b"),
        ("els/*", None),
    ],
)
def test_whose_a_repository_is(repository_: str, expected: str | None) -> None:
    lines = ["acme/shop=a", "acme/shop=never", "Acme/* = b", "nonsense", "els/x=", "="]
    assert rules.workspace_of(repository_, lines) == expected


def test_what_is_about_an_organization_alone_is_that_one_s() -> None:
    assert rules.repository_of({"organization": {"login": "acme"}}) == "acme/*"
    assert rules.repository_of({"organization": {"login": ""}}) is None
    assert rules.repository_of({"repository": {"full_name": "a/b/c"}}) is None


JSON: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=600)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@given(
    st.sampled_from(["name", "head_branch", "head_sha", "conclusion", "html_url", "updated_at", "triggering_actor"]),
    JSON,
)
def test_whatever_stands_in_a_field_the_event_is_a_valid_one(name: str, value: object) -> None:
    delivery = workflow_run()
    delivery["workflow_run"][name] = value
    run = rules.run_of(delivery, NOW)
    if run is not None:
        validation.check_request(PipelineFailed(run=_message(run)), "*")
