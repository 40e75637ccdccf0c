"""What may happen to a runbook."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kit.errors import IllegalTransition, Invalid
from services.ops.knowledge.runbooks.rules import judge, publish

NOW = datetime(2026, 1, 2, tzinfo=UTC)
STATES = ("draft", "in_review", "published", "deprecated", "archived")
LEGAL = {
    None: {"draft"},
    "draft": {"in_review"},
    "in_review": {"draft", "published"},
    "published": {"draft", "deprecated"},
    "deprecated": {"published", "archived"},
    "archived": {"draft"},
}
MOVES = [(before, after) for before in LEGAL for after in STATES if before != after]
STEP = {"title": "Look", "kind": "manual"}


def runbook(status: str = "draft", **fields: Any) -> dict[str, Any]:
    return {
        "status": status,
        "title": "Restore a file",
        "description": None,
        "category": None,
        "steps": [STEP],
        "inputs": [],
        "revision": 0,
        "published": None,
        **fields,
    }


def changed(before: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    """The runbook after some of its fields were set."""
    after = {**(before or runbook()), **fields}
    judge(before, after, NOW)
    return after


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] in LEGAL[each[0]]])
def test_a_legal_move_is_taken(before: str | None, after: str) -> None:
    assert changed(runbook(before) if before else None, status=after)["status"] == after


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] not in LEGAL[each[0]]])
def test_an_illegal_move_is_refused_and_the_legal_ones_are_named(before: str | None, after: str) -> None:
    with pytest.raises(IllegalTransition) as refused:
        changed(runbook(before) if before else None, status=after)
    assert refused.value.detail.endswith(f"legal: {', '.join(sorted(LEGAL[before]))}.")


@pytest.mark.parametrize(
    "edit",
    [{"title": "New"}, {"description": "New"}, {"steps": [STEP, STEP]}, {"steps": []}, {"inputs": [{"name": "a"}]}],
)
def test_editing_what_is_published_makes_it_a_draft(edit: dict[str, Any]) -> None:
    assert changed(runbook("published", published={"revision": 1}), **edit)["status"] == "draft"


def test_another_category_leaves_it_published() -> None:
    assert changed(runbook("published"), category="Backup")["status"] == "published"


def test_what_comes_back_from_the_archive_counts_as_never_published() -> None:
    content = {"revision": 1}
    assert changed(runbook("deprecated", published=content), status="archived")["published"] == content
    assert changed(runbook("archived", published=content), status="draft")["published"] is None


def test_publishing_needs_a_step() -> None:
    with pytest.raises(Invalid) as refused:
        changed(runbook("in_review", steps=[]), status="published")
    assert [error.path for error in refused.value.errors] == ["steps"]


def test_publishing_counts_and_keeps_the_content() -> None:
    published = runbook("published", revision=1)
    publish(published, "ada", NOW)
    assert published["revision"] == 2
    assert published["published"] == {
        "revision": 2,
        "title": "Restore a file",
        "description": None,
        "steps": [STEP],
        "inputs": [],
        "published_at": "2026-01-02T00:00:00+00:00",
        "published_by": "ada",
    }


def test_steps_and_inputs_have_their_defaults() -> None:
    made = changed(None, steps=[{"title": "Look"}], inputs=[{"name": "host", "type": "asset"}, {"name": "size"}])
    assert made["steps"] == [STEP]
    assert [each["type"] for each in made["inputs"]] == ["asset", "text"]


def test_inputs_can_be_told_apart_and_named_in_a_script() -> None:
    with pytest.raises(Invalid) as refused:
        changed(None, inputs=[{"name": "host"}, {"name": "2nd"}, {"name": "host"}])
    assert [error.path for error in refused.value.errors] == ["inputs[1].name", "inputs[2].name"]
