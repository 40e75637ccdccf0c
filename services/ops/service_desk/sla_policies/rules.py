"""What an SLA policy may say."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kit.errors import FieldError, Invalid

DEFAULT_PAUSES = ("waiting_on_client", "waiting_on_vendor")
ALWAYS_STOPPED = frozenset({"resolved", "closed"})
_CLOSES = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_WEEKS_PER_YEAR = 52


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Fill in the states that pause the clock. Raises Invalid for hours, holidays, targets or pauses that make no
    sense, each at its place, and for a default that is one client's."""
    del before, now
    if after["never_pauses"]:
        after["pause_states"] = []
    elif not after["pause_states"]:
        after["pause_states"] = list(DEFAULT_PAUSES)
    errors = [*_calendar_errors(after["calendar"]), *_pause_errors(after["pause_states"])]
    if after["is_default"] and after["client_id"]:
        errors.append(FieldError("isDefault", "cannot be said of the policy of one client"))
    if not errors:
        errors = [*_target_errors(after["targets"], after["calendar"])]
    if errors:
        raise Invalid.fields(*errors)


def open_minutes(calendar: dict[str, Any]) -> int:
    """Business minutes of a week without holidays."""
    if calendar.get("always_open"):
        return 7 * 24 * 60
    return sum(_minutes(each["closes"]) - _minutes(each["opens"]) for each in calendar.get("windows") or ())


def _calendar_errors(calendar: dict[str, Any]) -> Iterator[FieldError]:
    windows = calendar.get("windows") or []
    if not windows and not calendar.get("always_open"):
        yield FieldError("calendar.windows", "must hold a window, unless the calendar is always open")
    seen: dict[str, list[tuple[int, int]]] = {}
    for index, window in enumerate(windows):
        place = f"calendar.windows[{index}]"
        if not _CLOSES.fullmatch(window["closes"]):
            yield FieldError(f"{place}.closes", 'must be a time of day, such as "17:30", or "24:00"')
            continue
        opens, closes = _minutes(window["opens"]), _minutes(window["closes"])
        if opens >= closes:
            yield FieldError(f"{place}.closes", 'must be later than it opens; the end of the day is "24:00"')
            continue
        day = seen.setdefault(window["day"], [])
        if any(opens < until and since < closes for since, until in day):
            yield FieldError(place, f"overlaps another window of {window['day']}")
        day.append((opens, closes))
    dates: set[str] = set()
    for index, holiday in enumerate(calendar.get("holidays") or ()):
        if holiday["date"] in dates:
            yield FieldError(f"calendar.holidays[{index}].date", "is in the list already")
        dates.add(holiday["date"])


def _pause_errors(states: list[str]) -> Iterator[FieldError]:
    for index, state in enumerate(states):
        if state in ALWAYS_STOPPED:
            yield FieldError(f"pauseStates[{index}]", f"the clock stands still in {state} in any case")
        elif state in states[:index]:
            yield FieldError(f"pauseStates[{index}]", "is in the list already")


def _target_errors(targets: list[dict[str, Any]], calendar: dict[str, Any]) -> Iterator[FieldError]:
    most = open_minutes(calendar) * _WEEKS_PER_YEAR
    priorities: set[str] = set()
    for index, target in enumerate(targets):
        place = f"targets[{index}]"
        if target["priority"] in priorities:
            yield FieldError(f"{place}.priority", "has its targets already")
        priorities.add(target["priority"])
        first, last = target.get("first_response_minutes"), target.get("resolution_minutes")
        if first is None and last is None:
            yield FieldError(place, "must name minutes to the first response, to the resolution, or both")
        if first is not None and last is not None and first > last:
            yield FieldError(f"{place}.firstResponseMinutes", "must not be more than those to the resolution")
        for name, minutes in (("firstResponseMinutes", first), ("resolutionMinutes", last)):
            if minutes is not None and minutes > most:
                yield FieldError(f"{place}.{name}", f"is more than the {most} business minutes of a year")


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
