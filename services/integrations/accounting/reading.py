"""What ops has, as the books are given it."""

from decimal import Decimal

from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.invoices_pb2 import Invoice as OpsInvoice
from opsfield.ops.v1.invoices_pb2 import InvoiceLine as OpsLine
from opsfield.ops.v1.payments_pb2 import Payment as OpsPayment
from services.integrations.accounting.port import Customer, Invoice, InvoiceLine, Payment, Refund

_RECEIVED = (OpsPayment.SUCCEEDED, OpsPayment.REFUNDED)


def customer(client: Client) -> Customer | None:
    """None for whom there is nothing to be booked yet."""
    return None if client.status == Client.PROSPECT else customer_at_any_rate(client)


def customer_at_any_rate(client: Client) -> Customer:
    """For one that an invoice is for."""
    address = {field.name: value for field, value in client.billing_address.ListFields()}
    return Customer(client.id, client.name, client.email or None, client.phone or None, client.tax_id or None, address)


def invoice(found: OpsInvoice) -> Invoice | None:
    """None for a draft, and for what was voided as one."""
    if not found.HasField("number"):
        return None
    voided = found.voided_at.ToDatetime().date().isoformat() if found.status == OpsInvoice.VOID else None
    return Invoice(
        found.id,
        found.number,
        found.client_id,
        found.issued_on,
        found.due_on,
        found.currency,
        tuple(_line(each) for each in found.lines),
        Decimal(found.tax_total),
        Decimal(found.total),
        voided,
    )


def payment(found: OpsPayment) -> Payment | None:
    """None for one whose money has not come."""
    if found.status not in _RECEIVED:
        return None
    refunds = [Refund(Decimal(each.amount), each.refunded_at.ToDatetime().date().isoformat()) for each in found.refunds]
    return Payment(
        found.id,
        found.invoice_id,
        found.client_id,
        Decimal(found.amount),
        found.currency,
        found.received_on,
        found.reference or None,
        found.provider or None,
        tuple(refunds),
    )


def _line(line: OpsLine) -> InvoiceLine:
    return InvoiceLine(
        line.description,
        Decimal(line.quantity),
        Decimal(line.unit_price),
        Decimal(line.subtotal) - Decimal(line.discount),
        Decimal(line.tax),
        Decimal(line.tax_percent or 0),
    )
