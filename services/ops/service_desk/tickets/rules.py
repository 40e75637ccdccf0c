"""What may happen to a ticket."""

from collections.abc import Collection
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
LINKS = ("asset_ids", "alert_ids", "runbook_ids")
MOST_LINKS = 200
MOST_WATCHERS = 50


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Refuse what a ticket may not become; note when it was resolved, closed, reopened. Raises IllegalTransition, and
    Invalid when it is resolved without saying how."""
    is_merge = bool(before and after.get("merged_into_id") and not before.get("merged_into_id"))
    if not is_merge:
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


def link(ticket: dict[str, Any], field: str, linked_id: str) -> None:
    """Add an id to those that are linked, unless it is among them. Raises Conflict when there are too many."""
    if linked_id in ticket[field]:
        return
    if len(ticket[field]) >= MOST_LINKS:
        raise Conflict(f"The ticket has {MOST_LINKS} of these links already.", code="too-many-links")
    ticket[field] = [*ticket[field], linked_id]


def check_move(ticket: dict[str, Any], *, commented: bool, took_over: bool) -> None:
    """Raises Conflict unless a ticket may go to another client: nothing may have come of it yet at the one it has.
    `commented`: the client can read a comment on it; `took_over`: another ticket was merged into it."""
    ties = {
        "public comments": commented,
        "time entries": ticket["total_minutes"],
        "linked assets": ticket["asset_ids"],
        "linked alerts": ticket["alert_ids"],
        "a merge": took_over or ticket["merged_into_id"],
    }
    if tied := [name for name, there in ties.items() if there]:
        raise Conflict(
            f"The ticket has {', '.join(tied)}, so it stays with its client; open a new one for the other.",
            code="client-fixed",
        )


def check_merge(source: dict[str, Any], target: dict[str, Any] | None) -> None:
    """Raises Invalid or Conflict unless `source` may be merged into `target` (None: there is no such ticket)."""
    if target is None:
        raise Invalid.fields(FieldError("intoTicketId", "names nothing among this workspace's tickets"))
    if target["id"] == source["id"]:
        raise Invalid.fields(FieldError("intoTicketId", "must name another ticket"))
    if target["client_id"] != source["client_id"]:
        raise Invalid.fields(FieldError("intoTicketId", "names a ticket of another client"))
    if source["merged_into_id"]:
        raise Conflict("The ticket was merged into another already.", code="ticket-merged")
    if source["status"] == "closed":
        raise Conflict("The ticket is closed for good.", code="ticket-closed")
    if target["merged_into_id"]:
        raise Conflict("The other ticket was itself merged into another; merge into that.", code="ticket-merged")
    if target["status"] == "closed":
        raise Conflict("The other ticket is closed for good.", code="ticket-closed")


def close_merged(source: dict[str, Any], target: dict[str, Any], *, note: str) -> None:
    """Close a ticket that goes on as another."""
    source["merged_into_id"] = target["id"]
    source["status"] = "closed"
    source["resolution"] = source["resolution"] or note


def take_over(target: dict[str, Any], source: dict[str, Any], *, but: Collection[str] = ()) -> None:
    """Give the ticket that stays what the merged one had: those who want to know, and its links. What would be too
    many is left where it is, and so are those that `but` names."""
    for field, most in (("watchers", MOST_WATCHERS), *((each, MOST_LINKS) for each in LINKS)):
        new = [each for each in source[field] if each not in target[field] and each not in but]
        target[field] = [*target[field], *new][: max(most, len(target[field]))]
