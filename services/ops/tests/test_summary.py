"""The dashboard summary, and who may ask for which summary, for which time. Each number is one that was counted by hand
from the rows that a test has made."""

from datetime import UTC, timedelta
from typing import Any

import pytest

from kit import clock
from kit.database import Database
from opsfield.ops.v1.alerts_pb2 import Alert
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.summary_pb2 import (
    DashboardSummary,
    GetDashboardSummaryRequest,
    OpsSummary,
    SummaryRange,
)
from opsfield.ops.v1.ticket_comments_pb2 import TicketComment
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.service_desk.sla.breaches import find_and_mark
from services.ops.tests.client import Ops
from services.ops.tests.past import OpsAt
from services.ops.tests.policies import policy
from services.ops.tests.summaries import BILLING, DAY, HOUR, MINUTE, NOW, counts, dashboard, workbench
from tests.callers import refused

ALERT_SEVERITIES = (Alert.INFO, Alert.WARNING, Alert.HIGH, Alert.CRITICAL)
SlaCounts = DashboardSummary.SlaCounts


@pytest.fixture
def past(ops: Ops, database: Database) -> OpsAt:
    return OpsAt.like(ops, database).at(NOW)


def days(summary: DashboardSummary) -> dict[str, tuple[int, int]]:
    """The days on which something happened."""
    found = {each.date: (each.created, each.resolved) for each in summary.tickets.by_day}
    return {date: numbers for date, numbers in found.items() if any(numbers)}


async def clients(ops: OpsAt) -> tuple[Client, Client, Client]:
    """The last has an SLA."""
    long_ago = ops.at(NOW - 50 * DAY)
    alder, birch, slate = [await long_ago.create_client(name) for name in ("Alder", "Birch", "Slate")]
    await long_ago.create(policy(client_id=slate.id, pause_states=[Ticket.WAITING_ON_CLIENT]))
    return alder, birch, slate


async def new(ops: OpsAt, client: Client, age: timedelta, *moves: tuple[Any, timedelta], **fields: Any) -> Ticket:
    """A ticket made `age` ago that went to other states, each so long ago."""
    ticket = await ops.at(NOW - age).create_ticket(client, **fields)
    for status, ago in moves:
        resolution: dict[str, Any] = {"resolution": "Done."} if status == Ticket.RESOLVED else {}
        ticket = await ops.at(NOW - ago).patch(ticket, status=status, **resolution)
    return ticket


async def answer(ops: OpsAt, ticket: Ticket, ago: timedelta) -> None:
    await ops.at(NOW - ago).comment(ticket, visibility=TicketComment.PUBLIC)


async def test_tickets(past: OpsAt) -> None:
    alder, birch, slate = await clients(past)
    kept = await new(past, alder, HOUR)
    answered = await new(past, alder, DAY, priority=Ticket.HIGH, assignee_id="ada")
    await answer(past, answered, DAY - 150 * MINUTE)
    await answer(past, answered, HOUR)
    await new(past, alder, 5 * DAY, (Ticket.IN_PROGRESS, 4 * DAY), priority=Ticket.LOW, assignee_id="ada")
    waiting = ((Ticket.OPEN, 39 * DAY), (Ticket.WAITING_ON_CLIENT, 38 * DAY))
    await new(past, alder, 40 * DAY, *waiting, priority=Ticket.CRITICAL)
    await new(past, birch, 2 * HOUR)
    await new(past, slate, 10 * DAY, (Ticket.RESOLVED, 10 * DAY - 5 * HOUR))
    early = await new(past, slate, HOUR)
    await answer(past, early, 30 * MINUTE)
    await new(past, alder, 20 * DAY, (Ticket.RESOLVED, 19 * DAY))
    await new(past, birch, 31 * DAY, (Ticket.RESOLVED, 2 * DAY), (Ticket.CLOSED, DAY))
    reopened = (Ticket.RESOLVED, 29 * DAY - HOUR), (Ticket.OPEN, 29 * DAY - 2 * HOUR), (Ticket.RESOLVED, 28 * DAY)
    await new(past, alder, 29 * DAY, *reopened)
    await new(past, alder, 35 * DAY, (Ticket.RESOLVED, 31 * DAY))
    merged = await new(past, alder, 3 * HOUR)
    await past.at(NOW - 30 * MINUTE).do("MergeTicket", merged, into_ticket_id=kept.id, reason="The same.")
    await past.delete(await new(past, alder, HOUR))

    found = (await dashboard(past)).tickets
    assert (found.open, found.unassigned) == (6, 4)
    assert counts(found.open_by_status, "status") == {
        Ticket.NEW: 4, Ticket.OPEN: 0, Ticket.IN_PROGRESS: 1, Ticket.WAITING_ON_CLIENT: 1, Ticket.WAITING_ON_VENDOR: 0
    }  # fmt: skip
    assert counts(found.open_by_priority, "priority") == {
        Ticket.LOW: 1, Ticket.MEDIUM: 3, Ticket.HIGH: 1, Ticket.CRITICAL: 1
    }  # fmt: skip
    # The one that is a day old to the microsecond is no longer under a day.
    assert found.open_by_age == DashboardSummary.Ages(under_1_day=3, days_1_to_3=1, days_3_to_7=1, over_7_days=1)
    first, *others = [(each.client_id, each.name, each.count) for each in found.top_clients]
    assert first == (alder.id, "Alder", 4)
    assert set(others) == {(birch.id, "Birch", 1), (slate.id, "Slate", 1)}
    assert (found.created, found.resolved) == (9, 4)
    assert len(found.by_day) == 31
    assert (found.by_day[0].date, found.by_day[-1].date) == ("2100-02-08", "2100-03-10")
    assert days(await dashboard(past)) == {
        "2100-02-09": (1, 0), "2100-02-10": (0, 1), "2100-02-18": (1, 0), "2100-02-19": (0, 1), "2100-02-28": (1, 1),
        "2100-03-05": (1, 0), "2100-03-08": (0, 1), "2100-03-09": (1, 0), "2100-03-10": (4, 0),
    }  # fmt: skip
    # 150 and 30 minutes; 5 hours, a day, 29 days, a day.
    assert found.mean_seconds_to_first_response == 90 * 60
    assert found.mean_seconds_to_resolve == (5 + 24 + 29 * 24 + 24) * 3600 // 4


