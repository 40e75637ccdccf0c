"""Rules that all share that belong to a client."""

from typing import Any

from kit.errors import FieldError, Invalid


def stay_with_client(before: dict[str, Any] | None, after: dict[str, Any], noun: str) -> None:
    """Raises Invalid when the resource (`noun`: in the plural) would go from one client to another."""
    if before is not None and before["client_id"] != after["client_id"]:
        raise Invalid.fields(FieldError("clientId", f"cannot change: {noun} stay with their client"))
