"""What tickets have beside the standard rpcs: escalation, resolution, links, merges, and the SLA clock."""

from google.protobuf.message import Message

from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import tickets_pb2
from services.ops.service_desk.sla import clock
from services.ops.service_desk.sla.clock import Terms
from services.ops.service_desk.sla_policies.store import bind_terms, policy_for, terms_of
from services.ops.service_desk.ticket_comments.store import add_comment
from services.ops.service_desk.tickets import rules
from services.ops.service_desk.tickets.kind import TICKETS

# What the SLA clock depends on.
_CLOCK_FIELDS = (
    "status",
    "priority",
    "sla_policy_id",
    "first_responded_at",
    "first_response_breached_at",
    "resolution_breached_at",
)


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

    async def link_ticket_asset(self, request: tickets_pb2.LinkTicketAssetRequest, work: UnitOfWork) -> Message:
        return await self.change(work, request.id, lambda ticket: rules.link(ticket, "asset_ids", request.asset_id))

    async def link_ticket_runbook(self, request: tickets_pb2.LinkTicketRunbookRequest, work: UnitOfWork) -> Message:
        return await self.change(work, request.id, lambda ticket: rules.link(ticket, "runbook_ids", request.runbook_id))

    async def merge_ticket(self, request: tickets_pb2.MergeTicketRequest, work: UnitOfWork) -> Message:
        # Both locked in one order, so that two that are merged into one another at once do not wait in a ring.
        found = {each: await self.store.lock(work, each) for each in sorted({request.id, request.into_ticket_id})}
        source = await self.lock(work, request.id)
        other = found[request.into_ticket_id]
        rules.check_merge(source, dict(other) if other else None)
        target = await self.lock(work, request.into_ticket_id)
        number = TICKETS.written_number(source["number"])
        note = f"Merged into {TICKETS.written_number(target['number'])}: {request.reason}"
        merged = await self.change(work, request.id, lambda ticket: rules.close_merged(ticket, target, note=note))
        await self.amend(work, target, lambda ticket: rules.take_over(ticket, source))
        await add_comment(work, target["id"], body=f"{number} was merged into this: {request.reason}")
        return merged

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        """Bind a new ticket to its policy; bring the SLA clock up to the change."""
        if before is None and after["sla_policy_id"] is None:
            after["sla_policy_id"] = await policy_for(work, after["client_id"])
        clock.note_breaches(after, work.now)
        clock.follow_status(after, work.now)
        if before is None or any(before[name] != after[name] for name in _CLOCK_FIELDS):
            clock.assess(after, await self._terms(work, before, after), work.now)

    async def _terms(self, work: UnitOfWork, before: Row | None, after: Row) -> Terms | None:
        policy_id = after["sla_policy_id"]
        if policy_id is None:
            return None
        if before is None or before["sla_policy_id"] != policy_id or not before["sla"]:
            return await bind_terms(work, policy_id)
        return await terms_of(work, policy_id, before["sla"]["policy_version"])
