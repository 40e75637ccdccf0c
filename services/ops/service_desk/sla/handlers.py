"""TicketSlaService."""

from kit import clock as time
from kit.database import Session
from kit.errors import NotFound
from kit.resources.convert import message_builder
from kit.resources.store import ResourceStore
from opsfield.ops.v1.ticket_sla_pb2 import GetTicketSlaRequest, SlaInterval, TicketSlaExplanation
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.service_desk.sla import clock
from services.ops.service_desk.sla_policies.store import terms_of
from services.ops.service_desk.tickets.kind import TICKETS


class TicketSlaHandlers:
    """Why a ticket is due when it is."""

    def __init__(self) -> None:
        self._store = ResourceStore(TICKETS)
        self._message = message_builder(TICKETS)

    async def get_ticket_sla(self, request: GetTicketSlaRequest, session: Session) -> TicketSlaExplanation:
        record = await self._store.get(session, request.id)
        if record is None:
            raise NotFound(f"There is no ticket {request.id}.")
        ticket, now = dict(record), time.now()
        if not ticket["sla"]:
            return TicketSlaExplanation()
        terms = await terms_of(session, ticket["sla_policy_id"], ticket["sla"]["policy_version"])
        clock.note_breaches(ticket, now)
        clock.assess(ticket, terms, now)
        return TicketSlaExplanation(
            sla=self._message(ticket).sla,
            intervals=[
                SlaInterval(**{**each, "status": Ticket.Status.Value(each["status"].upper())})
                for each in clock.intervals(ticket, terms, now)
            ],
        )
