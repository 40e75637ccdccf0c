"""Double entry: whatever is issued, paid, refunded and voided, in whatever pieces it is booked, each entry balances and
the accounts come to what is owed, earned and in the bank."""

import random
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.integrations.accounting.journal import bank_file, rules
from services.integrations.accounting.journal.bank_file import UnreadableFileError
from services.integrations.accounting.journal.rules import Accounts
from services.integrations.accounting.port import Entry, Invoice, InvoiceLine, Payment, Refund

ACCOUNTS = Accounts("receivable", "revenue", "tax", "bank")
AMOUNTS = st.decimals("0", "99999.99", places=2)
RATES = st.sampled_from([Decimal(each) for each in ("0", "7", "19", "19.0", "20.5")])


@st.composite
def lines(draw: st.DrawFn) -> InvoiceLine:
    net, rate = draw(AMOUNTS), draw(RATES)
    tax = (net * rate / 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return InvoiceLine("Work", Decimal(1), net, net, tax, rate)


def invoice_of(found: list[InvoiceLine], voided_on: str | None = None) -> Invoice:
    tax = sum((line.tax for line in found), Decimal(0))
    total = sum((line.net for line in found), tax)
    return Invoice("i", "INV-000001", "c", "2026-02-01", "2026-03-01", "EUR", tuple(found), tax, total, voided_on)


def balances(entries: list[Entry]) -> dict[str, Decimal]:
    found = dict.fromkeys(("receivable", "revenue", "tax", "bank"), Decimal(0))
    for entry in entries:
        assert sum(each.amount for each in entry.postings) == 0
        assert all(each.amount for each in entry.postings)
        assert len(entry.postings) > 1
        for posting in entry.postings:
            found[posting.account] += posting.amount
    return found


@given(st.lists(lines(), min_size=1, max_size=8), st.booleans(), st.booleans())
def test_an_invoice_and_its_end(found: list[InvoiceLine], is_void: bool, at_once: bool) -> None:
    issued, voided = invoice_of(found), invoice_of(found, "2026-02-10" if is_void else None)
    if at_once or not is_void:
        entries = rules.entries_of_invoice(voided, ACCOUNTS, booked=None)
    else:
        entries = rules.entries_of_invoice(issued, ACCOUNTS, booked=None)
        renamed = Accounts("other", "other", "other", "other")
        entries += rules.entries_of_invoice(voided, renamed, booked=entries[0] if entries else None)
    owed, net = (Decimal(0), Decimal(0)) if is_void else (issued.total, issued.total - issued.tax)
    assert balances(entries) == {"receivable": owed, "revenue": -net, "tax": net - owed, "bank": Decimal(0)}
    revenue = [each.tax_percent for entry in entries[:1] for each in entry.postings if each.account == "revenue"]
    assert len(revenue) == len(set(revenue))


@given(AMOUNTS.filter(bool), st.integers(0, 5), st.randoms(use_true_random=False))
def test_a_payment_is_booked_in_pieces_as_at_once(amount: Decimal, count: int, chance: random.Random) -> None:
    refunds: list[Refund] = []
    left = amount
    for _ in range(count):
        if part := Decimal(chance.randint(0, int(left * 100))) / 100:
            refunds.append(Refund(part, "2026-02-20"))
            left -= part
    known = sorted({0, *(chance.randint(0, len(refunds)) for _ in range(2)), len(refunds)})
    entries: list[Entry] = []
    booked = None
    for many in known:
        payment = Payment("p", "i", "c", amount, "EUR", "2026-02-15", None, None, tuple(refunds[:many]))
        entries += rules.entries_of_payment(payment, "INV-000001", ACCOUNTS, refunds_booked=booked)
        booked = many
    assert balances(entries) == {"receivable": -left, "bank": left, "revenue": Decimal(0), "tax": Decimal(0)}
    assert len(entries) == 1 + len(refunds)
    assert len({each.event for each in entries}) == len(entries)


def test_an_invoice_over_nothing_is_not_booked() -> None:
    gift = InvoiceLine("Gift", Decimal(1), Decimal(5), Decimal(0), Decimal(0), Decimal(20))
    for voided_on in (None, "2026-02-20"):
        assert rules.entries_of_invoice(invoice_of([gift], voided_on), ACCOUNTS, booked=None) == []


def test_rows_of_the_bank_are_known_again_in_another_file() -> None:
    head = b"\xef\xbb\xbfinvoiceNumber;amount;currency;date;reference\n"
    one, other = b"INV-1;10.50;EUR;2026-02-03;'-A1\n", b"INV-2;3;;2026-02-04;B\n"
    first, second = (
        bank_file.read(head + one + one + other),
        bank_file.read(head + other + one.replace(b"10.50", b"10.5")),
    )
    ids = [each.external_id for each in first]
    assert len(set(ids)) == 3
    assert {each.external_id for each in second} == {ids[0], ids[2]}
    assert (first[0].reference, first[0].currency, first[0].problem, first[2].currency) == ("-A1", "EUR", None, None)


def test_rows_that_cannot_be_read_say_why() -> None:
    head = "invoiceNumber,amount,date,reference\n"
    rows = [
        "INV-1,0,2026-02-03,A",
        "INV-1,1e3,2026-02-03,A",
        "INV-1,5,3.2.2026,A",
        "INV-1,5,2026-02-03,",
        ",5,2026-02-03,A",
    ]
    found = bank_file.read((head + "\n".join([*rows, "INV-1,5,2026-02-03,A", "a,b,c,d,e"])).encode())
    assert [each.problem is None for each in found] == [False] * 5 + [True, False]
    assert found[0].problem == "Row 1: the amount must be more than zero, as 1250.00 (INV-1, 0, 2026-02-03, A)."
    for wrong in (b"", b"\xff\xfe", b"number,amount\n", b"amount," + head.encode()):
        try:
            bank_file.read(wrong)
        except UnreadableFileError:
            continue
        raise AssertionError(wrong)
