"""Which events are told, in which words, and when. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from kit.errors import FieldError, Invalid
from kit.event_values import TOPICS, as_text, path_errors, value_at

Row = dict[str, Any]

_SECRET_KEY = re.compile(r"notifications\.[a-z0-9][a-z0-9_-]{0,62}")
_PLACE = re.compile(r"\{([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)\}")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LONGEST_TITLE, _LONGEST_BODY, _LONGEST_VALUE = 500, 8000, 2000
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=30)
# Over nearly three hours.
MOST_ATTEMPTS = 12

_WORDS: Mapping[str, tuple[str, str]] = {
    "ticket.created": ("New ticket {ticket.number}: {ticket.subject}", "Priority: {ticket.priority}"),
    "ticket.sla_breached": ("Promise broken on {ticket.number}: {ticket.subject}", "Priority: {ticket.priority}"),
    "asset.state_changed": ("{asset.name} is {asset.status}", ""),
    "alert.triggered": ("{alert.severity}: {alert.title}", "{alert.description}"),
    "invoice.overdue": ("Invoice {invoice.number} is overdue", "Open: {invoice.balance} {invoice.currency}"),
    "pipeline.failed": ("{run.repository}: {run.name} failed", "Branch: {run.branch}\nBy: {run.actor}\n{run.url}"),
    "workflow.completed": (
        "{execution.agent}.{execution.reasoner}: {execution.status}",
        "{execution.failureDetail}",
    ),
}


def judge_channel(before: Row | None, after: Row, now: datetime) -> None:
    """Raises Invalid for a key under which there can be no such secret."""
    del before, now
    if not _SECRET_KEY.fullmatch(after["secret_key"]):
        raise Invalid.fields(
            FieldError("secretKey", 'must be "notifications." and a word in lower case, such as "notifications.desk"')
        )


def judge_rule(before: Row | None, after: Row, now: datetime) -> None:
    """Raises Invalid for a topic that is none, and for paths and hours that cannot be, each at its place."""
    del before, now
    errors = [] if after["topic"] in TOPICS else [FieldError("topic", f"must be one of {', '.join(TOPICS)}")]
    for index, each in enumerate(after["filter"]):
        errors += path_errors(f"filter[{index}].path", each["path"])
        if not each["any_of"]:
            errors.append(FieldError(f"filter[{index}].anyOf", "must name a value"))
    hours = after["hours"]
    if hours and len(set(hours["days"])) < len(hours["days"]):
        errors.append(FieldError("hours.days", "names a day twice"))
    if errors:
        raise Invalid.fields(*errors)


def applies(rule: Row, data: Mapping[str, Any], now: datetime) -> bool:
    """Whether an event with this data is to be told now."""
    return _is_open(rule["hours"], now) and all(
        as_text(value_at(data, each["path"])) in each["any_of"] for each in rule["filter"]
    )


def words(rule: Row, data: Mapping[str, Any]) -> tuple[str, str]:
    """Title and text of the message."""
    title, body = _WORDS[rule["topic"]]
    return (
        _filled(rule["title"] or title, data, _LONGEST_TITLE) or rule["name"],
        _filled(rule["body"] or body, data, _LONGEST_BODY),
    )


def together(messages: Sequence[Row]) -> tuple[str, str]:
    """Title and text of one message that stands for these."""
    if len(messages) == 1:
        return messages[0]["title"], _text(messages[0])
    bodies = [f"{each['title']}\n{_text(each)}".strip() for each in messages]
    return f"{len(messages)} messages", "\n\n".join(bodies)


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts."""
    return min(_FIRST_PAUSE * (1 << min(attempts - 1, 10)), _LONGEST_PAUSE)


def _text(message: Row) -> str:
    repeats = f"\n(and {message['repeats']} more times)" if message["repeats"] else ""
    return f"{message['body']}{repeats}".strip()


def _filled(text: str, data: Mapping[str, Any], most: int) -> str:
    """What stands in braces becomes the value at that path; nothing where there is none."""
    filled = _PLACE.sub(lambda found: (as_text(value_at(data, found[1])) or "")[:_LONGEST_VALUE], text)
    return filled.replace("\0", "").strip()[:most]


def _is_open(hours: Row | None, now: datetime) -> bool:
    """By the clock on the wall of the hours' zone."""
    if not hours:
        return True
    wall = now.astimezone(ZoneInfo(hours["time_zone"]))
    time, days = wall.strftime("%H:%M"), hours["days"] or _DAYS
    today, yesterday = _DAYS[wall.weekday()], _DAYS[wall.weekday() - 1]
    if hours["opens"] < hours["closes"]:
        return today in days and hours["opens"] <= time < hours["closes"]
    return (today in days and time >= hours["opens"]) or (yesterday in days and time < hours["closes"])
