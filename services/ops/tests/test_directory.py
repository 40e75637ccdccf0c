"""Sites, contacts and assets of a client: whom they belong to, which is the primary one, what is unique."""

import asyncio
import json
from dataclasses import replace

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from kit.identity import Principal
from opsfield.ops.v1.assets_pb2 import Asset, AssetLifecycle, ObserveAssetRequest
from opsfield.ops.v1.clients_pb2 import Address, Client
from opsfield.ops.v1.contacts_pb2 import Contact
from opsfield.ops.v1.sites_pb2 import Site
from services.ops.tests.client import Ops
from tests.callers import refused

NOBODY = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client()


@pytest.fixture
async def other(ops: Ops) -> Client:
    return await ops.create_client("Other")


@pytest.fixture
async def asset(ops: Ops, client: Client) -> Asset:
    found: Asset = await ops.create(Asset(client_id=client.id, name="WS-17"))
    return found


def telemetry(ops: Ops) -> Ops:
    """The service that observes."""
    workspace = ops.principal.workspace_id
    return replace(ops, principal=Principal("gateway", workspace_id=workspace, service="gateway"))


async def observe(ops: Ops, asset: Asset, status: Asset.Status, at: Timestamp | None = None) -> Asset:
    request = ObserveAssetRequest(id=asset.id, status=status, observed_at=at)
    found: Asset = await telemetry(ops).call("ObserveAsset", request)
    return found


async def test_the_first_hour_of_a_client(ops: Ops) -> None:
    """Client, site, contact and asset, each found from the one before."""
    client = await ops.create_client("Bluewater Dental")
    site = await ops.create(
        Site(
            client_id=client.id,
            name="Harbour practice",
            address=Address(line1="1 Quay", city="Cork", country="IE"),
            time_zone="Europe/Dublin",
            is_primary=True,
        )
    )
    person = await ops.create(
        Contact(client_id=client.id, name="Niamh Daly", email="niamh@bluewater.example", site_id=site.id)
    )
    laptop = await ops.create(
        Asset(
            client_id=client.id,
            name="Reception laptop",
            type=Asset.LAPTOP,
            site_id=site.id,
            contact_id=person.id,
            serial_number="5CG1234XYZ",
            purchase_date="2026-01-15",
            warranty_expires_on="2029-01-14",
        )
    )
    assert (person.status, laptop.status, laptop.lifecycle) == (Contact.ACTIVE, Asset.UNKNOWN, AssetLifecycle.DEPLOYED)
    assert site.address.city == "Cork"
    for resource in (site, person, laptop):
        assert await ops.get(resource) == resource
        assert await ops.replace(resource) == resource

    assert [each.id for each in (await ops.page("Sites", client_id=client.id, is_primary=True)).data] == [site.id]
    assert [each.id for each in (await ops.page("Contacts", q="niamh@")).data] == [person.id]
    by_user = await ops.page("Assets", contact_id=person.id, type=Asset.LAPTOP, sort_by="warrantyExpiresOn")
    assert [each.serial_number for each in by_user.data] == ["5CG1234XYZ"]
    assert (await ops.page("Assets", maintenance_mode=True)).page.total == 0

    for resource in (client, site, person):
        async with refused(409, "in-use"):
            await ops.delete(resource)
    for resource in (laptop, person, site, client):
        await ops.delete(resource)


async def test_a_name_is_unique_among_the_sites_of_a_client(ops: Ops, client: Client, other: Client) -> None:
    await ops.create(Site(client_id=client.id, name="Harbour"))
    async with refused(409, "already-exists", path="name"):
        await ops.create(Site(client_id=client.id, name="HARBOUR"))
    await ops.create(Site(client_id=other.id, name="Harbour"))


