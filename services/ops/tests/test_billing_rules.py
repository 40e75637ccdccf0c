"""What may follow what, of invoices, payments, quotes and contracts: each table, walked."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Conflict, IllegalTransition, Invalid
from services.ops.billing.contracts import periods
from services.ops.billing.contracts import rules as contracts
from services.ops.billing.invoices import rules as invoices
from services.ops.billing.payments import rules as payments
from services.ops.billing.quotes import rules as quotes

NOW = datetime(2026, 1, 2, tzinfo=UTC)
Row = dict[str, Any]
LINE = {"description": "Work", "quantity": "1", "unit_price": "10", "time_entry_ids": []}
UNSET = ("number", "due_on", "void_reason", "issued_on", "issued_at", "acknowledged_at", "acknowledged_by",
         "overdue_since", "voided_at", "notes", "terms", "quote_id", "contract_id", "replaces_invoice_id")  # fmt: skip

INVOICE_MOVES = {
    "draft": {"issued", "void"}, "issued": {"void"}, "partially_paid": set(), "paid": set(), "overdue": {"void"},
    "void": set(),
}  # fmt: skip
PAID = {"partially_paid": "5.00", "paid": "10.00"}
PAYMENT_MOVES = {
    "pending": {"succeeded", "failed"}, "succeeded": {"refunded"}, "failed": set(), "refunded": set(),
}  # fmt: skip
QUOTE_MOVES = {
    "draft": {"sent"}, "sent": {"accepted", "rejected", "expired"}, "accepted": set(), "rejected": set(),
    "expired": set(),
}  # fmt: skip
CONTRACT_MOVES = {
    "draft": {"active"}, "active": {"suspended", "expired", "terminated"},
    "suspended": {"active", "expired", "terminated"}, "expired": set(), "terminated": set(),
}  # fmt: skip


def invoice(status: str = "draft", paid: str = "0.00") -> Row:
    row: Row = dict.fromkeys(UNSET)
    row |= {"status": "draft", "currency": "EUR", "lines": [LINE], "amount_paid": "0.00", "client_id": "c"}
    invoices.judge(None, row, NOW)
    row |= {"status": status, "amount_paid": paid, "balance": "0.00" if status == "void" else "10.00"}
    row["void_reason"] = "Wrong." if status == "void" else None
    row["overdue_since"] = "2026-01-01" if status == "overdue" else None
    return row


def payment(status: str) -> Row:
    row: Row = dict.fromkeys(["provider", "provider_payment_id", "received_on", "reference"])
    row |= {"status": status, "currency": "EUR", "amount": "10.00", "invoice_id": "i", "refunds": []}
    return row | {"amount_refunded": "10.00" if status == "refunded" else "0.00"}


def quote(status: str) -> Row:
    row: Row = dict.fromkeys(["sent_at", "terms_digest", "decided_at", "decided_by", "accepted_by", "superseded_by_id"])
    row |= {"status": "draft", "currency": "EUR", "lines": [LINE], "client_id": "c", "title": "t", "terms": None}
    row |= {"valid_until": "2026-01-02", "decision_reason": None, "number": 1001}
    quotes.judge(None, row, NOW)
    return row | {"status": status, "terms_digest": "d", "decided_at": NOW, "decided_by": "ada"}


def contract(status: str) -> Row:
    row: Row = {"status": "draft", "currency": "EUR", "lines": [LINE], "client_id": "c", "starts_on": "2026-01-01"}
    row |= {"ends_on": None, "auto_renew": False, "billing_period": "monthly", "type": "recurring"}
    row |= {"termination_reason": "Moved.", "next_invoice_on": None, "activated_at": None, "terminated_at": None}
    contracts.judge(None, row, NOW)
    return row | {"status": status, "renewal_count": 0}


KINDS: Mapping[str, tuple[Any, Any, Mapping[str, set[str]]]] = {
    "invoice": (invoices.judge, invoice, INVOICE_MOVES),
    "payment": (payments.judge, payment, PAYMENT_MOVES),
    "quote": (quotes.judge, quote, QUOTE_MOVES),
    "contract": (contracts.judge, contract, CONTRACT_MOVES),
}
MOVES = [
    (kind, before, after)
    for kind, (_, _, moves) in KINDS.items()
    for before in moves
    for after in moves
    if before != after
]


@pytest.mark.parametrize(("kind", "before", "after"), MOVES)
def test_a_move_is_taken_where_it_is_legal_and_refused_elsewhere(kind: str, before: str, after: str) -> None:
    judge, make, moves = KINDS[kind]
    row = make(before)
    changed = {**row, "status": after}
    if kind == "invoice" and after == "void":
        changed["void_reason"] = "Wrong."
    if kind == "invoice" and before in PAID:
        row["amount_paid"] = changed["amount_paid"] = PAID[before]
    if (kind, after) == ("payment", "refunded"):
        changed["amount_refunded"] = "10.00"
    if after in moves[before]:
        judge(row, changed, NOW)
        assert changed["status"] == after
    else:
        with pytest.raises(IllegalTransition) as refused:
            judge(row, changed, NOW)
        assert all(word in refused.value.detail for word in moves[before]) or not moves[before]
        assert "legal: " in refused.value.detail


@pytest.mark.parametrize(("overdue_since", "paid", "status"), [
    (None, "0", "issued"), (None, "4", "partially_paid"), (None, "10", "paid"),
    ("2026-01-01", "0", "overdue"), ("2026-01-01", "4", "partially_paid"), ("2026-01-01", "10", "paid"),
])  # fmt: skip
@pytest.mark.parametrize(("before", "was_paid"), [("issued", "0.00"), ("partially_paid", "4.00"), ("paid", "10.00")])
def test_payments_and_the_calendar_decide_the_state(
    before: str, was_paid: str, overdue_since: str | None, paid: str, status: str
) -> None:
    row = invoice(before, was_paid)
    after = {**row, "overdue_since": overdue_since}
    invoices.book(after, amount_paid=Decimal(paid))
    invoices.judge(row, after, NOW)
    assert after["status"] == status
    assert Decimal(after["balance"]) == 10 - Decimal(paid)


def test_an_invoice_over_nothing_is_paid_and_may_become_void() -> None:
    row = {**invoice(), "lines": [{**LINE, "discount_percent": "100"}], "status": "issued"}
    invoices.judge(invoice(), row, NOW)
    assert (row["status"], row["total"]) == ("paid", "0.00")
    for status in ("draft", "issued", "partially_paid", "overdue"):
        with pytest.raises(IllegalTransition, match="legal: void"):
            invoices.judge(row, {**row, "status": status}, NOW)
    voided = {**row, "status": "void", "void_reason": "Wrong."}
    invoices.judge(row, voided, NOW)
    assert (voided["status"], voided["balance"], voided["voided_at"]) == ("void", "0.00", NOW)


@pytest.mark.parametrize("origin", ["quote_id", "contract_id", "replaces_invoice_id"])
def test_an_invoice_that_was_made_of_something_stays_with_its_client(origin: str) -> None:
    row = {**invoice(), origin: "o"}
    invoices.judge(row, {**row, "notes": "Thanks."}, NOW)
    with pytest.raises(Conflict) as refused:
        invoices.judge(row, {**row, "client_id": "d"}, NOW)
    assert refused.value.code == "invoice-immutable"
    invoices.judge(invoice(), {**invoice(), "client_id": "d"}, NOW)


def test_a_quote_is_decided_in_time_and_as_it_was_read() -> None:
    for instant, digest, code in ((NOW + timedelta(days=1), "d", "quote-expired"), (NOW, "e", "quote-changed")):
        with pytest.raises(Conflict) as refused:
            quotes.accept(quote("sent"), digest=digest, name="Jo", by="ada", now=instant)
        assert refused.value.code == code
    quotes.accept(quote("sent"), digest="d", name="Jo", by="ada", now=NOW + timedelta(hours=23))


@pytest.mark.parametrize("name", ["title", "terms", "valid_until", "currency", "client_id", "total"])
def test_a_digest_depends_on_all_that_is_seen(name: str) -> None:
    assert quotes.digest_of(quote("sent")) == quotes.digest_of(quote("draft"))
    assert quotes.digest_of({**quote("sent"), name: "other"}) != quotes.digest_of(quote("sent"))


def test_a_contract_that_ended_without_a_reason_is_refused() -> None:
    with pytest.raises(Invalid):
        contracts.judge(contract("active"), {**contract("terminated"), "termination_reason": None}, NOW)


@pytest.mark.parametrize(("period", "expected"), [
    ("monthly", ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]),
    ("quarterly", ["2027-01-31", "2027-04-30", "2027-07-31", "2027-10-31", "2028-01-31"]),
    ("yearly", ["2027-01-31", "2028-01-31", "2029-01-31"]),
])  # fmt: skip
def test_periods_keep_the_day_that_the_contract_began_on(period: str, expected: list[str]) -> None:
    start = date(2027, 1, 31)
    assert [periods.period_start(start, period, index).isoformat() for index in range(len(expected))] == expected


def test_a_leap_day_comes_back_every_four_years() -> None:
    starts = [periods.period_start(date(2024, 2, 29), "yearly", index).isoformat() for index in range(5)]
    assert starts == ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(sorted(periods.MONTHS)), st.integers(0, 300))
def test_periods_follow_one_another_without_gap_or_overlap(start: date, period: str, index: int) -> None:
    first, following = (periods.period_start(start, period, each) for each in (index, index + 1))
    last = periods.last_day(start, period, first, None)
    assert last + timedelta(days=1) == following == periods.next_start(start, period, first)
    assert periods.period_index(start, period, first) == periods.period_index(start, period, last) == index
    assert periods.first_start_from(start, period, first) == first
    assert periods.first_start_from(start, period, first + timedelta(days=1)) == following
