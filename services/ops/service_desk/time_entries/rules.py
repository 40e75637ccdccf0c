"""What a time entry may say, and when it may not change any more."""

from datetime import datetime
from typing import Any

from kit.errors import Conflict, FieldError, Invalid

_OF_THE_INVOICE = ("invoiced_at", "invoice_id")


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Fill in what is billed. Raises Conflict for a change of what is invoiced, Invalid for what cannot be."""
    if before is not None:
        _refuse_if_invoiced(before, after)
    follows = after["billable_minutes"] is None or (
        before is not None and before["billable_minutes"] == after["billable_minutes"] == _default(before)
    )
    if follows:
        after["billable_minutes"] = _default(after)
    errors = []
    if after["started_at"] > now:
        errors.append(FieldError("startedAt", "must not be in the future"))
    if not after["billable"] and after["billable_minutes"]:
        errors.append(FieldError("billableMinutes", "must be 0 for what is not billable"))
    if errors:
        raise Invalid.fields(*errors)


def check_deletion(entry: dict[str, Any]) -> None:
    """Raises Conflict when it is invoiced."""
    if entry["invoiced_at"] is not None:
        raise Conflict("The time entry is on an invoice; it cannot be deleted.", code="invoiced")


def check_ticket(ticket: dict[str, Any]) -> None:
    """Raises Conflict unless work on the ticket may be written down, changed or taken back."""
    if ticket["merged_into_id"]:
        raise Conflict("The ticket was merged into another; write the time there.", code="ticket-merged")
    if ticket["status"] == "closed":
        raise Conflict("The ticket is closed for good; its time entries stay as they are.", code="ticket-closed")


def why_not_billed(entry: dict[str, Any], *, client_id: str, invoice: dict[str, Any]) -> str | None:
    """Why an invoice cannot bill the entry, whose ticket is of that client; None: it can."""
    if entry["invoiced_at"] is not None and entry["invoice_id"] != invoice["id"]:
        return "is on another invoice"
    if not entry["billable"]:
        return "is not billable"
    if client_id != invoice["client_id"]:
        return "is work for another client"
    return None


def put_on_invoice(entry: dict[str, Any], invoice_id: str, *, now: datetime) -> None:
    """The client is asked to pay for it."""
    entry["invoiced_at"], entry["invoice_id"] = now, invoice_id


def take_off_invoice(entry: dict[str, Any]) -> None:
    """The client is not asked to pay for it any more."""
    entry["invoiced_at"] = entry["invoice_id"] = None


def _refuse_if_invoiced(before: dict[str, Any], after: dict[str, Any]) -> None:
    changed = [name for name, value in after.items() if name not in _OF_THE_INVOICE and before.get(name) != value]
    if before["invoiced_at"] is not None and changed:
        raise Conflict("The time entry is on an invoice; it cannot be changed.", code="invoiced")


def _default(entry: dict[str, Any]) -> int:
    return int(entry["minutes"]) if entry["billable"] else 0