async def test_an_address_is_unique_among_the_contacts_of_a_client(ops: Ops, client: Client, other: Client) -> None:
    first = await ops.create(Contact(client_id=client.id, name="Ann", email="ann@a.example"))
    async with refused(409, "already-exists", path="email"):
        await ops.create(Contact(client_id=client.id, name="Ann again", email="Ann@A.example"))
    await ops.create(Contact(client_id=other.id, name="Ann", email="ann@a.example"))
    await ops.create(Contact(client_id=client.id, name="Nobody"))
    await ops.create(Contact(client_id=client.id, name="Nobody else"))
    await ops.delete(first)
    await ops.create(Contact(client_id=client.id, name="Ann", email="ann@a.example"))


async def test_serial_numbers_and_agents_are_unique_where_there_are_any(
    ops: Ops, client: Client, other: Client
) -> None:
    await ops.create(Asset(client_id=client.id, name="A", serial_number="abc", agent_id="agent-1"))
    async with refused(409, "already-exists", path="serialNumber"):
        await ops.create(Asset(client_id=client.id, name="B", serial_number="ABC"))
    async with refused(409, "already-exists", path="agentId"):
        await ops.create(Asset(client_id=other.id, name="B", serial_number="abc", agent_id="agent-1"))
    await ops.create(Asset(client_id=other.id, name="B", serial_number="abc"))
    await ops.create(Asset(client_id=client.id, name="C"))
    await ops.create(Asset(client_id=client.id, name="D"))


async def test_of_two_serial_numbers_at_once_one_wins(ops: Ops, client: Client) -> None:
    made = await asyncio.gather(
        *(ops.create(Asset(client_id=client.id, name=f"A{each}", serial_number="abc")) for each in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Asset) for each in made) == 1
    assert (await ops.page("Assets", serial_number="abc")).page.total == 1


async def test_what_is_named_belongs_to_the_same_client(ops: Ops, client: Client, other: Client) -> None:
    there = await ops.create(Site(client_id=other.id, name="There"))
    stranger = await ops.create(Contact(client_id=other.id, name="Stranger"))
    async with refused(422, "validation-failed", path="siteId"):
        await ops.create(Contact(client_id=client.id, name="Ann", site_id=there.id))
    async with refused(422, "validation-failed", path="contactId"):
        await ops.create(Asset(client_id=client.id, name="A", contact_id=stranger.id))
    asset = await ops.create(Asset(client_id=client.id, name="A"))
    for site_id in (there.id, NOBODY):
        async with refused(422, "validation-failed", path="siteId"):
            await ops.patch(asset, site_id=site_id)
    assert await ops.get(asset) == asset


async def test_nothing_goes_to_another_client(ops: Ops, client: Client, other: Client, asset: Asset) -> None:
    site = await ops.create(Site(client_id=client.id, name="Here"))
    contact = await ops.create(Contact(client_id=client.id, name="Ann"))
    for resource in (site, contact, asset):
        async with refused(422, "validation-failed", path="clientId"):
            await ops.patch(resource, client_id=other.id)


@pytest.mark.parametrize("kind", [Site, Contact])
async def test_the_primary_place_is_taken_from_the_former(
    ops: Ops, client: Client, other: Client, kind: type[Site] | type[Contact]
) -> None:
    first = await ops.create(kind(client_id=client.id, name="First", is_primary=True))
    elsewhere = await ops.create(kind(client_id=other.id, name="Elsewhere", is_primary=True))
    second = await ops.create(kind(client_id=client.id, name="Second", is_primary=True))
    demoted = await ops.get(first)
    assert (demoted.is_primary, demoted.version, demoted.updated_at) == (False, 2, second.created_at)
    assert (await ops.get(elsewhere)).is_primary
    assert (await ops.patch(first, is_primary=True)).is_primary
    assert not (await ops.get(second)).is_primary
    await ops.delete(first)
    assert (await ops.patch(second, is_primary=True)).is_primary


