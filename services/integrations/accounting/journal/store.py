"""The SQL of the journal."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from kit import ids
from kit.database import Session
from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork
from services.integrations.accounting.port import Entry, Posting

_LINES = """(
    SELECT line.workspace_id, line.id, line.entry_number, line.position, entry.date::text AS date,
        to_char(entry.date, 'YYYY-MM') AS period, line.account, line.debit::text AS debit, line.credit::text AS credit,
        entry.currency, line.tax_percent::text AS tax_percent, entry.description, entry.client_id, entry.invoice_id,
        entry.invoice_number, entry.payment_id, entry.job_id, entry.created_at
    FROM journal_lines AS line JOIN journal_entries AS entry
        ON entry.workspace_id = line.workspace_id AND entry.number = line.entry_number
) AS lines"""
LINES = TableListing(
    _LINES,
    """id::text AS id, entry_number, position, date, period, account, debit, credit, currency, tax_percent,
    description, client_id::text AS client_id, invoice_id::text AS invoice_id, invoice_number,
    payment_id::text AS payment_id, job_id::text AS job_id, created_at""",
    search="lower(account || ' ' || description || ' ' || invoice_number)",
)
_LAST = "SELECT last FROM journal_counters WHERE workspace_id = $1"
_COUNT_ON = """
INSERT INTO journal_counters AS counter (workspace_id, last) VALUES ($1, $3)
ON CONFLICT (workspace_id) DO UPDATE SET last = excluded.last WHERE counter.last = $2 RETURNING true
"""
_ADD = """
INSERT INTO journal_entries (workspace_id, number, date, currency, description, client_id, invoice_id, invoice_number,
    payment_id, event, job_id, created_at)
VALUES ($1, $2, $3::text::date, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
_ADD_LINES = """
INSERT INTO journal_lines (workspace_id, entry_number, id, position, account, debit, credit, tax_percent)
SELECT $1, $2, line.* FROM unnest($3::uuid[], $4::integer[], $5::text[], $6::numeric[], $7::numeric[], $8::numeric[])
    AS line
"""


_BOOKED = """
SELECT entry.date::text AS date, entry.currency, entry.description, entry.client_id::text AS client_id,
    entry.invoice_id::text AS invoice_id, entry.invoice_number, entry.payment_id::text AS payment_id,
    line.account, line.debit - line.credit AS amount, line.tax_percent
FROM journal_entries AS entry JOIN journal_lines AS line
    ON line.workspace_id = entry.workspace_id AND line.entry_number = entry.number
WHERE entry.workspace_id = $1 AND coalesce(entry.payment_id, entry.invoice_id) = $2 AND entry.event = $3
ORDER BY line.position
"""


class OutOfStepError(Exception):
    """Somebody else has booked something meanwhile."""


async def last_number(session: Session) -> int:
    """Of the latest entry; 0 when there is none."""
    return int(await session.fetchval(_LAST, session.call.workspace_id) or 0)


async def booked(session: Session, resource_id: str, event: str) -> Entry | None:
    """An invoice's or a payment's entry of that event."""
    lines = await session.fetch(_BOOKED, session.call.workspace_id, resource_id, event)
    if not lines:
        return None
    postings = tuple(_posting(line) for line in lines)
    names = ("date", "currency", "description", "client_id", "invoice_id", "invoice_number", "payment_id")
    return Entry(event=event, postings=postings, **{name: lines[0][name] for name in names})


async def add(work: UnitOfWork, entries: Sequence[Entry], *, after: int, job_id: str) -> None:
    """Book them with the numbers that come after that of the latest entry. Raises OutOfStepError when `after` is not
    that."""
    if not entries:
        return
    workspace_id = work.call.workspace_id
    if not await work.fetchval(_COUNT_ON, workspace_id, after, after + len(entries)):
        raise OutOfStepError
    # In order, so that the lines of one instant are listed as they were booked.
    line_ids = iter(sorted(ids.new_id() for entry in entries for _ in entry.postings))
    for number, entry in enumerate(entries, after + 1):
        about = (entry.client_id, entry.invoice_id, entry.invoice_number, entry.payment_id, entry.event)
        named = (workspace_id, number, entry.date, entry.currency, entry.description)
        await work.execute(_ADD, *named, *about, job_id, work.now)
        postings = entry.postings
        await work.execute(
            _ADD_LINES,
            workspace_id,
            number,
            [next(line_ids) for _ in postings],
            list(range(1, len(postings) + 1)),
            [each.account for each in postings],
            [_positive(each.amount) for each in postings],
            [_positive(-each.amount) for each in postings],
            [each.tax_percent for each in postings],
        )


def _positive(amount: Decimal) -> Decimal:
    """The amount, or a zero that is written with as many digits."""
    return max(amount, abs(amount) * 0)


def _posting(line: Any) -> Posting:
    rate = line["tax_percent"]
    return Posting(line["account"], Decimal(line["amount"]), None if rate is None else Decimal(rate))
