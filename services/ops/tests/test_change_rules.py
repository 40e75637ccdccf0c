"""What may happen to a change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.errors import Conflict, IllegalTransition, Invalid
from services.ops.change.changes.rules import approve, judge, note_editor, reject

NOW = datetime(2026, 1, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
STATES = (
    *("draft", "submitted", "approved", "rejected", "scheduled", "implementing", "completed", "failed"),
    "rolled_back",
)
LEGAL = {
    None: {"draft"},
    "draft": {"submitted"},
    "submitted": {"approved", "rejected", "draft"},
    "approved": {"scheduled", "draft"},
    "rejected": {"draft"},
    "scheduled": {"implementing", "draft"},
    "implementing": {"completed", "failed"},
    "completed": {"rolled_back"},
    "failed": {"rolled_back"},
    "rolled_back": set[str](),
}
MOVES = [(before, after) for before in LEGAL for after in STATES if before != after]
# Decided about by others, so not to be reached by setting the status.
DECIDED = ("approved", "rejected")
APPROVAL = {"by": "bob", "at": NOW.isoformat(), "decision": "approved", "comment": None}


def change(status: str = "draft", **fields: Any) -> dict[str, Any]:
    return {
        "status": status,
        "type": "normal",
        "risk": "medium",
        "plan": "Do it.",
        "backout_plan": "Undo it.",
        "asset_ids": ["a-1"],
        "runbook_id": None,
        "required_approvals": 1,
        "planned_start": NOW - HOUR,
        "planned_end": NOW + HOUR,
        "requested_by": "ada",
        "edited_by": [],
        "approvals": [],
        "actual_start": None,
        "actual_end": None,
        **fields,
    }


def changed(before: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    """The change after some of its fields were set."""
    after = {**(before or change()), **fields}
    judge(before, after, NOW)
    return after


def approved(before: dict[str, Any], by: str = "bob") -> dict[str, Any]:
    after = dict(before)
    approve(after, by=by, comment=None, now=NOW)
    judge(before, after, NOW)
    return after


@pytest.mark.parametrize(
    ("before", "after"), [each for each in MOVES if each[1] in LEGAL[each[0]] and each[1] not in DECIDED]
)
def test_a_legal_move_is_taken(before: str | None, after: str) -> None:
    assert changed(change(before) if before else None, status=after)["status"] == after


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] not in LEGAL[each[0]]])
def test_an_illegal_move_is_refused_and_the_legal_ones_are_named(before: str | None, after: str) -> None:
    with pytest.raises(IllegalTransition) as refused:
        changed(change(before) if before else None, status=after)
    named = ", ".join(sorted(LEGAL[before])) or "nothing, it is final"
    assert refused.value.detail.endswith(f"legal: {named}.")


@pytest.mark.parametrize("status", DECIDED)
def test_a_decision_is_not_made_by_setting_the_status(status: str) -> None:
    with pytest.raises(Conflict) as refused:
        changed(change("submitted"), status=status)
    assert refused.value.code == "decision-missing"


@pytest.mark.parametrize("risk", ["medium", "high", "critical"])
def test_risk_needs_a_backout_plan_to_be_submitted(risk: str) -> None:
    with pytest.raises(Invalid) as refused:
        changed(change(risk=risk, backout_plan=None), status="submitted")
    assert [error.path for error in refused.value.errors] == ["backoutPlan"]
    assert changed(change(risk="low", backout_plan=None), status="submitted")["status"] == "submitted"


def test_a_standard_change_needs_a_runbook_and_is_approved_when_submitted() -> None:
    with pytest.raises(Invalid) as refused:
        changed(change(type="standard"), status="submitted")
    assert [error.path for error in refused.value.errors] == ["runbookId"]
    assert changed(change(type="standard", runbook_id="r-1"), status="submitted")["status"] == "approved"


def test_as_many_as_are_required_must_approve() -> None:
    once = approved(change("submitted", required_approvals=2))
    assert once["status"] == "submitted"
    with pytest.raises(Conflict) as refused:
        approved(once)
    assert refused.value.code == "already-approved"
    twice = approved(once, "cem")
    assert twice["status"] == "approved"
    assert [(each["by"], each["decision"]) for each in twice["approvals"]] == [("bob", "approved"), ("cem", "approved")]


def test_whoever_asks_for_a_normal_change_does_not_approve_it() -> None:
    with pytest.raises(Conflict) as refused:
        approved(change("submitted"), "ada")
    assert refused.value.code == "own-change"
    assert approved(change("submitted", type="emergency"), "ada")["status"] == "approved"


def edited(before: dict[str, Any], by: str = "bob", **fields: Any) -> dict[str, Any]:
    """The change after someone set some of its fields."""
    after = changed(before, **fields)
    note_editor(before, after, by=by)
    return after


def test_nobody_approves_what_they_have_edited_or_submitted() -> None:
    submitted = edited(edited(change(), "bob", plan="Other."), "cem", status="submitted")
    assert submitted["edited_by"] == ["bob", "cem"]
    for by in ("ada", "bob", "cem"):
        with pytest.raises(Conflict) as refused:
            approved(submitted, by)
        assert refused.value.code == "own-change"
    assert approved(submitted, "eve")["status"] == "approved"
    assert approved({**submitted, "type": "emergency"}, "bob")["status"] == "approved"


@pytest.mark.parametrize("status", [state for state in STATES if state != "submitted"])
def test_only_what_is_submitted_is_decided_about(status: str) -> None:
    with pytest.raises(Conflict) as not_approved:
        approve(change(status), by="bob", comment=None, now=NOW)
    with pytest.raises(Conflict) as not_rejected:
        reject(change(status), by="bob", reason="No.", now=NOW)
    assert not_approved.value.code == not_rejected.value.code == "not-submitted"


def test_a_rejected_change_goes_back_to_draft_and_its_decision_counts_no_more() -> None:
    before = change("submitted")
    after = dict(before)
    reject(after, by="bob", reason="Too risky.", now=NOW)
    judge(before, after, NOW)
    assert (after["status"], after["approvals"][0]["comment"]) == ("rejected", "Too risky.")
    draft = changed(after, status="draft")
    assert draft["approvals"][0]["voided_at"] == NOW.isoformat()
    with pytest.raises(Conflict):
        changed(changed(draft, status="submitted"), status="rejected")


EDITS: list[dict[str, Any]] = [
    {"type": "emergency"},
    {"risk": "high"},
    {"plan": "Other."},
    {"backout_plan": "Other."},
    {"asset_ids": []},
    {"runbook_id": "r-1"},
    {"required_approvals": 2},
    {"planned_start": NOW},
    {"planned_end": None},
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: next(iter(edit)))
@pytest.mark.parametrize("status", ["submitted", "approved", "rejected", "scheduled"])
def test_an_edit_of_what_is_approved_makes_it_a_draft(status: str, edit: dict[str, Any]) -> None:
    after = changed(change(status, approvals=[APPROVAL]), **edit)
    assert (after["status"], after["approvals"]) == ("draft", [{**APPROVAL, "voided_at": NOW.isoformat()}])


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: next(iter(edit)))
def test_an_edit_of_what_is_approved_is_noted_once(edit: dict[str, Any]) -> None:
    once = edited(change(), **edit)
    assert edited(once, plan="And again.")["edited_by"] == ["bob"]
    assert edited(change(), title="Other", test_plan="Look.")["edited_by"] == []


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: next(iter(edit)))
@pytest.mark.parametrize("status", ["implementing", "completed", "failed", "rolled_back"])
def test_once_it_is_implemented_it_is_fixed(status: str, edit: dict[str, Any]) -> None:
    with pytest.raises(Conflict) as refused:
        changed(change(status), **edit)
    assert refused.value.code == "content-fixed"


def test_what_was_voided_must_be_approved_anew_by_the_same_people_too() -> None:
    draft = changed(change("approved", approvals=[APPROVAL]), plan="Other.")
    again = changed(draft, status="submitted")
    assert approved(again)["status"] == "approved"


def test_an_edit_and_another_status_do_not_go_together() -> None:
    with pytest.raises(Conflict) as refused:
        changed(change("approved"), plan="Other.", status="scheduled")
    assert refused.value.code == "approvals-void"
    half_approved = change("submitted", required_approvals=2, approvals=[APPROVAL])
    with pytest.raises(Conflict):
        changed(half_approved, required_approvals=1, status="approved")


def test_other_edits_leave_the_approvals_alone() -> None:
    after = changed(change("approved", approvals=[APPROVAL]), title="Other", test_plan="Look.")
    assert (after["status"], after["approvals"]) == ("approved", [APPROVAL])


def test_a_window_that_was_left_open_may_be_given_to_schedule() -> None:
    open_window = change("approved", planned_start=None, planned_end=None)
    with pytest.raises(Invalid) as refused:
        changed(open_window, status="scheduled")
    assert [error.path for error in refused.value.errors] == ["plannedStart", "plannedEnd"]
    assert changed(open_window, status="scheduled", planned_start=NOW, planned_end=NOW + HOUR)["status"] == "scheduled"


def test_a_window_ends_after_it_starts() -> None:
    for end in (NOW - HOUR, NOW - 2 * HOUR):
        with pytest.raises(Invalid) as refused:
            changed(change(), planned_end=end)
        assert [error.path for error in refused.value.errors] == ["plannedEnd"]


def test_an_asset_is_named_once() -> None:
    with pytest.raises(Invalid) as refused:
        changed(None, asset_ids=["a-1", "a-2", "a-1"])
    assert [error.path for error in refused.value.errors] == ["assetIds[2]"]


@pytest.mark.parametrize(("start", "end"), [(NOW + HOUR, NOW + 2 * HOUR), (NOW - HOUR, NOW)])
def test_it_is_implemented_in_its_window_unless_it_is_an_emergency(start: datetime, end: datetime) -> None:
    with pytest.raises(Conflict) as refused:
        changed(change("scheduled", planned_start=start, planned_end=end), status="implementing")
    assert refused.value.code == "outside-window"
    emergency = change("scheduled", type="emergency", planned_start=start, planned_end=end)
    assert changed(emergency, status="implementing")["actual_start"] == NOW


def test_beginning_and_end_are_noted() -> None:
    begun = changed(change("scheduled", planned_start=NOW), status="implementing")
    assert (begun["actual_start"], begun["actual_end"]) == (NOW, None)
    for outcome in ("completed", "failed"):
        ended = changed(change("implementing", actual_start=NOW - HOUR), status=outcome)
        assert (ended["actual_start"], ended["actual_end"]) == (NOW - HOUR, NOW)
