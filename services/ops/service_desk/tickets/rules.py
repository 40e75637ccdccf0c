"""What may happen to a ticket."""

from datetime import datetime, timedelta
from typing import Any

from kit.errors import Conflict, FieldError, Invalid
from kit.resources.lifecycle import Lifecycle, states

LIFECYCLE = Lifecycle(
    noun="ticket",
    initial=states("new"),
    moves={
        "new": states("open in_progress resolved"),
        "open": states("in_progress waiting_on_client waiting_on_vendor resolved"),
        "in_progress": states("open waiting_on_client waiting_on_vendor resolved"),
        "waiting_on_client": states("open in_progress waiting_on_vendor resolved"),
        "waiting_on_vendor": states("open in_progress waiting_on_client resolved"),
        "resolved": states("open closed"),
        "closed": states(""),
    },
)
PRIORITIES = ("low", "medium", "high", "critical")
HIGHEST_TIER = 3
DONE = states("resolved closed")


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Refuse what a ticket may not become; note when it was resolved, closed, reopened. Raises IllegalTransition, and
    Invalid when it is resolved without saying how."""
    LIFECYCLE.check(before["status"] if before else None, after["status"])
    if after["status"] in DONE and not after["resolution"]:
        raise Invalid.fields(FieldError("resolution", "must say how the ticket was resolved"))
    if before is None or before["status"] == after["status"]:
        return
    if after["status"] == "resolved":
        after["resolved_at"] = now
    elif after["status"] == "closed":
        after["closed_at"] = now
    elif is_reopened(before, after):
        after["resolved_at"] = None
        after["reopen_count"] += 1


def is_reopened(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a resolved ticket goes on."""
    return bool(before["status"] == "resolved" and after["status"] not in DONE)


def check_reopening(before: dict[str, Any], now: datetime, *, days: int) -> None:
    """Raises Conflict when the ticket was resolved more than `days` ago."""
    if now - before["resolved_at"] > timedelta(days=days):
        raise Conflict(
            f"The ticket was resolved more than {days} days ago and cannot be reopened; open a new one.",
            code="reopening-too-late",
        )


def escalate(ticket: dict[str, Any], *, reason: str, by: str, now: datetime) -> None:
    """Raise tier and priority by one each, as far as they go, and record why. Raises Conflict when the ticket is done
    or cannot go higher."""
    if ticket["status"] in DONE:
        raise Conflict(f"A {ticket['status']} ticket cannot be escalated; reopen it first.", code="ticket-done")
    if ticket["tier"] == HIGHEST_TIER and ticket["priority"] == PRIORITIES[-1]:
        raise Conflict("The ticket is at the highest tier and priority already.", code="escalation-exhausted")
    ticket["tier"] = min(ticket["tier"] + 1, HIGHEST_TIER)
    ticket["priority"] = PRIORITIES[min(PRIORITIES.index(ticket["priority"]) + 1, len(PRIORITIES) - 1)]
    raised = {
        "reason": reason,
        "tier": ticket["tier"],
        "priority": ticket["priority"],
        "escalated_by": by,
        "escalated_at": now.isoformat(),
    }
    ticket["escalations"] = [*ticket["escalations"], raised]


def resolve(ticket: dict[str, Any], *, resolution: str) -> None:
    """Resolve, saying how; `judge` decides whether that is legal. Raises IllegalTransition when it is done already."""
    if ticket["status"] == "resolved":
        raise Conflict("The ticket is resolved already.", code="ticket-done")
    ticket["status"] = "resolved"
    ticket["resolution"] = resolution
