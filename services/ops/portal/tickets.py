"""PortalTicketService: tickets for clients' people to read, open and answer."""

from kit import ids
from kit.database import Session
from kit.errors import Forbidden
from kit.resources.convert import row_of
from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import portal_tickets_pb2 as pb2
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.portal import rules, store
from services.ops.portal.views import TICKET_ROWS
from services.ops.service_desk.ticket_comments import rules as comment_rules
from services.ops.service_desk.ticket_comments.store import add_comment
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.tickets.kind import TICKETS


class PortalTicketHandlers:
    """Changes go through `tickets`, so by the service desk's own rules."""

    def __init__(self, tickets: TicketHandlers) -> None:
        self._tickets = tickets

    async def list_portal_tickets(
        self, request: pb2.ListPortalTicketsRequest, session: Session
    ) -> pb2.ListPortalTicketsResponse:
        page: pb2.ListPortalTicketsResponse = await TICKET_ROWS.page(request, session)
        return page

    async def get_portal_ticket(self, request: pb2.GetPortalTicketRequest, session: Session) -> pb2.PortalTicket:
        return await self._ticket(session, request.id)

    async def open_portal_ticket(self, request: pb2.OpenPortalTicketRequest, work: UnitOfWork) -> pb2.PortalTicket:
        client_id = work.call.client_id
        if client_id is None:
            raise Forbidden("A ticket is opened here by a client's people.", code="client-missing")
        ticket = Ticket(
            subject=request.subject,
            description=request.description if request.HasField("description") else None,
            category=request.category if request.HasField("category") else None,
            contact_id=request.contact_id if request.HasField("contact_id") else None,
            priority=request.priority,
            client_id=client_id,
            source=Ticket.PORTAL,
        )
        row = {**row_of(ticket, TICKETS.writable), "id": ids.new_id()}
        await self._tickets.create_row(work, row)
        return await self._ticket(work, row["id"])

    async def answer_portal_ticket(self, request: pb2.AnswerPortalTicketRequest, work: UnitOfWork) -> pb2.PortalTicket:
        action = pb2.AnswerPortalTicketRequest.Action.Name(request.action).lower()
        comment = request.comment if request.HasField("comment") else None
        rules.needs_comment(action, comment)
        # Locked first: what was decided by the row must still be so when it is written.
        ticket = await self._tickets.lock(work, request.id)
        if action == "close":
            await self._close(work, ticket, comment)
        elif action == "reopen":
            await self._tickets.amend(work, ticket, rules.reopen)
            await self._say(work, request.id, comment)
        else:
            await self._tickets.amend(work, ticket, lambda row: _answer(row, work))
            await self._say(work, request.id, comment)
        return await self._ticket(work, request.id)

    async def _close(self, work: UnitOfWork, ticket: Row, comment: str | None) -> None:
        await self._tickets.amend(work, ticket, lambda row: rules.settle(row, comment=comment))
        await self._say(work, ticket["id"], comment)
        await self._tickets.amend(work, await self._tickets.lock(work, ticket["id"]), rules.close)

    async def _say(self, work: UnitOfWork, ticket_id: str, comment: str | None) -> None:
        if comment:
            await add_comment(work, ticket_id, body=comment, visibility="public", from_client=True)

    async def _ticket(self, session: Session, ticket_id: str) -> pb2.PortalTicket:
        ticket: pb2.PortalTicket = await TICKET_ROWS.get(session, ticket_id)
        ticket.comments.extend(pb2.PortalComment(**each) for each in await store.public_comments(session, ticket_id))
        return ticket


def _answer(ticket: Row, work: UnitOfWork) -> None:
    comment_rules.answer(ticket, visibility="public", from_client=True, now=work.now)
