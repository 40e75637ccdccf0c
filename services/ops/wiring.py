"""What the ops service answers and listens to."""

from collections.abc import Mapping

from kit.resources.handlers import ResourceHandlers
from kit.rpc import Handler
from services.ops.directory.clients.kind import CLIENTS
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.tickets.kind import TICKETS

NAME = "ops"

KINDS = (CLIENTS, TICKETS)


def handlers() -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    return {
        **ResourceHandlers(CLIENTS, KINDS).by_path(),
        **TicketHandlers(TICKETS, KINDS).by_path(),
    }
