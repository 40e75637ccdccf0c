"""What is of one client stays together when a ticket or an alert goes to another."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opsfield.ops.v1.alerts_pb2 import Alert
from opsfield.ops.v1.assets_pb2 import Asset
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.contacts_pb2 import Contact
from opsfield.ops.v1.sites_pb2 import Site
from opsfield.ops.v1.ticket_comments_pb2 import TicketComment
from opsfield.ops.v1.tickets_pb2 import Ticket
from opsfield.ops.v1.time_entries_pb2 import TimeEntry
from services.ops.tests.client import Ops
from services.ops.tests.policies import policy
from tests.callers import refused


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client()


@pytest.fixture
async def other(ops: Ops) -> Client:
    return await ops.create_client("Other")


@pytest.fixture
async def ticket(ops: Ops, client: Client) -> Ticket:
    return await ops.create_ticket(client)


@pytest.fixture
async def asset(ops: Ops, client: Client) -> Asset:
    return await ops.create_asset(client)


async def test_a_ticket_at_the_wrong_client_moves_without_its_contact_and_site(
    ops: Ops, client: Client, other: Client
) -> None:
    ann = await ops.create(Contact(client_id=client.id, name="Ann"))
    quay = await ops.create(Site(client_id=client.id, name="Quay"))
    ticket = await ops.create_ticket(client, contact_id=ann.id, site_id=quay.id)
    async with refused(422, path="contactId"):
        await ops.patch(ticket, "site_id", client_id=other.id)
    async with refused(422, path="siteId"):
        await ops.patch(ticket, "contact_id", client_id=other.id)
    bob = await ops.create(Contact(client_id=other.id, name="Bob"))
    moved = await ops.patch(ticket, "site_id", client_id=other.id, contact_id=bob.id)
    assert (moved.client_id, moved.contact_id, moved.HasField("site_id")) == (other.id, bob.id, False)
    moved.client_id = client.id
    async with refused(422, path="contactId"):
        await ops.replace(moved)
    moved.contact_id = ann.id
    assert (await ops.replace(moved)).client_id == client.id


async def test_what_the_staff_notes_among_itself_goes_with_the_ticket(ops: Ops, ticket: Ticket, other: Client) -> None:
    await ops.comment(ticket, "This is for the other one.")
    assert (await ops.patch(ticket, client_id=other.id)).client_id == other.id


async def _comment(ops: Ops, ticket: Ticket, client: Client) -> None:
    del client
    await ops.comment(ticket, visibility=TicketComment.PUBLIC)


async def _work(ops: Ops, ticket: Ticket, client: Client) -> None:
    del client
    await ops.create(TimeEntry(ticket_id=ticket.id, minutes=5, started_at=datetime.now(UTC) - timedelta(hours=1)))


async def _asset(ops: Ops, ticket: Ticket, client: Client) -> None:
    await ops.do("LinkTicketAsset", ticket, asset_id=(await ops.create_asset(client)).id)


async def _alert(ops: Ops, ticket: Ticket, client: Client) -> None:
    alert = await ops.create(Alert(source="uptime", title="Down", client_id=client.id))
    await ops.do("LinkAlertTicket", alert, ticket_id=ticket.id)


async def _merge(ops: Ops, ticket: Ticket, client: Client) -> None:
    await ops.do("MergeTicket", await ops.create_ticket(client), into_ticket_id=ticket.id, reason="The same")


async def _merged(ops: Ops, ticket: Ticket, client: Client) -> None:
    await ops.do("MergeTicket", ticket, into_ticket_id=(await ops.create_ticket(client)).id, reason="The same")


@pytest.mark.parametrize("tie", [_comment, _work, _asset, _alert, _merge, _merged])
async def test_a_ticket_of_which_something_came_stays_with_its_client(
    ops: Ops,
    ticket: Ticket,
    client: Client,
    other: Client,
    tie: Callable[[Ops, Ticket, Client], Awaitable[None]],
) -> None:
    await tie(ops, ticket, client)
    tied = await ops.get(ticket)
    async with refused(409, "client-fixed"):
        await ops.patch(ticket, client_id=other.id)
    tied.client_id = other.id
    async with refused(409, "client-fixed"):
        await ops.replace(tied)
    assert (await ops.patch(ticket, subject="Scanner")).client_id == client.id


async def test_a_ticket_that_moves_gets_what_its_new_client_is_promised(
    ops: Ops, client: Client, other: Client
) -> None:
    own, theirs = [
        await ops.create(policy(each.name, client_id=each.id, last=last))
        for each, last in ((client, 100), (other, 200))
    ]
    ticket = await ops.create_ticket(client)
    assert ticket.sla_policy_id == own.id
    moved = await ops.patch(ticket, client_id=other.id)
    assert (moved.sla_policy_id, moved.sla.policy_name) == (theirs.id, "Other")
    assert moved.sla.resolution.target_minutes == 200
    standard = await ops.create(policy())
    back = await ops.patch(ticket, client_id=client.id, sla_policy_id=standard.id)
    assert back.sla_policy_id == standard.id


async def test_an_asset_of_another_client_is_not_linked(ops: Ops, ticket: Ticket, other: Client, asset: Asset) -> None:
    foreign = await ops.create_asset(other)
    async with refused(422, path="assetId"):
        await ops.do("LinkTicketAsset", ticket, asset_id=foreign.id)
    linked = await ops.do("LinkTicketAsset", ticket, asset_id=asset.id)
    assert list(linked.asset_ids) == [asset.id]


async def test_an_alert_stays_with_the_client_of_its_asset(
    ops: Ops, client: Client, other: Client, asset: Asset
) -> None:
    foreign = await ops.create_asset(other)
    alert = await ops.create(Alert(source="uptime", title="Down", asset_id=asset.id))
    async with refused(422, path="clientId"):
        await ops.patch(alert, client_id=other.id)
    async with refused(422, path="clientId"):
        await ops.patch(alert, asset_id=foreign.id)
    assert (await ops.patch(alert, "client_id")).client_id == client.id
    moved = await ops.patch(alert, asset_id=foreign.id, client_id=other.id)
    assert (moved.asset_id, moved.client_id) == (foreign.id, other.id)
    moved.asset_id = asset.id
    async with refused(422, path="clientId"):
        await ops.replace(moved)
    homeless = await ops.create(Alert(source="uptime", rule="ping", title="Slow"))
    assert (await ops.patch(homeless, asset_id=asset.id)).client_id == client.id


async def test_an_alert_stays_with_the_client_of_its_ticket(
    ops: Ops, ticket: Ticket, client: Client, other: Client
) -> None:
    alert = await ops.create(Alert(source="uptime", title="Down"))
    await ops.do("LinkAlertTicket", alert, ticket_id=ticket.id)
    async with refused(422, path="clientId"):
        await ops.patch(alert, client_id=other.id)
    foreign = await ops.create_asset(other)
    async with refused(422, path="clientId"):
        await ops.patch(alert, asset_id=foreign.id)
    assert (await ops.patch(alert, client_id=client.id)).client_id == client.id


async def test_a_ticket_that_moves_gets_what_is_promised_there(ops: Ops, client: Client, other: Client) -> None:
    standard = await ops.create(policy(is_default=True))
    own = await ops.create(policy("Own", client_id=other.id))
    patched, replaced = await ops.create_ticket(client), await ops.create_ticket(client)
    assert (patched.sla_policy_id, replaced.sla_policy_id) == (standard.id, standard.id)
    assert (await ops.patch(patched, client_id=other.id)).sla_policy_id == own.id
    replaced.client_id = other.id
    replaced.ClearField("sla_policy_id")
    moved = await ops.replace(replaced)
    assert (moved.sla_policy_id, moved.HasField("sla")) == (own.id, True)


async def test_a_ticket_with_the_asset_of_another_client_is_merged_without_it(
    ops: Ops, client: Client, other: Client, ticket: Ticket, asset: Asset, admin: Any
) -> None:
    """As a ticket could get one before that was checked."""
    foreign = await ops.create_asset(other)
    await ops.do("LinkTicketAsset", ticket, asset_id=asset.id)
    await admin.execute("UPDATE tickets SET asset_ids = asset_ids || $2::uuid WHERE id = $1", ticket.id, foreign.id)
    target = await ops.create_ticket(client)
    await ops.do("MergeTicket", ticket, into_ticket_id=target.id, reason="The same")
    assert list((await ops.get(target)).asset_ids) == [asset.id]


async def test_an_alert_that_is_linked_is_of_its_tickets_client(ops: Ops, client: Client, ticket: Ticket) -> None:
    alert = await ops.create(Alert(source="uptime", title="Down"))
    linked = await ops.do("LinkAlertTicket", alert, ticket_id=ticket.id)
    assert linked.client_id == client.id
    assert (await ops.patch(linked, "client_id")).client_id == client.id
