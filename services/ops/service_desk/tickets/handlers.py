"""What tickets have beside the standard rpcs."""

from google.protobuf.message import Message

from kit.resources.handlers import ResourceHandlers
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import tickets_pb2
from services.ops.service_desk.tickets import rules


class TicketHandlers(ResourceHandlers):
    """TicketService."""

    async def escalate_ticket(self, request: tickets_pb2.EscalateTicketRequest, work: UnitOfWork) -> Message:
        by = work.call.principal.subject
        return await self.change(
            work,
            request.id,
            lambda ticket: rules.escalate(ticket, reason=request.reason, by=by, now=work.now),
        )

    async def resolve_ticket(self, request: tickets_pb2.ResolveTicketRequest, work: UnitOfWork) -> Message:
        return await self.change(work, request.id, lambda ticket: rules.resolve(ticket, resolution=request.resolution))
