"""What the ops service answers and listens to."""

from collections.abc import Mapping

from kit import contract
from kit.resources.handlers import ResourceHandlers
from kit.rpc import Handler, bind
from services.ops.directory.clients.kind import CLIENTS
from services.ops.monitoring.alerts.handlers import AlertHandlers
from services.ops.monitoring.alerts.kind import ALERTS
from services.ops.service_desk.incidents.handlers import IncidentHandlers
from services.ops.service_desk.incidents.kind import INCIDENTS
from services.ops.service_desk.sla.handlers import TicketSlaHandlers
from services.ops.service_desk.sla_policies.handlers import SlaPolicyHandlers
from services.ops.service_desk.sla_policies.kind import SLA_POLICIES
from services.ops.service_desk.ticket_comments.handlers import TicketCommentHandlers
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.tickets.kind import TICKETS
from services.ops.service_desk.time_entries.handlers import TimeEntryHandlers
from services.ops.service_desk.time_entries.kind import TIME_ENTRIES

NAME = "ops"

KINDS = (CLIENTS, SLA_POLICIES, TICKETS, TIME_ENTRIES, ALERTS, INCIDENTS)


def handlers() -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    tickets = TicketHandlers(TICKETS, KINDS)
    return {
        **ResourceHandlers(CLIENTS, KINDS).by_path(),
        **SlaPolicyHandlers(SLA_POLICIES, KINDS).by_path(),
        **tickets.by_path(),
        **TimeEntryHandlers(TIME_ENTRIES, KINDS, tickets).by_path(),
        **AlertHandlers(ALERTS, KINDS, tickets).by_path(),
        **IncidentHandlers(INCIDENTS, KINDS).by_path(),
        **_of("TicketCommentService", TicketCommentHandlers(tickets)),
        **_of("TicketSlaService", TicketSlaHandlers()),
    }


def _of(service: str, handlers: object) -> dict[str, Handler]:
    rpcs = [rpc for rpc in contract.owned_by(NAME) if rpc.descriptor.containing_service.name == service]
    return bind(rpcs, handlers)
