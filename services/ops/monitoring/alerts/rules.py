"""What may happen to an alert, and what a signal does to it."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from kit.errors import Conflict, FieldError, Invalid
from kit.resources.lifecycle import Lifecycle, states

LIFECYCLE = Lifecycle(
    noun="alert",
    initial=states("firing suppressed"),
    moves={
        "firing": states("acknowledged resolved suppressed"),
        "acknowledged": states("resolved suppressed"),
        "suppressed": states("firing resolved"),
        "resolved": states("firing suppressed"),
    },
)
SEVERITIES = ("info", "warning", "high", "critical")
# Of a ticket that is made from an alert.
PRIORITIES = {"info": "low", "warning": "medium", "high": "high", "critical": "critical"}
# What fires again so soon was not over.
FLAP_WINDOW = timedelta(minutes=10)


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Refuse what an alert may not become; note when it was seen, acknowledged, resolved, and that it flaps. Raises
    IllegalTransition and Invalid."""
    LIFECYCLE.check(before["status"] if before else None, after["status"])
    if before is None:
        after["fingerprint"] = after["fingerprint"] or fingerprint(after)
        after["first_seen_at"] = after["first_seen_at"] or now
        after["last_seen_at"] = after["last_seen_at"] or now
        after["occurrence_count"] = 1
        return
    after["fingerprint"] = after["fingerprint"] or before["fingerprint"]
    if after["fingerprint"] != before["fingerprint"]:
        raise Invalid.fields(FieldError("fingerprint", "cannot be changed: it says which alert this is"))
    if before["status"] == after["status"]:
        return
    if after["status"] == "acknowledged":
        after["acknowledged_at"] = now
    elif after["status"] == "resolved":
        after["resolved_at"] = after["resolved_at"] or now
    elif before["status"] == "resolved":
        after |= {"resolved_at": None, "acknowledged_at": None, "acknowledged_by": None}
        after["flap_count"] += 1


def fingerprint(alert: dict[str, Any]) -> str:
    """What makes two signals the same alert, unless the source says so itself. Never the title alone."""
    parts = (alert["source"], alert["asset_id"], alert["rule"], alert["instance"])
    return sha256("\n".join(part or "" for part in parts).encode()).hexdigest()


def is_late(alert: dict[str, Any], seen_at: datetime) -> bool:
    """Whether a signal comes after a later one of the same alert; it says nothing new then."""
    return bool(seen_at < alert["last_seen_at"])


def flaps(alert: dict[str, Any], seen_at: datetime) -> bool:
    """Whether a signal comes so soon after the alert was resolved that it fires again."""
    return bool(seen_at - alert["resolved_at"] <= FLAP_WINDOW)


def fold(alert: dict[str, Any], *, severity: str, seen_at: datetime, suppressed: bool) -> None:
    """Take one more signal into an alert, which may be a resolved one that flaps."""
    alert["occurrence_count"] += 1
    alert["last_seen_at"] = seen_at
    if alert["status"] == "resolved":
        alert["status"] = "suppressed" if suppressed else "firing"
        alert["severity"] = severity
    else:
        alert["severity"] = max(alert["severity"], severity, key=SEVERITIES.index)
        if alert["status"] == "suppressed" and not suppressed:
            alert["status"] = "firing"


def belong_to(alert: dict[str, Any], client_id: str) -> None:
    """Make an alert that of its asset's client. Raises Invalid when it names another."""
    _be_of(alert, client_id, FieldError("clientId", "is not the client of the asset"))


def stay_with_ticket(alert: dict[str, Any], client_id: str) -> None:
    """Make an alert that of its ticket's client. Raises Invalid when it names another."""
    _be_of(alert, client_id, FieldError("clientId", "is not the client of the alert's ticket"))


def clear(alert: dict[str, Any], *, seen_at: datetime) -> None:
    """The source says it is over."""
    alert["status"] = "resolved"
    alert["last_seen_at"] = alert["resolved_at"] = seen_at


def link(alert: dict[str, Any], ticket: dict[str, Any]) -> None:
    """Give an alert its ticket. Raises Conflict when it has another, Invalid when the ticket is another client's."""
    if alert["ticket_id"] not in (None, ticket["id"]):
        raise Conflict("The alert is linked to another ticket already.", code="already-linked")
    _be_of(alert, ticket["client_id"], FieldError("ticketId", "names a ticket of another client"))
    alert["ticket_id"] = ticket["id"]


def _be_of(alert: dict[str, Any], client_id: str, otherwise: FieldError) -> None:
    """Make it that client's. Raises Invalid when it is another's."""
    if alert["client_id"] not in (None, client_id):
        raise Invalid.fields(otherwise)
    alert["client_id"] = client_id
