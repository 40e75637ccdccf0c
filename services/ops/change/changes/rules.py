"""What may happen to a change."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from kit.errors import Conflict, FieldError, Invalid
from kit.resources.lifecycle import Lifecycle, states

LIFECYCLE = Lifecycle(
    noun="change",
    initial=states("draft"),
    moves={
        "draft": states("submitted"),
        "submitted": states("approved rejected draft"),
        "approved": states("scheduled draft"),
        "rejected": states("draft"),
        "scheduled": states("implementing draft"),
        "implementing": states("completed failed"),
        "completed": states("rolled_back"),
        "failed": states("rolled_back"),
        "rolled_back": states(""),
    },
)
# What is approved; the window counts once there is one.
APPROVED_FIELDS = ("type", "risk", "plan", "backout_plan", "asset_ids", "runbook_id", "required_approvals")
WINDOW = ("planned_start", "planned_end")
# Editing what is approved leads back from these to draft; after them it is fixed.
UNDER_DECISION = states("submitted approved rejected scheduled")
NEEDS_BACKOUT_PLAN = states("medium high critical")


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Refuse what a change may not become; void what was decided when it is edited; note when it was implemented.

    Raises IllegalTransition; Invalid for what is missing or wrong; Conflict with the codes `content-fixed`,
    `approvals-void`, `decision-missing`, `outside-window`."""
    if wrong := list(_wrong_fields(after)):
        raise Invalid.fields(*wrong)
    if before is not None:
        _reopen_when_edited(before, after)
    LIFECYCLE.check(before["status"] if before else None, after["status"])
    if before is not None and before["status"] != after["status"] and (enter := _ENTER.get(after["status"])):
        enter(after, now)


def note_editor(before: dict[str, Any], after: dict[str, Any], *, by: str) -> None:
    """Note who edits what is approved, or asks for the approval: they do not give it."""
    is_edited = any(before[name] != after[name] for name in (*APPROVED_FIELDS, *WINDOW))
    is_submitted = before["status"] == "draft" and after["status"] != "draft"
    if (is_edited or is_submitted) and by not in after["edited_by"]:
        after["edited_by"] = [*after["edited_by"], by]


def approve(change: dict[str, Any], *, by: str, comment: str | None, now: datetime) -> None:
    """Add a person's approval; the last one needed makes the change approved. Raises Conflict with the codes
    `not-submitted`, `own-change`, `already-approved`."""
    _must_be_submitted(change)
    if change["type"] == "normal" and by in (change["requested_by"], *change["edited_by"]):
        raise Conflict("Your own change, or edit of it, needs someone else's approval.", code="own-change")
    if any(each["by"] == by for each in _valid(change, "approved")):
        raise Conflict("You have approved this change already.", code="already-approved")
    _decide(change, "approved", by, comment, now)
    if _has_its_approvals(change):
        change["status"] = "approved"


def reject(change: dict[str, Any], *, by: str, reason: str, now: datetime) -> None:
    """Refuse it, saying why. Raises Conflict `not-submitted`."""
    _must_be_submitted(change)
    _decide(change, "rejected", by, reason, now)
    change["status"] = "rejected"


def _wrong_fields(change: dict[str, Any]) -> Iterator[FieldError]:
    start, end = change["planned_start"], change["planned_end"]
    if start and end and end <= start:
        yield FieldError("plannedEnd", "must be after plannedStart")
    for index, asset_id in enumerate(change["asset_ids"]):
        if asset_id in change["asset_ids"][:index]:
            yield FieldError(f"assetIds[{index}]", "is named already")


