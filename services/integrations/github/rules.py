"""What a delivery of GitHub says. Pure.

A delivery is the body of a webhook, decoded (https://docs.github.com/webhooks/webhook-events-and-payloads). Nothing of
it is relied upon but that it is an object: what is missing or of another type is as if it were not there.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

Json = dict[str, Any]

# The first that a delivery has an object of; a deployment's status comes with the workflow run that has deployed.
EVENTS = ("deployment_status", "workflow_run", "check_suite")
OTHER = "other"
_FAILED = {"failure", "timed_out", "startup_failure", "error"}
_SUCCEEDED = {"success"}
# Tells of its workflow runs by themselves.
_ACTIONS = "github-actions"
_URL = re.compile(r"https?://[^\s/?#@]+(?:[/?#]\S*)?")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}/[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True)
class Run:
    """A run of a pipeline that has ended, named as in PipelineRun. `failed`: whether it has; else it ended well."""

    failed: bool
    kind: str
    repository: str
    name: str
    branch: str | None
    on_default_branch: bool
    told_in_parts: bool
    commit: str | None
    actor: str | None
    conclusion: str
    url: str
    ended_at: datetime

    @property
    def fingerprint(self) -> str:
        """The same for all runs of a pipeline on a branch. Deployments are told apart by their environment alone."""
        branch = "" if self.kind == "deployment" else self.branch or ""
        parts = "\n".join((self.repository.lower(), self.kind, self.name, branch))
        return f"github-{sha256(parts.encode()).hexdigest()[:40]}"


def event_of(delivery: Json) -> str:
    """What kind of event it is, as far as that matters here."""
    return next((name for name in EVENTS if isinstance(delivery.get(name), dict)), OTHER)


def action_of(delivery: Json) -> str | None:
    return _text(delivery, "action", most=100)


def repository_of(delivery: Json) -> str | None:
    """`owner/name`, or `owner/*` for what is about an organization alone; None when it is about neither."""
    name = _text(delivery, "repository", "full_name")
    if name is not None:
        return name if _REPOSITORY.fullmatch(name) else None
    owner = _text(delivery, "organization", "login", most=100)
    return f"{owner}/*" if owner else None


def workspace_of(repository: str, lines: Iterable[str]) -> str | None:
    """Whose it is by the setting's lines, `owner/name=workspace` or `owner/*=workspace`; None when none names it."""
    whose: dict[str, str] = {}
    for line in lines:
        name, _, workspace = line.partition("=")
        whose.setdefault(name.strip().lower(), workspace.strip())
    found = whose.get(repository.lower()) or whose.get(f"{repository.partition('/')[0].lower()}/*")
    return found or None


def run_of(delivery: Json, now: datetime) -> Run | None:
    """The run that has ended, well or not; None for all else, be it a run that was cancelled."""
    event, repository = event_of(delivery), repository_of(delivery)
    if event == OTHER or repository is None or repository.endswith("/*"):
        return None
    is_deployment = event == "deployment_status"
    conclusion = _text(delivery, event, "state" if is_deployment else "conclusion", most=50)
    if conclusion not in _FAILED | _SUCCEEDED or (not is_deployment and action_of(delivery) != "completed"):
        return None
    branch = _text(delivery, *_BRANCH[event], most=250)
    return Run(
        failed=conclusion in _FAILED,
        kind="deployment" if is_deployment else event,
        repository=repository,
        name=_text(delivery, *_NAME[event], most=200) or event.replace("_", " "),
        branch=branch,
        on_default_branch=branch is not None and branch == _text(delivery, "repository", "default_branch"),
        told_in_parts=event == "check_suite" and _text(delivery, event, "app", "slug") == _ACTIONS,
        commit=_text(delivery, *_COMMIT[event], most=64),
        actor=_text(delivery, *_ACTOR[event], most=100) or _text(delivery, "sender", "login", most=100),
        conclusion=str(conclusion),
        url=_url(delivery, event, repository),
        # What is ahead of us would make all that follows look late.
        ended_at=min(_instant(_text(delivery, event, "updated_at")) or now, now),
    )


_NAME: Mapping[str, tuple[str, ...]] = {
    "workflow_run": ("workflow_run", "name"),
    "check_suite": ("check_suite", "app", "name"),
    "deployment_status": ("deployment_status", "environment"),
}
_BRANCH: Mapping[str, tuple[str, ...]] = {
    "workflow_run": ("workflow_run", "head_branch"),
    "check_suite": ("check_suite", "head_branch"),
    "deployment_status": ("deployment", "ref"),
}
_COMMIT: Mapping[str, tuple[str, ...]] = {
    "workflow_run": ("workflow_run", "head_sha"),
    "check_suite": ("check_suite", "head_sha"),
    "deployment_status": ("deployment", "sha"),
}
_ACTOR: Mapping[str, tuple[str, ...]] = {
    "workflow_run": ("workflow_run", "triggering_actor", "login"),
    "check_suite": ("sender", "login"),
    "deployment_status": ("deployment_status", "creator", "login"),
}
_LINKS = (("html_url",), ("log_url",), ("target_url",))


def _url(delivery: Json, event: str, repository: str) -> str:
    """Where people look at it: not the API's own address, which wants a token."""
    for link in _LINKS:
        found = _text(delivery, event, *link, most=2000)
        if found and _URL.fullmatch(found):
            return found
    base = _text(delivery, "repository", "html_url", most=500)
    if base is None or not _URL.fullmatch(base):
        base = f"https://github.com/{repository}"
    commit = _text(delivery, *_COMMIT[event], most=64)
    return f"{base}/commit/{commit}/checks" if event == "check_suite" and commit and commit.isalnum() else base


def _text(delivery: Json, *path: str, most: int = 500) -> str | None:
    """The text at that place, cut off where it is too long; None when there is none."""
    value: Any = delivery
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value.replace("\0", "")[:most] or None if isinstance(value, str) else None


def _instant(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
