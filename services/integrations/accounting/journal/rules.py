"""How invoices and payments are booked: double entry, accrual basis. Pure.

issued     receivable  to  revenue (by rate of tax), tax payable (by rate)
voided     the same the other way round
received   bank        to  receivable
refunded   receivable  to  bank
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from services.integrations.accounting.port import Entry, Invoice, Payment, Posting


@dataclass(frozen=True)
class Accounts:
    """Codes or names, as the workspace's settings have them."""

    receivable: str
    revenue: str
    tax: str
    bank: str


def entries_of_invoice(invoice: Invoice, accounts: Accounts, *, booked: Entry | None) -> list[Entry]:
    """What is still to be booked of an invoice. `booked`: how it is booked as issued, if it is; the same accounts are
    reversed, whatever they are called by now."""
    issued = booked or _issued(invoice, accounts)
    # An invoice over nothing is none in the books.
    if not issued.postings:
        return []
    entries = [] if booked else [issued]
    if invoice.voided_on is not None:
        entries.append(_reversed(issued, invoice.voided_on))
    return entries


def accounts_of(received: Entry, accounts: Accounts) -> Accounts:
    """Those that a payment is booked on, for its refunds."""
    bank, receivable = received.postings
    return replace(accounts, bank=bank.account, receivable=receivable.account)


def entries_of_payment(payment: Payment, number: str, accounts: Accounts, *, refunds_booked: int | None) -> list[Entry]:
    """What is still to be booked of a payment on the invoice of that number. `refunds_booked`: how many refunds are;
    None when nothing of it is."""
    entries = []
    if refunds_booked is None:
        description = f"Payment on {number}" + (f": {payment.reference}" if payment.reference else "")
        entries.append(_moved(payment, number, accounts, "received", payment.received_on, payment.amount, description))
    for place, refund in enumerate(payment.refunds, 1):
        if place > (refunds_booked or 0):
            event, description = f"refunded-{place}", f"Refund of a payment on {number}"
            entries.append(_moved(payment, number, accounts, event, refund.refunded_on, -refund.amount, description))
    return entries


def _issued(invoice: Invoice, accounts: Accounts) -> Entry:
    net: dict[Decimal, Decimal] = {}
    tax: dict[Decimal, Decimal] = {}
    for line in invoice.lines:
        rate = line.tax_percent.normalize() + 0
        net[rate] = net.get(rate, Decimal(0)) + line.net
        tax[rate] = tax.get(rate, Decimal(0)) + line.tax
    postings = (
        Posting(accounts.receivable, invoice.total),
        *_credits(accounts.revenue, net),
        *_credits(accounts.tax, tax),
    )
    return Entry(
        "issued",
        invoice.issued_on,
        invoice.currency,
        f"Invoice {invoice.number}",
        invoice.client_id,
        invoice.id,
        invoice.number,
        None,
        tuple(each for each in postings if each.amount),
    )


def _credits(account: str, amounts: Mapping[Decimal, Decimal]) -> list[Posting]:
    return [Posting(account, -amount, rate) for rate, amount in sorted(amounts.items())]


def _reversed(entry: Entry, on: str) -> Entry:
    turned = tuple(replace(each, amount=-each.amount) for each in entry.postings)
    return replace(entry, event="voided", date=on, description=f"Void: {entry.description}", postings=turned)


def _moved(
    payment: Payment, number: str, accounts: Accounts, event: str, on: str, amount: Decimal, description: str
) -> Entry:
    postings = (Posting(accounts.bank, amount), Posting(accounts.receivable, -amount))
    return Entry(
        event,
        on,
        payment.currency,
        description,
        payment.client_id,
        payment.invoice_id,
        number,
        payment.id,
        postings,
    )
