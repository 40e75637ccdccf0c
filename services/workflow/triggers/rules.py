"""What a trigger may say, and which events it is for."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kit.errors import FieldError, Invalid
from kit.event_values import TOPICS, as_text, path_errors, value_at

# Of executions one behind the other; an event beyond that starts nothing.
MOST_DEEP = 3
_REASONER = re.compile(r"[A-Za-z0-9_-]{1,100}\.[A-Za-z0-9_-]{1,100}")


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
        errors += path_errors(f"input[{index}].path", each["path"])
    for index, each in enumerate(after["filter"]):
        errors += path_errors(f"filter[{index}].path", each["path"])
    if errors:
        raise Invalid.fields(*errors)


def matches(conditions: Iterable[Mapping[str, str]], data: Mapping[str, Any]) -> bool:
    """Whether an event's data is as all conditions say."""
    return all(as_text(value_at(data, each["path"])) == each["equals"] for each in conditions)


def input_of(fields: Iterable[Mapping[str, str]], data: Mapping[str, Any]) -> dict[str, Any]:
    """What the reasoner is given of an event's data; what is not there is left out."""
    found = {each["field"]: value_at(data, each["path"]) for each in fields}
    return {name: value for name, value in found.items() if value is not None}
