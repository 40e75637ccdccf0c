"""Alerts: what is the same becomes one; acknowledging, resolving, tickets."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devstack.stack import Stack
from kit import ids
from kit.call import Call
from kit.database import Database
from kit.errors import Conflict
from kit.identity import Principal
from kit.live_settings import DefaultSettings
from kit.resources.convert import row_of
from kit.unit_of_work import unit_of_work
from opsfield.ops.v1.alerts_pb2 import Alert, AlertLabel
from opsfield.ops.v1.assets_pb2 import Asset
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.monitoring.alerts import intake
from services.ops.monitoring.alerts.handlers import AlertHandlers
from services.ops.monitoring.alerts.kind import ALERTS
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.tickets.kind import TICKETS
from services.ops.tests.client import Ops
from services.ops.wiring import KINDS
from tests.callers import refused

NOTHING = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"
HANDLERS = AlertHandlers(ALERTS, KINDS, TicketHandlers(TICKETS, KINDS, DefaultSettings()))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def alert(title: str = "Disk full", **fields: Any) -> Alert:
    return Alert(**{"source": "edge-agent", "rule": "disk-free", "title": title, **fields})


@pytest.fixture
async def signals(stack: Stack, workspace: str) -> AsyncIterator["Signals"]:
    """Over enough connections for several at the same instant."""
    database = await Database.connect(stack.database_url("ops"), size=6)
    yield Signals(database, workspace)
    await database.close()


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client()


@pytest.fixture
async def asset(ops: Ops, client: Client) -> Asset:
    return await ops.create_asset(client)


class Signals:
    """Monitoring, as a consumer of its events will take it in."""

    def __init__(self, database: Database, workspace: str) -> None:
        self._database = database
        self._workspace = workspace

    async def fire(self, at: datetime, *, suppressed: bool = False, **fields: Any) -> Any:
        async with unit_of_work(self._database, self._call(), service="ops") as work:
            row = row_of(alert(**fields), ALERTS.writable)
            return await intake.raise_or_fold(work, HANDLERS, row, seen_at=at, suppressed=suppressed)

    async def clear(self, at: datetime, fingerprint: str) -> Any:
        async with unit_of_work(self._database, self._call(), service="ops") as work:
            return await intake.clear(work, HANDLERS, fingerprint, seen_at=at)

    def _call(self) -> Call:
        return Call("/Test", Principal("system:monitoring", workspace_id=self._workspace), ids.new_id())


async def triggered(admin: Any, workspace: str) -> list[str]:
    """The ids of the alerts that were told of."""
    query = "SELECT key FROM outbox WHERE workspace_id = $1 AND topic = 'alert.triggered' ORDER BY sequence"
    return [row["key"] for row in await admin.fetch(query, workspace)]


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


async def test_a_new_alert_has_its_defaults(ops: Ops, admin: Any, workspace: str) -> None:
    made = await ops.create(alert(labels=[AlertLabel(name="drive", value="C:")]))
    assert (made.status, made.severity, made.occurrence_count) == (Alert.FIRING, Alert.WARNING, 1)
    assert made.first_seen_at == made.last_seen_at == made.created_at
    assert [(each.name, each.value) for each in made.labels] == [("drive", "C:")]
    assert await ops.get(made) == made
    assert await triggered(admin, workspace) == [made.id]


@pytest.mark.parametrize("status", [Alert.ACKNOWLEDGED, Alert.RESOLVED])
async def test_a_new_alert_is_firing_or_suppressed(ops: Ops, status: int) -> None:
    async with refused(409, "illegal-transition"):
        await ops.create(alert(status=status))


async def test_the_same_again_is_one_more_of_it(ops: Ops, admin: Any, workspace: str) -> None:
    first = await ops.create(alert())
    await ops.do("AcknowledgeAlert", first)
    again = await ops.create(alert("Disk fuller", severity=Alert.CRITICAL))
    assert (again.id, again.occurrence_count, again.severity) == (first.id, 2, Alert.CRITICAL)
    assert again.status == Alert.ACKNOWLEDGED
    other = await ops.create(alert(rule="memory"))
    assert other.id != first.id
    assert await triggered(admin, workspace) == [first.id, other.id]


async def test_fifty_at_once_are_one_alert(ops: Ops, admin: Any, workspace: str) -> None:
    async def create() -> Any:
        """As whoever is told that somebody else holds it right now, and to try again."""
        key = ids.new_id()
        while True:
            try:
                return await ops.create(alert(), key=key)
            except Conflict as conflict:
                if conflict.code != "busy":
                    raise
                await asyncio.sleep(0.1)

    made = await asyncio.gather(*(create() for _ in range(50)))
    assert len({each.id for each in made}) == 1
    assert (await ops.get(made[0])).occurrence_count == 50
    assert await triggered(admin, workspace) == [made[0].id]


async def test_an_alert_is_about_an_asset_that_exists(ops: Ops) -> None:
    async with refused(422, path="assetId"):
        await ops.create(alert(asset_id=NOTHING))


async def test_the_same_on_another_asset_is_another_alert(ops: Ops, client: Client, asset: Asset) -> None:
    first = await ops.create(alert(asset_id=asset.id))
    assert (await ops.create(alert(asset_id=asset.id))).id == first.id
    assert (await ops.create(alert(asset_id=(await ops.create_asset(client, "Other")).id))).id != first.id
    async with refused(409, "in-use"):
        await ops.delete(asset)


async def test_the_same_in_another_workspace_is_another_alert(ops: Ops, workspace: str) -> None:
    first = await ops.create(alert())
    assert (await ops.of(f"{workspace}-2").create(alert())).id != first.id


async def test_what_fires_again_soon_is_the_same_alert_and_later_a_new_one(
    signals: Signals, admin: Any, workspace: str
) -> None:
    first = await signals.fire(after(0))
    await signals.clear(after(5), first.fingerprint)
    flapping = await signals.fire(after(14))
    assert (flapping.id, flapping.flap_count, flapping.occurrence_count) == (first.id, 1, 2)
    assert flapping.status == Alert.FIRING
    resolved = await signals.clear(after(20), first.fingerprint)
    assert resolved.resolved_at.ToDatetime(tzinfo=UTC) == after(20)
    later = await signals.fire(after(30.5))
    assert (later.previous_alert_id, later.flap_count, later.occurrence_count) == (first.id, 0, 1)
    assert await triggered(admin, workspace) == [first.id, first.id, later.id]


async def test_a_signal_that_comes_late_says_nothing_new(signals: Signals) -> None:
    first = await signals.fire(after(10))
    assert await signals.fire(after(5)) == first
    assert await signals.clear(after(9), first.fingerprint) == first
    resolved = await signals.clear(after(11), first.fingerprint)
    assert resolved.status == Alert.RESOLVED
    assert await signals.fire(after(10.5)) == resolved
    assert await signals.clear(after(12), first.fingerprint) == resolved
    assert await signals.clear(after(12), "never heard of") is None


async def test_an_end_that_comes_before_its_beginning_ends_it(signals: Signals, admin: Any, workspace: str) -> None:
    """The two travel on topics of their own."""
    assert await signals.clear(after(5), "f-1") is None
    assert await signals.clear(after(4), "f-1") is None
    over = await signals.fire(after(0), fingerprint="f-1")
    assert (over.status, over.occurrence_count) == (Alert.RESOLVED, 1)
    assert [each.ToDatetime(tzinfo=UTC) for each in (over.first_seen_at, over.resolved_at)] == [after(0), after(5)]
    assert await signals.fire(after(2), fingerprint="f-1") == over
    assert await signals.clear(after(9), "f-1") == over
    back = await signals.fire(after(8), fingerprint="f-1")
    assert (back.id, back.status, back.flap_count) == (over.id, Alert.RESOLVED, 1)
    assert await triggered(admin, workspace) == []
    assert await signals.clear(after(20), "f-1") == back
    anew = await signals.fire(after(21), fingerprint="f-1")
    assert (anew.status, anew.previous_alert_id) == (Alert.FIRING, over.id)
    assert await admin.fetchval("SELECT count(*) FROM early_clears WHERE workspace_id = $1", workspace) == 0


async def test_maintenance_is_recorded_and_not_told(signals: Signals, admin: Any, workspace: str) -> None:
    silent = await signals.fire(after(0), suppressed=True)
    assert silent.status == Alert.SUPPRESSED
    assert (await signals.fire(after(1), suppressed=True)).occurrence_count == 2
    assert await triggered(admin, workspace) == []
    loud = await signals.fire(after(2))
    assert (loud.id, loud.status) == (silent.id, Alert.FIRING)
    assert await triggered(admin, workspace) == [silent.id]


async def test_an_asset_in_maintenance_wakes_nobody(ops: Ops, asset: Asset, admin: Any, workspace: str) -> None:
    await ops.patch(asset, maintenance_mode=True)
    silent = await ops.create(alert(asset_id=asset.id, status=Alert.FIRING))
    assert silent.status == Alert.SUPPRESSED
    assert (await ops.create(alert(rule="memory"))).status == Alert.FIRING
    await ops.patch(asset, maintenance_mode=False)
    assert await ops.get(silent) == silent
    loud = await ops.create(alert(asset_id=asset.id))
    assert (loud.id, loud.status, loud.occurrence_count) == (silent.id, Alert.FIRING, 2)
    assert silent.id in await triggered(admin, workspace)


async def test_maintenance_silences_nothing_that_fires_already(ops: Ops, asset: Asset) -> None:
    firing = await ops.create(alert(asset_id=asset.id))
    await ops.patch(asset, maintenance_mode=True)
    assert await ops.get(firing) == firing
    again = await ops.create(alert(asset_id=asset.id))
    assert (again.id, again.status, again.occurrence_count) == (firing.id, Alert.FIRING, 2)


async def test_what_comes_back_during_maintenance_comes_back_silently(
    ops: Ops, asset: Asset, admin: Any, workspace: str
) -> None:
    fired = await ops.create(alert(asset_id=asset.id))
    await ops.do("ResolveAlert", fired)
    await ops.patch(asset, maintenance_mode=True)
    back = await ops.create(alert(asset_id=asset.id))
    assert (back.id, back.status, back.flap_count) == (fired.id, Alert.SUPPRESSED, 1)
    # The alert's own asset counts, also when the signal names none.
    bare = await ops.create(alert(fingerprint=fired.fingerprint))
    assert (bare.id, bare.status, bare.occurrence_count) == (fired.id, Alert.SUPPRESSED, 3)
    assert await triggered(admin, workspace) == [fired.id]


async def test_signals_at_once_that_something_is_over_and_is_not(signals: Signals, admin: Any, workspace: str) -> None:
    first = await signals.fire(after(0))
    await asyncio.gather(
        *(signals.fire(after(each)) for each in range(1, 10)),
        *(signals.clear(after(each), first.fingerprint) for each in range(1, 10)),
    )
    count = "SELECT count(*) FROM alerts WHERE workspace_id = $1"
    assert await admin.fetchval(count, workspace) == 1


async def test_acknowledging_and_resolving_say_who_and_when(ops: Ops) -> None:
    made = await ops.create(alert())
    acknowledged = await ops.do("AcknowledgeAlert", made)
    assert (acknowledged.status, acknowledged.acknowledged_by) == (Alert.ACKNOWLEDGED, "ada")
    assert acknowledged.acknowledged_at == acknowledged.updated_at
    assert await ops.do("AcknowledgeAlert", made) == acknowledged
    resolved = await ops.do("ResolveAlert", made)
    assert resolved.resolved_at == resolved.updated_at
    async with refused(409, "illegal-transition"):
        await ops.do("AcknowledgeAlert", made)


async def test_what_fires_anew_stands_in_the_way_of_the_old_one(signals: Signals, ops: Ops) -> None:
    first = await signals.fire(after(0))
    await signals.clear(after(1), first.fingerprint)
    await signals.fire(after(60))
    async with refused(409, "already-exists", path="fingerprint"):
        await ops.patch(first, status=Alert.FIRING)


async def test_a_ticket_is_made_from_an_alert_once(
    ops: Ops, client: Client, asset: Asset, admin: Any, workspace: str
) -> None:
    about = {"client_id": client.id, "asset_id": asset.id}
    made = await ops.create(alert(description="3 % left", severity=Alert.CRITICAL, **about))
    linked = await ops.do("LinkAlertTicket", made)
    ticket = await ops.get(Ticket(id=linked.ticket_id))
    assert (ticket.subject, ticket.description, ticket.client_id) == ("Disk full", "3 % left", client.id)
    assert (ticket.priority, ticket.source) == (Ticket.CRITICAL, Ticket.ALERT)
    assert (list(ticket.alert_ids), list(ticket.asset_ids)) == ([made.id], [asset.id])
    assert await ops.do("LinkAlertTicket", made) == linked
    created = "SELECT count(*) FROM outbox WHERE workspace_id = $1 AND topic = 'ticket.created'"
    assert await admin.fetchval(created, workspace) == 1


async def test_two_who_ask_at_once_get_one_ticket(ops: Ops, client: Client) -> None:
    made = await ops.create(alert(client_id=client.id))
    linked = await asyncio.gather(*(ops.do("LinkAlertTicket", made) for _ in range(5)))
    assert len({each.ticket_id for each in linked}) == 1
    assert (await ops.list_tickets()).page.total == 1


async def test_an_alert_is_linked_to_the_ticket_that_is_named(ops: Ops, client: Client) -> None:
    ticket = await ops.create_ticket(client)
    one, two = await ops.create(alert()), await ops.create(alert(rule="memory", client_id=client.id))
    for each in (one, two, one):
        assert (await ops.do("LinkAlertTicket", each, ticket_id=ticket.id)).ticket_id == ticket.id
    assert list((await ops.get(ticket)).alert_ids) == [one.id, two.id]
    async with refused(409, "already-linked"):
        await ops.do("LinkAlertTicket", one, ticket_id=(await ops.create_ticket(client)).id)
    async with refused(409, "in-use"):
        await ops.delete(ticket)


async def test_a_link_that_cannot_be_is_refused(ops: Ops, client: Client) -> None:
    foreign = await ops.create_ticket(await ops.create_client("Other"))
    homeless, made = await ops.create(alert()), await ops.create(alert(rule="memory", client_id=client.id))
    for each, ticket_id in ((homeless, None), (made, NOTHING), (made, foreign.id)):
        async with refused(422, path="ticketId"):
            await ops.do("LinkAlertTicket", each, ticket_id=ticket_id)
    assert not list((await ops.get(foreign)).alert_ids)


async def test_an_alert_is_its_assets_clients(ops: Ops, client: Client, asset: Asset) -> None:
    assert (await ops.create(alert(asset_id=asset.id))).client_id == client.id
    other = await ops.create_client("Bravo")
    async with refused(422, path="clientId"):
        await ops.create(alert("Fan", rule="fan", asset_id=asset.id, client_id=other.id))
