"""What tickets have beside the standard rpcs."""

from collections.abc import Sequence

from google.protobuf.message import Message

from kit.live_settings import SettingsReader
from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Kind, Row
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import tickets_pb2
from services.ops.service_desk.tickets import rules


class TicketHandlers(ResourceHandlers):
    """TicketService."""

    def __init__(self, kind: Kind, kinds: Sequence[Kind], settings: SettingsReader) -> None:
        super().__init__(kind, kinds)
        self._settings = settings

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        if before and rules.is_reopened(before, after):
            settings = (await self._settings.workspace(work.call.workspace_id)).value.settings
            rules.check_reopening(before, work.now, days=settings.service_desk.reopen_days)

    async def escalate_ticket(self, request: tickets_pb2.EscalateTicketRequest, work: UnitOfWork) -> Message:
        by = work.call.principal.subject
        return await self.change(
            work,
            request.id,
            lambda ticket: rules.escalate(ticket, reason=request.reason, by=by, now=work.now),
        )

    async def resolve_ticket(self, request: tickets_pb2.ResolveTicketRequest, work: UnitOfWork) -> Message:
        return await self.change(work, request.id, lambda ticket: rules.resolve(ticket, resolution=request.resolution))
