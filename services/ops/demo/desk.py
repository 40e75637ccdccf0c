"""Loads the service desk: SLA policies, and the tickets with what was said, done and linked."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from opsfield.ops.v1.alerts_pb2 import Alert, LinkAlertTicketRequest, ResolveAlertRequest
from opsfield.ops.v1.ticket_comments_pb2 import CreateTicketCommentRequest, TicketComment
from opsfield.ops.v1.tickets_pb2 import (
    EscalateTicketRequest,
    LinkTicketAssetRequest,
    LinkTicketRunbookRequest,
    ResolveTicketRequest,
    Ticket,
)
from opsfield.ops.v1.time_entries_pb2 import TimeEntry
from services.ops.demo.content_clients import CLIENTS
from services.ops.demo.content_directory import assets, contacts
from services.ops.demo.content_history import Event
from services.ops.demo.content_monitoring import alert
from services.ops.demo.content_policies import ROUND_THE_CLOCK, business_hours, round_the_clock
from services.ops.demo.content_runbooks import FOR_CATEGORY
from services.ops.demo.content_tickets import DemoTicket, tickets
from services.ops.demo.loader import DemoLoader, Facts, Story

_MINUTE = timedelta(minutes=1)


async def load_policies(loader: DemoLoader, clients: Sequence[Facts], now: datetime) -> dict[str, str]:
    """The ids of the policies, by the short name of the client; the default's is under an empty name."""
    at = now - timedelta(days=200)

    async def story(story: Story) -> Facts:
        made = {"": (await story.create(business_hours(now.date()), at=at)).id}
        for client, facts in zip(CLIENTS, clients, strict=True):
            if client.short in ROUND_THE_CLOCK:
                made[client.short] = (await story.create(round_the_clock(client.name, facts["client"]), at=at)).id
        return made

    return await loader.tell("sla-policies", story)


async def load_tickets(
    loader: DemoLoader, clients: Sequence[Facts], runbooks: Facts, now: datetime
) -> list[tuple[DemoTicket, Facts]]:
    """The tickets, oldest first. Facts: `ticket`, its id, and `work`: day, minutes and id of each time entry that is
    billed."""
    loaded = []
    for count, ticket in enumerate(tickets(now), 1):
        facts = await _load_ticket(loader, count, ticket, clients[ticket.client], runbooks)
        loaded.append((ticket, facts))
    return loaded


async def _load_ticket(loader: DemoLoader, count: int, ticket: DemoTicket, client: Facts, runbooks: Facts) -> Facts:
    async def story(story: Story) -> Facts:
        return await _Desk(story, ticket, client, runbooks).tell()

    return await loader.tell(f"ticket-{count}", story)


class _Desk:
    """One ticket at the desk."""

    def __init__(self, story: Story, ticket: DemoTicket, client: Facts, runbooks: Facts) -> None:
        self._story = story
        self._ticket = ticket
        self._client = client
        self._runbooks = runbooks
        self._id = ""
        self._work_done: list[tuple[str, int, str]] = []
        self._alert_id = ""

    async def tell(self) -> Facts:
        ticket = self._ticket
        people, sites = self._client["contacts"], self._client["sites"]
        if ticket.alarm:
            await self._raise_alert(ticket.alarm.asset, ticket.alarm.rule)
        message = Ticket(
            subject=ticket.subject,
            description=ticket.description,
            client_id=self._client["client"],
            contact_id=people[ticket.contact],
            site_id=sites[ticket.site],
            category=ticket.category,
            priority=ticket.priority.upper(),
            source=ticket.source.upper(),
            tags=ticket.tags,
            watchers=["nora.keane"] if "vip" in ticket.tags else [],
        )
        person = contacts(ticket.client)[ticket.contact].email
        by = {"alert": "monitoring", "portal": person, "email": person}.get(ticket.source, "demo")
        self._id = str((await self._story.create(message, at=ticket.born, by=by)).id)
        await self._link()
        for event in ticket.events:
            await self._tell(event, ticket.born + event.later)
        return {"ticket": self._id, "work": self._work_done}

    async def _raise_alert(self, asset: int, rule: str) -> None:
        device = assets(self._ticket.client)[asset]
        message = alert(rule, device, client_id=self._client["client"], asset_id=self._client["assets"][asset])
        made: Alert = await self._story.create(message, at=self._ticket.born - 4 * _MINUTE, by="monitoring")
        self._alert_id = made.id

    async def _link(self) -> None:
        ticket, at = self._ticket, self._ticket.born
        if self._alert_id:
            request = LinkAlertTicketRequest(id=self._alert_id, ticket_id=self._id)
            await self._story.do(request, at=at, by="monitoring")
        if ticket.asset is not None:
            linked = LinkTicketAssetRequest(id=self._id, asset_id=self._client["assets"][ticket.asset])
            await self._story.do(linked, at=at, by=ticket.assignee)
        runbook = FOR_CATEGORY.get(ticket.category)
        if ticket.has_runbook and runbook:
            follows = LinkTicketRunbookRequest(id=self._id, runbook_id=self._runbooks[runbook])
            await self._story.do(follows, at=at, by=ticket.assignee)

    async def _tell(self, event: Event, at: datetime) -> None:
        by = self._ticket.assignee
        match event.what:
            case "move":
                await self._move(event.text, at)
            case "answer":
                await self._comment(TicketComment(body=event.text, visibility="PUBLIC"), at, by)
            case "note":
                await self._comment(TicketComment(body=event.text, visibility="INTERNAL"), at, by)
            case "reply":
                person = contacts(self._ticket.client)[self._ticket.contact]
                await self._comment(TicketComment(body=event.text, from_client=True), at, person.email)
            case "escalation":
                await self._story.do(EscalateTicketRequest(id=self._id, reason=event.text), at=at, by=by)
            case "work":
                await self._work(event, at)

    async def _move(self, state: str, at: datetime) -> None:
        by = self._ticket.assignee
        if state == "resolved":
            request = ResolveTicketRequest(id=self._id, resolution=self._ticket.resolution)
            await self._story.do(request, at=at, by=by)
            await self._settle_alert(at)
            return
        changes = Ticket(status=state.upper())
        if state == "open":
            changes.assignee_id = by
        await self._story.change(self._id, changes, at=at, by=by if state != "closed" else "demo")

    async def _settle_alert(self, at: datetime) -> None:
        if self._alert_id:
            await self._story.do(ResolveAlertRequest(id=self._alert_id), at=at, by="monitoring")
            self._alert_id = ""

    async def _comment(self, comment: TicketComment, at: datetime, by: str) -> None:
        await self._story.do(CreateTicketCommentRequest(ticket_id=self._id, comment=comment), at=at, by=by)

    async def _work(self, event: Event, at: datetime) -> None:
        # It may have begun before the ticket was written.
        started = Timestamp()
        started.FromDatetime(at - event.minutes * _MINUTE)
        entry = TimeEntry(
            ticket_id=self._id,
            started_at=started,
            minutes=event.minutes,
            billable=event.is_billable,
            notes=event.text,
            work_type="ONSITE" if event.is_onsite else "REMOTE",
        )
        made = await self._story.create(entry, at=at, by=self._ticket.assignee)
        if event.is_billable:
            self._work_done.append((at.date().isoformat(), event.minutes, made.id))
