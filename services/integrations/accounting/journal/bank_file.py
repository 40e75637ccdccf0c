"""The file of payments that the bank has told: its rows as payments that come in. Pure."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from services.integrations.accounting.port import Incoming
from services.integrations.imports import rules as rows

SOURCE = "bank"
COLUMNS = ("invoiceNumber", "amount", "date", "reference")
MOST_BYTES = rows.MOST_CHUNK_BYTES
_MOST_ROWS = 100_000
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?")


class UnreadableFileError(Exception):
    """It is no such file; in a sentence."""


def read(data: bytes) -> list[Incoming]:
    """All of its rows. The same row, told again in another file, has the same external id; of equal rows in one file
    each has its own."""
    header = rows.read_header(data, is_last=True)
    if header is None:
        raise UnreadableFileError("The file does not begin with a header in UTF-8.")
    if missing := [each for each in COLUMNS if header.columns.count(each) != 1]:
        raise UnreadableFileError(f"The header must have once each: {', '.join(missing)}.")
    records, _ = rows.read_csv(data[header.size :], header.columns, header.delimiter, is_last=True, most=_MOST_ROWS)
    seen: Counter[str] = Counter()
    return [_incoming(record, place, seen) for place, record in enumerate(records, 1)]


def _incoming(record: rows.Record, place: int, seen: Counter[str]) -> Incoming:
    if record.values is None:
        return Incoming(SOURCE, _name([record.text], seen), problem=f"Row {place} {record.problem}.")
    values = {name: rows.undefused(str(value)).strip() for name, value in record.values.items()}
    told = [values[each] for each in COLUMNS]
    problem = _problem(values)
    amount, currency = values["amount"], values.get("currency") or None
    return Incoming(
        SOURCE,
        _name([values["invoiceNumber"], _plain(amount), values["date"], values["reference"]], seen),
        amount=amount[:40],
        received_on=values["date"][:40],
        currency=currency[:40] if currency else None,
        reference=values["reference"][:200],
        invoice_number=values["invoiceNumber"][:64],
        problem=f"Row {place}: {problem} ({', '.join(told)[:300]})." if problem else None,
    )


def _name(told: Sequence[str], seen: Counter[str]) -> str:
    digest = hashlib.sha256("\n".join(told).encode(errors="replace")).hexdigest()[:40]
    seen[digest] += 1
    return f"{digest}-{seen[digest]}"


def _plain(amount: str) -> str:
    try:
        return f"{Decimal(amount).normalize():f}"
    except InvalidOperation:
        return amount


def _problem(values: Mapping[str, Any]) -> str | None:
    if not _AMOUNT.fullmatch(values["amount"]) or not Decimal(values["amount"]):
        return "the amount must be more than zero, as 1250.00"
    try:
        date.fromisoformat(values["date"])
    except ValueError:
        return "the date must be a day, as 2026-02-28"
    if not values["reference"] or len(values["reference"]) > 200:
        return "the reference must have 1 to 200 characters"
    if not values["invoiceNumber"]:
        return "the invoice's number is missing"
    return None