def _reopen_when_edited(before: dict[str, Any], after: dict[str, Any]) -> None:
    edited = [name for name in APPROVED_FIELDS if before[name] != after[name]]
    edited += [name for name in WINDOW if before[name] is not None and before[name] != after[name]]
    if not edited or before["status"] == "draft":
        return
    if before["status"] not in UNDER_DECISION:
        raise Conflict(
            f"A change that is {before['status']} keeps what was approved: {', '.join(edited)} cannot be edited.",
            code="content-fixed",
        )
    if after["status"] not in (before["status"], "draft"):
        raise Conflict(
            f"Editing {', '.join(edited)} makes the change a draft again; it cannot become {after['status']} as well.",
            code="approvals-void",
        )
    after["status"] = "draft"


def _enter_draft(change: dict[str, Any], now: datetime) -> None:
    change["approvals"] = [{"voided_at": now.isoformat(), **each} for each in change["approvals"]]


def _enter_submitted(change: dict[str, Any], now: datetime) -> None:
    del now
    wrong = []
    if change["risk"] in NEEDS_BACKOUT_PLAN and not change["backout_plan"]:
        wrong.append(FieldError("backoutPlan", f"must say how to undo a change of {change['risk']} risk"))
    if change["type"] == "standard" and not change["runbook_id"]:
        wrong.append(FieldError("runbookId", "must name the published runbook that a standard change follows"))
    if wrong:
        raise Invalid.fields(*wrong)
    if change["type"] == "standard":
        change["status"] = "approved"


def _enter_approved(change: dict[str, Any], now: datetime) -> None:
    del now
    if not _has_its_approvals(change):
        raise Conflict("A change becomes approved by its approvals: approve it.", code="decision-missing")


def _enter_rejected(change: dict[str, Any], now: datetime) -> None:
    del now
    if not _valid(change, "rejected"):
        raise Conflict("A change is rejected with a reason: reject it.", code="decision-missing")


def _enter_scheduled(change: dict[str, Any], now: datetime) -> None:
    del now
    missing = [name for name in WINDOW if change[name] is None]
    if missing:
        places = {"planned_start": "plannedStart", "planned_end": "plannedEnd"}
        raise Invalid.fields(*(FieldError(places[name], "is needed to schedule a change") for name in missing))


def _enter_implementing(change: dict[str, Any], now: datetime) -> None:
    start, end = change["planned_start"], change["planned_end"]
    if change["type"] != "emergency" and not start <= now < end:
        raise Conflict(
            f"It may be implemented from {start.isoformat()} until {end.isoformat()} only.", code="outside-window"
        )
    change["actual_start"] = now


def _enter_ended(change: dict[str, Any], now: datetime) -> None:
    change["actual_end"] = now


_ENTER: Mapping[str, Callable[[dict[str, Any], datetime], None]] = {
    "draft": _enter_draft,
    "submitted": _enter_submitted,
    "approved": _enter_approved,
    "rejected": _enter_rejected,
    "scheduled": _enter_scheduled,
    "implementing": _enter_implementing,
    "completed": _enter_ended,
    "failed": _enter_ended,
}


def _must_be_submitted(change: dict[str, Any]) -> None:
    if change["status"] != "submitted":
        raise Conflict(
            f"Only a submitted change is decided about; this one is {change['status']}.", code="not-submitted"
        )


def _decide(change: dict[str, Any], decision: str, by: str, comment: str | None, now: datetime) -> None:
    decided = {"by": by, "at": now.isoformat(), "decision": decision, "comment": comment}
    change["approvals"] = [*change["approvals"], decided]


def _valid(change: dict[str, Any], decision: str) -> list[dict[str, Any]]:
    """The decisions of this kind that still count."""
    return [each for each in change["approvals"] if each["decision"] == decision and "voided_at" not in each]


def _has_its_approvals(change: dict[str, Any]) -> bool:
    return len(_valid(change, "approved")) >= int(change["required_approvals"])


def check_deletion(change: dict[str, Any]) -> None:
    """Raises Conflict for a change that somebody has decided on: it stays for the record."""
    if change["status"] not in ("draft", "submitted"):
        raise Conflict(
            f"The change is {change['status']}; only a draft or a submitted one can be deleted.", code="kept"
        )
