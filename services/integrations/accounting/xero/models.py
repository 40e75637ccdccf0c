"""Xero's models of what is ours, and what of its models is read. Pure.

https://developer.xero.com/documentation/api/accounting/invoices"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from xero_python.accounting import (
    Account,
    Address,
    Contact,
    CurrencyCode,
    LineAmountTypes,
    LineItem,
    Phone,
)
from xero_python.accounting import Invoice as XeroInvoice
from xero_python.accounting import Payment as XeroPayment

from services.integrations.accounting import tax_codes
from services.integrations.accounting.port import Customer, Incoming, Invoice, InvoiceLine, InvoiceThere, Payment

NAME = "xero"
_ENDED = ("VOIDED", "DELETED")


def marker(payment_id: str) -> str:
    """What our payments are known by there."""
    return f"Opsfield {payment_id}"


def is_marked(found: Any, payment_id: str = "") -> bool:
    return marker(payment_id) in str(found.reference or "")


def contact(ours: Customer) -> Contact:
    address = Address(
        address_type="POBOX",
        address_line1=ours.address.get("line1", ""),
        address_line2=ours.address.get("line2", ""),
        city=ours.address.get("city", ""),
        region=ours.address.get("region", ""),
        postal_code=ours.address.get("postal_code", ""),
        country=ours.address.get("country", ""),
    )
    return Contact(
        name=ours.name,
        email_address=ours.email or "",
        tax_number=ours.tax_id or "",
        addresses=[address],
        phones=[Phone(phone_type="DEFAULT", phone_number=ours.phone or "")],
    )


def invoice(ours: Invoice, contact_id: str, account: str, codes: Sequence[str]) -> XeroInvoice:
    """Raises RefusedError for a rate of tax without a name."""
    return XeroInvoice(
        type="ACCREC",
        contact=Contact(contact_id=contact_id),
        invoice_number=ours.number,
        currency_code=CurrencyCode(ours.currency),
        date=date.fromisoformat(ours.issued_on),
        due_date=date.fromisoformat(ours.due_on),
        line_amount_types=LineAmountTypes.EXCLUSIVE,
        line_items=[_line(each, account, codes) for each in ours.lines],
        status="AUTHORISED",
    )


def payment(ours: Payment, invoice_id: str, account: str) -> XeroPayment:
    """Of what is kept of it."""
    return XeroPayment(
        invoice=XeroInvoice(invoice_id=invoice_id),
        account=Account(code=account),
        date=date.fromisoformat(ours.received_on),
        amount=ours.kept,
        reference=f"{marker(ours.id)} {ours.reference or ''}".strip(),
    )


def is_ours(found: Any, ours: Invoice, contact_id: str) -> bool:
    """Whether an invoice there is the one that was sent: its number there is only one of."""
    alike = (total_of(found), found.contact.contact_id, found.currency_code.value)
    return alike == (ours.total, contact_id, ours.currency) and found.status not in _ENDED


def total_of(found: Any) -> Decimal:
    return Decimal(str(found.total or 0))


def invoice_there(found: Any) -> InvoiceThere:
    return InvoiceThere(found.invoice_id, total_of(found), found.status in _ENDED)


def changed_at(found: Any) -> datetime:
    when: datetime = found.updated_date_utc
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def incoming(found: Any) -> Incoming:
    return Incoming(
        NAME,
        found.payment_id,
        amount=f"{Decimal(str(found.amount or 0)):f}",
        received_on=found.date.isoformat() if found.date else "",
        reference=found.reference or None,
        invoice_external_id=found.invoice.invoice_id if found.invoice else None,
        is_ours=is_marked(found),
        is_deleted=found.status == "DELETED",
    )


def _line(ours: InvoiceLine, account: str, codes: Sequence[str]) -> LineItem:
    description, amounts = ours.description, {"quantity": ours.quantity, "unit_amount": ours.unit_price}
    # It refuses amounts that are not quantity times price; after a discount they are not.
    if ours.quantity * ours.unit_price != ours.net:
        description += f" ({ours.quantity:f} × {ours.unit_price:f})"
        amounts = {"quantity": Decimal(1), "unit_amount": ours.net}
    return LineItem(
        description=description,
        **amounts,
        line_amount=ours.net,
        tax_amount=ours.tax,
        tax_type=tax_codes.code_of(ours.tax_percent, codes, "NONE"),
        account_code=account,
    )
