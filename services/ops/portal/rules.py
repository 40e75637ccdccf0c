"""What a client's word does to a ticket or a quote. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from kit.errors import Conflict, FieldError, IllegalTransition, Invalid
from services.ops.billing.payments.rules import is_of_portal

Row = dict[str, Any]

# What a ticket that the client closes needs as its resolution, when nobody has said how it was solved.
CLOSED_BY_CLIENT = "Closed by the client."
_DONE = ("resolved", "closed")


def needs_comment(action: str, comment: str | None) -> None:
    """Raises Invalid for an action that is nothing without a word."""
    if action in ("comment", "reopen") and not comment:
        raise Invalid.fields(FieldError("comment", f"is needed to {action}"))


def settle(ticket: Row, *, comment: str | None) -> None:
    """Resolve the ticket, on the way to being closed, unless it is resolved. Raises Conflict when it is closed."""
    refuse_merged(ticket)
    if ticket["status"] == "closed":
        raise Conflict("The ticket is closed already.", code="ticket-closed")
    if ticket["status"] != "resolved":
        ticket["status"] = "resolved"
        ticket["resolution"] = ticket["resolution"] or comment or CLOSED_BY_CLIENT


def close(ticket: Row) -> None:
    """The client is content."""
    ticket["status"] = "closed"


def reopen(ticket: Row) -> None:
    """Open a resolved ticket again. Raises IllegalTransition for one that is closed or not done."""
    refuse_merged(ticket)
    if ticket["status"] == "closed":
        raise IllegalTransition("A closed ticket cannot be reopened; legal: nothing, it is final. Open a new one.")
    if ticket["status"] != "resolved":
        raise IllegalTransition(f"The ticket is {ticket['status']}; only a resolved one is reopened.")
    ticket["status"] = "open"


def refuse_merged(ticket: Row) -> None:
    """Raises Conflict when it goes on as another."""
    if ticket["merged_into_id"]:
        raise Conflict("The ticket was merged into another; see that.", code="ticket-merged")


def needs_reason(decision: str, reason: str | None) -> None:
    """Raises Invalid for a rejection that does not say why."""
    if decision == "rejected" and not reason:
        raise Invalid.fields(FieldError("reason", "is needed to reject"))


def check_rejection(quote: Row, *, digest: str, now: datetime) -> None:
    """A rejection is of what was read, too, and in time. Raises Conflict: `quote-expired`, `quote-changed`."""
    if quote["status"] == "expired" or (quote["status"] == "sent" and quote["valid_until"] < now.date().isoformat()):
        raise Conflict(f"The quote could be decided until {quote['valid_until']}.", code="quote-expired")
    if quote["status"] == "sent" and digest != quote["terms_digest"]:
        raise Conflict("The quote is not the one that was read; read it again.", code="quote-changed")


def withdraw(payment: Row, *, by_client: bool) -> None:
    """It will not come, says the client or the staff. Raises Conflict unless it is pending and was begun in the
    portal."""
    if payment["status"] != "pending":
        raise Conflict(f"A payment that is {payment['status']} cannot be withdrawn.", code="payment-not-pending")
    if not is_of_portal(payment):
        raise Conflict("The payment was not begun here; ask whoever recorded it.", code="payment-not-yours")
    payment["status"] = "failed"
    payment["failure_reason"] = "Withdrawn by the client." if by_client else "Withdrawn by the books' keeper."


def attach(payment: Row, provider: str, provider_payment_id: str) -> None:
    """Note by which id a provider knows it. Raises Conflict `payment-mismatch` when it is known otherwise."""
    known = (payment["provider"], payment["provider_payment_id"])
    if known == (None, None) and is_of_portal(payment):
        payment["provider"], payment["provider_payment_id"] = provider, provider_payment_id
    elif known != (provider, provider_payment_id):
        raise Conflict("The payment is not one of that provider and id.", code="payment-mismatch")


def settle_payment(payment: Row, *, received: tuple[str, str] | None, reason: str | None) -> None:
    """What a provider says: so much, in that currency, was received, or (None) it will not come. What is so already
    stays. Raises Conflict: `payment-mismatch` when something else was received than was asked for,
    `payment-not-pending` when the payment has ended otherwise."""
    if received is not None and (Decimal(received[0] or 0), received[1]) != (
        Decimal(payment["amount"]),
        payment["currency"],
    ):
        raise Conflict("What was received is not what was asked for.", code="payment-mismatch")
    ended_as = "failed" if received is None else "succeeded"
    # Money that was given back had come.
    if payment["status"] == ended_as or (received is not None and payment["status"] == "refunded"):
        return
    if payment["status"] != "pending":
        raise Conflict(f"The payment is {payment['status']} already.", code="payment-not-pending")
    payment["status"] = ended_as
    if received is None:
        payment["failure_reason"] = reason or "The payment provider has cancelled it."
