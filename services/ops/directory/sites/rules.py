"""What a site may become."""

from datetime import datetime
from typing import Any

from services.ops.directory.rules import stay_with_client


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Raises Invalid when the site would move to another client."""
    del now
    stay_with_client(before, after, "sites")
