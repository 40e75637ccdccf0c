"""What tickets have beside the standard rpcs: escalation, resolution, links, merges, and the SLA clock."""

from collections.abc import Sequence

from google.protobuf.message import Message

from kit.errors import FieldError, Invalid
from kit.live_settings import SettingsReader
from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Kind, Row
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import tickets_pb2
from services.ops.directory.assets.store import of_others
from services.ops.directory.belonging import BelongingHandlers, check_assets
from services.ops.monitoring.alerts.kind import ALERTS
from services.ops.service_desk.sla import clock
from services.ops.service_desk.sla.clock import Terms
from services.ops.service_desk.sla_policies.store import bind_terms, is_policy_for, policy_for, terms_of
from services.ops.service_desk.ticket_comments.store import add_comment
from services.ops.service_desk.tickets import rules, store
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

# Their own handlers stand on those of tickets.
_ALERTS = ResourceHandlers(ALERTS, ())


class TicketHandlers(BelongingHandlers):
    """TicketService."""

    def __init__(self, kind: Kind, kinds: Sequence[Kind], settings: SettingsReader) -> None:
        super().__init__(kind, kinds)
        self._settings = settings

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
        return await self._link(work, request.id, ("asset_ids", "assetId"), request.asset_id)

    async def link_ticket_runbook(self, request: tickets_pb2.LinkTicketRunbookRequest, work: UnitOfWork) -> Message:
        return await self._link(work, request.id, ("runbook_ids", "runbookId"), request.runbook_id)

    async def merge_ticket(self, request: tickets_pb2.MergeTicketRequest, work: UnitOfWork) -> Message:
        # Alerts before tickets, as linking them does; the tickets in one order, so that two that are merged into one
        # another at once do not wait in a ring.
        await store.lock_alerts(work, request.id)
        found = {each: await self.store.lock(work, each) for each in sorted({request.id, request.into_ticket_id})}
        source = await self.lock(work, request.id)
        other = found[request.into_ticket_id]
        rules.check_merge(source, dict(other) if other else None)
        target = await self.lock(work, request.into_ticket_id)
        number = TICKETS.written_number(source["number"])
        note = f"Merged into {TICKETS.written_number(target['number'])}: {request.reason}"
        merged = await self.change(work, request.id, lambda ticket: rules.close_merged(ticket, target, note=note))
        # Before links were checked, a ticket could get another client's.
        foreign = await of_others(work, target["client_id"], source["asset_ids"])
        await self.amend(work, target, lambda ticket: rules.take_over(ticket, source, but=foreign))
        for alert_id in await store.lock_alerts(work, source["id"]):
            alert = await _ALERTS.lock(work, alert_id)
            await _ALERTS.amend(work, alert, lambda row: row.update(ticket_id=target["id"]))
        await add_comment(work, target["id"], body=f"{number} was merged into this: {request.reason}")
        return merged

    async def lock_merged(self, work: UnitOfWork, ticket_id: str) -> Row | None:
        """The ticket, or the one that it was merged into in the end; None when there is none. It is held against other
        changes until the end of the unit of work."""
        record = await self.store.lock(work, ticket_id)
        while record is not None and record["merged_into_id"]:
            record = await self.store.lock(work, record["merged_into_id"])
        return dict(record) if record else None

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        """Keep what is of one client together; bind a ticket that is new to its client to a policy; bring the SLA clock
        up to the change; refuse to reopen it too late."""
        if before and before["client_id"] != after["client_id"]:
            commented = await store.has_public_comments(work, after["id"])
            rules.check_move(before, commented=commented, took_over=await store.took_over(work, after["id"]))
        await super().consider(work, before, after)
        await check_assets(work, after["client_id"], after["asset_ids"], known=before["asset_ids"] if before else ())
        if before and rules.is_reopened(before, after):
            settings = (await self._settings.workspace(work.call.workspace_id)).value.settings
            rules.check_reopening(before, work.now, days=settings.service_desk.reopen_days)
        await self._choose_policy(work, before, after)
        clock.note_breaches(after, work.now)
        clock.follow_status(after, work.now)
        if before is None or any(before[name] != after[name] for name in _CLOCK_FIELDS):
            clock.assess(after, await self._terms(work, before, after), work.now)

    async def _link(self, work: UnitOfWork, ticket_id: str, names: tuple[str, str], linked: str) -> Message:
        """`names`: of the list, and of the field in which the caller named what is to be linked."""
        try:
            return await self.change(work, ticket_id, lambda ticket: rules.link(ticket, names[0], linked))
        except Invalid as error:
            raise Invalid.fields(*(FieldError(names[1], each.message) for each in error.errors)) from error

    async def _choose_policy(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        """Without a policy that is named, a ticket that is new to its client gets what that is promised. Raises Invalid
        for the policy of another client."""
        named, known = after["sla_policy_id"], before["sla_policy_id"] if before else None
        is_new = before is None or before["client_id"] != after["client_id"]
        if is_new and named in (None, known):
            after["sla_policy_id"] = await policy_for(work, after["client_id"])
        elif named not in (None, known) and not await is_policy_for(work, named, after["client_id"]):
            raise Invalid.fields(FieldError("slaPolicyId", "is the policy of another client"))

    async def _terms(self, work: UnitOfWork, before: Row | None, after: Row) -> Terms | None:
        policy_id = after["sla_policy_id"]
        if policy_id is None:
            return None
        if before is None or before["sla_policy_id"] != policy_id or not before["sla"]:
            return await bind_terms(work, policy_id)
        return await terms_of(work, policy_id, before["sla"]["policy_version"])
