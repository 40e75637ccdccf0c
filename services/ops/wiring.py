"""What the ops service consists of."""

from collections.abc import Mapping

from kit.live_settings import SettingsReader
from kit.resources.handlers import ResourceHandlers
from kit.rpc import Handler
from kit.wiring import Foundation, Wiring
from services.ops.directory.clients.kind import CLIENTS
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.tickets.kind import TICKETS

NAME = "ops"

KINDS = (CLIENTS, TICKETS)


def handlers(settings: SettingsReader) -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    return {
        **ResourceHandlers(CLIENTS, KINDS).by_path(),
        **TicketHandlers(TICKETS, KINDS, settings).by_path(),
    }


def wire(foundation: Foundation) -> Wiring:
    """What `python -m services.ops` serves."""
    return Wiring(handlers=handlers(foundation.settings))
