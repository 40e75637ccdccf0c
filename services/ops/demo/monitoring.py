"""Loads alerts that came of no ticket, and incidents."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from opsfield.ops.v1.alerts_pb2 import AcknowledgeAlertRequest, LinkAlertTicketRequest, ResolveAlertRequest
from opsfield.ops.v1.incidents_pb2 import AddIncidentNoteRequest, Incident
from services.ops.demo.content_clients import CLIENTS
from services.ops.demo.content_directory import assets
from services.ops.demo.content_incidents import INCIDENTS, DemoIncident
from services.ops.demo.content_monitoring import DemoAlert, alert, alerts
from services.ops.demo.content_tickets import TECHNICIANS, DemoTicket
from services.ops.demo.loader import DemoLoader, Facts, Story

_MINUTE = timedelta(minutes=1)
_MONITORING = "monitoring"


async def load_alerts(
    loader: DemoLoader, clients: Sequence[Facts], tickets: Sequence[DemoTicket], now: datetime
) -> list[tuple[DemoAlert, str]]:
    """The alerts with their ids, oldest first."""
    taken = {(each.client, each.alarm.asset, each.alarm.rule) for each in tickets if each.alarm}
    loaded = []
    for number, each in enumerate(alerts(taken)):
        facts = await _load_alert(loader, number, each, clients[each.client], now)
        loaded.append((each, str(facts["alert"])))
    return loaded


async def load_incidents(
    loader: DemoLoader,
    clients: Sequence[Facts],
    alerts: Sequence[tuple[DemoAlert, str]],
    tickets: Sequence[tuple[DemoTicket, Facts]],
    change_id: str,
    now: datetime,
) -> None:
    """Incidents, with the alerts and tickets that their clients had at about that time. `change_id` is the change that
    caused one of them."""
    for number, incident in enumerate(INCIDENTS):
        concerned = [index for index, each in enumerate(CLIENTS) if each.short in incident.clients]
        began = now - incident.age
        over = any(state == "resolved" for _, state, _ in incident.steps)
        message = Incident(
            title=incident.title,
            summary=incident.summary,
            severity=incident.severity,
            commander_id=incident.commander,
            client_ids=[clients[index]["client"] for index in concerned],
            alert_ids=[
                alert_id
                for each, alert_id in alerts
                if each.client in concerned
                and timedelta(0) < each.age - incident.age < timedelta(days=2)
                and (each.status == "resolved" or not over)
            ][:3],
            ticket_ids=[
                facts["ticket"]
                for each, facts in tickets
                if each.client in concerned and abs(each.born - began) < timedelta(hours=30) and each.born < now
            ][:4],
            change_id=change_id if incident.is_caused_by_change else None,
            started_at=_timestamp(began),
        )
        await _load_incident(loader, number, incident, message, began)


async def _load_alert(loader: DemoLoader, number: int, demo: DemoAlert, client: Facts, now: datetime) -> Facts:
    born, by = now - demo.age, TECHNICIANS[number % len(TECHNICIANS)]
    # All of it within half of what has passed since.
    pace = min(15 * _MINUTE, demo.age / 20)

    async def signal(story: Story, at: datetime, status: str = "FIRING") -> str:
        device, asset_id = assets(demo.client)[demo.asset], client["assets"][demo.asset]
        message = alert(demo.rule, device, client_id=client["client"], asset_id=asset_id, status=status)
        return str((await story.create(message, at=at, by=_MONITORING)).id)

    async def story(story: Story) -> Facts:
        begun = "SUPPRESSED" if demo.status == "suppressed" else "FIRING"
        alert_id = await signal(story, born, begun)
        for repeat in range(demo.repeats):
            await signal(story, born + (repeat + 1) * pace, begun)
        at = born + 7 * pace
        if demo.status in ("acknowledged", "resolved"):
            await story.do(AcknowledgeAlertRequest(id=alert_id), at=at, by=by)
        if demo.gets_ticket:
            await story.do(LinkAlertTicketRequest(id=alert_id), at=at + pace, by=by)
        if demo.status == "resolved":
            await story.do(ResolveAlertRequest(id=alert_id), at=at + 2 * pace, by=_MONITORING)
            if demo.flaps:
                again = at + 2 * pace + 5 * _MINUTE
                await signal(story, again)
                await story.do(ResolveAlertRequest(id=alert_id), at=again + 3 * _MINUTE, by=_MONITORING)
            if demo.recurs:
                recurred = await signal(story, at + timedelta(days=1))
                await story.do(ResolveAlertRequest(id=recurred), at=at + timedelta(days=1.2), by=by)
        return {"alert": alert_id}

    return await loader.tell(f"alert-{number}", story)


async def _load_incident(
    loader: DemoLoader, number: int, demo: DemoIncident, message: Incident, began: datetime
) -> None:
    async def story(story: Story) -> Facts:
        by = demo.commander
        incident = await story.create(message, at=began + 6 * _MINUTE, by=by)
        for hours, state, note in demo.steps:
            at = began + timedelta(hours=hours)
            changes = Incident(status=state.upper())
            if state == "resolved" and demo.root_cause:
                changes.root_cause = demo.root_cause
            elif state == "postmortem" and demo.postmortem:
                changes.postmortem = demo.postmortem
            await story.change(incident.id, changes, at=at, by=by)
            await story.do(AddIncidentNoteRequest(id=incident.id, note=note), at=at + 2 * _MINUTE, by=by)
        return {"incident": incident.id}

    await loader.tell(f"incident-{number}", story)


def _timestamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp
