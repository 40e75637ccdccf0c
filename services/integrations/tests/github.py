"""Deliveries in the shapes that GitHub documents."""

from typing import Any

Json = dict[str, Any]

SHA = "f1c0ffee" * 5


def repository(name: str = "acme/shop") -> Json:
    return {
        "repository": {"full_name": name, "html_url": f"https://github.com/{name}", "default_branch": "main"},
        "organization": {"login": name.partition("/")[0]},
        "sender": {"login": "grace"},
    }


def workflow_run(conclusion: str | None = "failure", *, repo: str = "acme/shop", **fields: Any) -> Json:
    run = {
        "id": 30433642,
        "name": "CI",
        "head_branch": "main",
        "head_sha": SHA,
        "status": "completed",
        "conclusion": conclusion,
        "html_url": f"https://github.com/{repo}/actions/runs/30433642",
        "url": f"https://api.github.com/repos/{repo}/actions/runs/30433642",
        "triggering_actor": {"login": "ada"},
        "updated_at": "2026-03-02T10:00:00Z",
    }
    return {"action": "completed", "workflow_run": run | fields, "workflow": {"name": "CI"}, **repository(repo)}


def check_suite(conclusion: str = "timed_out", *, slug: str = "lint-bot", repo: str = "acme/shop") -> Json:
    suite = {
        "head_branch": "topic/1",
        "head_sha": SHA,
        "conclusion": conclusion,
        "url": f"https://api.github.com/repos/{repo}/check-suites/5",
        "updated_at": "2026-03-02T11:00:00+01:00",
        "app": {"slug": slug, "name": slug.title()},
    }
    return {"action": "completed", "check_suite": suite, **repository(repo)}


def deployment_status(state: str = "error", *, repo: str = "acme/shop", **fields: Any) -> Json:
    status = {
        "state": state,
        "environment": "production",
        "target_url": "",
        "log_url": "https://ci.example/42",
        "creator": {"login": "linus"},
        "updated_at": "2026-03-02T10:00:00Z",
    }
    deployment = {"ref": "main", "sha": SHA}
    # GitHub tells the workflow run that has deployed along with it.
    run = workflow_run("success", repo=repo)["workflow_run"]
    return {
        "action": "created",
        "deployment_status": status | fields,
        "deployment": deployment,
        "workflow_run": run,
        **repository(repo),
    }