async def test_a_range_holds_its_start_and_not_its_end(past: OpsAt) -> None:
    client = await past.create_client()
    start, end = NOW - 100 * DAY, NOW - DAY
    for created in (start - timedelta(microseconds=1), start, end - timedelta(microseconds=1), end):
        await past.at(created).create_ticket(client)
    found = await dashboard(past, range_from=start, range_to=end)
    assert found.range == SummaryRange(range_from=start, range_to=end)
    assert (found.as_of.ToDatetime(tzinfo=UTC), found.tickets.open, found.tickets.created) == (NOW, 4, 2)
    # Of a hundred days the last 92 are told; the first of them is counted, not told.
    assert len(found.tickets.by_day) == len(found.alerts.by_day) == 92
    assert found.tickets.by_day[0].date == "2099-12-08"
    assert days(found) == {"2100-03-09": (1, 0)}


async def test_promises(past: OpsAt, database: Database, workspace: str) -> None:
    _, birch, slate = await clients(past)
    await new(past, birch, 6 * HOUR)
    await new(past, slate, 30 * MINUTE)
    await answer(past, await new(past, slate, 210 * MINUTE), 3 * HOUR)
    await new(past, slate, 2 * HOUR)
    await new(past, slate, 210 * MINUTE)
    await new(past, slate, 6 * HOUR)
    paused = (Ticket.IN_PROGRESS, 15 * MINUTE), (Ticket.WAITING_ON_CLIENT, 10 * MINUTE)
    await new(past, slate, 20 * MINUTE, *paused)
    await new(past, slate, 10 * DAY, (Ticket.RESOLVED, 10 * DAY - 5 * HOUR))
    await new(past, slate, 32 * DAY, (Ticket.RESOLVED, 32 * DAY - 5 * HOUR))

    before = (await dashboard(past)).sla
    assert before.at_risk == SlaCounts(first_response=1, resolution=2, tickets=3)
    # Whether or not the search for breaches has come by.
    assert before.breached_open == SlaCounts(first_response=3, resolution=1, tickets=3)
    assert before.breached == SlaCounts(first_response=1, resolution=1, tickets=1)
    with clock.at(NOW):
        assert await find_and_mark(database, workspace) == 3
    after = (await dashboard(past)).sla
    assert (after.at_risk, after.breached_open) == (before.at_risk, before.breached_open)
    assert after.breached == SlaCounts(first_response=4, resolution=2, tickets=4)


async def raise_alert(ops: OpsAt, ago: timedelta, severity: Any, rule: str, **fields: Any) -> Alert:
    alert = Alert(source="uptime", title="Down", severity=severity, rule=rule, **fields)
    found: Alert = await ops.at(NOW - ago).create(alert)
    return found