@pytest.mark.parametrize("kind", [Site, Contact])
async def test_of_many_who_become_primary_at_once_one_is(
    ops: Ops, client: Client, kind: type[Site] | type[Contact]
) -> None:
    there = [await ops.create(kind(client_id=client.id, name=f"There {each}")) for each in range(4)]
    await ops.patch(there[0], is_primary=True)
    await asyncio.gather(
        *(ops.patch(each, is_primary=True) for each in there[1:]),
        *(ops.create(kind(client_id=client.id, name=f"New {each}", is_primary=True)) for each in range(4)),
    )
    listed = (await ops.page(f"{kind.__name__}s", client_id=client.id)).data
    assert len(listed) == 8
    assert sum(each.is_primary for each in listed) == 1


async def test_who_is_archived_leaves_the_primary_place_and_may_come_back(ops: Ops, client: Client) -> None:
    contact = await ops.create(Contact(client_id=client.id, name="Ann", is_primary=True))
    archived = await ops.patch(contact, status=Contact.ARCHIVED)
    assert (archived.status, archived.is_primary) == (Contact.ARCHIVED, False)
    async with refused(422, path="isPrimary"):
        await ops.patch(contact, is_primary=True)
    back = await ops.patch(contact, status=Contact.ACTIVE, is_primary=True)
    assert (back.status, back.is_primary) == (Contact.ACTIVE, True)


async def test_only_another_state_of_an_asset_is_told(
    ops: Ops, asset: Asset, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await ops.patch(asset, name="WS-18", maintenance_mode=True)
    await ops.patch(asset, status=Asset.ONLINE)
    await ops.patch(asset, status=Asset.ONLINE, notes="Seen.")
    await ops.patch(asset, lifecycle=AssetLifecycle.RETIRED)
    rows = await admin.fetch("SELECT topic, payload FROM outbox WHERE key = $1 ORDER BY sequence", asset.id)
    assert {row["topic"] for row in rows} == {"asset.state_changed"}
    told = [json.loads(row["payload"])["data"] for row in rows]
    assert [
        (each["previousStatus"], each["asset"]["status"], each["previousLifecycle"], each["asset"]["lifecycle"])
        for each in told
    ] == [("unknown", "online", "deployed", "deployed"), ("online", "retired", "deployed", "retired")]


async def test_an_asset_goes_out_of_use_and_comes_back(ops: Ops, asset: Asset) -> None:
    await ops.patch(asset, status=Asset.OFFLINE)
    retired = await ops.patch(asset, lifecycle=AssetLifecycle.RETIRED)
    assert retired.status == Asset.RETIRED
    async with refused(409, "illegal-transition"):
        await ops.patch(asset, status=Asset.ONLINE)
    async with refused(409, "asset-retired"):
        await observe(ops, asset, Asset.ONLINE)
    # What was read before can be put back, but for the version.
    assert (await ops.replace(retired)).status == Asset.RETIRED
    back = await ops.patch(asset, lifecycle=AssetLifecycle.IN_STOCK)
    assert back.status == Asset.UNKNOWN
    kept = await ops.replace(Asset(id=asset.id, client_id=asset.client_id, name="WS-17"))
    assert (kept.lifecycle, kept.status) == (AssetLifecycle.IN_STOCK, Asset.UNKNOWN)


async def test_observations_are_for_services_and_set_when_it_was_seen(ops: Ops, asset: Asset) -> None:
    async with refused(403, "forbidden"):
        await ops.call("ObserveAsset", ObserveAssetRequest(id=asset.id, status=Asset.ONLINE))
    online = await observe(ops, asset, Asset.ONLINE)
    assert (online.status, online.last_seen_at) == (Asset.ONLINE, online.updated_at)
    late = await observe(ops, asset, Asset.OFFLINE, Timestamp(seconds=online.last_seen_at.seconds - 60))
    assert late == online
    ahead = await observe(ops, asset, Asset.DEGRADED, Timestamp(seconds=online.last_seen_at.seconds + 3600))
    assert ahead.last_seen_at == ahead.updated_at
    offline = await observe(ops, asset, Asset.OFFLINE)
    assert (offline.status, offline.last_seen_at) == (Asset.OFFLINE, ahead.last_seen_at)
    async with refused(422, path="status"):
        await observe(ops, asset, Asset.RETIRED)
