"""What tests of billing begin with."""

from typing import Any

from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.invoices_pb2 import Invoice, InvoiceLine
from opsfield.ops.v1.quotes_pb2 import Quote, QuoteLine
from services.ops.tests.client import Ops


def billed(ops: Ops) -> Ops:
    """The same service and workspace, called by the books' keeper."""
    return ops.of(ops.principal.workspace_id, subject="bill", roles=frozenset({"billing"}))


def line(quantity: str, unit_price: str, **fields: str) -> InvoiceLine:
    return InvoiceLine(description="Work", quantity=quantity, unit_price=unit_price, **fields)


async def sent_quote(ops: Ops, client: Client, title: str = "Office", **fields: Any) -> Quote:
    """A quote over 100.00 that the client may decide on."""
    work = QuoteLine(description="Cabling", quantity="2", unit_price="50")
    quote = Quote(**{"client_id": client.id, "title": title, "lines": [work], "valid_until": "2099-12-31", **fields})
    sent: Quote = await billed(ops).act("send", await billed(ops).create(quote))
    return sent


async def draft(ops: Ops, *lines: InvoiceLine, client: Client | None = None, **fields: Any) -> Invoice:
    """A draft invoice in EUR, for a new client unless one is given."""
    client = client or await ops.create_client(currency="EUR")
    invoice: Invoice = await billed(ops).create(Invoice(client_id=client.id, lines=lines, **fields))
    return invoice


async def issued(ops: Ops, *lines: InvoiceLine, client: Client | None = None, **fields: Any) -> Invoice:
    """The same, issued."""
    invoice: Invoice = await billed(ops).act("issue", await draft(ops, *lines, client=client, **fields))
    return invoice
