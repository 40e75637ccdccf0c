"""What a comment does to its ticket."""

from datetime import datetime
from typing import Any

from kit.errors import Conflict, FieldError, Invalid

# Where a word of the client takes a ticket.
CLIENT_ANSWERS = {"waiting_on_client": "in_progress", "resolved": "open"}


def check(*, visibility: str, from_client: bool) -> None:
    """Raises Invalid for a comment that cannot be."""
    if from_client and visibility != "public":
        raise Invalid.fields(FieldError("visibility", "is public when the comment is the client's own"))


def answer(ticket: dict[str, Any], *, visibility: str, from_client: bool, now: datetime) -> None:
    """Change the ticket as a comment on it does. Raises Conflict when the ticket is closed and the comment is for the
    client to see: nobody would."""
    if ticket["merged_into_id"]:
        raise Conflict("The ticket was merged into another; comment on that.", code="ticket-merged")
    if visibility != "public":
        return
    if ticket["status"] == "closed":
        raise Conflict("The ticket is closed for good; open a new one.", code="ticket-closed")
    if from_client:
        ticket["status"] = CLIENT_ANSWERS.get(ticket["status"], ticket["status"])
    elif ticket["first_responded_at"] is None:
        ticket["first_responded_at"] = now
