"""What the ops service answers and listens to."""

from collections.abc import Mapping

from kit.resources.handlers import ResourceHandlers
from kit.rpc import Handler
from services.ops.billing.contracts.handlers import ContractHandlers
from services.ops.billing.contracts.kind import CONTRACTS
from services.ops.billing.invoices.handlers import InvoiceHandlers
from services.ops.billing.invoices.kind import INVOICES
from services.ops.billing.payments.handlers import PaymentHandlers
from services.ops.billing.payments.kind import PAYMENTS
from services.ops.billing.quotes.handlers import QuoteHandlers
from services.ops.billing.quotes.kind import QUOTES
from services.ops.directory.clients.kind import CLIENTS
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.tickets.kind import TICKETS

NAME = "ops"

KINDS = (CLIENTS, TICKETS, INVOICES, PAYMENTS, QUOTES, CONTRACTS)


def handlers() -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    invoices = InvoiceHandlers(INVOICES, KINDS)
    return {
        **ResourceHandlers(CLIENTS, KINDS).by_path(),
        **TicketHandlers(TICKETS, KINDS).by_path(),
        **invoices.by_path(),
        **PaymentHandlers(PAYMENTS, KINDS, invoices).by_path(),
        **QuoteHandlers(QUOTES, KINDS, invoices).by_path(),
        **ContractHandlers(CONTRACTS, KINDS).by_path(),
    }
