"""The kind `invoices`."""

from collections.abc import Iterable

from google.protobuf.message import Message

from kit.resources.kind import Kind, Row
from opsfield.ops.v1.invoices_pb2 import Invoice, InvoiceOverdue
from services.ops.billing.invoices import rules


def announce(before: Row | None, after: Row, invoice: Invoice) -> Iterable[Message]:
    """The events that a change of an invoice gives rise to."""
    if before is not None and before["overdue_since"] is None and after["overdue_since"] is not None:
        yield InvoiceOverdue(invoice=invoice)


INVOICES = Kind(message=Invoice, rules=rules.judge, defaults={"status": "draft"}, announce=announce)
