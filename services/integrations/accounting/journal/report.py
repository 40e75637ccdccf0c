"""The entries that a sync has added, as the lines of a CSV file."""

import csv
import io
from collections.abc import Sequence

from services.integrations.accounting.port import Entry
from services.integrations.exports.rules import defused

_HEADER = (
    "entryNumber",
    "date",
    "account",
    "debit",
    "credit",
    "currency",
    "taxPercent",
    "description",
    "invoiceNumber",
    "clientId",
    "invoiceId",
    "paymentId",
)


def written(entries: Sequence[Entry], *, after: int, with_header: bool) -> bytes:
    """With the numbers that come after that one."""
    out = io.StringIO()
    writer = csv.writer(out)
    if with_header:
        writer.writerow(_HEADER)
    for number, entry in enumerate(entries, after + 1):
        for posting in entry.postings:
            amounts = (posting.amount, "") if posting.amount > 0 else ("", -posting.amount)
            rate = "" if posting.tax_percent is None else f"{posting.tax_percent:f}"
            of = (entry.invoice_number, entry.client_id, entry.invoice_id, entry.payment_id or "")
            booked = (number, entry.date, defused(posting.account), *amounts, entry.currency, rate)
            writer.writerow((*booked, defused(entry.description), *of))
    return out.getvalue().encode(errors="replace")
