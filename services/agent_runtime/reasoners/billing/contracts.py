"""Which contract prices a piece of work, and how. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.agent_runtime.reasoners import times
from services.agent_runtime.reasoners.billing.amounts import decimal

Row = dict[str, Any]

# Of several, the one that was made for it.
_ORDER = ("time_and_materials", "retainer", "block_hours", "recurring")
_MONTHS = {"monthly": 1, "quarterly": 3, "yearly": 12}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Price:
    """Of an hour of work, and where that stands. `rate` has at most 4 decimals."""

    currency: str
    rate: str
    tax_percent: str | None
    after_hours: bool
    source: str


def price_of(started: datetime, client: Row, contracts: Sequence[Row], calendars: Mapping[str, Row]) -> Price | None:
    """What an hour of work costs that began then: by the contract of that day, else by the client's own rate; None
    where neither says. `calendars`: by SLA policy. Work belongs to the hours in which it began."""
    for contract in covering(started.date(), contracts):
        rate, currency = contract["hourlyRate"], contract["currency"]
        if decimal(rate) is None or not currency:
            continue
        calendar = calendars.get(contract["slaPolicyId"] or "")
        after_hours = (
            decimal(contract["afterHoursRate"]) is not None and calendar is not None and not is_open(calendar, started)
        )
        used = contract["afterHoursRate"] if after_hours else rate
        return Price(currency, used, _tax_of(contract), after_hours, f"contract {contract['number']}")
    if decimal(client["hourlyRate"]) is not None and client["currency"]:
        tax = next(filter(None, map(_tax_of, covering(started.date(), contracts))), None)
        return Price(client["currency"], client["hourlyRate"], tax, False, "the client's rate")
    return None


def including(day: date, contracts: Sequence[Row]) -> Row | None:
    """The contract of that day with minutes that cost nothing more."""
    return next((each for each in covering(day, contracts) if each["includedMinutes"]), None)


def covering(day: date, contracts: Sequence[Row]) -> list[Row]:
    """The contracts in force on a day, the one that was made for work on top."""
    found = [each for each in contracts if _is_in_force(each, day)]
    return sorted(found, key=lambda each: (_rank(each["type"]), str(each["number"]), str(each["id"])))


def period_start(contract: Row, day: date) -> date | None:
    """First day of the contract's period that the day is in."""
    first, step = times.day(contract["startsOn"]), _MONTHS.get(contract["billingPeriod"])
    if first is None or step is None:
        return None
    months = (day.year - first.year) * 12 + day.month - first.month
    index = max(months // step, 0)
    start = _add_months(first, index * step)
    return start if start <= day or index == 0 else _add_months(first, (index - 1) * step)


def is_open(calendar: Row, at: datetime) -> bool:
    """Whether that is within business hours; where the calendar cannot be read it is."""
    if calendar.get("alwaysOpen"):
        return True
    try:
        local = at.astimezone(ZoneInfo(calendar["timeZone"]))
    except (ZoneInfoNotFoundError, ValueError, OverflowError, OSError):
        return True
    if any(each["date"] == local.date().isoformat() for each in calendar["holidays"] or ()):
        return False
    weekday, clock = _DAYS[local.weekday()], local.strftime("%H:%M")
    return any(each["day"] == weekday and each["opens"] <= clock < each["closes"] for each in calendar["windows"] or ())


def _is_in_force(contract: Row, day: date) -> bool:
    starts, ends = times.day(contract["startsOn"]), times.day(contract["endsOn"])
    terminated = times.instant(contract["terminatedAt"])
    return (
        contract["status"] != "draft"
        and starts is not None
        and starts <= day
        and (ends is None or day <= ends)
        and (terminated is None or day <= terminated.date())
    )


def _rank(type_: object) -> int:
    return _ORDER.index(str(type_)) if type_ in _ORDER else len(_ORDER)


def _tax_of(contract: Row) -> str | None:
    """The tax of the contract's lines, where they all have the same."""
    taxes = {decimal(line["taxPercent"]) for line in contract["lines"] or ()}
    found = taxes.pop() if len(taxes) == 1 else None
    return f"{found.normalize():f}" if isinstance(found, Decimal) and found else None


def _add_months(day: date, months: int) -> date:
    """The same day of the month so many months later, or the last that the month has."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    return day
