"""What may happen to an incident, and what its timeline says of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from kit.errors import Conflict, FieldError, Invalid
from kit.resources.lifecycle import Lifecycle, states

LIFECYCLE = Lifecycle(
    noun="incident",
    initial=states("open"),
    moves={
        "open": states("investigating identified monitoring resolved"),
        "investigating": states("identified monitoring resolved"),
        "identified": states("investigating monitoring resolved"),
        "monitoring": states("investigating identified resolved"),
        "resolved": states("investigating postmortem"),
        "postmortem": states(""),
    },
)
LISTS = {"client_ids": "clientIds", "alert_ids": "alertIds", "ticket_ids": "ticketIds"}
MOST_ENTRIES = 2000


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Refuse what an incident may not become; write down changes of state and when they were. Raises
    IllegalTransition and Invalid."""
    LIFECYCLE.check(before["status"] if before else None, after["status"])
    if after["started_at"] is None:
        after["started_at"] = before["started_at"] if before else now
    errors = [*_doubles(after)]
    if after["started_at"] > now:
        errors.append(FieldError("startedAt", "must not be in the future"))
    if after["status"] == "postmortem" and not after["root_cause"]:
        errors.append(FieldError("rootCause", "must say what the cause was before the postmortem"))
    if errors:
        raise Invalid.fields(*errors)
    if before is not None and before["status"] == after["status"]:
        return
    after["timeline"] = [*after["timeline"], {"at": now.isoformat(), "status": after["status"]}]
    if after["status"] == "identified" and after["identified_at"] is None:
        after["identified_at"] = now
    elif after["status"] == "resolved":
        after["resolved_at"] = now
    elif before is not None and before["status"] == "resolved" and after["status"] != "postmortem":
        after["resolved_at"] = None


def add_note(incident: dict[str, Any], note: str, *, now: datetime) -> None:
    """Add a note to the timeline. Raises Conflict when it is full."""
    if len(incident["timeline"]) >= MOST_ENTRIES:
        raise Conflict(f"The timeline has {MOST_ENTRIES} entries, which is all it can hold.", code="timeline-full")
    incident["timeline"] = [*incident["timeline"], {"at": now.isoformat(), "note": note}]


def sign(incident: dict[str, Any], by: str) -> None:
    """Say who did what the new entries of the timeline tell."""
    incident["timeline"] = [{"by": by, **entry} for entry in incident["timeline"]]


def is_resolving(before: dict[str, Any] | None, after: dict[str, Any]) -> bool:
    return after["status"] == "resolved" and (before is None or before["status"] != "resolved")


def check_alerts(incident: dict[str, Any], unresolved: int) -> None:
    """Raises Conflict when an incident is resolved while alerts of it are not, unless it says why."""
    if unresolved and not incident["override_reason"]:
        raise Conflict(
            f"{unresolved} alerts of the incident are not resolved; resolve them or give an overrideReason.",
            code="alerts-open",
        )


def _doubles(incident: dict[str, Any]) -> Iterable[FieldError]:
    for name, json_name in LISTS.items():
        for index, each in enumerate(incident[name]):
            if each in incident[name][:index]:
                yield FieldError(f"{json_name}[{index}]", "is in the list already")
