"""The lines of invoices, quotes and contracts: checked, priced, totalled. Pure."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from kit.errors import FieldError, Invalid
from services.ops.billing import money

Line = dict[str, Any]

_PERCENTAGES = {"discount_percent": "discountPercent", "tax_percent": "taxPercent"}
# What an invoice's line has of the one that it comes from.
_BILLED = ("description", "quantity", "unit_price", "discount_percent", "tax_percent")


def price(row: dict[str, Any], counts: Callable[[Line], bool] = lambda line: True) -> None:
    """Set the amounts of each of the row's `lines` and the row's totals, in the row's `currency`. Lines that do not
    count stay out of the totals. Raises Invalid for a percentage above 100, amounts that cannot be written, or no
    currency."""
    currency = row["currency"]
    if currency is None:
        raise Invalid.fields(FieldError("currency", "is needed, since the client has none"))
    if errors := [*_errors(row["lines"])]:
        raise Invalid.fields(*errors)
    row["lines"] = [_priced(line, currency) for line in row["lines"]]
    amounts = money.sum_of(money.amounts_of(line, currency) for line in row["lines"] if counts(line))
    most = money.sum_of(money.amounts_of(line, currency) for line in row["lines"])
    if most.subtotal >= money.TOO_MUCH or most.total >= money.TOO_MUCH:
        raise Invalid.fields(FieldError("lines", "come to more than can be written"))
    row["subtotal"] = money.written(amounts.subtotal, currency)
    row["discount_total"] = money.written(amounts.discount, currency)
    row["tax_total"] = money.written(amounts.tax, currency)
    row["total"] = money.written(amounts.total, currency)


def total_of(lines: list[Line], currency: str, counts: Callable[[Line], bool]) -> str:
    """What the lines that count come to."""
    amounts = money.sum_of(money.amounts_of(line, currency) for line in lines if counts(line))
    return money.written(amounts.total, currency)


def draft_invoice(source: dict[str, Any], lines: Iterable[Line]) -> dict[str, Any]:
    """A draft over lines of a contract or quote, for its client, in its currency."""
    return {
        "client_id": source["client_id"],
        "status": "draft",
        "currency": source["currency"],
        "lines": [{**{name: line[name] for name in _BILLED if name in line}, "time_entry_ids": []} for line in lines],
        "notes": None,
        "terms": None,
        "due_on": None,
        "void_reason": None,
    }


def time_entries(lines: list[Line]) -> list[tuple[str, str]]:
    """The ids of the time entries that the lines bill, each with its place: `lines[0].timeEntryIds[2]`."""
    return [
        (f"lines[{index}].timeEntryIds[{position}]", entry_id)
        for index, line in enumerate(lines)
        for position, entry_id in enumerate(line.get("time_entry_ids") or ())
    ]


def _errors(lines: list[Line]) -> Iterator[FieldError]:
    for index, line in enumerate(lines):
        for name, json_name in _PERCENTAGES.items():
            if Decimal(line.get(name) or 0) > money.HUNDRED:
                yield FieldError(f"lines[{index}].{json_name}", "must be at most 100")


def _priced(line: Line, currency: str) -> Line:
    amounts = money.amounts_of(line, currency)
    return {
        **line,
        "subtotal": money.written(amounts.subtotal, currency),
        "discount": money.written(amounts.discount, currency),
        "tax": money.written(amounts.tax, currency),
        "total": money.written(amounts.total, currency),
    }
