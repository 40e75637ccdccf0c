"""What alerts have beside the standard way of a kind."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from kit.errors import FieldError, Invalid
from kit.resources.convert import row_of
from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Kind, Row
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import alerts_pb2
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.directory.assets import store as assets
from services.ops.monitoring.alerts import intake, rules
from services.ops.service_desk.tickets import rules as ticket_rules
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.tickets.kind import TICKETS


class AlertHandlers(ResourceHandlers):
    """AlertService."""

    def __init__(self, kind: Kind, kinds: Sequence[Kind], tickets: TicketHandlers) -> None:
        super().__init__(kind, kinds)
        self._tickets = tickets

    async def create_row(self, work: UnitOfWork, row: Row) -> Message:
        rules.LIFECYCLE.check(None, row["status"] or "firing")
        await self._settle_client(work, row)
        return await intake.raise_or_fold(work, self, row, seen_at=None, suppressed=row["status"] == "suppressed")

    async def acknowledge_alert(self, request: alerts_pb2.AcknowledgeAlertRequest, work: UnitOfWork) -> Message:
        return await self.change(work, request.id, lambda alert: alert.update(status="acknowledged"))

    async def resolve_alert(self, request: alerts_pb2.ResolveAlertRequest, work: UnitOfWork) -> Message:
        return await self.change(work, request.id, lambda alert: alert.update(status="resolved"))

    async def link_alert_ticket(self, request: alerts_pb2.LinkAlertTicketRequest, work: UnitOfWork) -> Message:
        alert = await self.lock(work, request.id)
        ticket = await self._ticket_for(work, alert, request.ticket_id or alert["ticket_id"])
        return await self.change(work, request.id, lambda row: rules.link(row, ticket))

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        if before and after["acknowledged_at"] and after["acknowledged_at"] != before["acknowledged_at"]:
            after["acknowledged_by"] = work.call.principal.subject
        if before and any(before[name] != after[name] for name in ("asset_id", "client_id")):
            await self._settle_client(work, after)
            if after["ticket_id"]:
                rules.stay_with_ticket(after, (await self._tickets.lock(work, after["ticket_id"]))["client_id"])

    async def _settle_client(self, work: UnitOfWork, alert: Row) -> None:
        """The alert is of its asset's client. Raises Invalid when it names another."""
        asset = await assets.by_id(work, alert["asset_id"]) if alert["asset_id"] else None
        if asset is not None:
            rules.belong_to(alert, asset.client_id)

    async def _ticket_for(self, work: UnitOfWork, alert: Row, ticket_id: str | None) -> Row:
        """The ticket that is named, or the one that it was merged into, linked to the alert; or a new one."""
        if ticket_id is None:
            return await self._new_ticket(work, alert)
        ticket = await self._tickets.lock_merged(work, ticket_id)
        if ticket is None:
            raise Invalid.fields(FieldError("ticketId", "names nothing among this workspace's tickets"))
        rules.link(dict(alert), ticket)
        await self._tickets.amend(work, ticket, lambda row: ticket_rules.link(row, "alert_ids", alert["id"]))
        return ticket

    async def _new_ticket(self, work: UnitOfWork, alert: Row) -> Row:
        if alert["client_id"] is None:
            raise Invalid.fields(FieldError("ticketId", "must name a ticket: the alert has no client to open one for"))
        message = Ticket(
            subject=alert["title"],
            description=alert["description"],
            client_id=alert["client_id"],
            priority=rules.PRIORITIES[alert["severity"]].upper(),
            source=Ticket.ALERT,
        )
        links = {"alert_ids": [alert["id"]], "asset_ids": [alert["asset_id"]] if alert["asset_id"] else []}
        made: Any = await self._tickets.insert(work, row_of(message, TICKETS.writable) | links)
        return {"id": made.id, "client_id": made.client_id}