async def alerts(past: OpsAt) -> None:
    down = await raise_alert(past, 2 * HOUR, Alert.CRITICAL, "a")
    await past.at(NOW - 90 * MINUTE).act("acknowledge", down)
    slow = await raise_alert(past, 3 * DAY, Alert.WARNING, "b")
    await past.at(NOW - 3 * DAY + 2 * HOUR).act("resolve", slow)
    odd = await raise_alert(past, 3 * DAY, Alert.INFO, "c")
    await past.at(NOW - 3 * DAY + 10 * MINUTE).act("acknowledge", odd)
    await past.at(NOW - 3 * DAY + HOUR).act("resolve", odd)
    await raise_alert(past, 40 * DAY, Alert.HIGH, "d")
    for ago in (HOUR, 30 * MINUTE):
        await raise_alert(past, ago, Alert.WARNING, "e")
    await raise_alert(past, HOUR, Alert.INFO, "f", status=Alert.SUPPRESSED)
    await past.delete(await raise_alert(past, HOUR, Alert.HIGH, "g"))


async def test_alerts(past: OpsAt) -> None:
    await alerts(past)
    found = (await dashboard(past)).alerts
    assert (found.raised, len(found.by_day)) == (5, 31)
    told = [(each.date, each.info, each.warning, each.high, each.critical) for each in found.by_day]
    assert [each for each in told if any(each[1:])] == [("2100-03-07", 1, 1, 0, 0), ("2100-03-10", 1, 1, 0, 1)]
    assert found.mean_seconds_to_acknowledge == 20 * 60
    assert found.mean_seconds_to_resolve == 90 * 60
    active = {each.severity: (each.firing, each.acknowledged) for each in (await workbench(past)).incidents.alerts}
    assert active == dict(zip(ALERT_SEVERITIES, [(0, 0), (1, 0), (1, 0), (0, 1)], strict=True))


async def test_another_workspaces_rows_do_not_count(past: OpsAt) -> None:
    await alerts(past)
    await new(past, (await clients(past))[0], HOUR)
    other = past.of(f"{past.principal.workspace_id}-2")
    found, bench = await dashboard(other), await workbench(other.of(other.principal.workspace_id, roles=BILLING))
    numbers = found.tickets.open, found.tickets.created, found.tickets.resolved, found.tickets.unassigned
    assert (*numbers, found.alerts.raised, found.sla.breached.tickets) == (0, 0, 0, 0, 0, 0)
    assert not days(found)
    assert not found.tickets.top_clients
    assert not found.tickets.HasField("mean_seconds_to_first_response")
    assert not found.tickets.HasField("mean_seconds_to_resolve")
    assert not found.alerts.HasField("mean_seconds_to_acknowledge")
    assert not found.alerts.HasField("mean_seconds_to_resolve")
    assert sum(each.firing + each.acknowledged for each in bench.incidents.alerts) == 0
    assert bench.billing == OpsSummary.Billing()
    assert (await dashboard(past)).tickets.open == 1


async def test_who_may_ask(ops: Ops, workspace: str) -> None:
    for role in ("ops_engineer", "viewer"):
        assert not (await workbench(ops.of(workspace, roles=frozenset({role})))).HasField("billing")
        assert not (await dashboard(ops.of(workspace, roles=frozenset({role})))).tickets.open
    for roles in ({"billing"}, {"msp_admin"}, {"viewer", "data_admin"}, {"ops_engineer", "billing"}):
        found = await workbench(ops.of(workspace, roles=frozenset(roles)))
        assert found.HasField("billing")
        assert found.HasField("incidents")
    for role in ("data_admin", "client_portal", "automation_operator"):
        async with refused(403, "role-missing"):
            await workbench(ops.of(workspace, roles=frozenset({role})))
    async with refused(403, "role-missing"):
        await dashboard(ops.of(workspace, roles=BILLING))


async def test_what_is_no_range_is_refused(ops: Ops) -> None:
    for start, end in ((NOW, NOW), (NOW - 367 * DAY, NOW)):
        async with refused(422, "validation-failed", path="from"):
            await dashboard(ops, range_from=start, range_to=end)
        async with refused(422, "validation-failed", path="from"):
            await workbench(ops, range_from=start, range_to=end)
    no_time = GetDashboardSummaryRequest()
    no_time.range_to.seconds = 10**15
    async with refused(422, "validation-failed", path="to"):
        await ops.call("GetDashboardSummary", no_time)
