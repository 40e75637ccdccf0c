"""What a contact may become."""

from datetime import datetime
from typing import Any

from kit.errors import FieldError, Invalid
from kit.resources.lifecycle import Lifecycle, states
from services.ops.directory.rules import stay_with_client

LIFECYCLE = Lifecycle(
    noun="contact",
    initial=states("active"),
    moves={
        "active": states("archived"),
        "archived": states("active"),
    },
)


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Refuse what a contact may not become; whoever is archived is the primary contact no longer. Raises
    IllegalTransition, and Invalid when it would move to another client or be primary while archived."""
    del now
    LIFECYCLE.check(before["status"] if before else None, after["status"])
    stay_with_client(before, after, "contacts")
    if before is None or after["status"] != "archived":
        return
    if before["status"] == "active":
        after["is_primary"] = False
    if after["is_primary"]:
        raise Invalid.fields(FieldError("isPrimary", "an archived contact cannot be the primary one"))
