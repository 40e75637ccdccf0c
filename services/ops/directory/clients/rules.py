"""What a client may become."""

from datetime import datetime
from typing import Any

from kit.errors import FieldError, Invalid
from kit.resources.lifecycle import Lifecycle, states

LIFECYCLE = Lifecycle(
    noun="client",
    initial=states("prospect onboarding active"),
    moves={
        "prospect": states("onboarding active offboarded"),
        "onboarding": states("active offboarded"),
        "active": states("suspended offboarded"),
        "suspended": states("active offboarded"),
        "offboarded": states("onboarding active"),
    },
)


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Refuse what a client may not become. Raises IllegalTransition and Invalid."""
    del now
    LIFECYCLE.check(before["status"] if before else None, after["status"])
    if after["hourly_rate"] is not None and after["currency"] is None:
        raise Invalid.fields(FieldError("currency", "is needed to say what the hourly rate is in"))
