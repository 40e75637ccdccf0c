"""What people may refer to in events: the public topics, and values in an event's data by their path. Pure."""

import re
from typing import Any

from kit.errors import FieldError

TOPICS = (
    "ticket.created",
    "ticket.sla_breached",
    "asset.state_changed",
    "alert.triggered",
    "invoice.overdue",
    "pipeline.failed",
    "workflow.completed",
)
_PATH = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


def value_at(data: Any, path: str) -> Any:
    """What is at `ticket.id`; None where nothing is. In a list, a number names the place."""
    for name in path.split("."):
        if isinstance(data, dict):
            data = data.get(name)
        elif isinstance(data, list) and name.isdigit() and int(name) < len(data):
            data = data[int(name)]
        else:
            return None
    return data


def as_text(value: Any) -> str | None:
    """A plain value as people write it; None for what is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def path_errors(place: str, path: str) -> list[FieldError]:
    """What is wrong with a path, told at its place."""
    return [] if _PATH.fullmatch(path) else [FieldError(place, 'must be names with dots between, such as "ticket.id"')]
