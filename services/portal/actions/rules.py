"""Who may do what for a client, and what its words mean. Pure."""

from typing import Any

from kit.errors import Forbidden

PRIORITIES = {"low": "low", "normal": "medium", "high": "high", "urgent": "critical"}


def priority(urgency: str | None) -> str:
    """The priority that a ticket of this urgency begins with."""
    return PRIORITIES[urgency or "normal"]


def must_be_approver(session: dict[str, Any] | None) -> dict[str, Any]:
    """The session, of somebody who may decide for the client. Raises Forbidden for everybody else."""
    if session is None or session["role"] != "approver":
        raise Forbidden("Only those whom the provider has invited as approvers decide.", code="approver-only")
    return session
