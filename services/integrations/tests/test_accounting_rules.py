"""What goes to the books, and what counts as a conflict."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from services.integrations.accounting import rules, tax_codes
from services.integrations.accounting.port import Incoming, InvoiceThere, Link, Payment, Place, Refund, RefusedError
from services.integrations.accounting.quickbooks import bodies

NOW = datetime(2026, 2, 28, tzinfo=UTC)
INVOICE = Link("i", "77", {"number": "INV-000001", "total": "100.00", "currency": "EUR", "voided": False})
PAYMENT = Link("p", "5/77", {"amount": "60.00", "kept": "60.00", "refunds": 0, "invoice_id": "i", "there": "60.00"})


def test_what_may_have_been_committed_late_is_looked_at_again() -> None:
    assert rules.since(None) is None
    start = rules.since(NOW)
    changed = [NOW + timedelta(minutes=minutes) for minutes in (9, 0, -4, -5, -6, -60)]
    assert rules.until_known(changed, start) == 4
    assert rules.until_known(changed, None) == 6


def test_changes_go_on_from_their_time() -> None:
    def seconds(*after: float) -> list[datetime]:
        return [NOW + timedelta(seconds=each) for each in after]

    place = Place(NOW)
    assert rules.following(place, [seconds(1), []], 2) is None
    # The one that is behind decides; the other kind is told again from there on.
    assert rules.following(place, [seconds(1, 5.5), seconds(2, 3.5)], 2) == Place(seconds(3)[0])
    assert rules.following(place, [seconds(1), seconds(2, 3)], 2) == Place(seconds(3)[0])
    # More of one second than a page holds.
    assert rules.following(place, [seconds(0, 0.9), []], 2) == Place(NOW, 1)
    assert rules.following(Place(NOW, 1), [seconds(0.9, 1), []], 2) == Place(seconds(1)[0])


@pytest.mark.parametrize(
    ("total", "is_void", "code"),
    [
        ("100", False, None),
        ("100.00", True, "invoice-voided"),
        ("99.99", False, "invoice-changed"),
        ("0", True, "invoice-voided"),
    ],
)
def test_an_invoice_is_there_as_here_or_it_is_told(total: str, is_void: bool, code: str | None) -> None:
    found = rules.invoice_difference(INVOICE, InvoiceThere("77", Decimal(total), is_void))
    assert (found.code if found else None) == code
    if found:
        assert (found.subject, found.resource_id, found.ours) == ("there/i", "i", "100.00 EUR")


def test_what_is_void_here_has_to_be_void_there() -> None:
    void = Link("i", "77", {**INVOICE.sent, "voided": True})
    assert rules.invoice_difference(void, InvoiceThere("77", Decimal(0), is_void=True)) is None
    found = rules.invoice_difference(void, InvoiceThere("77", Decimal(100), is_void=False))
    assert found is not None
    assert found.code == "invoice-not-voided"


def test_a_payment_is_there_as_here_or_it_is_told() -> None:
    def told(amount: str, *, is_deleted: bool = False) -> str | None:
        found = rules.payment_difference(PAYMENT, Incoming("quickbooks", "5/77", amount=amount, is_deleted=is_deleted))
        return found.code if found else None

    assert (told("60"), told("59.99"), told("", is_deleted=True)) == (None, "payment-changed", "payment-deleted")


@pytest.mark.parametrize(
    ("refunds", "there", "code"), [((), "60.00", None), (("20",), "60.00", "refunded-here"), (("20",), "40", None)]
)
def test_what_is_given_back_here_is_given_back_there(refunds: tuple[str, ...], there: str, code: str | None) -> None:
    given = tuple(Refund(Decimal(each), "2026-02-20") for each in refunds)
    payment = Payment("p", "i", "c", Decimal("60.00"), "EUR", "2026-02-10", None, "quickbooks", given)
    link = Link("p", "5/77", {**PAYMENT.sent, "there": there}, incoming=True)
    found = rules.refund_difference(payment, link)
    assert (found.code if found else None) == code


def test_amounts_are_written_as_money_and_never_rounded() -> None:
    written = [rules.written(Decimal(each), "1.00") for each in ("60", "60.0", "60.005")]
    assert written == ["60.00", "60.00", "60.005"]


def test_rates_of_tax_have_the_names_that_the_setting_gives_them() -> None:
    codes = ["nonsense", "x=y", "20.0=FIRST", "20=SECOND", "0 = ZERO", "7="]
    assert tax_codes.code_of(Decimal(20), codes, "NONE") == "FIRST"
    assert tax_codes.code_of(Decimal("0.00"), codes, "NONE") == "ZERO"
    assert tax_codes.code_of(Decimal(0), codes[:3], "NONE") == "NONE"
    with pytest.raises(RefusedError, match="7 %"):
        tax_codes.code_of(Decimal(7), codes, "NONE")


def test_a_payment_of_quickbooks_is_told_by_invoice() -> None:
    lines = [
        {"Amount": Decimal(each), "LinkedTxn": [{"TxnId": number, "TxnType": kind}]}
        for each, number, kind in (("10.00", "77", "Invoice"), ("5.00", "78", "Invoice"), ("3.00", "9", "CreditMemo"))
    ]
    found = bodies.payments({"Id": "5", "TxnDate": "2026-02-20", "PrivateNote": "Opsfield p", "Line": lines})
    assert [(each.external_id, each.amount, each.is_ours) for each in found] == [
        ("5/77", "10.00", True),
        ("5/78", "5.00", True),
    ]
    [gone] = bodies.payments({"Id": "5", "TotalAmt": 0, "Line": []})
    assert (gone.external_id, gone.is_deleted) == ("5", True)
