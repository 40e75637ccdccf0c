"""QuickBooks' JSON of what is ours, and what of its JSON is read. Pure.

https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/invoice"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.integrations.accounting import tax_codes
from services.integrations.accounting.port import Customer, Incoming, Invoice, InvoiceLine, InvoiceThere, Payment

Json = dict[str, Any]

NAME = "quickbooks"
_ADDRESS = {
    "line1": "Line1",
    "line2": "Line2",
    "city": "City",
    "region": "CountrySubDivisionCode",
    "postal_code": "PostalCode",
    "country": "Country",
}
_LONGEST_REFERENCE = 21


def marker(resource_id: str) -> str:
    """What our things are known by there, beside their numbers."""
    return f"Opsfield {resource_id}"


def is_marked(found: Json, resource_id: str = "") -> bool:
    """Whether it is ours; voiding puts its own word before."""
    return marker(resource_id) in str(found.get("PrivateNote") or "")


def customer(ours: Customer) -> Json:
    return {
        "DisplayName": ours.name,
        "CompanyName": ours.name,
        "PrimaryEmailAddr": {"Address": ours.email or ""},
        "PrimaryPhone": {"FreeFormNumber": ours.phone or ""},
        "BillAddr": {theirs: ours.address.get(name, "") for name, theirs in _ADDRESS.items()},
    }


def invoice(ours: Invoice, customer_id: str, item_id: str, codes: Sequence[str]) -> Json:
    """Raises RefusedError for a rate of tax without a name."""
    return {
        "DocNumber": ours.number,
        "CustomerRef": {"value": customer_id},
        "CurrencyRef": {"value": ours.currency},
        "TxnDate": ours.issued_on,
        "DueDate": ours.due_on,
        "PrivateNote": marker(ours.id),
        "GlobalTaxCalculation": "TaxExcluded",
        "TxnTaxDetail": {"TotalTax": ours.tax},
        "Line": [_line(each, item_id, codes) for each in ours.lines],
    }


def payment(ours: Payment, customer_id: str, invoice_id: str) -> Json:
    """Of what is kept of it."""
    return {
        "CustomerRef": {"value": customer_id},
        "CurrencyRef": {"value": ours.currency},
        "TotalAmt": ours.kept,
        "TxnDate": ours.received_on,
        "PaymentRefNum": (ours.reference or "")[:_LONGEST_REFERENCE],
        "PrivateNote": marker(ours.id),
        "Line": [{"Amount": ours.kept, "LinkedTxn": [{"TxnId": invoice_id, "TxnType": "Invoice"}]}],
    }


def invoice_there(found: Json) -> InvoiceThere:
    total = Decimal(found.get("TotalAmt", 0))
    # A void one is over nothing, and says so in its note.
    is_void = total == 0 and str(found.get("PrivateNote") or "").startswith("Voided")
    return InvoiceThere(str(found["Id"]), total, is_void or found.get("status") == "Deleted")


def changed_at(found: Json) -> datetime:
    return datetime.fromisoformat(found["MetaData"]["LastUpdatedTime"])


def payments(found: Json) -> list[Incoming]:
    """A payment may be for several invoices. One that is for none any more counts as deleted."""
    payment_id, lines = str(found["Id"]), _applied(found)
    if found.get("status") == "Deleted" or not lines:
        return [Incoming(NAME, payment_id, is_deleted=True)]
    return [
        Incoming(
            NAME,
            f"{payment_id}/{invoice_id}",
            amount=f"{amount:f}",
            received_on=str(found.get("TxnDate") or ""),
            currency=(found.get("CurrencyRef") or {}).get("value"),
            reference=str(found.get("PaymentRefNum") or "") or None,
            invoice_external_id=invoice_id,
            is_ours=is_marked(found),
        )
        for invoice_id, amount in lines.items()
    ]


def kept_of(found: Json) -> Decimal:
    return Decimal(found.get("TotalAmt", 0))


def _applied(found: Json) -> dict[str, Decimal]:
    amounts: dict[str, Decimal] = {}
    for line in found.get("Line") or ():
        for linked in line.get("LinkedTxn") or ():
            if linked.get("TxnType") == "Invoice" and (amount := Decimal(line.get("Amount", 0))):
                invoice_id = str(linked["TxnId"])
                amounts[invoice_id] = amounts.get(invoice_id, Decimal(0)) + amount
    return amounts


def _line(ours: InvoiceLine, item_id: str, codes: Sequence[str]) -> Json:
    detail: Json = {
        "ItemRef": {"value": item_id},
        "TaxCodeRef": {"value": tax_codes.code_of(ours.tax_percent, codes, "NON")},
    }
    description = ours.description
    # It refuses amounts that are not quantity times price; after a discount they are not.
    if ours.quantity * ours.unit_price == ours.net:
        detail |= {"Qty": ours.quantity, "UnitPrice": ours.unit_price}
    else:
        description += f" ({ours.quantity:f} × {ours.unit_price:f})"
    return {
        "DetailType": "SalesItemLineDetail",
        "Amount": ours.net,
        "Description": description,
        "SalesItemLineDetail": detail,
    }
