"""Alerts of tickets that are merged go on with the ticket that stays."""

import asyncio
from importlib import import_module
from typing import Any

import asyncpg
import pytest

from devstack.stack import Stack
from kit.errors import Problem
from opsfield.ops.v1.alerts_pb2 import Alert
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.tests.client import Ops


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client()


@pytest.fixture
async def alert(ops: Ops, client: Client) -> Alert:
    """One with a ticket of its own."""
    made: Alert = await ops.do(
        "LinkAlertTicket", await ops.create(Alert(source="x", title="Down", client_id=client.id))
    )
    return made


async def merge(ops: Ops, source: Ticket, target: Ticket) -> None:
    await ops.do("MergeTicket", source, into_ticket_id=target.id, reason="The same")


async def test_an_alert_goes_on_with_the_ticket_that_stays(
    ops: Ops, client: Client, alert: Alert, admin: Any, workspace: str
) -> None:
    target, last = [await ops.create_ticket(client, subject) for subject in ("The same", "The same again")]
    await merge(ops, Ticket(id=alert.ticket_id), target)
    moved = await ops.get(alert)
    assert (moved.ticket_id, moved.version) == (target.id, alert.version + 1)
    assert list((await ops.get(target)).alert_ids) == [alert.id]
    for query in ({"ticket_id": target.id}, {"q": target.id}):
        assert [each.id for each in (await ops.page("Alerts", **query)).data] == [alert.id]
    assert (await ops.page("Alerts", q=alert.ticket_id)).page.total == 0
    audited = "SELECT operation FROM audit_entries WHERE workspace_id = $1 AND resource_id = $2 AND version = $3"
    assert str(await admin.fetchval(audited, workspace, alert.id, moved.version)).endswith("MergeTicket")
    await merge(ops, target, last)
    assert (await ops.get(alert)).ticket_id == last.id


async def test_to_link_an_alert_to_a_merged_ticket_is_to_link_it_to_the_one_that_stays(
    ops: Ops, client: Client, alert: Alert
) -> None:
    source = Ticket(id=alert.ticket_id)
    middle, target = [await ops.create_ticket(client, subject) for subject in ("The same", "The same again")]
    await merge(ops, source, middle)
    await merge(ops, middle, target)
    moved = await ops.get(alert)
    for named in (None, source.id, middle.id, target.id):
        assert await ops.do("LinkAlertTicket", alert, ticket_id=named) == moved
    another = await ops.create(Alert(source="x", rule="ping", title="Slow", client_id=client.id))
    assert (await ops.do("LinkAlertTicket", another, ticket_id=source.id)).ticket_id == target.id
    assert list((await ops.get(target)).alert_ids) == [alert.id, another.id]


async def test_links_and_a_merge_at_once_leave_no_alert_behind(ops: Ops, client: Client) -> None:
    source, target = [await ops.create_ticket(client, subject) for subject in ("One", "The same")]
    alerts = [await ops.create(Alert(source="x", rule=str(each), title="Down")) for each in range(8)]
    results = await asyncio.gather(
        *(ops.do("LinkAlertTicket", each, ticket_id=source.id) for each in alerts[:4]),
        merge(ops, source, target),
        *(ops.do("LinkAlertTicket", each, ticket_id=source.id) for each in alerts[4:]),
        return_exceptions=True,
    )
    assert [each for each in results if isinstance(each, Problem)] == []
    assert (await ops.page("Alerts", ticket_id=target.id)).page.total == len(alerts)
    assert sorted((await ops.get(target)).alert_ids) == sorted(each.id for each in alerts)


async def test_alerts_that_were_left_with_merged_tickets_are_moved(
    ops: Ops, client: Client, alert: Alert, admin: Any, stack: Stack
) -> None:
    source = alert.ticket_id
    middle, target = [await ops.create_ticket(client, subject) for subject in ("The same", "The same again")]
    await merge(ops, Ticket(id=source), middle)
    await merge(ops, middle, target)
    left = "UPDATE alerts SET ticket_id = $2::uuid, search = replace(search, $3, $2::uuid::text) WHERE id = $1"
    await admin.execute(left, alert.id, source, target.id)
    migration = import_module("services.ops.migrations.versions.0027_alerts_of_merged_tickets")
    owner = await asyncpg.connect(stack.database_url("ops", "owner"))
    await owner.execute(migration.MOVE)
    await owner.close()
    moved = await ops.get(alert)
    assert (moved.ticket_id, moved.version) == (target.id, alert.version + 3)
    assert (await ops.page("Alerts", q=target.id)).page.total == 1
