"""What a trigger may say, and which events it is for."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kit.errors import FieldError, Invalid

TOPICS = (
    "ticket.created",
    "ticket.sla_breached",
    "asset.state_changed",
    "alert.triggered",
    "invoice.overdue",
    "pipeline.failed",
    "workflow.completed",
)
# Of executions one behind the other; an event beyond that starts nothing.
MOST_DEEP = 3
_REASONER = re.compile(r"[A-Za-z0-9_-]{1,100}\.[A-Za-z0-9_-]{1,100}")
_PATH = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Raises Invalid for a topic that is none, a name that cannot be a reasoner's, and paths that lead nowhere, each
    at its place."""
    del before, now
    errors = []
    if after["topic"] not in TOPICS:
        errors.append(FieldError("topic", f"must be one of {', '.join(TOPICS)}"))
    if not _REASONER.fullmatch(after["reasoner"]):
        errors.append(FieldError("reasoner", 'must be an agent and a reasoner, such as "triage.classify"'))
    seen: set[str] = set()
    for index, each in enumerate(after["input"]):
        if each["field"] in seen:
            errors.append(FieldError(f"input[{index}].field", "is in the list already"))
        seen.add(each["field"])
        errors += _path_errors(f"input[{index}].path", each["path"])
    for index, each in enumerate(after["filter"]):
        errors += _path_errors(f"filter[{index}].path", each["path"])
    if errors:
        raise Invalid.fields(*errors)


def matches(conditions: Iterable[Mapping[str, str]], data: Mapping[str, Any]) -> bool:
    """Whether an event's data is as all conditions say."""
    return all(_as_text(value_at(data, each["path"])) == each["equals"] for each in conditions)


def input_of(fields: Iterable[Mapping[str, str]], data: Mapping[str, Any]) -> dict[str, Any]:
    """What the reasoner is given of an event's data; what is not there is left out."""
    found = {each["field"]: value_at(data, each["path"]) for each in fields}
    return {name: value for name, value in found.items() if value is not None}


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


def _path_errors(place: str, path: str) -> list[FieldError]:
    return [] if _PATH.fullmatch(path) else [FieldError(place, 'must be names with dots between, such as "ticket.id"')]


def _as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
