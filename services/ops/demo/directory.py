"""Loads the clients with their sites, contacts and assets."""

from datetime import UTC, datetime, timedelta

from opsfield.ops.v1.assets_pb2 import Asset, ObserveAssetRequest
from opsfield.ops.v1.clients_pb2 import Address, Client
from opsfield.ops.v1.contacts_pb2 import Contact
from opsfield.ops.v1.sites_pb2 import Site
from services.ops.demo.content_clients import CLIENTS, TIME_ZONES, DemoClient, DemoSite
from services.ops.demo.content_directory import DemoAsset, DemoContact, assets, contacts
from services.ops.demo.loader import DemoLoader, Facts, Story

_DAY = timedelta(days=1)
# When the first client came, in days before now; the others followed.
_FIRST_CLIENT = 260


async def load(loader: DemoLoader, now: datetime) -> list[Facts]:
    """A story for each client. Facts: `client`, and the ids of `sites`, `contacts` and `assets` in their order."""
    return [await _load_client(loader, index, now) for index in range(len(CLIENTS))]


async def _load_client(loader: DemoLoader, index: int, now: datetime) -> Facts:
    client, born = CLIENTS[index], now - (_FIRST_CLIENT - 3 * index) * _DAY

    async def story(story: Story) -> Facts:
        client_id = await _create_client(story, client, index, born)
        sites = [
            await _create_site(story, client_id, client, place, born + timedelta(minutes=10 + place))
            for place in range(len(client.sites))
        ]
        people = [
            await _create_contact(story, client_id, each, sites, place, born + timedelta(minutes=20 + place), now)
            for place, each in enumerate(contacts(index))
        ]
        devices = [
            await _create_asset(story, client_id, each, sites, people, born + timedelta(minutes=30 + place), now)
            for place, each in enumerate(assets(index))
        ]
        if client.status in ("suspended", "offboarded"):
            changed = Client(status=client.status.upper())
            await story.change(client_id, changed, at=now - 10 * _DAY, by="nora.keane")
        return {"client": client_id, "sites": sites, "contacts": people, "assets": devices}

    return await loader.tell(f"client-{index}", story)


async def _create_client(story: Story, client: DemoClient, index: int, born: datetime) -> str:
    begun = client.status if client.status in ("prospect", "onboarding") else "active"
    message = Client(
        name=client.name,
        abbreviation=client.short,
        industry=client.industry,
        status=begun.upper(),
        billing_address=_address(client, client.sites[0]),
        email=f"office@{client.short.lower()}.example",
        phone=contacts(index)[0].phone,
        website=f"https://{client.short.lower()}.example",
        currency=client.currency,
        hourly_rate=client.hourly_rate,
        payment_terms_days=14 if index % 3 else 30,
        tax_id=f"{client.country}{260_000_000 + 7_919_113 * index}",
    )
    created = await story.create(message, at=born)
    return str(created.id)


async def _create_site(story: Story, client_id: str, client: DemoClient, place: int, at: datetime) -> str:
    site = client.sites[place]
    message = Site(
        client_id=client_id,
        name=site.name,
        address=_address(client, site),
        time_zone=site.time_zone or TIME_ZONES[client.country],
        is_primary=place == 0,
    )
    return str((await story.create(message, at=at)).id)


async def _create_contact(
    story: Story, client_id: str, contact: DemoContact, sites: list[str], place: int, at: datetime, now: datetime
) -> str:
    message = Contact(
        client_id=client_id,
        name=contact.name,
        email=contact.email,
        phone=contact.phone,
        title=contact.title,
        department=contact.department,
        site_id=sites[contact.site],
        is_primary=place == 0,
        is_billing=place == 1,
        is_technical=place == 2,
        is_important=place == 3,
    )
    contact_id = str((await story.create(message, at=at)).id)
    if contact.has_left:
        await story.change(contact_id, Contact(status="ARCHIVED"), at=now - 33 * _DAY, by="chiara.romano")
    return contact_id


async def _create_asset(
    story: Story, client_id: str, asset: DemoAsset, sites: list[str], people: list[str], at: datetime, now: datetime
) -> str:
    at = max(at, now - asset.bought * _DAY)
    begun = {"retired": "deployed", "disposed": "deployed", "maintenance": "deployed"}
    message = Asset(
        client_id=client_id,
        name=asset.name,
        lifecycle=begun.get(asset.lifecycle, asset.lifecycle).upper(),
        type=asset.type.upper(),
        site_id=sites[asset.site],
        contact_id=None if asset.contact is None else people[asset.contact],
        manufacturer=asset.manufacturer,
        model=asset.model,
        serial_number=asset.serial_number,
        asset_tag=asset.tag,
        hostname=asset.name.lower(),
        operating_system=asset.operating_system,
        ip_address=asset.ip_address,
        mac_address=asset.mac_address,
        purchase_date=(now - asset.bought * _DAY).date().isoformat(),
        warranty_expires_on=None
        if asset.warranty is None
        else (now + asset.warranty * _DAY).astimezone(UTC).date().isoformat(),
        vendor="Meridian IT Distribution",
        maintenance_mode=asset.lifecycle == "maintenance",
        tags=["loan"] if asset.lifecycle == "in_stock" else [],
    )
    asset_id = str((await story.create(message, at=at, by="ben.okafor")).id)
    if asset.status in ("online", "degraded", "offline"):
        seen = max(at, now - timedelta(hours=asset.seen))
        await _observe(story, asset_id, "ONLINE", seen)
        if asset.status != "online":
            await _observe(story, asset_id, asset.status.upper(), min(seen + timedelta(hours=2), now))
    if asset.lifecycle == "maintenance":
        await _move(story, asset_id, "MAINTENANCE", now - 2 * _DAY)
    elif asset.lifecycle in ("retired", "disposed"):
        await _move(story, asset_id, "RETIRED", now - 45 * _DAY)
        if asset.lifecycle == "disposed":
            await _move(story, asset_id, "DISPOSED", now - 20 * _DAY)
    return asset_id


async def _observe(story: Story, asset_id: str, status: str, at: datetime) -> None:
    await story.do(ObserveAssetRequest(id=asset_id, status=status), at=at, by="monitoring")


async def _move(story: Story, asset_id: str, lifecycle: str, at: datetime) -> None:
    await story.change(asset_id, Asset(lifecycle=lifecycle), at=at, by="ben.okafor")


def _address(client: DemoClient, site: DemoSite) -> Address:
    country = {"Europe/Vienna": "AT", "Europe/Jersey": "JE", "Indian/Reunion": "RE"}.get(site.time_zone or "")
    return Address(line1=site.street, postal_code=site.postal_code, city=site.city, country=country or client.country)
